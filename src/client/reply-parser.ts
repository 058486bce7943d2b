/**
 * Parser of replies: RESP2 and RESP3 bytes, in pieces of any size, to values. A connection feeds it what arrives and takes
 * whole replies out of the list it hands in. Linear in the bytes, however they are cut.
 * Guarded: nothing is allocated on a declared length; nesting, line, bulk, element count and reply size are bounded; past
 * a bound or a malformed byte `feed` answers with an error and the parser is finished (the connection closes).
 * The fed bytes are only lent: what outlives the call is copied.
 */
import { type ErrorCode, HearsayError } from '../core/base/errors.js';

/** Bulk strings are Buffers, except map keys, which are text. Errors are values here: they may stand inside arrays. */
export type Reply =
  | string
  | number
  | bigint
  | boolean
  | null
  | Buffer
  | HearsayError
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>;

export const REPLY_NESTING_MAX = 32;
const LINE_BYTES_MAX = 64 * 1024;
const BULK_BYTES_MAX = 64 * 1024 * 1024;
const REPLY_BYTES_MAX = 256 * 1024 * 1024;
const ELEMENTS_MAX = 1024 * 1024;
/** Digits of a big number: conversion is quadratic. */
const BIG_NUMBER_DIGITS_MAX = 1024;

const WHOLE = /^-?\d+$/;
const FRACTION = /^[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/;
const NAMED_DOUBLES: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
]);

const CR = 13;
const LF = 10;

/** First bytes of replies: aggregates, then bulks, then scalars. */
const LIST = 0x2a; // '*'
const MAP = 0x25; // '%'
const SET = 0x7e; // '~'
const PUSH = 0x3e; // '>'
const ATTRIBUTE = 0x7c; // '|'
const BULK = 0x24; // '$'
const BULK_ERROR = 0x21; // '!'
const VERBATIM = 0x3d; // '='
const TEXT = 0x2b; // '+'
const ERROR = 0x2d; // '-'
const INTEGER = 0x3a; // ':'
const NULL = 0x5f; // '_'
const BOOLEAN = 0x23; // '#'
const DOUBLE = 0x2c; // ','
const BIG_NUMBER = 0x28; // '('

type FrameKind = typeof LIST | typeof MAP | typeof SET | typeof PUSH | typeof ATTRIBUTE;

interface Frame {
  kind: FrameKind;
  /** Replies still to come until it is whole; a map counts keys and values. */
  missing: number;
  items: Reply[];
}

/** `kept` holds the `filled` bytes of one that came in pieces: it grows with them, up to `bytes`, the line end included. */
interface Bulk {
  kind: number;
  bytes: number;
  filled: number;
  kept: Buffer;
}

const NO_BYTES = Buffer.alloc(0);
const KEPT_BYTES_AT_FIRST = 256;

export class ReplyParser {
  /** Push messages met and left out. */
  pushes = 0;
  private readonly stack: Frame[] = [];
  private line = Buffer.allocUnsafe(64);
  private lineBytes = 0;
  private bulk: Bulk | null = null;
  private elements = 0;
  private replyBytes = 0;
  private failure: HearsayError | null = null;

  /** Takes `bytes[start, end)` and appends whole replies to `replies`. An error ends the parser. */
  feed(bytes: Buffer, start: number, end: number, replies: Reply[]): HearsayError | null {
    let at = start;
    while (at < end && this.failure === null) {
      const next = this.bulk === null ? this.takeLine(bytes, at, end, replies) : this.takeBulk(bytes, at, end, replies);
      this.replyBytes = this.stack.length === 0 && this.bulk === null ? 0 : this.replyBytes + next - at;
      if (this.replyBytes > REPLY_BYTES_MAX) this.fail('a reply that is too large');
      at = next;
    }
    return this.failure;
  }

  private takeLine(bytes: Buffer, at: number, end: number, replies: Reply[]): number {
    const found = bytes.subarray(at, end).indexOf(LF);
    const stop = found < 0 ? end : at + found + 1;
    if (this.lineBytes + stop - at > LINE_BYTES_MAX) {
      this.fail('a line that is too long');
      return end;
    }
    if (found >= 0 && this.lineBytes === 0) {
      this.readLine(bytes, at, stop, replies);
      return stop;
    }
    this.keepLine(bytes, at, stop);
    if (found >= 0) {
      const length = this.lineBytes;
      this.lineBytes = 0;
      this.readLine(this.line, 0, length, replies);
    }
    return stop;
  }

