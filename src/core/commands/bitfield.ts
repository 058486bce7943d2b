/**
 * BITFIELD and BITFIELD_RO: whole numbers of 1 to 64 bits at any place in a value, read, set and added to, with a rule for what does not fit.
 * Guarded: all words are judged before anything is read; all that a command changes is one write, and its numbers are exact.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { readBigInteger } from '../resp/integer.js';
import type { Reply } from '../resp/reply.js';
import { BIT_OFFSETS, notABitOffset } from './bits.js';
import type { Command, CommandContext } from './command.js';
import { FAST, notAnInteger, READ, READ_FIRST, syntaxError, WRITE } from './command.js';
import { grownCopy, putBack, requireLengthFits } from './ranges.js';

/** In one command. */
export const OPERATIONS_MAX = 16_384;

type Overflow = 'WRAP' | 'SAT' | 'FAIL';

interface Operation {
  readonly kind: 'GET' | 'SET' | 'INCRBY';
  readonly signed: boolean;
  readonly bits: number;
  readonly offset: number;
  readonly amount: bigint;
  readonly overflow: Overflow;
}

function bitfield(context: CommandContext, args: Args, reply: Reply): void {
  run(context, args, operationsIn(args), reply);
}

function bitfieldRead(context: CommandContext, args: Args, reply: Reply): void {
  const operations = operationsIn(args);
  if (operations.some(({ kind }) => kind !== 'GET')) {
    throw new HearsayError('ERR', 'BITFIELD_RO only supports the GET subcommand');
  }
  run(context, args, operations, reply);
}

function run(context: CommandContext, args: Args, operations: readonly Operation[], reply: Reply): void {
  const { keyspace } = context;
  const { entry } = keyspace;
  const found = keyspace.lookup(args.buffer, args.starts[1], args.ends[1]);
  let writtenBytes = 0;
  for (const { kind, offset, bits } of operations) {
    if (kind !== 'GET') writtenBytes = Math.max(writtenBytes, Math.floor((offset + bits - 1) / 8) + 1);
  }
  requireLengthFits(writtenBytes);
  const kept = found ? entry.valueEnd - entry.valueStart : 0;
  const readsOnly = writtenBytes === 0;
  const value = !readsOnly
    ? grownCopy(context, found, writtenBytes)
    : found
      ? entry.buffer.subarray(entry.valueStart, entry.valueEnd)
      : Buffer.alloc(0);
  let changed = value.length > kept;
  reply.array(operations.length);
  for (const operation of operations) {
    if (operate(operation, value, reply)) changed = true;
  }
  if (!readsOnly && changed) putBack(context, args, 1, found, value);
}

/** Answers one operation; whether it wrote. */
function operate(operation: Operation, value: Buffer, reply: Reply): boolean {
  const { kind, signed, bits, offset, amount, overflow } = operation;
  const raw = readBits(value, offset, bits);
  const before = signed ? BigInt.asIntN(bits, raw) : raw;
  if (kind === 'GET') {
    reply.bigInteger(before);
    return false;
  }
  // What is set is first taken for a number of 64 bits of the same kind, as in Redis.
  const wanted = kind === 'INCRBY' ? before + amount : signed ? amount : BigInt.asUintN(64, amount);
  const after = fitted(wanted, signed, bits, overflow);
  if (after === null) {
    reply.null();
    return false;
  }
  writeBits(value, offset, bits, BigInt.asUintN(bits, after));
  reply.bigInteger(kind === 'SET' ? before : after);
  return true;
}

