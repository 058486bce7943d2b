/**
 * Values as rows of bits, the highest of each byte first: SETBIT, GETBIT, BITCOUNT, BITPOS. bitfield.ts reads numbers in them.
 * Guarded: a bit may be read at any place that Redis knows, and set where a value can reach; setting what is set already writes nothing.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ, READ_FIRST, syntaxError, WRITE } from './command.js';
import {
  grownCopy,
  isBackward,
  lookupCounted,
  putBack,
  rangeLast,
  rangeStart,
  requireInteger,
  requireLengthFits,
} from './ranges.js';

/** As in Redis, where a value takes 512 MiB. */
export const BIT_OFFSETS = 2 ** 32;

/** Ones in each byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) ones++;
  return ones;
});

export function notABitOffset(): HearsayError {
  return new HearsayError('ERR', 'bit offset is not an integer or out of range');
}

function bitOffset(args: Args, index: number): number {
  const offset = args.integer(index);
  if (!(offset >= 0 && offset < BIT_OFFSETS)) throw notABitOffset();
  return offset;
}

function setbit(context: CommandContext, args: Args, reply: Reply): void {
  const offset = bitOffset(args, 2);
  const bit = args.integer(3);
  if (bit !== 0 && bit !== 1) throw new HearsayError('ERR', 'bit is not an integer or out of range');
  const { keyspace } = context;
  const { entry } = keyspace;
  const found = keyspace.lookup(args.buffer, args.starts[1], args.ends[1]);
  const at = Math.floor(offset / 8);
  requireLengthFits(at + 1);
  const mask = 0x80 >> (offset & 7);
  const holds = found && at < entry.valueEnd - entry.valueStart;
  const before = holds && (entry.buffer[entry.valueStart + at] & mask) !== 0 ? 1 : 0;
  if (!holds || before !== bit) {
    const value = grownCopy(context, found, at + 1);
    if (bit === 1) value[at] |= mask;
    else value[at] &= ~mask;
    putBack(context, args, 1, found, value);
  }
  reply.integer(before);
}

function getbit(context: CommandContext, args: Args, reply: Reply): void {
  const offset = bitOffset(args, 2);
  const { entry } = context.keyspace;
  const found = lookupCounted(context, args);
  const at = Math.floor(offset / 8);
  const holds = found && at < entry.valueEnd - entry.valueStart;
  reply.integer(holds && (entry.buffer[entry.valueStart + at] & (0x80 >> (offset & 7))) !== 0 ? 1 : 0);
}

/** Whether the unit at `args[index]` is BIT. */
function isInBits(args: Args, index: number): boolean {
  if (args.equalsIgnoreCase(index, 'BIT')) return true;
  if (args.equalsIgnoreCase(index, 'BYTE')) return false;
  throw syntaxError();
}

function bitcount(context: CommandContext, args: Args, reply: Reply): void {
  const { entry } = context.keyspace;
  if (!lookupCounted(context, args)) {
    reply.integer(0);
    return;
  }
  const bytes = entry.valueEnd - entry.valueStart;
  let start = 0;
  let last = bytes * 8 - 1;
  if (args.count === 4 || args.count === 5) {
    const from = requireInteger(args, 2);
    const to = requireInteger(args, 3);
    if (isBackward(args, 2, 3)) {
      reply.integer(0);
      return;
    }
    const inBits = args.count === 5 && isInBits(args, 4);
    const length = inBits ? bytes * 8 : bytes;
    start = rangeStart(from, length) * (inBits ? 1 : 8);
    last = inBits ? rangeLast(to, length) : rangeLast(to, length) * 8 + 7;
  } else if (args.count !== 2) throw syntaxError();
  reply.integer(start > last ? 0 : countOnes(entry.buffer, entry.valueStart, start, last));
}

/** Ones among the bits `first` to `last` of what begins at `base`. */
function countOnes(bytes: Buffer, base: number, first: number, last: number): number {
  const from = base + Math.floor(first / 8);
  const to = base + Math.floor(last / 8);
  let ones = 0;
  for (let at = from; at <= to; at++) ones += ONES[bytes[at]];
  ones -= ONES[bytes[from] >>> (8 - (first & 7))];
  return ones - ONES[bytes[to] & (0x7f >> (last & 7))];
}

function bitpos(context: CommandContext, args: Args, reply: Reply): void {
  const bit = requireInteger(args, 2);
  if (bit !== 0 && bit !== 1) throw new HearsayError('ERR', 'The bit argument must be 1 or 0.');
  const { entry } = context.keyspace;
  if (!lookupCounted(context, args)) {
    reply.integer(bit === 1 ? -1 : 0);
    return;
  }
  const bytes = entry.valueEnd - entry.valueStart;
  let start = 0;
  let last = bytes * 8 - 1;
  if (args.count > 6) throw syntaxError();
  if (args.count > 3) {
    const from = requireInteger(args, 3);
    const inBits = args.count === 6 && isInBits(args, 5);
    const to = args.count > 4 ? requireInteger(args, 4) : -1;
    const length = inBits ? bytes * 8 : bytes;
    start = rangeStart(from, length) * (inBits ? 1 : 8);
    last = inBits ? rangeLast(to, length) : rangeLast(to, length) * 8 + 7;
  }
  if (start > last) {
    reply.integer(-1);
    return;
  }
  const place = firstBit(entry.buffer, entry.valueStart, start, last, bit);
  // Without an end the zeros go on behind the value.
  reply.integer(place < 0 && bit === 0 && args.count < 5 ? bytes * 8 : place);
}

/** The first place among the bits `first` to `last` that is `bit`; -1 if none is. */
function firstBit(bytes: Buffer, base: number, first: number, last: number, bit: number): number {
  const flip = bit === 1 ? 0 : 0xff;
  const to = Math.floor(last / 8);
  for (let at = Math.floor(first / 8); at <= to; at++) {
    let byte = bytes[base + at] ^ flip;
    if (byte === 0) continue;
    if (at * 8 < first) byte &= 0xff >>> (first & 7);
    const place = at * 8 + Math.clz32(byte) - 24;
    if (byte !== 0) return place > last ? -1 : place;
  }
  return -1;
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'bitmap' } as const;

export const bitCommands: Command[] = [
  { name: 'setbit', arity: 4, flags: WRITE | READ_FIRST, ...oneKey, summary: 'Set one bit of a value', run: setbit },
  { name: 'getbit', arity: 3, flags: READ | FAST, ...oneKey, summary: 'Get one bit of a value', run: getbit },
  { name: 'bitcount', arity: -2, flags: READ, ...oneKey, summary: 'Count the ones in a value', run: bitcount },
  { name: 'bitpos', arity: -3, flags: READ, ...oneKey, summary: 'Find the first one or zero in a value', run: bitpos },
];
