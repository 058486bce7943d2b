/**
 * What a command is: a row of the table that says how it is called, what it may touch, and the plain function that runs it.
 * Sessions dispatch it; the node runs it where its keys live, by `execute`.
 * Guarded: a command runs to its end at once, and an error takes back whatever it had written into its reply.
 */
import { HearsayError } from '../base/errors.js';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Errand } from './apart.js';
import type { Caller, CommandHost, Level } from './host.js';
import type { Keyspace } from './keyspace.js';
import type { Probe } from './probe.js';
import type { Receipt } from './receipt.js';
import type { SessionToken } from './session-token.js';
import type { CommandStats } from './stats.js';
import type { CommandTable } from './table.js';

/** Reads entries and changes none. */
export const READ = 1;
/** May change entries. */
export const WRITE = 2;
/** Writes what it has read first: goes to the first owner, so that a healthy cluster loses no update. */
export const READ_FIRST = 4;
/** Allowed before AUTH. */
export const NOAUTH = 8;
/** Constant work. */
export const FAST = 16;
/** For operators. */
export const ADMIN = 32;
/** About the connection itself. */
export const CONNECTION = 64;
/** Given by nodes to each other, never by a client. */
export const INTERNAL = 128;
/** Runs only when every command before it on its connection is done: it speaks of all of them. */
export const BARRIER = 256;
/** Its work grows with a pattern and with what is stored: shares what a turn has for that (scan-work.ts). */
export const SCANS = 512;
/** Timed as FAST is, as its work is constant, where clients are told that it is slow, as Redis tells them. */
export const SAMPLED = 1024;

export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'hyperloglog'
  | 'generic'
  | 'connection'
  | 'server'
  | 'cluster'
  | 'hearsay';

export interface Command {
  /** Lower case. */
  readonly name: string;
  /** Words including the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: number;
  /** Positions of keys, as in COMMAND INFO; `firstKey` 0: none, `lastKey` -1: to the end. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly step: number;
  /** The word before the first key says how many there are; `lastKey` is then that of one. */
  readonly keysCounted?: boolean;
  readonly group: CommandGroup;
  readonly summary: string;
  /** How to run it key by key, when its keys live apart. */
  readonly split?: SplitRule;
  /** How to run it in steps, when its keys live apart: for commands that are more than the sum of parts. */
  readonly apart?: (errand: Errand) => void;
  /** Whether these arguments are judged and written at one owner only: `apart` says why where the keys do not share a slot. */
  readonly together?: (args: Args) => boolean;
  /** Whether these arguments make it READ_FIRST. */
  readonly readsFirst?: (args: Args) => boolean;
  readonly run: (context: CommandContext, args: Args, reply: Reply) => void;
}

export interface SplitRule {
  /** The command that each part is, in lower case: its key, and what stands with it. */
  readonly as: string;
  /** Words that belong to one key, itself included. */
  readonly stride: number;
  /**
   * `array`: the parts' replies in order; `sum`: of their integers; `ok`: OK if all are; `count`: of the union of their sketches;
   * `absorb`: the first key takes the union in, by one more command.
   */
  readonly combine: 'array' | 'sum' | 'ok' | 'count' | 'absorb';
  /** For `absorb`: that command, in lower case. */
  readonly last?: string;
}

export interface CommandContext {
  readonly host: CommandHost;
  readonly keyspace: Keyspace;
  readonly stats: CommandStats;
  readonly caller: Caller;
  /** The connection that gave the command here; null where a peer forwarded it. Commands without keys always have one. */
  readonly connection: Connection | null;
}

