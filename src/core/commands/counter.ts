/**
 * INCR, DECR, INCRBY, DECRBY: a 64-bit integer, as in Redis. They make a counter of the key (core/types/counter-layout.ts), to
 * which every owner may add at once: the sum of all is kept. To commands that read text it is the total in decimal.
 * Guarded: exact over the whole range. Doubles are used while every number in sight is below 2^53, BigInt beyond.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { readBigInteger } from '../resp/integer.js';
import type { Reply } from '../resp/reply.js';
import { CounterChange } from '../types/counter-change.js';
import type { Command, CommandContext } from './command.js';
import { FAST, notAnInteger, READ_FIRST, WRITE } from './command.js';

const INT64_MIN = -9223372036854775808n;
/** One for all: used up before the call returns. */
const change = new CounterChange();

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
  run(context, args, change.add(amount), reply);
}

function addBig(context: CommandContext, args: Args, amount: bigint, reply: Reply): void {
  run(context, args, change.addBig(amount), reply);
}

function run({ keyspace }: CommandContext, args: Args, change: CounterChange, reply: Reply): void {
  keyspace.change(args.buffer, args.starts[1], args.ends[1], change);
  if (Number.isNaN(change.total)) reply.bigInteger(change.bigTotal);
  else reply.integer(change.total);
}

const counter = { flags: WRITE | READ_FIRST | FAST, firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const counterCommands: Command[] = [
  { name: 'incr', arity: 2, ...counter, summary: 'Increment the integer value of a key by one', run: incr },
  { name: 'decr', arity: 2, ...counter, summary: 'Decrement the integer value of a key by one', run: decr },
  { name: 'incrby', arity: 3, ...counter, summary: 'Increment the integer value of a key', run: incrby },
  { name: 'decrby', arity: 3, ...counter, summary: 'Decrement the integer value of a key', run: decrby },
];
