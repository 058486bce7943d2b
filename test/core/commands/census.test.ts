/**
 * Every command of Redis in the groups that a cache of text has to do with is in the table, or refused by name with a reason. The names are those of
 * COMMAND DOCS of Redis 7.0, and what 8.4 has added to these groups.
 */
import { describe, expect, it } from 'vitest';
import { unknownCommand } from '../../../src/core/commands/refused.js';
import { commandTable } from '../../../src/core/commands/table.js';
import { Args } from '../../../src/core/resp/args.js';

const GROUPS: Record<string, string> = {
  string:
    'append decr decrby delex digest get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetex msetnx psetex set setex setnx setrange strlen substr',
  bitmap: 'bitcount bitfield bitfield_ro bitop bitpos getbit setbit',
  generic:
    'copy del dump exists expire expireat expiretime keys migrate move object persist pexpire pexpireat pexpiretime pttl randomkey rename renamenx restore scan sort sort_ro touch ttl type unlink wait',
  hyperloglog: 'pfadd pfcount pfdebug pfmerge pfselftest',
  connection: 'auth client echo hello ping quit reset select',
  server:
    'acl bgrewriteaof bgsave command config dbsize debug failover flushall flushdb info lastsave latency lolwut memory module monitor psync replconf replicaof restore-asking role save shutdown slaveof slowlog swapdb sync time',
  cluster: 'asking cluster readonly readwrite',
  pubsub: 'psubscribe publish pubsub punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe',
  transactions: 'discard exec multi unwatch watch',
};

describe.each(Object.entries(GROUPS))('the group %s', (_group, names) => {
  it.each(names.split(' '))('%s is there, or is refused with a reason', (name) => {
    const isThere = commandTable.find(Args.of(name)) >= 0;
    const reason = unknownCommand(Args.of(name));
    const isRefused =
      reason.startsWith(`unknown command '${name}': `) && reason.length > `unknown command '${name}': `.length;
    expect([isThere, isRefused]).toContain(true);
    // What is there is no longer said to be refused.
    expect([isThere, isRefused]).toContain(false);
  });
});

it('a name that nobody knows is neither', () => {
  expect(commandTable.find(Args.of('nope'))).toBe(-1);
  expect(unknownCommand(Args.of('nope'))).toBe("unknown command 'nope', with args beginning with: ");
});
