/**
 * RESP requests out of a byte stream, incrementally: arrays of bulk strings, and inline commands. A session lends it the read
 * buffer, takes one command after the other, and has it keep the rest before the buffer is used again. Commands are parsed
 * in place; only what is incomplete (or left for a later turn) is copied, once, into a carry buffer of the parser's own.
 *
 * Guarded: memory follows bytes that have arrived, never a declared length; every byte is looked at a constant number of
 * times however the stream is cut; and the cut never changes which commands come out. Limits and texts are those of Redis's
 * `networking.c`, with smaller numbers. RESP: https://redis.io/docs/latest/develop/reference/protocol-spec/.
 */
import { align8, RECORD_BYTES_MAX } from '../record/record.js';
import { Args } from './args.js';
import { readInteger } from './integer.js';

export const INCOMPLETE = 0;
export const COMMAND = 1;
/** The stream cannot be understood any more; `error` says why. */
export const BROKEN = 2;
export type Outcome = typeof INCOMPLETE | typeof COMMAND | typeof BROKEN;

/** A line without words: no command, and no error. */
const BLANK = 3;

export const ARGUMENTS_MAX = 1_048_576;
/** The longest record, as LOAD takes it: a longest value, a longest key, and what stands with them. */
export const BULK_BYTES_MAX = align8(RECORD_BYTES_MAX);
export const LINE_BYTES_MAX = 64 * 1024;
/** All of a command that has not arrived whole, and input left for a later turn. */
export const QUERY_BYTES_MAX = 64 * 1024 * 1024;
/** Before AUTH (CVE-2021-32675). */
const STRANGER_ARGUMENTS_MAX = 10;
const STRANGER_BULK_BYTES_MAX = 16 * 1024;
const STRANGER_QUERY_BYTES_MAX = 256 * 1024;

/** What one stream may declare, and may have waiting. */
export interface ParserLimits {
  readonly argumentsMax: number;
  readonly bulkBytesMax: number;
  readonly queryBytesMax: number;
}

const WIDEST: ParserLimits = {
  argumentsMax: ARGUMENTS_MAX,
  bulkBytesMax: BULK_BYTES_MAX,
  queryBytesMax: QUERY_BYTES_MAX,
};

const CARRY_BYTES_AT_FIRST = 512;
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;

export class Parser {
  /** The command that `next` found; lent until `next` is called again. */
  readonly args = new Args();
  /** After BROKEN: what follows `Protocol error: `. */
  error = '';
  /** Bytes that the last command took on the wire. */
  commandBytes = 0;
  /** False sets the limits that hold before AUTH. */
  authenticated: boolean;

  /** Where the command in hand is read from: the lent buffer, or the carry. `start` is its first byte, `at` how far it is read. */
  private buffer: Buffer = EMPTY;
  private start = 0;
  private at = 0;
  private end = 0;
  private carrying = false;
  /** The part of the lent buffer that stands behind the carry. */
  private lent: Buffer = EMPTY;
  private lentAt = 0;
  private lentEnd = 0;
  /** Arguments still to come; 0 between commands. */
  private missing = 0;
  /** Declared length of the bulk string in hand, -1 while its line is awaited. */
  private bulkBytes = -1;
  /** Bytes from `at` on that are known to hold no line end. */
  private scanned = 0;

  private readonly limits: ParserLimits;

  constructor(authenticated: boolean, limits = WIDEST) {
    this.authenticated = authenticated;
    this.limits = limits;
  }

  /** Bytes received and not yet given out as commands, those of a partial command included. */
  get unread(): number {
    return this.end - this.start + (this.lentEnd - this.lentAt);
  }

  /** Bytes of memory held between reads. */
  get carryBytes(): number {
    return this.carrying ? this.buffer.length : 0;
  }

  /** Lends `bytes[start, end)` until `keep` is called. */
  lend(bytes: Buffer, start: number, end: number): void {
    if (this.carrying) {
      this.lent = bytes;
      this.lentAt = start;
      this.lentEnd = end;
    } else {
      this.buffer = bytes;
      this.start = start;
      this.at = start;
      this.end = end;
    }
  }

  /** Reads on until one command is whole (then in `args`), bytes run out, or the stream makes no sense. */
  next(): Outcome {
    for (;;) {
      if (this.error !== '') return BROKEN;
      if (this.missing === 0) this.start = this.at;
      const outcome = this.parse();
      if (outcome !== INCOMPLETE) return outcome;
      if (!this.carrying || this.lentAt === this.lentEnd) return INCOMPLETE;
      if (this.start === this.end) this.readLentInPlace();
      else if (!this.append(this.wanted())) return this.fail('query buffer limit exceeded');
    }
  }

