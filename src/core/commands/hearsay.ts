/**
 * Commands of Hearsay's own: HEARSAY.STATUS, DIGEST, EXPLAIN, CONSISTENCY, RECEIPT, SESSION, SECRET, LEAVE, FORGET and FAULT. Operators and
 * tests see through them what the cluster believes, and say who belongs to it no more; CONSISTENCY is how a connection says
 * how many owners must answer.
 */
import { HearsayError } from '../base/errors.js';
import { describeStamp } from '../base/hlc.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, BARRIER, CONNECTION, connectionOf, FAST, syntaxError, unknownSubcommand } from './command.js';
import type { Level } from './host.js';
import { SessionToken, TOKEN_CHARACTERS_MAX } from './session-token.js';

/** Words of one HEARSAY.FAULT, and bytes of each. */
const FAULT_WORDS_MAX = 16;
const FAULT_WORD_BYTES_MAX = 256;
const MEMBER_ID_BYTES_MAX = 128;

function status({ host }: CommandContext, _args: Args, reply: Reply): void {
  const facts = Object.entries(host.status());
  reply.map(facts.length);
  for (const [name, value] of facts) {
    reply.bulkString(name);
    if (typeof value !== 'object') {
      plain(value, reply);
      continue;
    }
    reply.array(value.length);
    for (const row of value) {
      const fields = Object.entries(row);
      reply.map(fields.length);
      for (const [field, fact] of fields) {
        reply.bulkString(field);
        plain(fact, reply);
      }
    }
  }
}

function plain(value: string | number | boolean, reply: Reply): void {
  if (typeof value === 'string') reply.bulkString(value);
  else if (typeof value === 'boolean') reply.boolean(value);
  else if (Number.isSafeInteger(value)) reply.integer(value);
  else reply.double(value);
}

function digest({ host }: CommandContext, args: Args, reply: Reply): void {
  const { partitions } = host.settings;
  const chosen: number[] = [];
  if (args.count > 2) throw syntaxError();
  if (args.count === 2) {
    const partition = args.integer(1);
    if (!(partition >= 0 && partition < partitions)) throw new HearsayError('ERR', 'no such partition');
    if (!host.holds(partition)) throw new HearsayError('ERR', 'this node does not hold the partition');
    chosen.push(partition);
  } else {
    for (let partition = 0; partition < partitions; partition++) if (host.holds(partition)) chosen.push(partition);
  }
  reply.array(chosen.length);
  for (const partition of chosen) {
    reply.array(2);
    reply.integer(partition);
    reply.bulkString(host.digest(partition));
  }
}

/** `[RESET]`: an estimate, or OK once they count from nothing. */
function distinct({ host, caller }: CommandContext, args: Args, reply: Reply): void {
  if (args.count === 1) {
    reply.integer(host.distinctKeys());
  } else {
    if (args.count !== 2 || !args.equalsIgnoreCase(1, 'RESET')) throw syntaxError();
    host.resetDistinct(caller);
    reply.ok();
  }
}

function explain({ host, caller }: CommandContext, args: Args, _reply: Reply): void {
  host.explain(args.buffer, args.starts[1], args.ends[1], caller);
}

/** What the reply of this connection's last command on keys rests on. */
function receipt(context: CommandContext, _args: Args, reply: Reply): void {
  const { receipt: last } = connectionOf(context);
  reply.map(6);
  reply.bulkString('level');
  reply.bulkString(last.level);
  reply.bulkString('met');
  reply.boolean(last.met);
  reply.bulkString('owners');
  reply.integer(last.owners);
  reply.bulkString('fallbacks');
  reply.integer(last.fallbacks);
  reply.bulkString('synced');
  reply.integer(last.synced);
  reply.bulkString('version');
  if (last.hlc === 0) reply.null();
  else reply.bulkString(describeStamp(last.hlc, last.actor));
}

/** `[READ level] [WRITE level [STRICT]]`; answers with the levels that then hold. */
function consistency(context: CommandContext, args: Args, reply: Reply): void {
  const connection = connectionOf(context);
  let { readLevel, writeLevel, strict } = connection;
  for (let index = 1; index < args.count; index += 2) {
    if (index + 1 === args.count) throw syntaxError();
    if (args.equalsIgnoreCase(index, 'READ')) readLevel = levelIn(args, index + 1);
    else if (args.equalsIgnoreCase(index, 'WRITE')) {
      writeLevel = levelIn(args, index + 1);
      strict = index + 2 < args.count && args.equalsIgnoreCase(index + 2, 'STRICT');
      if (strict) index++;
    } else throw syntaxError();
  }
  connection.readLevel = readLevel;
  connection.writeLevel = writeLevel;
  connection.strict = strict;
  reply.map(3);
  reply.bulkString('read');
  reply.bulkString(readLevel);
  reply.bulkString('write');
  reply.bulkString(writeLevel);
  reply.bulkString('strict');
  reply.boolean(strict);
}