  private keepLine(bytes: Buffer, at: number, stop: number): void {
    const needed = this.lineBytes + stop - at;
    if (needed > this.line.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.line.length * 2));
      this.line.copy(larger, 0, 0, this.lineBytes);
      this.line = larger;
    }
    bytes.copy(this.line, this.lineBytes, at, stop);
    this.lineBytes = needed;
  }

  /** A line with its end: a scalar, or the head of a bulk or of an aggregate. */
  private readLine(bytes: Buffer, start: number, stop: number, replies: Reply[]): void {
    const end = stop - 2;
    const kind = bytes[start];
    if (end <= start || bytes[end] !== CR) {
      this.fail('a line without its end');
    } else if (kind === BULK || kind === BULK_ERROR || kind === VERBATIM) {
      this.openBulk(kind, bytes, start + 1, end, replies);
    } else if (kind === LIST || kind === MAP || kind === SET || kind === PUSH || kind === ATTRIBUTE) {
      this.openFrame(kind, bytes, start + 1, end, replies);
    } else {
      const reply = readScalar(kind, bytes, start + 1, end);
      if (reply === undefined) this.fail(`a malformed reply of kind ${kind}`);
      else this.give(reply, replies);
    }
  }

  private openBulk(kind: number, bytes: Buffer, start: number, end: number, replies: Reply[]): void {
    const length = readLength(bytes, start, end);
    if (length === -1 && kind === BULK) this.give(null, replies);
    else if (length < 0 || length > BULK_BYTES_MAX) this.fail('a malformed or too large length');
    else this.bulk = { kind, bytes: length + 2, filled: 0, kept: NO_BYTES };
  }

  private takeBulk(bytes: Buffer, at: number, end: number, replies: Reply[]): number {
    const bulk = this.bulk as Bulk;
    const stop = Math.min(end, at + bulk.bytes - bulk.filled);
    if (bulk.filled === 0 && stop - at === bulk.bytes) {
      this.bulk = null;
      this.giveBulk(bulk.kind, Buffer.from(bytes.subarray(at, stop)), replies);
      return stop;
    }
    keepBulk(bulk, bytes, at, stop);
    if (bulk.filled === bulk.bytes) {
      this.bulk = null;
      this.giveBulk(bulk.kind, bulk.kept, replies);
    }
    return stop;
  }

  /** `whole` is nobody else's, and ends with its line end. */
  private giveBulk(kind: number, whole: Buffer, replies: Reply[]): void {
    const length = whole.length - 2;
    // A verbatim string starts with three letters and a colon.
    const start = kind === VERBATIM ? 4 : 0;
    if (whole[length] !== CR || whole[length + 1] !== LF) this.fail('a bulk without its end');
    else if (length < start) this.fail('a malformed verbatim string');
    else if (kind === BULK_ERROR) this.give(errorFromLine(whole.toString('utf8', 0, length)), replies);
    else this.give(whole.subarray(start, length), replies);
  }

  private openFrame(kind: FrameKind, bytes: Buffer, start: number, end: number, replies: Reply[]): void {
    const length = readLength(bytes, start, end);
    if (length === -1 && kind === LIST) {
      this.give(null, replies);
      return;
    }
    const missing = kind === MAP || kind === ATTRIBUTE ? length * 2 : length;
    this.elements = this.stack.length === 0 ? missing : this.elements + missing;
    if (length < 0 || this.elements > ELEMENTS_MAX) {
      this.fail('a malformed or too large count');
    } else if (this.stack.length >= REPLY_NESTING_MAX) {
      this.fail('a reply that is nested too deep');
    } else {
      this.stack.push({ kind, missing, items: [] });
      if (missing === 0) this.closeFrames(replies);
    }
  }

  /** Puts a whole reply where it belongs: the innermost open aggregate, or out. */
  private give(reply: Reply, replies: Reply[]): void {
    const depth = this.stack.length;
    if (depth === 0) {
      replies.push(reply);
      return;
    }
    const frame = this.stack[depth - 1];
    frame.items.push(reply);
    if (--frame.missing === 0) this.closeFrames(replies);
  }

  private closeFrames(replies: Reply[]): void {
    const frame = this.stack.pop() as Frame;
    // An attribute stands before the reply it describes and counts for nothing itself.
    if (frame.kind === ATTRIBUTE) return;
    if (frame.kind === PUSH) {
      this.pushes++;
      if (this.stack.length > 0) this.fail('a push message inside a reply');
      return;
    }
    this.give(frameValue(frame), replies);
  }

  private fail(what: string): void {
    this.failure = new HearsayError('ERR', `the server sent ${what}`);
  }
}

