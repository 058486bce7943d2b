/**
 * CGET, CPUT and CDEL: values of a key that stand beside each other until somebody has seen them (types/siblings.ts). A client reads all
 * values with a context, and gives the context back with what takes their place. A plain value is the one sibling that it is.
 * Guarded: a context is opaque text that names its key and cluster and checks itself: another key's is refused by name, so a
 * client that mixes contexts up deletes nothing.
 */
import { HearsayError, wrongType } from '../base/errors.js';
import { recordType, TYPE_PUT, TYPE_SIBLINGS } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { type Cover, EMPTY_COVER, latestOf } from '../types/cover.js';
import { alive, SIBLINGS_WARNED } from '../types/siblings.js';
import { SiblingsChange } from '../types/siblings-change.js';
import { decodeContext, encodeContext } from '../types/siblings-codec.js';
import { takeSet } from '../types/siblings-record.js';
import type { Command, CommandContext } from './command.js';
import { READ, READ_FIRST, requireValueFits, syntaxError, WRITE } from './command.js';
import { expiryAfter, expiryAt } from './expiry-time.js';

const NOTHING = Buffer.alloc(0);
/** Used up before the call returns. */
const change = new SiblingsChange();

function cget(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace, stats } = context;
  if (!keyspace.find(args.buffer, args.starts[1], args.ends[1])) {
    stats.keyspaceMisses++;
    reply.array(1);
    reply.bulk(NOTHING, 0, 0);
    return;
  }
  const { buffer, offset } = keyspace.entry;
  const type = recordType(buffer, offset);
  if (type !== TYPE_PUT && type !== TYPE_SIBLINGS) throw wrongType();
  stats.keyspaceHits++;
  const set = takeSet(buffer, offset);
  const siblings = alive(set, keyspace.wallMs);
  reply.array(1 + siblings.length);
  reply.bulkString(contextOf(context, args, set));
  for (const { value } of siblings) reply.bulk(value, 0, value.length);
}

function cput(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace, host } = context;
  const { buffer, starts, ends } = args;
  requireValueFits(args.length(3));
  const seen = seenBy(context, args);
  const expireAtMs = args.count === 4 ? 0 : expiryOf(args, keyspace.wallMs);
  const value = buffer.subarray(starts[3], ends[3]);
  keyspace.change(buffer, starts[1], ends[1], change.put(seen, value, expireAtMs, keyspace.wallMs));
  const { set } = change;
  if (set.siblings.length >= SIBLINGS_WARNED) host.noteSiblings(buffer, starts[1], ends[1], set.siblings.length);
  // What stands alone has seen everything; beside others there is something to be read first.
  if (set.siblings.length === 1) reply.bulkString(contextOf(context, args, set));
  else reply.null();
}

function cdel(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const seen = seenBy(context, args);
  if (seen === EMPTY_COVER) {
    reply.integer(0);
    return;
  }
  keyspace.change(buffer, starts[1], ends[1], change.remove(seen, keyspace.wallMs));
  reply.integer(change.removed);
}

function contextOf({ keyspace }: CommandContext, args: Args, cover: Cover): string {
  const { hasher } = keyspace;
  return encodeContext(hasher, hasher.hash(args.buffer, args.starts[1], args.ends[1]), cover);
}

/** What the context in the third word has seen. */
function seenBy({ keyspace, host }: CommandContext, args: Args): Cover {
  if (args.length(2) === 0) return EMPTY_COVER;
  const { hasher } = keyspace;
  const hash = hasher.hash(args.buffer, args.starts[1], args.ends[1]);
  const seen = decodeContext(hasher, hash, args.buffer, args.starts[2], args.ends[2]);
  if (seen === 'malformed') throw new HearsayError('CONTEXT', 'no context that CGET or CPUT of this cluster gave');
  if (seen === 'otherKey') throw new HearsayError('CONTEXT', 'this context belongs to another key');
  // What takes the place of what was seen is later than it, whoever's clock stamped that.
  if (!host.stampAbove(latestOf(seen).hlc)) {
    throw new HearsayError('CONTEXT', "the context is further ahead of this node's clock than the drift allowed");
  }
  return seen;
}

/** `EX seconds`, `PX ms`, `EXAT` or `PXAT`, at the end. */
function expiryOf(args: Args, wallMs: number): number {
  if (args.count !== 6) throw syntaxError();
  if (args.equalsIgnoreCase(4, 'EX')) return expiryAfter(args, 5, 1000, wallMs, 'cput');
  if (args.equalsIgnoreCase(4, 'PX')) return expiryAfter(args, 5, 1, wallMs, 'cput');
  if (args.equalsIgnoreCase(4, 'EXAT')) return expiryAt(args, 5, 1000, 'cput');
  if (args.equalsIgnoreCase(4, 'PXAT')) return expiryAt(args, 5, 1, 'cput');
  throw syntaxError();
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'hearsay' } as const;

export const siblingsCommands: Command[] = [
  { name: 'cget', arity: 2, flags: READ, ...oneKey, summary: 'Get a context and all values of a key', run: cget },
  {
    name: 'cput',
    arity: -4,
    flags: WRITE | READ_FIRST,
    ...oneKey,
    summary: 'Set a value in the place of those that a context has seen, beside the others',
    run: cput,
  },
  {
    name: 'cdel',
    arity: 3,
    flags: WRITE | READ_FIRST,
    ...oneKey,
    summary: 'Delete the values that a context has seen',
    run: cdel,
  },
];