  /** Takes back the command just found: `next` finds it again. */
  rewind(): void {
    this.at = this.start;
  }

  /** Copies what is unread and gives the lent buffer back. */
  keep(): void {
    if (this.missing === 0) this.start = this.at;
    if (this.carrying) {
      if (this.start === this.end && this.lentAt < this.lentEnd) this.readLentInPlace();
      else if (!this.append(this.lentEnd - this.lentAt)) this.fail('query buffer limit exceeded');
    }
    if (!this.carrying) {
      const source = this.buffer;
      const from = this.start;
      const length = this.end - from;
      this.buffer = EMPTY;
      if (length > 0) {
        this.buffer = Buffer.allocUnsafeSlow(Math.max(length, CARRY_BYTES_AT_FIRST));
        source.copy(this.buffer, 0, from, this.end);
        this.carrying = true;
      }
      this.moved(from);
    } else if (this.start === this.end) {
      this.carrying = false;
      this.buffer = EMPTY;
      this.start = this.at = this.end = 0;
    }
    this.lent = EMPTY;
    this.lentAt = this.lentEnd = 0;
    if (!this.carrying) this.args.buffer = EMPTY;
  }

  private parse(): Outcome {
    for (;;) {
      if (this.missing === 0) {
        if (this.at === this.end) return INCOMPLETE;
        if (this.buffer[this.at] !== ASTERISK) {
          const outcome = this.parseInline();
          if (outcome === BLANK) continue;
          return outcome;
        }
        const line = this.lineEnd();
        if (line < 0) return line === -1 ? INCOMPLETE : this.fail('too big mbulk count string');
        const count = readInteger(this.buffer, this.at + 1, line);
        if (!(count <= this.limits.argumentsMax)) return this.fail('invalid multibulk length');
        if (count > STRANGER_ARGUMENTS_MAX && !this.authenticated) {
          return this.fail('unauthenticated multibulk length');
        }
        this.at = line + 2;
        if (count <= 0) {
          this.start = this.at;
          continue;
        }
        this.args.clear();
        this.missing = count;
      }
      if (this.bulkBytes < 0) {
        const line = this.lineEnd();
        if (line < 0) return line === -1 ? INCOMPLETE : this.fail('too big bulk count string');
        if (this.buffer[this.at] !== DOLLAR) {
          return this.fail(`expected '$', got '${String.fromCharCode(this.buffer[this.at])}'`);
        }
        const length = readInteger(this.buffer, this.at + 1, line);
        if (!(length >= 0 && length <= this.limits.bulkBytesMax)) return this.fail('invalid bulk length');
        if (length > STRANGER_BULK_BYTES_MAX && !this.authenticated) return this.fail('unauthenticated bulk length');
        this.at = line + 2;
        this.bulkBytes = length;
      }
      const bulkEnd = this.at + this.bulkBytes;
      if (this.end < bulkEnd + 2) return INCOMPLETE;
      this.args.push(this.at, bulkEnd);
      this.at = bulkEnd + 2;
      this.bulkBytes = -1;
      if (--this.missing === 0) return this.found(this.buffer);
    }
  }

  /** Position of the CR that ends the line at `at`, with a byte behind it; -1 if it has not come, -2 if the line is too long. */
  private lineEnd(): number {
    const limit = Math.min(this.end - 1, this.at + LINE_BYTES_MAX);
    let position = this.at + this.scanned;
    while (position < limit && this.buffer[position] !== CR) position++;
    if (position < limit) {
      this.scanned = 0;
      return position;
    }
    this.scanned = Math.max(0, position - this.at);
    return position === this.at + LINE_BYTES_MAX ? -2 : -1;
  }

  /** One line of words, quoted as in a shell. */
  private parseInline(): Outcome | typeof BLANK {
    const limit = Math.min(this.end, this.at + LINE_BYTES_MAX);
    let position = this.at + this.scanned;
    while (position < limit && this.buffer[position] !== LF) position++;
    if (position === limit) {
      this.scanned = position - this.at;
      return this.scanned === LINE_BYTES_MAX ? this.fail('too big inline request') : INCOMPLETE;
    }
    this.scanned = 0;
    const from = this.at;
    const to = position > from && this.buffer[position - 1] === CR ? position - 1 : position;
    this.at = position + 1;
    this.args.clear();
    const words = splitWords(this.buffer, from, to, this.args);
    if (words === null) return this.fail('unbalanced quotes in request');
    if (this.args.count > 0) return this.found(words);
    this.start = this.at;
    return BLANK;
  }

