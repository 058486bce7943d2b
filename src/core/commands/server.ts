/**
 * Commands about the node and the data as a whole: FLUSHALL, FLUSHDB, WAIT, WAITAOF, TIME, ROLE.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { BARRIER, FAST, notAnInteger, syntaxError, WRITE } from './command.js';

/** ASYNC and SYNC are one: what is flushed is gone at once, its memory follows. */
function flush(context: CommandContext, args: Args, _reply: Reply): void {
  if (args.count > 2) throw syntaxError();
  if (args.count === 2 && !args.equalsIgnoreCase(1, 'ASYNC') && !args.equalsIgnoreCase(1, 'SYNC')) throw syntaxError();
  context.host.flushAll(context.caller);
}

function wait(context: CommandContext, args: Args, _reply: Reply): void {
  const count = args.integer(1);
  if (Number.isNaN(count)) throw notAnInteger();
  const timeoutMs = args.integer(2);
  if (Number.isNaN(timeoutMs)) throw new HearsayError('ERR', 'timeout is not an integer or out of range');
  if (timeoutMs < 0) throw new HearsayError('ERR', 'timeout is negative');
  context.host.wait({ durable: false, local: 0, peers: Math.max(0, count), timeoutMs }, context.caller);
}

/** WAITAOF local peers ms: copies that survive a loss of power. */
function waitaof(context: CommandContext, args: Args, _reply: Reply): void {
  const local = args.integer(1);
  const peers = args.integer(2);
  const timeoutMs = args.integer(3);
  if (Number.isNaN(local) || Number.isNaN(peers)) throw notAnInteger();
  if (!(local >= 0 && local <= 1)) throw new HearsayError('ERR', 'value is out of range, must be between 0 and 1');
  if (peers < 0) throw new HearsayError('ERR', 'value is out of range, must be positive');
  if (Number.isNaN(timeoutMs)) throw new HearsayError('ERR', 'timeout is not an integer or out of range');
  if (timeoutMs < 0) throw new HearsayError('ERR', 'timeout is negative');
  if (local > 0 && context.host.settings.durability === 'off') {
    throw new HearsayError('ERR', 'WAITAOF cannot be used when numlocal is set but appendonly is disabled.');
  }
  context.host.wait({ durable: true, local, peers, timeoutMs }, context.caller);
}

function time({ host }: CommandContext, _args: Args, reply: Reply): void {
  const seconds = Math.floor(host.wallMs / 1000);
  reply.array(2);
  reply.bulkString(`${seconds}`);
  reply.bulkString(`${Math.floor(host.wallMs * 1000 - seconds * 1_000_000)}`);
}

/** As a primary without replicas: every node takes writes, and none follows another. */
function role(_context: CommandContext, _args: Args, reply: Reply): void {
  reply.array(3);
  reply.bulkString('master');
  reply.integer(0);
  reply.array(0);
}

const row = { firstKey: 0, lastKey: 0, step: 0, group: 'server' } as const;

export const serverCommands: Command[] = [
  {
    name: 'flushall',
    arity: -1,
    flags: WRITE | BARRIER,
    ...row,
    summary: 'Delete everything, on every node',
    run: flush,
  },
  {
    name: 'flushdb',
    arity: -1,
    flags: WRITE | BARRIER,
    ...row,
    summary: 'Delete everything, on every node',
    run: flush,
  },
  {
    name: 'wait',
    arity: 3,
    flags: BARRIER,
    ...row,
    summary: "Wait until peers have this connection's writes",
    run: wait,
  },
  {
    name: 'waitaof',
    arity: 4,
    flags: BARRIER,
    ...row,
    summary: "Wait until this connection's writes are on disk, here and at peers",
    run: waitaof,
  },
  { name: 'time', arity: 1, flags: FAST, ...row, summary: 'Show the wall clock', run: time },
  { name: 'role', arity: 1, flags: FAST, ...row, summary: 'Say master: every node takes writes', run: role },
];
