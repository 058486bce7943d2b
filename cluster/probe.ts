/**
 * Asks a node by RESP, as an operator would: a few commands over a connection of their own, and their replies.
 * The local cluster waits for its nodes by it. A reply becomes text, number, null, list or an Error.
 * Guarded: the answer has a deadline and a size limit; whatever goes wrong is a rejection.
 */
import { connect } from 'node:net';

const REPLY_BYTES_MAX = 4 * 1024 * 1024;

/** What a node answers to a command that it refuses: told from no answer by its class. */
export class ErrorReply extends Error {}

export type ProbeReply = string | number | null | Error | ProbeReply[];

/** Sends `commands` in one go; resolves with a reply each. */
export function askNode(
  host: string,
  port: number,
  commands: readonly (readonly string[])[],
  timeoutMs: number,
): Promise<ProbeReply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = '';
    const end = (error: Error | null, replies: ProbeReply[] = []): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(replies);
      else reject(error);
    };
    const timer = setTimeout(() => end(new Error(`no answer from port ${port} in ${timeoutMs} ms`)), timeoutMs);
    socket.on('error', (error) => end(error));
    socket.on('close', () => end(new Error(`port ${port} closed the connection`)));
    socket.on('connect', () => socket.write(commands.map(encodeCommand).join(''), 'latin1'));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.length > REPLY_BYTES_MAX) return end(new Error('the answer is too long'));
      try {
        const replies = readReplies(text, commands.length);
        if (replies !== null) end(null, replies);
      } catch (error) {
        end(error as Error);
      }
    });
  });
}

/** A reply of field, value, field, value as a record; null if it is none. */
export function recordOf(reply: ProbeReply): Record<string, ProbeReply> | null {
  if (!Array.isArray(reply) || reply.length % 2 !== 0) return null;
  const record: Record<string, ProbeReply> = {};
  for (let at = 0; at < reply.length; at += 2) record[String(reply[at])] = reply[at + 1];
  return record;
}

function encodeCommand(words: readonly string[]): string {
  const parts = words.map((word) => {
    const bytes = Buffer.from(word, 'utf8').toString('latin1');
    return `$${bytes.length}\r\n${bytes}\r\n`;
  });
  return `*${words.length}\r\n${parts.join('')}`;
}

/** The first `count` replies, or null while they are not whole. */
function readReplies(text: string, count: number): ProbeReply[] | null {
  const reader = { text, at: 0 };
  const replies: ProbeReply[] = [];
  while (replies.length < count) {
    const reply = readReply(reader, 0);
    if (reply === undefined) return null;
    replies.push(reply);
  }
  return replies;
}

function readReply(reader: { text: string; at: number }, depth: number): ProbeReply | undefined {
  const lineEnd = reader.text.indexOf('\r\n', reader.at);
  if (lineEnd < 0) return undefined;
  if (depth > 8) throw new Error('the answer is nested too deeply');
  const kind = reader.text[reader.at];
  const line = reader.text.slice(reader.at + 1, lineEnd);
  reader.at = lineEnd + 2;
  if (kind === '+') return line;
  if (kind === '-') return new ErrorReply(line);
  if (kind === ':') return Number(line);
  const length = Number(line);
  if ((kind !== '$' && kind !== '*') || !Number.isInteger(length)) throw new Error('the answer is not RESP');
  if (length < 0) return null;
  if (kind === '$') {
    if (reader.text.length < reader.at + length + 2) return undefined;
    const value = reader.text.slice(reader.at, reader.at + length);
    reader.at += length + 2;
    return Buffer.from(value, 'latin1').toString('utf8');
  }
  const list: ProbeReply[] = [];
  while (list.length < length) {
    const item = readReply(reader, depth + 1);
    if (item === undefined) return undefined;
    list.push(item);
  }
  return list;
}
