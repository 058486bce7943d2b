/**
 * INCR, DECR, INCRBY, DECRBY: text that is a 64-bit integer, as in Redis.
 * Guarded: exact over the whole range. Doubles are used while every number in sight is below 2^53, BigInt beyond.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { readBigInteger, readInteger, writeInteger } from '../resp/integer.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, notAnInteger, READ_FIRST, WRITE } from './command.js';

const INT64_MAX = 9223372036854775807n;
const INT64_MIN = -9223372036854775808n;
/** Where the new text is written; used up before the call returns. */
const scratch = Buffer.alloc(24);

function incr(context: CommandContext, args: Args, reply: Reply): void {
  add(context, args, 1, reply);
}

function decr(context: CommandContext, args: Args, reply: Reply): void {
  add(context, args, -1, reply);
}

function incrby(context: CommandContext, args: Args, reply: Reply): void {
  const amount = args.integer(2);
  if (Number.isNaN(amount)) throw notAnInteger();
  if (Number.isFinite(amount)) {
    add(context, args, amount, reply);
    return;
  }
  addBig(context, args, readBigInteger(args.buffer, args.starts[2], args.ends[2]), reply);
}

function decrby(context: CommandContext, args: Args, reply: Reply): void {
  const amount = args.integer(2);
  if (Number.isNaN(amount)) throw notAnInteger();
  if (Number.isFinite(amount)) {
    add(context, args, amount === 0 ? 0 : -amount, reply);
    return;
  }
  const big = readBigInteger(args.buffer, args.starts[2], args.ends[2]);
  if (big === INT64_MIN) throw new HearsayError('ERR', 'decrement would overflow');
  addBig(context, args, -big, reply);
}

function add(context: CommandContext, args: Args, amount: number, reply: Reply): void {
  const { keyspace } = context;
  let value = 0;
  let expireAtMs = 0;
  if (keyspace.lookup(args.buffer, args.starts[1], args.ends[1])) {
    const { entry } = keyspace;
    value = readInteger(entry.buffer, entry.valueStart, entry.valueEnd);
    if (Number.isNaN(value)) throw notAnInteger();
    expireAtMs = entry.expireAtMs;
  }
  const sum = value + amount;
  if (!Number.isSafeInteger(sum)) {
    addBig(context, args, BigInt(amount), reply);
    return;
  }
  const length = writeInteger(scratch, 0, sum);
  keyspace.put(args.buffer, args.starts[1], args.ends[1], scratch, 0, length, expireAtMs);
  reply.integer(sum);
}

function addBig(context: CommandContext, args: Args, amount: bigint, reply: Reply): void {
  const { keyspace } = context;
  let value = 0n;
  let expireAtMs = 0;
  if (keyspace.lookup(args.buffer, args.starts[1], args.ends[1])) {
    const { entry } = keyspace;
    if (Number.isNaN(readInteger(entry.buffer, entry.valueStart, entry.valueEnd))) throw notAnInteger();
    value = readBigInteger(entry.buffer, entry.valueStart, entry.valueEnd);
    expireAtMs = entry.expireAtMs;
  }
  const sum = value + amount;
  if (sum > INT64_MAX || sum < INT64_MIN) {
    throw new HearsayError('ERR', 'increment or decrement would overflow');
  }
  const length = scratch.latin1Write(sum.toString(), 0);
  keyspace.put(args.buffer, args.starts[1], args.ends[1], scratch, 0, length, expireAtMs);
  reply.bigInteger(sum);
}

const counter = { flags: WRITE | READ_FIRST | FAST, firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const counterCommands: Command[] = [
  { name: 'incr', arity: 2, ...counter, summary: 'Increment the integer value of a key by one', run: incr },
  { name: 'decr', arity: 2, ...counter, summary: 'Decrement the integer value of a key by one', run: decr },
  { name: 'incrby', arity: 3, ...counter, summary: 'Increment the integer value of a key', run: incrby },
  { name: 'decrby', arity: 3, ...counter, summary: 'Decrement the integer value of a key', run: decrby },
];
