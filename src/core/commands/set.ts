/**
 * Commands that write values: SET with all its options, SETNX, SETEX, PSETEX, MSET, APPEND.
 * Guarded: a SET without options allocates nothing; options are read by comparing bytes.
 */
import { HearsayError } from '../base/errors.js';
import { VALUE_BYTES_MAX } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ_FIRST, requireValueFits, SAMPLED, syntaxError, WRITE, wrongArity } from './command.js';
import { COMPARED, compares, comparisonAt, IFDEQ, IFEQ, requireOperand } from './compare.js';
import { expiryAfter, expiryAt } from './expiry-time.js';
import { replyValue } from './get.js';

export const NX = 1;
export const XX = 2;
const GET = 4;
export const KEEPTTL = 8;
/** The four ways to give an expiry; its amount stands in the next word. */
const EX = 16;
const PX = 32;
const EXAT = 64;
const PXAT = 128;
export const TIMED = EX | PX | EXAT | PXAT;

function set(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  requireValueFits(args.length(2));
  const options = args.count === 3 ? 0 : setOptions(args);
  if (options < 0) throw syntaxError();
  let expireAtMs = 0;
  if (options !== 0) {
    if (options & TIMED) expireAtMs = setExpiry(args, options, keyspace.wallMs);
    if (options & COMPARED) requireOperand(args, options & COMPARED, operandOf(args));
    if (options & (NX | XX | GET | KEEPTTL | COMPARED)) {
      const found = options & GET ? replyValue(context, args, 1, reply) : findFor(context, args, options);
      if (!mayWrite(context, args, options, found)) {
        if ((options & GET) === 0) reply.null();
        return;
      }
      if (options & KEEPTTL && found && !keyspace.mutations?.has('expiry-not-kept'))
        expireAtMs = keyspace.entry.expireAtMs;
    }
  }
  keyspace.put(buffer, starts[1], ends[1], buffer, starts[2], ends[2], expireAtMs);
  if ((options & GET) === 0) reply.ok();
}

/** A value that is compared must be text. */
function findFor({ keyspace }: CommandContext, args: Args, options: number): boolean {
  const { buffer, starts, ends } = args;
  return options & COMPARED ? keyspace.lookup(buffer, starts[1], ends[1]) : keyspace.find(buffer, starts[1], ends[1]);
}

/** Where there is no value, none is equal to it. */
function mayWrite({ keyspace }: CommandContext, args: Args, options: number, found: boolean): boolean {
  if (options & NX) return !found;
  if (options & XX) return found;
  const condition = options & COMPARED;
  if (condition === 0) return true;
  return found ? compares(keyspace, args, condition, operandOf(args)) : (condition & (IFEQ | IFDEQ)) === 0;
}

/** Position of what the value is compared with. */
function operandOf(args: Args): number {
  let index = 3;
  for (; (setOption(args, index) & COMPARED) === 0; index++) if (setOption(args, index) & TIMED) index++;
  return index + 1;
}

/** The options as bits, or -1 if they make no sense together. */
export function setOptions(args: Args, from = 3): number {
  let options = 0;
  for (let index = from; index < args.count; index++) {
    const option = setOption(args, index);
    if (option === 0) return -1;
    if (option & TIMED) {
      if (options & ((TIMED & ~option) | KEEPTTL) || index + 1 === args.count) return -1;
      index++;
    } else if (option & COMPARED) {
      if (options & (NX | XX | COMPARED) || index + 1 === args.count) return -1;
      index++;
    } else if (option === KEEPTTL && options & TIMED) return -1;
    else if (option & (NX | XX) && options & COMPARED) return -1;
    options |= option;
  }
  return (options & (NX | XX)) === (NX | XX) ? -1 : options;
}

function setOption(args: Args, index: number): number {
  switch (args.length(index)) {
    case 2:
      if (args.equalsIgnoreCase(index, 'EX')) return EX;
      if (args.equalsIgnoreCase(index, 'PX')) return PX;
      if (args.equalsIgnoreCase(index, 'NX')) return NX;
      return args.equalsIgnoreCase(index, 'XX') ? XX : 0;
    case 3:
      return args.equalsIgnoreCase(index, 'GET') ? GET : 0;
    case 4:
      if (args.equalsIgnoreCase(index, 'EXAT')) return EXAT;
      if (args.equalsIgnoreCase(index, 'PXAT')) return PXAT;
      return comparisonAt(args, index);
    case 5:
      return comparisonAt(args, index);
    case 7:
      return args.equalsIgnoreCase(index, 'KEEPTTL') ? KEEPTTL : 0;
    default:
      return 0;
  }
}

