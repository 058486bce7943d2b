/**
 * A growing buffer that replies are written into, in RESP2 or RESP3. Commands write to the one they are given; sessions hand
 * its bytes to the socket. Where the protocols differ, the writer chooses, so that a command says only what it means.
 * Guarded: it never holds more than `REPLY_BYTES_MAX`; what passes that is dropped, `overflowed` says so, and the session closes.
 */
import { writeInteger } from './integer.js';
import type { BufferPool } from './pool.js';

/** What one connection may owe its client before it is closed. */
export const REPLY_BYTES_MAX = 32 * 1024 * 1024;
const LOOSE_BYTES_AT_FIRST = 64;
/** Below this a byte loop beats a call. */
const LOOP_BYTES_MAX = 32;
/** Room for a type byte, an integer and a line end. */
const HEADER_BYTES = 24;

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const PLUS = 0x2b;
const ASTERISK = 0x2a;
const PERCENT = 0x25;
const TILDE = 0x7e;
const GREATER = 0x3e;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const UNDERSCORE = 0x5f;
const ZERO = 0x30;
const ONE = 0x31;

export class Reply {
  protocol: 2 | 3;
  buffer: Buffer = EMPTY;
  /** Bytes written so far. */
  length = 0;
  /** True once something did not fit; the reply is then worthless. */
  overflowed = false;
  private readonly pool: BufferPool | null;

  /** With a pool the buffer is a pooled one, for a connection; without, it starts small, for a part of a reply. */
  constructor(protocol: 2 | 3, pool: BufferPool | null) {
    this.protocol = protocol;
    this.pool = pool;
  }

  /** `text` without line ends. */
  simple(text: string): void {
    this.line(PLUS, text);
  }

  ok(): void {
    if (!this.reserve(5)) return;
    const { buffer, length } = this;
    buffer[length] = PLUS;
    buffer[length + 1] = 0x4f;
    buffer[length + 2] = 0x4b;
    this.length = length + 3;
    this.endLine();
  }

  /** `-CODE text`: line ends in the text become blanks. */
  error(code: string, text: string): void {
    this.line(MINUS, `${code} ${text}`.replace(/[\r\n]/g, ' '));
  }

  integer(value: number): void {
    this.header(COLON, value);
  }

  /** An integer that a double may not hold. */
  bigInteger(value: bigint): void {
    this.line(COLON, value.toString());
  }

  bulk(bytes: Buffer, start: number, end: number): void {
    if (!this.reserve(end - start + HEADER_BYTES)) return;
    this.header(DOLLAR, end - start);
    this.copy(bytes, start, end);
    this.endLine();
  }

  /** UTF-8. */
  bulkString(text: string): void {
    const bytes = Buffer.byteLength(text, 'utf8');
    if (!this.reserve(bytes + HEADER_BYTES)) return;
    this.header(DOLLAR, bytes);
    this.length += this.buffer.utf8Write(text, this.length);
    this.endLine();
  }

  null(): void {
    if (this.protocol === 3) this.byteLine(UNDERSCORE);
    else this.header(DOLLAR, -1);
  }

  /** `count` elements follow. */
  array(count: number): void {
    this.header(ASTERISK, count);
  }

  /** `pairs` pairs follow, each a key and a value. */
  map(pairs: number): void {
    if (this.protocol === 3) this.header(PERCENT, pairs);
    else this.header(ASTERISK, pairs * 2);
  }

  set(count: number): void {
    this.header(this.protocol === 3 ? TILDE : ASTERISK, count);
  }

  push(count: number): void {
    this.header(this.protocol === 3 ? GREATER : ASTERISK, count);
  }

  double(value: number): void {
    const text = value === Number.POSITIVE_INFINITY ? 'inf' : value === Number.NEGATIVE_INFINITY ? '-inf' : `${value}`;
    if (this.protocol === 3) this.line(COMMA, text);
    else this.bulkString(text);
  }

  boolean(value: boolean): void {
    if (this.protocol === 2) {
      this.integer(value ? 1 : 0);
      return;
    }
    if (!this.reserve(4)) return;
    this.buffer[this.length++] = 0x23;
    this.buffer[this.length++] = value ? 0x74 : 0x66;
    this.endLine();
  }

  /** Plain text for people: `txt` in RESP3. */
  verbatim(text: string): void {
    if (this.protocol === 2) {
      this.bulkString(text);
      return;
    }
    const bytes = Buffer.byteLength(text, 'utf8') + 4;
    if (!this.reserve(bytes + HEADER_BYTES)) return;
    this.header(EQUALS, bytes);
    this.length += this.buffer.utf8Write('txt:', this.length);
    this.length += this.buffer.utf8Write(text, this.length);
    this.endLine();
  }

  /** Bytes that are a reply already. */
  raw(bytes: Buffer, start: number, end: number): void {
    if (this.reserve(end - start)) this.copy(bytes, start, end);
  }

  /** Takes back what was written after `length`. */
  truncate(length: number): void {
    this.length = length;
  }

  /** Gives the first `count` bytes away, to a caller that owns them from now on; the rest stays. */
  detach(count: number): Buffer {
    const given = count === this.buffer.length ? this.buffer : this.buffer.subarray(0, count);
    const rest = this.length - count;
    const source = this.buffer;
    this.buffer = EMPTY;
    this.length = 0;
    if (rest > 0) this.raw(source, count, count + rest);
    return given;
  }

  /** Gives the buffer back to the pool. */
  release(): void {
    if (this.pool !== null && this.buffer.length > 0) this.pool.give(this.buffer);
    this.buffer = EMPTY;
    this.length = 0;
  }

  private header(type: number, value: number): void {
    if (!this.reserve(HEADER_BYTES)) return;
    const { buffer } = this;
    let at = this.length;
    buffer[at++] = type;
    if (value >= 0 && value < 10) buffer[at++] = ZERO + value;
    else if (value === -1) {
      buffer[at++] = MINUS;
      buffer[at++] = ONE;
    } else at = writeInteger(buffer, at, value);
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.length = at + 2;
  }

  /** One byte per character. */
  private line(type: number, text: string): void {
    if (!this.reserve(text.length + 3)) return;
    this.buffer[this.length++] = type;
    this.length += this.buffer.latin1Write(text, this.length);
    this.endLine();
  }

  private byteLine(type: number): void {
    if (!this.reserve(3)) return;
    this.buffer[this.length++] = type;
    this.endLine();
  }

  private endLine(): void {
    this.buffer[this.length] = CR;
    this.buffer[this.length + 1] = LF;
    this.length += 2;
  }

  private copy(bytes: Buffer, start: number, end: number): void {
    const target = this.buffer;
    let to = this.length;
    if (end - start <= LOOP_BYTES_MAX) {
      for (let from = start; from < end; from++, to++) target[to] = bytes[from];
    } else {
      bytes.copy(target, to, start, end);
    }
    this.length += end - start;
  }

  private reserve(bytes: number): boolean {
    const needed = this.length + bytes;
    return needed <= this.buffer.length || this.grow(needed);
  }

  private grow(needed: number): boolean {
    if (needed > REPLY_BYTES_MAX || this.overflowed) {
      this.overflowed = true;
      return false;
    }
    const wanted = Math.max(needed, this.buffer.length * 2);
    const larger =
      this.pool !== null ? this.pool.take(wanted) : Buffer.allocUnsafe(Math.max(wanted, LOOSE_BYTES_AT_FIRST));
    this.buffer.copy(larger, 0, 0, this.length);
    if (this.pool !== null && this.buffer.length > 0) this.pool.give(this.buffer);
    this.buffer = larger;
    return true;
  }
}
