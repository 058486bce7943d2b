/**
 * Frames on a peer stream: what is larger than a datagram, what a datagram did not bring, and requests with answers.
 *
 *     0 u32 length of the body   4 u8 kind   5 u8[3] zero   8 u32 CRC-32 of the body, 0 if it is sealed   12 body
 *
 * The first frame on a stream, both ways, is HELLO (hello.ts), in the clear as a frame. With a secret every frame after it is
 * sealed: the body is AES-256-GCM under the stream's own key, the header authenticated with it, the nonce the number of the frame on
 * its stream. So a frame counts once, in its place, on its stream, in its direction. The reader takes pieces of any size and hands out
 * whole frames; it keeps a partial frame in a buffer that grows with what has arrived, never with what a length claims.
 */
import type { SealingKey } from '../../ports/secrets.js';
import { crc32 } from '../base/crc32.js';
import { RECORD_BYTES_MAX, readWord, writeWord } from '../record/record.js';
import { NONCE_BYTES, TAG_BYTES } from './key-ring.js';

export const FRAME_HEADER_BYTES = 12;
/** A frame holds at most one record of the greatest size and the vector or header before it, or a mebibyte of anything else. */
export const FRAME_BODY_BYTES_MAX = RECORD_BYTES_MAX + 512 * 1024;

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
export const FRAME_FLOORS = 13;
export const FRAME_GONE = 14;
export const FRAME_VECTOR = 15;
export const FRAME_PULL = 16;
export const FRAME_SLICE = 17;
export const FRAME_READY = 18;
/** Asks for a sign that the stream is read this far: a mark, u32, that comes back in SECTION_HEARD or FRAME_HEARD. */
export const FRAME_HEAR = 19;
export const FRAME_HEARD = 20;
/** Whoever dialled has met the answer: only now is it more than a recording. */
export const FRAME_CONFIRM = 30;
/** The frames behind this one are sealed with another of the cluster's keys: its id, u32. */
export const FRAME_REKEY = 31;
export const FRAME_KINDS = 31;

const REPAIR_FRAMES: ReadonlySet<number> = new Set([
  FRAME_ROOTS,
  FRAME_LEAVES,
  FRAME_LIST,
  FRAME_WANT,
  FRAME_VECTOR,
  FRAME_PULL,
  FRAME_SLICE,
]);

/** Frames by which owners compare and repair what they hold: the work they make is accounted for on its own. */
export function isRepairFrame(kind: number): boolean {
  return REPAIR_FRAMES.has(kind);
}

/** One whole frame around `body`. */
export function encodeFrame(kind: number, body: Uint8Array): Buffer {
  const frame = frameFor(kind, body, 0);
  writeWord(frame, 8, crc32(frame, FRAME_HEADER_BYTES, frame.length));
  return frame;
}

/** A frame that a `FrameSeal` closes when it leaves, with room for the tag. */
export function openFrame(kind: number, body: Uint8Array): Buffer {
  return frameFor(kind, body, TAG_BYTES);
}

function frameFor(kind: number, body: Uint8Array, tagBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length + tagBytes);
  writeWord(frame, 0, body.length + tagBytes);
  writeWord(frame, 4, kind);
  writeWord(frame, 8, 0);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

/** One direction of one stream: its key, and the number of its next frame. */
export class FrameSeal {
  private readonly nonce = Buffer.alloc(NONCE_BYTES);
  private number = 0;

  constructor(
    /** Id of the cluster's key that `key` comes from. */
    public keyId: number,
    private key: SealingKey,
  ) {}

  /** Numbers go on under the new key, which has sealed nothing yet. */
  rekey(keyId: number, key: SealingKey): void {
    this.keyId = keyId;
    this.key = key;
  }

  /** Closes a frame made by `openFrame`, in place. Call in the order in which frames leave. */
  seal(frame: Buffer): void {
    this.step();
    this.key.seal(this.nonce, frame, 0, FRAME_HEADER_BYTES, frame.length - TAG_BYTES);
  }

  /** The body of the frame in `input[start, end)`; null if it is not the next one of this stream. */
  open(input: Buffer, start: number, end: number): Buffer | null {
    this.step();
    return this.key.open(this.nonce, input, start, start + FRAME_HEADER_BYTES, end);
  }

  private step(): void {
    this.number++;
    this.nonce.writeUIntLE(this.number, 0, 6);
  }
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
  /** Whether it broke because a seal did not hold. */
  forged = false;
  /** Opens the frames from now on; null while they come in the clear. */
  seal: FrameSeal | null = null;

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
      const tagBytes = this.seal === null ? 0 : TAG_BYTES;
      const kind = readWord(this.input, this.at + 4);
      if (kind === 0 || kind > FRAME_KINDS) {
        this.broken = `unknown frame kind ${kind}`;
        return false;
      }
      if (size <= tagBytes || size - tagBytes > this.bodyBytesMax) {
        this.broken = `frame of ${size} bytes`;
        return false;
      }
      if (available >= FRAME_HEADER_BYTES + size) {
        const end = this.at + FRAME_HEADER_BYTES + size;
        if (!this.takeBody(end)) return false;
        this.kind = kind;
        this.at = end;
        return true;
      }
    }
    this.keepRest();
    return false;
  }

  /** Sums the frame up to `end`, or opens it. */
  private takeBody(end: number): boolean {
    const bodyStart = this.at + FRAME_HEADER_BYTES;
    if (this.seal !== null) {
      const body = this.seal.open(this.input, this.at, end);
      if (body !== null) this.body = body;
      else {
        this.forged = true;
        this.broken = 'the seal of a frame does not hold';
      }
    } else if (crc32(this.input, bodyStart, end) === readWord(this.input, this.at + 8)) {
      this.body = this.input.subarray(bodyStart, end);
    } else {
      this.broken = 'frame checksum does not hold';
    }
    return this.broken === null;
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