/** Null where it does not fit and that is to fail. */
function fitted(value: bigint, signed: boolean, bits: number, overflow: Overflow): bigint | null {
  const span = 1n << BigInt(signed ? bits - 1 : bits);
  const least = signed ? -span : 0n;
  if (value >= least && value < span) return value;
  if (overflow === 'FAIL') return null;
  if (overflow === 'SAT') return value < least ? least : span - 1n;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** An unsigned number; behind the value there are zeros. */
function readBits(bytes: Buffer, offset: number, bits: number): bigint {
  const first = Math.floor(offset / 8);
  const last = Math.floor((offset + bits - 1) / 8);
  let value = 0n;
  for (let at = first; at <= last; at++) value = (value << 8n) | BigInt(at < bytes.length ? bytes[at] : 0);
  return BigInt.asUintN(bits, value >> BigInt(last * 8 + 7 - (offset + bits - 1)));
}

function writeBits(bytes: Buffer, offset: number, bits: number, value: bigint): void {
  const first = Math.floor(offset / 8);
  const last = Math.floor((offset + bits - 1) / 8);
  const below = BigInt(last * 8 + 7 - (offset + bits - 1));
  let mask = ((1n << BigInt(bits)) - 1n) << below;
  let shifted = value << below;
  for (let at = last; at >= first; at--) {
    const bitsOfByte = Number(mask & 0xffn);
    bytes[at] = (bytes[at] & ~bitsOfByte) | Number(shifted & 0xffn);
    mask >>= 8n;
    shifted >>= 8n;
  }
}

function operationsIn(args: Args): Operation[] {
  const operations: Operation[] = [];
  let overflow: Overflow = 'WRAP';
  for (let index = 2; index < args.count; ) {
    const left = args.count - index - 1;
    if (args.equalsIgnoreCase(index, 'OVERFLOW') && left >= 1) {
      overflow = overflowAt(args, index + 1);
      index += 2;
      continue;
    }
    const kind = kindAt(args, index);
    if (kind === null || left < (kind === 'GET' ? 2 : 3)) throw syntaxError();
    if (operations.length === OPERATIONS_MAX) {
      throw new HearsayError('ERR', `at most ${OPERATIONS_MAX} operations in one command`);
    }
    const signed = isSigned(args, index + 1);
    const bits = bitsAt(args, index + 1);
    const offset = offsetAt(args, index + 2, bits);
    const amount = kind === 'GET' ? 0n : amountAt(args, index + 3);
    operations.push({ kind, signed, bits, offset, amount, overflow });
    index += kind === 'GET' ? 3 : 4;
  }
  return operations;
}

function kindAt(args: Args, index: number): Operation['kind'] | null {
  if (args.equalsIgnoreCase(index, 'GET')) return 'GET';
  if (args.equalsIgnoreCase(index, 'SET')) return 'SET';
  return args.equalsIgnoreCase(index, 'INCRBY') ? 'INCRBY' : null;
}

function overflowAt(args: Args, index: number): Overflow {
  if (args.equalsIgnoreCase(index, 'WRAP')) return 'WRAP';
  if (args.equalsIgnoreCase(index, 'SAT')) return 'SAT';
  if (args.equalsIgnoreCase(index, 'FAIL')) return 'FAIL';
  throw new HearsayError('ERR', 'Invalid OVERFLOW type specified');
}

function isSigned(args: Args, index: number): boolean {
  const first = args.length(index) > 0 ? args.buffer[args.starts[index]] : 0;
  if (first !== 0x69 && first !== 0x75) throw notABitfieldType();
  return first === 0x69;
}

function bitsAt(args: Args, index: number): number {
  const bits = integerFrom(args, index, 1);
  const most = args.buffer[args.starts[index]] === 0x75 ? 63 : 64;
  if (!(bits >= 1 && bits <= most)) throw notABitfieldType();
  return bits;
}

/** `#n`: the n-th number of this width. */
function offsetAt(args: Args, index: number, bits: number): number {
  const counted = args.length(index) > 0 && args.buffer[args.starts[index]] === 0x23;
  const offset = counted ? integerFrom(args, index, 1) * bits : args.integer(index);
  if (!(offset >= 0 && offset < BIT_OFFSETS)) throw notABitOffset();
  return offset;
}

/** The integer behind the first `skipped` bytes of a word. */
function integerFrom(args: Args, index: number, skipped: number): number {
  const text = args.quote(index, 32).slice(skipped);
  return /^(0|[1-9]\d{0,14})$/.test(text) && args.length(index) <= 32 ? Number(text) : Number.NaN;
}

function amountAt(args: Args, index: number): bigint {
  if (Number.isNaN(args.integer(index))) throw notAnInteger();
  return readBigInteger(args.buffer, args.starts[index], args.ends[index]);
}

function notABitfieldType(): HearsayError {
  return new HearsayError(
    'ERR',
    'Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
  );
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'bitmap' } as const;

export const bitfieldCommands: Command[] = [
  {
    name: 'bitfield',
    arity: -2,
    flags: WRITE | READ_FIRST,
    ...oneKey,
    summary: 'Read, set and add to numbers of some bits in a value',
    run: bitfield,
  },
  {
    name: 'bitfield_ro',
    arity: -2,
    flags: READ | FAST,
    ...oneKey,
    summary: 'Read numbers of some bits in a value',
    run: bitfieldRead,
  },
];
