/**
 * Commands of Redis that Hearsay does not have, and why: an answer that helps, to who tries them. Sessions ask here when the
 * table does not know a name. Guarded: every answer begins as Redis's own does, since clients look for "unknown command".
 */
import type { Args } from '../resp/args.js';

const ARGUMENTS_QUOTED_BYTES = 128;

/** Why nothing is run that clients would load. */
export const NO_SCRIPTS = 'scripts need one leader to run on; use SET NX, GETSET or INCR';

const FAMILIES: [string, string][] = [
  ['eval evalsha eval_ro evalsha_ro fcall fcall_ro', NO_SCRIPTS],
  ['module acl', 'it is no part of a cache'],
  ['debug', 'it reaches into a server; HEARSAY.STATUS, HEARSAY.EXPLAIN and MEMORY USAGE tell what can be told'],
  ['slaveof replicaof failover psync sync replconf', 'there is no leader to follow; nodes find each other by gossip'],
  ['multi exec discard watch unwatch', 'a transaction needs one leader; each command is atomic on its own key'],
  ['save bgsave bgrewriteaof lastsave', 'every write is logged as it happens; hearsay backup FILE takes a copy'],
  ['shutdown', 'stop the process with a signal'],
  [
    'publish subscribe unsubscribe psubscribe punsubscribe spublish ssubscribe sunsubscribe pubsub',
    'it is a cache only',
  ],
  ['lpush rpush lpop rpop llen lrange lindex linsert lset lrem ltrim lmove lmpop lpos rpoplpush', 'no lists'],
  ['blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop', 'no blocking commands'],
  ['xadd xread xreadgroup xrange xrevrange xlen xgroup xack xdel xtrim xinfo xpending xclaim xautoclaim', 'no streams'],
  [
    'hset hget hmset hmget hgetall hdel hexists hincrby hincrbyfloat hkeys hvals hlen hscan hsetnx hstrlen',
    'no hashes',
  ],
  ['sadd srem smembers sismember smismember scard spop srandmember sinter sunion sdiff sscan smove', 'no sets'],
  ['zadd zrem zrange zrevrange zrangebyscore zscore zcard zincrby zrank zrevrank zcount zscan', 'no sorted sets'],
  ['geoadd geodist geopos geosearch geohash', 'no geographic indexes'],
  ['sort sort_ro', 'what it sorts are lists, sets and sorted sets'],
  ['pfdebug pfselftest', 'they look into the HyperLogLog of one implementation'],
  ['move swapdb', 'there is one database'],
  [
    'dump restore restore-asking migrate',
    'entries keep versions that its format has no room for; copy a cluster by hearsay backup and restore, read one value by GET, all by hearsay export',
  ],
];

const REASONS = new Map<string, string>();
for (const [names, reason] of FAMILIES) {
  const text = reason.startsWith('no ') ? `Hearsay has ${reason}: its values are strings` : reason;
  for (const name of names.split(' ')) REASONS.set(name, text);
}

/** The text of the error for a name that the table does not know. */
export function unknownCommand(args: Args): string {
  const name = args.quote(0, ARGUMENTS_QUOTED_BYTES);
  const reason = REASONS.get(name.toLowerCase());
  if (reason !== undefined) return `unknown command '${name}': ${reason}`;
  let quoted = '';
  for (let index = 1; index < args.count && quoted.length < ARGUMENTS_QUOTED_BYTES; index++) {
    quoted += `'${args.quote(index, ARGUMENTS_QUOTED_BYTES - quoted.length)}' `;
  }
  return `unknown command '${name}', with args beginning with: ${quoted}`;
}

/** Whether a browser was made to speak to this port: such a connection is closed without a word. */
export function isCrossProtocol(args: Args): boolean {
  return args.equalsIgnoreCase(0, 'POST') || args.equalsIgnoreCase(0, 'HOST:');
}