/** Moves `bytes[at, stop)` behind what of the bulk has come: one buffer, however many pieces there are. */
function keepBulk(bulk: Bulk, bytes: Buffer, at: number, stop: number): void {
  const needed = bulk.filled + stop - at;
  if (needed > bulk.kept.length) {
    const larger = Buffer.allocUnsafe(Math.min(bulk.bytes, Math.max(needed * 2, KEPT_BYTES_AT_FIRST)));
    bulk.kept.copy(larger, 0, 0, bulk.filled);
    bulk.kept = larger;
  }
  bytes.copy(bulk.kept, bulk.filled, at, stop);
  bulk.filled = needed;
}

/** A scalar's value; undefined if it is malformed. */
function readScalar(kind: number, bytes: Buffer, start: number, end: number): Reply | undefined {
  if (kind === TEXT) return bytes.toString('utf8', start, end);
  if (kind === ERROR) return errorFromLine(bytes.toString('utf8', start, end));
  if (end - start > BIG_NUMBER_DIGITS_MAX) return undefined;
  const text = bytes.toString('latin1', start, end);
  switch (kind) {
    case INTEGER:
      return text.length <= 20 && WHOLE.test(text) ? wholeNumber(text) : undefined;
    case BIG_NUMBER:
      return WHOLE.test(text) ? BigInt(text) : undefined;
    case DOUBLE:
      return NAMED_DOUBLES.get(text) ?? (FRACTION.test(text) ? Number(text) : undefined);
    case BOOLEAN:
      return text === 't' ? true : text === 'f' ? false : undefined;
    case NULL:
      return text === '' ? null : undefined;
    default:
      return undefined;
  }
}

/** A number where it is exact, else a BigInt. */
function wholeNumber(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function frameValue(frame: Frame): Reply {
  if (frame.kind === SET) return new Set(frame.items);
  if (frame.kind === LIST) return frame.items;
  const map = new Map<Reply, Reply>();
  for (let at = 0; at < frame.items.length; at += 2) {
    const key = frame.items[at];
    map.set(Buffer.isBuffer(key) ? key.toString('utf8', 0, key.length) : key, frame.items[at + 1]);
  }
  return map;
}

/** A length of up to ten digits; -1 as written, -2 for anything malformed. */
function readLength(bytes: Buffer, start: number, end: number): number {
  if (end - start === 2 && bytes[start] === 45 && bytes[start + 1] === 49) return -1;
  if (end <= start || end - start > 10) return -2;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 48;
    if (digit < 0 || digit > 9) return -2;
    length = length * 10 + digit;
  }
  return length;
}

const CODES: Readonly<Record<ErrorCode, true>> = {
  ERR: true,
  WRONGTYPE: true,
  SIBLINGS: true,
  CONTEXT: true,
  OOM: true,
  NOSPACE: true,
  DISKFAILED: true,
  BUSY: true,
  LOADING: true,
  SNAPSHOT: true,
  SESSION: true,
  UNAVAILABLE: true,
  NOQUORUM: true,
  CLOCKDRIFT: true,
  NOAUTH: true,
  WRONGPASS: true,
  CONFIG: true,
  DATADIR: true,
  CLOSED: true,
  TIMEOUT: true,
};

/** `CODE message` as an error; a code that is not Hearsay's stays in the message, under ERR. */
function errorFromLine(line: string): HearsayError {
  const space = line.indexOf(' ');
  const word = space < 0 ? line : line.slice(0, space);
  if (!Object.hasOwn(CODES, word)) return new HearsayError('ERR', line);
  return new HearsayError(word as ErrorCode, space < 0 ? word : line.slice(space + 1));
}
