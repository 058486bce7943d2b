/**
 * One command and what stands around it on the wire: the session that it runs under, and the question what its reply rests on. The
 * verbs call it through the client or a session. Connections are shared between calls, so all of it goes as one request that no other
 * comes between, in one round trip:
 *
 *     HEARSAY.SESSION ON | RESUME token     with a session
 *     the command
 *     HEARSAY.RECEIPT                       when it is asked for
 *     HEARSAY.SESSION END                   with a session: what it has seen then
 *
 * A write of a session is sent once: a first copy that ran late would stand above what the session wrote next.
 * Guarded: a connection is left without a session, whatever the replies are; a reply is taken for the command's own only if the session
 * before it was taken up.
 */
import { HearsayError } from '../core/base/errors.js';
import type { Receipt } from './cache.js';
import type { CallSettings, Repeat } from './call.js';
import { LEVELS } from './client-options.js';
import { type CommandPart, encodeCommand } from './command-bytes.js';
import type { Dispatcher } from './dispatcher.js';
import type { ConsistencyLevel } from './greeting.js';
import type { Reply } from './reply-parser.js';

export interface KeyCommand {
  parts: CommandPart[];
  /** The slot of its key; -1 without one. */
  slot: number;
  repeat: Repeat;
  /** Given word by word by the application: nothing is known of what it does, so it is sent once, whatever comes of it. */
  raw?: boolean;
}

export interface Answer {
  reply: Reply;
  /** Null: it was not asked for. */
  receipt: Receipt | null;
  /** What the session has seen after it; null without one. */
  token: string | null;
}

export interface Around {
  receipt: boolean;
  /** The token of the session, '' to begin one; null for none. */
  session: string | null;
}

const ASK_RECEIPT = encodeCommand(['HEARSAY.RECEIPT']);
const BEGIN_SESSION = encodeCommand(['HEARSAY.SESSION', 'ON']);
const END_SESSION = encodeCommand(['HEARSAY.SESSION', 'END']);

/** Rejects with the error of the command or, of its session, SESSION. */
export async function exchange(
  dispatcher: Dispatcher,
  command: KeyCommand,
  call: CallSettings,
  { receipt, session }: Around,
): Promise<Answer> {
  const own = encodeCommand(command.parts);
  const { slot } = command;
  const repeat = session !== null && command.repeat === 'idempotent' ? 'once' : command.repeat;
  const waitsWhenBusy = command.raw !== true;
  if (!receipt && session === null) {
    const reply = await dispatcher.dispatch({ bytes: own, slot, repeat, commands: 1, own: 0, waitsWhenBusy }, call);
    if (reply instanceof HearsayError) throw reply;
    return { reply, receipt: null, token: null };
  }
  const requests = [own];
  if (receipt) requests.push(ASK_RECEIPT);
  if (session !== null) {
    requests.unshift(session === '' ? BEGIN_SESSION : encodeCommand(['HEARSAY.SESSION', 'RESUME', session]));
    requests.push(END_SESSION);
  }
  const at = session === null ? 0 : 1;
  const commands = requests.length;
  const bytes = Buffer.concat(requests);
  const replies = await dispatcher.dispatch({ bytes, slot, repeat, commands, own: at, waitsWhenBusy }, call);
  if (!Array.isArray(replies) || replies.length !== commands) throw unexpected(replies);
  const reply = replies[at];
  if (session !== null) requireTakenUp(replies[0], reply, repeat);
  if (reply instanceof HearsayError) throw reply;
  return {
    reply,
    receipt: receipt ? readReceipt(replies[at + 1]) : null,
    token: session === null ? null : readToken(replies[commands - 1]),
  };
}

export function unexpected(reply: Reply): HearsayError {
  const what = reply === null ? 'null' : Array.isArray(reply) ? `a list of ${reply.length}` : typeof reply;
  return new HearsayError('ERR', `the server gave an unexpected reply: ${what}`);
}

/** Throws if the server did not take the session up: the command then ran without it. */
function requireTakenUp(opening: Reply, own: Reply, repeat: Repeat): void {
  if (!(opening instanceof HearsayError)) return;
  const isDone = repeat !== 'read' && !(own instanceof HearsayError);
  const what = isDone ? '; the write was applied, outside of the session' : '';
  throw new HearsayError(opening.code, `${opening.message}${what}`);
}

function readToken(reply: Reply): string {
  if (reply instanceof HearsayError) throw reply;
  if (!Buffer.isBuffer(reply)) throw unexpected(reply);
  return reply.latin1Slice();
}

function readReceipt(reply: Reply): Receipt {
  if (reply instanceof HearsayError) throw reply;
  if (Array.isArray(reply)) return readReceipt(pairs(reply));
  if (!(reply instanceof Map)) throw unexpected(reply);
  const level = textOf(reply.get('level'));
  if (!isLevel(level)) throw unexpected(reply);
  const met = reply.get('met');
  return {
    level,
    met: met === true || met === 1,
    owners: numberOf(reply.get('owners')),
    fallbacks: numberOf(reply.get('fallbacks')),
    synced: numberOf(reply.get('synced')),
    version: textOf(reply.get('version')),
  };
}

/** A map of RESP2: names and values in turn. */
function pairs(items: readonly Reply[]): Map<Reply, Reply> {
  const map = new Map<Reply, Reply>();
  for (let at = 0; at + 1 < items.length; at += 2) map.set(textOf(items[at]) ?? null, items[at + 1]);
  return map;
}

function textOf(reply: Reply | undefined): string | undefined {
  return Buffer.isBuffer(reply)
    ? reply.toString('utf8', 0, reply.length)
    : typeof reply === 'string'
      ? reply
      : undefined;
}

function numberOf(reply: Reply | undefined): number {
  if (typeof reply !== 'number') throw unexpected(reply ?? null);
  return reply;
}

function isLevel(text: string | undefined): text is ConsistencyLevel {
  return LEVELS.includes(text);
}
