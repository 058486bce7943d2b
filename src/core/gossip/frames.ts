/**
 * Frames on a peer stream: what is larger than a datagram, what a datagram did not bring, and requests with answers.
 *
 *     0 u32 length of the body   4 u8 kind   5 u8[3] zero   8 u32 CRC-32 of the body   12 body
 *
 * The first frame on a stream, both ways, is HELLO. The reader takes pieces of any size and hands out whole frames; it keeps
 * a partial frame in a buffer that grows with what has arrived, never with what a length claims.
 */
import { crc32 } from '../base/crc32.js';
import { RECORD_BYTES_MAX, readWord, writeWord } from '../record/record.js';

export const FRAME_HEADER_BYTES = 12;
/** A frame holds at most one record of the greatest size and its link header, or a mebibyte of anything else. */
export const FRAME_BODY_BYTES_MAX = RECORD_BYTES_MAX + 4096;

export const FRAME_HELLO = 1;
export const FRAME_CONTROL = 2;
export const FRAME_RECORDS = 3;
export const FRAME_ACKS = 4;
export const FRAME_REQUEST = 5;
export const FRAME_RESPONSE = 6;
export const FRAME_RING = 7;
export const FRAME_ROOTS = 8;
export const FRAME_LEAVES = 9;
export const FRAME_LIST = 10;
export const FRAME_WANT = 11;
export const FRAME_SKETCH = 12;
export const FRAME_KINDS = 12;

/** One whole frame around `body`. */
export function encodeFrame(kind: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length);
  writeWord(frame, 0, body.length);
  writeWord(frame, 4, kind);
  frame.set(body, FRAME_HEADER_BYTES);
  writeWord(frame, 8, crc32(frame, FRAME_HEADER_BYTES, frame.length));
  return frame;
}

/** Cuts a stream into frames. After `push`, call `next` until it is false; `broken` says why the stream must be closed. */
export class FrameReader {
  private carry: Buffer = Buffer.alloc(0);
  private carried = 0;
  private input: Buffer = this.carry;
  private at = 0;
  private end = 0;
  kind = 0;
  /** The body of the current frame: lent until the next `push`. */
  body: Buffer = this.carry;
  broken: string | null = null;

  /** `bodyBytesMax`: the longest frame let in; small for a stranger. */
  constructor(public bodyBytesMax = FRAME_BODY_BYTES_MAX) {}

  push(bytes: Buffer, start: number, end: number): void {
    if (this.carried === 0) {
      this.input = bytes;
      this.at = start;
      this.end = end;
      return;
    }
    const needed = this.carried + (end - start);
    if (needed > this.carry.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.carry.length * 2, 4096));
      this.carry.copy(grown, 0, 0, this.carried);
      this.carry = grown;
    }
    bytes.copy(this.carry, this.carried, start, end);
    this.carried = needed;
    this.input = this.carry;
    this.at = 0;
    this.end = needed;
  }

  next(): boolean {
    if (this.broken !== null) return false;
    const available = this.end - this.at;
    if (available >= FRAME_HEADER_BYTES) {
      const size = readWord(this.input, this.at);
      const kind = readWord(this.input, this.at + 4);
      if (kind === 0 || kind > FRAME_KINDS) {
        this.broken = `unknown frame kind ${kind}`;
        return false;
      }
      if (size === 0 || size > this.bodyBytesMax) {
        this.broken = `frame of ${size} bytes`;
        return false;
      }
      if (available >= FRAME_HEADER_BYTES + size) {
        const bodyStart = this.at + FRAME_HEADER_BYTES;
        if (crc32(this.input, bodyStart, bodyStart + size) !== readWord(this.input, this.at + 8)) {
          this.broken = 'frame checksum does not hold';
          return false;
        }
        this.kind = kind;
        this.body = this.input.subarray(bodyStart, bodyStart + size);
        this.at = bodyStart + size;
        return true;
      }
    }
    this.keepRest();
    return false;
  }

  /** What is left belongs to a frame that is still arriving: copied out, because the input is only lent. */
  private keepRest(): void {
    const rest = this.end - this.at;
    if (this.input === this.carry) {
      if (this.at > 0) this.carry.copy(this.carry, 0, this.at, this.end);
      if (rest === 0 && this.carry.length > 1 << 16) this.carry = Buffer.alloc(0);
    } else if (rest > 0) {
      if (rest > this.carry.length) this.carry = Buffer.allocUnsafe(Math.max(rest, 4096));
      this.input.copy(this.carry, 0, this.at, this.end);
    }
    this.carried = rest;
    this.input = this.carry;
    this.at = 0;
    this.end = rest;
  }
}