function levelIn(args: Args, index: number): Level {
  if (args.equalsIgnoreCase(index, 'ONE')) return 'one';
  if (args.equalsIgnoreCase(index, 'QUORUM')) return 'quorum';
  if (args.equalsIgnoreCase(index, 'ALL')) return 'all';
  throw new HearsayError('ERR', 'a level is ONE, QUORUM or ALL');
}

/**
 * ON begins a session, RESUME goes on with one that another connection or node knows, TOKEN gives what it has seen as text, END gives that
 * and ends it here. Under a session a read is answered only from a node that has seen all of it.
 */
function session(context: CommandContext, args: Args, reply: Reply): void {
  const { host } = context;
  const connection = connectionOf(context);
  if (args.equalsIgnoreCase(1, 'ON') && args.count === 2) {
    connection.session ??= new SessionToken();
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'RESUME') && args.count === 3) {
    const text = args.length(2) > TOKEN_CHARACTERS_MAX ? '' : args.string(2);
    const token = SessionToken.parse(text, host.sessionCluster, host.settings.partitions);
    if (token === null) throw new HearsayError('SESSION', 'this is no token of this cluster');
    if (!host.stampAbove(token.hlc)) {
      throw new HearsayError('SESSION', "the token is further ahead of this node's clock than the drift allowed");
    }
    connection.session = token;
    reply.ok();
  } else if ((args.equalsIgnoreCase(1, 'TOKEN') || args.equalsIgnoreCase(1, 'END')) && args.count === 2) {
    if (connection.session === null) throw new HearsayError('SESSION', 'this connection has no session');
    reply.bulkString(connection.session.encode(host.sessionCluster));
    if (args.equalsIgnoreCase(1, 'END')) connection.session = null;
  } else throw unknownSubcommand('HEARSAY.SESSION', args);
}

function fault({ host }: CommandContext, args: Args, reply: Reply): void {
  if (args.count - 1 > FAULT_WORDS_MAX) throw syntaxError();
  const words: string[] = [];
  for (let index = 1; index < args.count; index++) {
    if (args.length(index) > FAULT_WORD_BYTES_MAX) throw syntaxError();
    words.push(args.string(index));
  }
  const lines = host.fault(words);
  reply.array(lines.length);
  for (const line of lines) reply.bulkString(line);
}

function leave({ host }: CommandContext, _args: Args, reply: Reply): void {
  host.leave();
  reply.ok();
}

function forget({ host, caller }: CommandContext, args: Args, reply: Reply): void {
  if (args.length(1) > MEMBER_ID_BYTES_MAX) throw new HearsayError('ERR', 'no member is called that');
  host.forget(args.string(1), caller);
  reply.ok();
}

/** `RELOAD` reads the secret file again; `LIST` only shows. Ids of keys, never the keys. */
function secret({ host }: CommandContext, args: Args, reply: Reply): void {
  const reload = args.equalsIgnoreCase(1, 'RELOAD');
  if (!reload && !args.equalsIgnoreCase(1, 'LIST')) throw syntaxError();
  const lines = host.secret(reload);
  reply.array(lines.length);
  for (const line of lines) reply.bulkString(line);
}

const row = { firstKey: 0, lastKey: 0, step: 0, group: 'hearsay' } as const;

export const hearsayCommands: Command[] = [
  { name: 'hearsay.status', arity: 1, flags: 0, ...row, summary: 'Show what this node knows and does', run: status },
  { name: 'hearsay.digest', arity: -1, flags: 0, ...row, summary: 'Show digests of partitions held here', run: digest },
  { name: 'hearsay.explain', arity: 2, flags: 0, ...row, summary: 'Show version and owners of a key', run: explain },
  {
    name: 'hearsay.consistency',
    arity: -1,
    flags: CONNECTION | FAST,
    ...row,
    summary: 'Set how many owners must answer: ONE, QUORUM, ALL',
    run: consistency,
  },
  {
    name: 'hearsay.distinct',
    arity: -1,
    flags: 0,
    ...row,
    summary: 'Estimate the distinct keys written in the cluster since the last reset',
    run: distinct,
  },
  {
    name: 'hearsay.receipt',
    arity: 1,
    flags: CONNECTION | FAST | BARRIER,
    ...row,
    summary: 'Show what the last reply of this connection rests on',
    run: receipt,
  },
  {
    name: 'hearsay.session',
    arity: -2,
    flags: CONNECTION | FAST | BARRIER,
    ...row,
    summary: 'Read your own writes through any node: ON, TOKEN, RESUME token, END',
    run: session,
  },
  {
    name: 'hearsay.secret',
    arity: 2,
    flags: ADMIN,
    ...row,
    summary: 'List the keys of the nodes, or read them again',
    run: secret,
  },
  { name: 'hearsay.leave', arity: 1, flags: ADMIN, ...row, summary: 'Hand over and leave for good', run: leave },
  { name: 'hearsay.forget', arity: 2, flags: ADMIN, ...row, summary: 'Forget a dead member', run: forget },
  { name: 'hearsay.fault', arity: -2, flags: ADMIN, ...row, summary: 'Disturb traffic between nodes', run: fault },
];
