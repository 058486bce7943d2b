/**
 * EXPIRE and its kin, TTL and its kin, PERSIST. Times are judged by the keyspace's wall clock.
 * Guarded: what is asked of the entry (NX, XX, GT, LT) is judged before the one write; a time in the past deletes.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ, READ_FIRST, WRITE } from './command.js';
import { expiryAnyTime } from './expiry-time.js';

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;

function expireCommand(name: string, unitMs: number, absolute: boolean, summary: string): Command {
  return {
    name,
    arity: -3,
    flags: WRITE | FAST,
    ...oneKey,
    summary,
    readsFirst: (args) => args.count > 3,
    run(context, args, reply) {
      const baseMs = absolute ? 0 : context.keyspace.wallMs;
      expire(context, args, reply, unitMs, baseMs, name);
    },
  };
}

function expire(context: CommandContext, args: Args, reply: Reply, unitMs: number, baseMs: number, name: string): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const options = expireOptions(args);
  const atMs = expiryAnyTime(args, 2, unitMs, baseMs, name);
  if (!keyspace.find(buffer, starts[1], ends[1])) {
    reply.integer(0);
    return;
  }
  const currentMs = keyspace.entry.expireAtMs;
  const refused =
    (options & NX && currentMs !== 0) ||
    (options & XX && currentMs === 0) ||
    (options & GT && (currentMs === 0 || atMs <= currentMs)) ||
    (options & LT && currentMs !== 0 && atMs >= currentMs);
  reply.integer(!refused && keyspace.expire(buffer, starts[1], ends[1], atMs) ? 1 : 0);
}

function expireOptions(args: Args): number {
  let options = 0;
  for (let index = 3; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'NX')) options |= NX;
    else if (args.equalsIgnoreCase(index, 'XX')) options |= XX;
    else if (args.equalsIgnoreCase(index, 'GT')) options |= GT;
    else if (args.equalsIgnoreCase(index, 'LT')) options |= LT;
    else throw new HearsayError('ERR', `Unsupported option ${args.quote(index, 128)}`);
  }
  if (options & NX && options & (XX | GT | LT)) {
    throw new HearsayError('ERR', 'NX and XX, GT or LT options at the same time are not compatible');
  }
  if (options & GT && options & LT) {
    throw new HearsayError('ERR', 'GT and LT options at the same time are not compatible');
  }
  return options;
}

/** Time left or time of expiry; -2 without a key, -1 without an expiry. */
function timeCommand(name: string, unitMs: number, absolute: boolean, summary: string): Command {
  return {
    name,
    arity: 2,
    flags: READ | FAST,
    ...oneKey,
    summary,
    run(context, args, reply) {
      const { keyspace } = context;
      if (!keyspace.find(args.buffer, args.starts[1], args.ends[1])) return reply.integer(-2);
      const { expireAtMs } = keyspace.entry;
      if (expireAtMs === 0) return reply.integer(-1);
      const ms = absolute ? expireAtMs : Math.max(0, expireAtMs - keyspace.wallMs);
      reply.integer(unitMs === 1 ? Math.floor(ms) : Math.floor((ms + 500) / 1000));
    },
  };
}

function persist(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  if (!keyspace.find(buffer, starts[1], ends[1]) || keyspace.entry.expireAtMs === 0) {
    reply.integer(0);
    return;
  }
  reply.integer(keyspace.expire(buffer, starts[1], ends[1], 0) ? 1 : 0);
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'generic' } as const;

export const expiryCommands: Command[] = [
  expireCommand('expire', 1000, false, 'Set the expiry of a key in seconds from now'),
  expireCommand('pexpire', 1, false, 'Set the expiry of a key in ms from now'),
  expireCommand('expireat', 1000, true, 'Set the expiry of a key as a Unix time in seconds'),
  expireCommand('pexpireat', 1, true, 'Set the expiry of a key as a Unix time in ms'),
  timeCommand('ttl', 1000, false, 'Get the time to live of a key in seconds'),
  timeCommand('pttl', 1, false, 'Get the time to live of a key in ms'),
  timeCommand('expiretime', 1000, true, 'Get the expiry of a key as a Unix time in seconds'),
  timeCommand('pexpiretime', 1, true, 'Get the expiry of a key as a Unix time in ms'),
  {
    name: 'persist',
    arity: 2,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Remove the expiry of a key',
    run: persist,
  },
];
