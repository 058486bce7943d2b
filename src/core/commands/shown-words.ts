/**
 * The words of a client's command as operators may see them: SLOWLOG keeps them, MONITOR sends them on.
 * Guarded: no password is among them, and they are few and short, whatever came: at most 32, of 128 bytes and a remark each.
 */
import type { Args } from '../resp/args.js';

const WORDS_MAX = 32;
const WORD_BYTES_MAX = 128;
const REDACTED = Buffer.from('(redacted)');

/** Copies; as Redis cuts them for its slow log. `name` in lower case. */
export function shownWords(name: string, args: Args): Buffer[] {
  const words: Buffer[] = [];
  const whole = args.count <= WORDS_MAX ? args.count : WORDS_MAX - 1;
  for (let index = 0; index < whole; index++) {
    if (isSecret(name, args, index)) words.push(REDACTED);
    else words.push(shortened(args, index));
  }
  if (whole < args.count) words.push(Buffer.from(`... (${args.count - whole} more arguments)`));
  return words;
}

function shortened(args: Args, index: number): Buffer {
  const over = args.length(index) - WORD_BYTES_MAX;
  if (over <= 0) return args.copy(index);
  const start = args.starts[index];
  return Buffer.concat([args.buffer.subarray(start, start + WORD_BYTES_MAX), Buffer.from(`... (${over} more bytes)`)]);
}

function isSecret(name: string, args: Args, index: number): boolean {
  switch (name) {
    case 'auth':
      return index > 0;
    case 'hello':
      return index > 0 && isSecretOfHello(args, index);
    case 'config':
      return index > 2 && index % 2 === 1 && args.equalsIgnoreCase(1, 'SET') && namesSecret(args, index - 1);
    default:
      return false;
  }
}

/** Reads the options as HELLO itself does (connection.ts); from a word on that it refuses, any may be a password out of its place. */
function isSecretOfHello(args: Args, index: number): boolean {
  if (!Number.isFinite(args.integer(1))) return true;
  for (let at = 2; at <= index; ) {
    if (args.equalsIgnoreCase(at, 'AUTH') && at + 2 < args.count) {
      if (index <= at + 2) return index > at;
      at += 3;
    } else if (args.equalsIgnoreCase(at, 'SETNAME') && at + 1 < args.count) at += 2;
    else return true;
  }
  return false;
}

function namesSecret(args: Args, index: number): boolean {
  return /pass|auth|secret/i.test(args.quote(index, 64));
}

/** One word between quotes, as Redis writes it: printable ASCII as it is, the rest escaped. */
export function quoted(word: Buffer): string {
  let text = '"';
  for (const byte of word) text += quotedByte(byte);
  return `${text}"`;
}

function quotedByte(byte: number): string {
  switch (byte) {
    case 0x22:
      return '\\"';
    case 0x5c:
      return '\\\\';
    case 0x0a:
      return '\\n';
    case 0x0d:
      return '\\r';
    case 0x09:
      return '\\t';
    case 0x07:
      return '\\a';
    case 0x08:
      return '\\b';
    default:
      if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
      return `\\x${byte.toString(16).padStart(2, '0')}`;
  }
}