  private found(words: Buffer): Outcome {
    this.args.buffer = words;
    this.commandBytes = this.at - this.start;
    return COMMAND;
  }

  private fail(error: string): Outcome {
    this.error = error;
    return BROKEN;
  }

  /** The carry is used up: what is left of the lent buffer is read where it lies. */
  private readLentInPlace(): void {
    this.carrying = false;
    this.buffer = this.lent;
    this.start = this.at = this.lentAt;
    this.end = this.lentEnd;
    this.lent = EMPTY;
    this.lentAt = this.lentEnd = 0;
  }

  /** How many lent bytes the command in the carry surely needs: the rest of its bulk string, or of its line. */
  private wanted(): number {
    const available = this.lentEnd - this.lentAt;
    if (this.bulkBytes >= 0) return Math.min(available, this.at + this.bulkBytes + 2 - this.end);
    let length = 1;
    while (length < available && this.lent[this.lentAt + length - 1] !== LF) length++;
    return length;
  }

  /** Moves lent bytes into the carry; false if that would pass the bound. */
  private append(bytes: number): boolean {
    const most = this.authenticated ? this.limits.queryBytesMax : STRANGER_QUERY_BYTES_MAX;
    if (this.end - this.start + bytes > most) return false;
    if (this.end + bytes > this.buffer.length) this.makeRoom(bytes);
    this.lent.copy(this.buffer, this.end, this.lentAt, this.lentAt + bytes);
    this.end += bytes;
    this.lentAt += bytes;
    return true;
  }

  /** Room behind `end`: by moving down if at least half of the buffer is used up, else by doubling. */
  private makeRoom(bytes: number): void {
    const from = this.start;
    const kept = this.end - from;
    if (kept + bytes > this.buffer.length || from < kept) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, kept + bytes));
      this.buffer.copy(larger, 0, from, this.end);
      this.buffer = larger;
    } else {
      this.buffer.copy(this.buffer, 0, from, this.end);
    }
    this.moved(from);
  }

  private moved(distance: number): void {
    if (this.missing > 0) this.args.shift(distance);
    this.start -= distance;
    this.at -= distance;
    this.end -= distance;
  }
}

/**
 * Splits a line into `args` as Redis's `sdssplitargs` does. Returns the buffer they lie in: `bytes` itself, or one of their own
 * where quotes had to be undone; null when quotes do not balance.
 */
function splitWords(bytes: Buffer, from: number, to: number, args: Args): Buffer | null {
  let quoted = false;
  for (let at = from; at < to && !quoted; at++) quoted = bytes[at] === QUOTE || bytes[at] === APOSTROPHE;
  const target = quoted ? Buffer.allocUnsafe(to - from) : bytes;
  let filled = 0;
  let at = from;
  for (;;) {
    while (at < to && isBlank(bytes[at])) at++;
    if (at === to) return target;
    if (!quoted) {
      const start = at;
      while (at < to && !isBlank(bytes[at])) at++;
      args.push(start, at);
      continue;
    }
    const start = filled;
    let open = 0;
    for (; at < to; at++) {
      const byte = bytes[at];
      if (open === 0) {
        if (isBlank(byte)) break;
        if (byte === QUOTE || byte === APOSTROPHE) open = byte;
        else target[filled++] = byte;
      } else if (byte === open) {
        if (at + 1 < to && !isBlank(bytes[at + 1])) return null;
        open = 0;
      } else if (byte === BACKSLASH && at + 1 < to && open === QUOTE) {
        at++;
        const high = bytes[at] === 0x78 && at + 2 < to ? hexDigit(bytes[at + 1]) : -1;
        const low = high >= 0 ? hexDigit(bytes[at + 2]) : -1;
        if (low >= 0) {
          target[filled++] = high * 16 + low;
          at += 2;
        } else {
          target[filled++] = undoEscape(bytes[at]);
        }
      } else if (byte === BACKSLASH && at + 1 < to && bytes[at + 1] === APOSTROPHE) {
        at++;
        target[filled++] = APOSTROPHE;
      } else {
        target[filled++] = byte;
      }
    }
    if (open !== 0) return null;
    args.push(start, filled);
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}

function undoEscape(byte: number): number {
  switch (byte) {
    case 0x6e:
      return LF;
    case 0x72:
      return CR;
    case 0x74:
      return 0x09;
    case 0x62:
      return 0x08;
    case 0x61:
      return 0x07;
    default:
      return byte;
  }
}