/** A connection as commands see it. */
export interface Connection {
  readonly id: number;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly acceptedMs: number;
  readonly lastCommandMs: number;
  readonly lastCommand: string;
  readonly pendingInputBytes: number;
  readonly pendingOutputBytes: number;
  readonly closing: boolean;
  readonly connections: Connections;
  protocol: 2 | 3;
  authenticated: boolean;
  readLevel: Level;
  writeLevel: Level;
  strict: boolean;
  session: SessionToken | null;
  readonly receipt: Receipt;
  name: string;
  libraryName: string;
  libraryVersion: string;
  /** CLIENT NO-EVICT and NO-TOUCH: kept for CLIENT LIST. */
  noEvict: boolean;
  noTouch: boolean;
  /** CLIENT REPLY: `off` drops its replies, `skip` that of its next command. Set while a command runs, it holds from that one on. */
  replyMode: 'on' | 'off' | 'skip';
  /** Sends a line to a connection that watches, in its place among its replies. */
  tell(line: string): void;
  /** Its client gave a wrong password. */
  passwordRefused(): void;
  /** As if freshly accepted: RESET. */
  reset(): void;
  /** Closes once all replies so far have left. */
  closeAfterReplies(): void;
  /** Closes now. */
  closeAtOnce(): void;
}

/** All connections of this node. */
export interface Connections {
  readonly size: number;
  readonly startedMs: number;
  readonly table: CommandTable;
  readonly probe: Probe;
  all(): Iterable<Connection>;
}

/** Whether clients may give it. */
export function isPublic(command: Command): boolean {
  return (command.flags & INTERNAL) === 0;
}

/** Whether this call must go to the first owner. */
export function readsFirst(command: Command, args: Args): boolean {
  return (command.flags & READ_FIRST) !== 0 || command.readsFirst?.(args) === true;
}

/** Position of the last key, in words of which the first `skipped` are not the command's; below `firstKey` where none is there. */
export function lastKeyOf(command: Command, args: Args, skipped = 0): number {
  const { firstKey, lastKey, step } = command;
  const count = args.count - skipped;
  if (command.keysCounted === true) {
    const last = firstKey + (args.integer(skipped + firstKey - 1) - 1) * step;
    return last > firstKey ? Math.min(last, count - 1) : firstKey;
  }
  return lastKey < 0 ? count + lastKey : Math.min(lastKey, count - 1);
}

export function arityFits(command: Command, count: number): boolean {
  return command.arity < 0 ? count >= -command.arity : count === command.arity;
}

/** Runs a command here and now; what it throws becomes its reply, and false is returned. */
export function execute(command: Command, context: CommandContext, args: Args, reply: Reply): boolean {
  const start = reply.length;
  try {
    command.run(context, args, reply);
    return true;
  } catch (error) {
    if (!(error instanceof HearsayError)) throw error;
    reply.truncate(start);
    reply.error(error.code, error.message);
    return false;
  }
}

export function keysFit(command: Command, args: Args): boolean {
  if (command.firstKey === 0) return true;
  const last = lastKeyOf(command, args);
  for (let index = command.firstKey; index <= last; index += command.step) {
    if (args.length(index) > KEY_BYTES_MAX) return false;
  }
  return true;
}

/** Refuses a value that no record can hold. */
export function requireValueFits(bytes: number): void {
  if (bytes > VALUE_BYTES_MAX) throw new HearsayError('ERR', 'value is too long');
}

export function syntaxError(): HearsayError {
  return new HearsayError('ERR', 'syntax error');
}

export function notAnInteger(): HearsayError {
  return new HearsayError('ERR', 'value is not an integer or out of range');
}

export function wrongArity(name: string): HearsayError {
  return new HearsayError('ERR', `wrong number of arguments for '${name}' command`);
}

export function unknownSubcommand(name: string, args: Args): HearsayError {
  return new HearsayError('ERR', `unknown subcommand '${args.quote(1, 128)}'. Try ${name} HELP.`);
}

/** The connection that gave this command; commands about connections are given by connections only. */
export function connectionOf(context: CommandContext): Connection {
  if (context.connection === null) throw new HearsayError('ERR', 'this command needs a connection of its own');
  return context.connection;
}
