/**
 * Commands that read values: GET, MGET, STRLEN, and those that change what they read: GETDEL, GETEX, GETSET.
 * Guarded: a value is copied into the reply before any write, for a write may move it.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ, READ_FIRST, requireValueFits, syntaxError, WRITE } from './command.js';
import { expiryAfter, expiryAt } from './expiry-time.js';

/** Writes the value at `args[index]`, or null; returns whether it is there. */
export function replyValue(context: CommandContext, args: Args, index: number, reply: Reply): boolean {
  const { keyspace, stats } = context;
  if (!keyspace.lookup(args.buffer, args.starts[index], args.ends[index])) {
    stats.keyspaceMisses++;
    reply.null();
    return false;
  }
  stats.keyspaceHits++;
  const { entry } = keyspace;
  reply.bulk(entry.buffer, entry.valueStart, entry.valueEnd);
  return true;
}

function get(context: CommandContext, args: Args, reply: Reply): void {
  replyValue(context, args, 1, reply);
}

function mget(context: CommandContext, args: Args, reply: Reply): void {
  reply.array(args.count - 1);
  for (let index = 1; index < args.count; index++) {
    // As in Redis: what is no text counts as nothing, and spoils the others of no call.
    try {
      replyValue(context, args, index, reply);
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      reply.null();
    }
  }
}

function strlen(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace, stats } = context;
  if (keyspace.lookup(args.buffer, args.starts[1], args.ends[1])) {
    stats.keyspaceHits++;
    reply.integer(keyspace.entry.valueEnd - keyspace.entry.valueStart);
  } else {
    stats.keyspaceMisses++;
    reply.integer(0);
  }
}

function getdel(context: CommandContext, args: Args, reply: Reply): void {
  if (replyValue(context, args, 1, reply)) context.keyspace.remove(args.buffer, args.starts[1], args.ends[1]);
}

function getset(context: CommandContext, args: Args, reply: Reply): void {
  requireValueFits(args.length(2));
  replyValue(context, args, 1, reply);
  const { buffer, starts, ends } = args;
  context.keyspace.put(buffer, starts[1], ends[1], buffer, starts[2], ends[2], 0);
}

function getex(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const option = getexOptions(args);
  if (!replyValue(context, args, 1, reply) || option === NONE) return;
  if (option === PERSIST) {
    if (keyspace.entry.expireAtMs !== 0) keyspace.expire(buffer, starts[1], ends[1], 0);
    return;
  }
  const amount = args.count - 1;
  const unitMs = option === PX || option === PXAT ? 1 : 1000;
  const absolute = option === PXAT || option === EXAT;
  const atMs = absolute
    ? expiryAt(args, amount, unitMs, 'getex')
    : expiryAfter(args, amount, unitMs, keyspace.wallMs, 'getex');
  keyspace.expire(buffer, starts[1], ends[1], atMs);
}

const NONE = 0;
const PERSIST = 1;
const PX = 2;
const EX = 3;
const PXAT = 4;
const EXAT = 5;

/** The one kind of option that is given; its amount, if it has one, is the last word. */
function getexOptions(args: Args): number {
  let chosen = NONE;
  for (let index = 2; index < args.count; index++) {
    const option = getexOption(args, index);
    if (option === NONE || (chosen !== NONE && option !== chosen)) throw syntaxError();
    chosen = option;
    if (option !== PERSIST && ++index === args.count) throw syntaxError();
  }
  return chosen;
}

function getexOption(args: Args, index: number): number {
  if (args.equalsIgnoreCase(index, 'PERSIST')) return PERSIST;
  if (args.equalsIgnoreCase(index, 'PX')) return PX;
  if (args.equalsIgnoreCase(index, 'EX')) return EX;
  if (args.equalsIgnoreCase(index, 'PXAT')) return PXAT;
  return args.equalsIgnoreCase(index, 'EXAT') ? EXAT : NONE;
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const getCommands: Command[] = [
  { name: 'get', arity: 2, flags: READ | FAST, ...oneKey, summary: 'Get the value of a key', run: get },
  {
    name: 'mget',
    arity: -2,
    flags: READ | FAST,
    firstKey: 1,
    lastKey: -1,
    step: 1,
    group: 'string',
    summary: 'Get the values of all the given keys',
    split: { as: 'get', stride: 1, combine: 'array' },
    run: mget,
  },
  { name: 'strlen', arity: 2, flags: READ | FAST, ...oneKey, summary: 'Get the length of a value', run: strlen },
  {
    name: 'getdel',
    arity: 2,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Get the value of a key and delete the key',
    run: getdel,
  },
  {
    name: 'getex',
    arity: -2,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Get the value of a key and set its expiry',
    run: getex,
  },
  {
    name: 'getset',
    arity: 3,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Set the value of a key and return its old value',
    run: getset,
  },
];
