/**
 * Parts of text values: GETRANGE and its old name SUBSTR, SETRANGE; and the reading of ranges that BITCOUNT and BITPOS share.
 * Guarded: a value that grows is refused before it is made, and what fills the gap is zeros.
 */
import { HearsayError } from '../base/errors.js';
import { VALUE_BYTES_MAX } from '../record/record.js';
import type { Args } from '../resp/args.js';
import { readBigInteger } from '../resp/integer.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { notAnInteger, READ, READ_FIRST, WRITE } from './command.js';

const EMPTY = Buffer.alloc(0);

/** Reads a 64-bit integer; beyond 2^53 an infinity of its sign. */
export function requireInteger(args: Args, index: number): number {
  const value = args.integer(index);
  if (Number.isNaN(value)) throw notAnInteger();
  return value;
}

/** Whether both count from the end, and the first lies behind the second: then the range is empty whatever the value. */
export function isBackward(args: Args, first: number, last: number): boolean {
  const start = args.integer(first);
  const end = args.integer(last);
  if (!(start < 0 && end < 0)) return false;
  if (start !== end || Number.isFinite(start)) return start > end;
  return exact(args, first) > exact(args, last);
}

function exact(args: Args, index: number): bigint {
  return readBigInteger(args.buffer, args.starts[index], args.ends[index]);
}

/** Where a range begins in something `length` long: a negative place counts from the end. */
export function rangeStart(place: number, length: number): number {
  return place < 0 ? Math.max(0, place + length) : place;
}

/** Where it ends, itself included; -1 where there is nothing. */
export function rangeLast(place: number, length: number): number {
  return Math.min(place < 0 ? Math.max(0, place + length) : place, length - 1);
}

/** Refuses a value that would become longer than a record can hold. */
export function requireLengthFits(bytes: number): void {
  if (bytes > VALUE_BYTES_MAX) {
    throw new HearsayError('ERR', 'string exceeds maximum allowed size (proto-max-bulk-len)');
  }
}

/**
 * A copy of the text at `args[1]`, `bytes` long at least, with zeros behind what there was: to change and put back. Whether there was any
 * stands in `entry` of the keyspace, which is on it.
 */
export function grownCopy(context: CommandContext, found: boolean, bytes: number): Buffer {
  const { entry } = context.keyspace;
  const kept = found ? entry.valueEnd - entry.valueStart : 0;
  const value = Buffer.allocUnsafe(Math.max(kept, bytes));
  if (found) entry.buffer.copy(value, 0, entry.valueStart, entry.valueEnd);
  value.fill(0, kept);
  return value;
}

/** Writes `value` where `found` says whether there was one; its expiry stays. */
export function putBack({ keyspace }: CommandContext, args: Args, key: number, found: boolean, value: Buffer): void {
  const expireAtMs = found ? keyspace.entry.expireAtMs : 0;
  keyspace.put(args.buffer, args.starts[key], args.ends[key], value, 0, value.length, expireAtMs);
}

/** Finds the text at `args[1]` for a read, and counts whether it was there. */
export function lookupCounted({ keyspace, stats }: CommandContext, args: Args): boolean {
  const found = keyspace.lookup(args.buffer, args.starts[1], args.ends[1]);
  if (found) stats.keyspaceHits++;
  else stats.keyspaceMisses++;
  return found;
}

function getrange(context: CommandContext, args: Args, reply: Reply): void {
  const from = requireInteger(args, 2);
  const to = requireInteger(args, 3);
  const { entry } = context.keyspace;
  if (!lookupCounted(context, args)) {
    reply.bulk(EMPTY, 0, 0);
    return;
  }
  const length = entry.valueEnd - entry.valueStart;
  const start = rangeStart(from, length);
  const last = rangeLast(to, length);
  if (start > last || isBackward(args, 2, 3)) reply.bulk(EMPTY, 0, 0);
  else reply.bulk(entry.buffer, entry.valueStart + start, entry.valueStart + last + 1);
}

function setrange(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const offset = requireInteger(args, 2);
  if (offset < 0) throw new HearsayError('ERR', 'offset is out of range');
  const found = keyspace.lookup(buffer, starts[1], ends[1]);
  const added = args.length(3);
  if (added === 0) {
    reply.integer(found ? keyspace.entry.valueEnd - keyspace.entry.valueStart : 0);
    return;
  }
  requireLengthFits(offset + added);
  const value = grownCopy(context, found, offset + added);
  buffer.copy(value, offset, starts[3], ends[3]);
  putBack(context, args, 1, found, value);
  reply.integer(value.length);
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const rangeCommands: Command[] = [
  { name: 'getrange', arity: 4, flags: READ, ...oneKey, summary: 'Get a part of a value', run: getrange },
  { name: 'substr', arity: 4, flags: READ, ...oneKey, summary: 'Get a part of a value, as GETRANGE', run: getrange },
  {
    name: 'setrange',
    arity: 4,
    flags: WRITE | READ_FIRST,
    ...oneKey,
    summary: 'Overwrite a part of a value from an offset on',
    run: setrange,
  },
];