/** The expiry of options that were found to be good. */
export function setExpiry(args: Args, options: number, wallMs: number, from = 3, name = 'set'): number {
  let amount = 0;
  for (let index = from; index < args.count; index++) {
    const option = setOption(args, index);
    if (option & TIMED) amount = ++index;
    else if (option & COMPARED) index++;
  }
  const unitMs = options & (EX | EXAT) ? 1000 : 1;
  if (options & (EXAT | PXAT)) return expiryAt(args, amount, unitMs, name);
  return expiryAfter(args, amount, unitMs, wallMs, name);
}

function setReadsFirst(args: Args): boolean {
  if (args.count === 3) return false;
  const options = setOptions(args);
  return options > 0 && (options & (NX | XX | GET | KEEPTTL | COMPARED)) !== 0;
}

function setnx(context: CommandContext, args: Args, reply: Reply): void {
  const { buffer, starts, ends } = args;
  requireValueFits(args.length(2));
  if (context.keyspace.find(buffer, starts[1], ends[1])) {
    reply.integer(0);
    return;
  }
  context.keyspace.put(buffer, starts[1], ends[1], buffer, starts[2], ends[2], 0);
  reply.integer(1);
}

function setex(context: CommandContext, args: Args, reply: Reply): void {
  setWithTtl(context, args, reply, 1000, 'setex');
}

function psetex(context: CommandContext, args: Args, reply: Reply): void {
  setWithTtl(context, args, reply, 1, 'psetex');
}

function setWithTtl(context: CommandContext, args: Args, reply: Reply, unitMs: number, name: string): void {
  const { buffer, starts, ends } = args;
  requireValueFits(args.length(3));
  const expireAtMs = expiryAfter(args, 2, unitMs, context.keyspace.wallMs, name);
  context.keyspace.put(buffer, starts[1], ends[1], buffer, starts[3], ends[3], expireAtMs);
  reply.ok();
}

function mset(context: CommandContext, args: Args, reply: Reply): void {
  if ((args.count & 1) === 0) throw wrongArity('mset');
  const { buffer, starts, ends } = args;
  for (let index = 2; index < args.count; index += 2) requireValueFits(args.length(index));
  for (let index = 1; index < args.count; index += 2) {
    context.keyspace.put(buffer, starts[index], ends[index], buffer, starts[index + 1], ends[index + 1], 0);
  }
  reply.ok();
}

function append(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const added = args.length(2);
  if (!keyspace.lookup(buffer, starts[1], ends[1])) {
    requireValueFits(added);
    keyspace.put(buffer, starts[1], ends[1], buffer, starts[2], ends[2], 0);
    reply.integer(added);
    return;
  }
  const { entry } = keyspace;
  const kept = entry.valueEnd - entry.valueStart;
  if (kept + added > VALUE_BYTES_MAX) {
    throw new HearsayError('ERR', 'string exceeds maximum allowed size (proto-max-bulk-len)');
  }
  const value = Buffer.allocUnsafe(kept + added);
  entry.buffer.copy(value, 0, entry.valueStart, entry.valueEnd);
  buffer.copy(value, kept, starts[2], ends[2]);
  keyspace.put(buffer, starts[1], ends[1], value, 0, value.length, entry.expireAtMs);
  reply.integer(value.length);
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const setCommands: Command[] = [
  {
    name: 'set',
    arity: -3,
    flags: WRITE | SAMPLED,
    ...oneKey,
    summary: 'Set the value of a key',
    readsFirst: setReadsFirst,
    run: set,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Set the value of a key, only if the key does not exist',
    run: setnx,
  },
  {
    name: 'setex',
    arity: 4,
    flags: WRITE | SAMPLED,
    ...oneKey,
    summary: 'Set a value and its expiry in seconds',
    run: setex,
  },
  {
    name: 'psetex',
    arity: 4,
    flags: WRITE | SAMPLED,
    ...oneKey,
    summary: 'Set a value and its expiry in ms',
    run: psetex,
  },
  {
    name: 'mset',
    arity: -3,
    flags: WRITE,
    firstKey: 1,
    lastKey: -1,
    step: 2,
    group: 'string',
    summary: 'Set multiple keys to multiple values',
    split: { as: 'set', stride: 2, combine: 'ok' },
    run: mset,
  },
  {
    name: 'append',
    arity: 3,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Append to the value of a key',
    run: append,
  },
];
