/**
 * Segments: the memory that records lie in, off the JavaScript heap, each an ArrayBuffer of its own. The store opens them
 * for writing, the reclaimer empties them, entries count what lives in each. A segment is fixed (pooled and recycled) or
 * jumbo (one record too large for the others, its memory dropped with it). Inside, behind a reserved header, lie
 * [envelope, record, padding] one after another up to `used`.
 *
 * A location is 32 bits: segment number, then offset / 8. Guarded: `bytes` is all memory held; a number is in one state;
 * memory handed out for writing has been touched, because the first touch of a page costs more than the copy.
 */
import { assert } from '../base/assert.js';
import { SEGMENT_HEADER_BYTES } from './sizes.js';

export const ABSENT = 0;
export const FREE = 1;
export const OPEN = 2;
export const SEALED = 3;
export const JUMBO = 4;

const EMPTY = Buffer.alloc(0);
const EMPTY_WORDS = new Int32Array(0);
const PAGE_BYTES = 4096;
/** Bookkeeping of one segment number, in bytes: the five arrays below and the two references. */
const NUMBER_BYTES = 4 * 3 + 8 + 1 + 16;

export class Segments {
  readonly segmentBytes: number;
  /** A location's bits for offset / 8. */
  readonly shift: number;
  readonly mask: number;
  readonly buffers: Buffer[] = [];
  /** The same memory as 32-bit words: records start 8-aligned, so their fixed part can be read by the word. */
  readonly words: Int32Array[] = [];
  readonly used: Int32Array;
  /** Bytes of linked records, envelope and padding included. */
  readonly live: Int32Array;
  /** The part of `live` that tombstones take. */
  readonly tombstoneBytes: Int32Array;
  /** Order of age, by which eviction goes: the count of openings, or for survivors the mean of what moved there. */
  readonly birth: Float64Array;
  readonly state: Uint8Array;
  bytes: number;
  count = 0;
  private readonly free: number[] = [];
  private readonly absent: number[] = [];
  private openings = 0;
  private numbersUsed = 1;

  constructor(segmentBytes: number, memoryBytesMax: number) {
    assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'hosts are little-endian');
    const log2 = 31 - Math.clz32(segmentBytes);
    assert(segmentBytes === 2 ** log2, 'segments are a power of two');
    this.segmentBytes = segmentBytes;
    this.shift = log2 - 3;
    this.mask = 2 ** this.shift - 1;
    const numbers = Math.min(2 ** (32 - this.shift), Math.ceil(memoryBytesMax / (segmentBytes / 4)) + 8);
    this.used = new Int32Array(numbers);
    this.live = new Int32Array(numbers);
    this.tombstoneBytes = new Int32Array(numbers);
    this.birth = new Float64Array(numbers);
    this.state = new Uint8Array(numbers);
    for (let number = 0; number < numbers; number++) {
      this.buffers.push(EMPTY);
      this.words.push(EMPTY_WORDS);
    }
    for (let number = numbers - 1; number >= 0; number--) this.absent.push(number);
    this.bytes = numbers * NUMBER_BYTES;
  }

  /** Fixed segments ready to be written. */
  get freeCount(): number {
    return this.free.length;
  }

  /** False when every segment number is taken. */
  hasNumber(): boolean {
    return this.absent.length > 0;
  }

  locate(segment: number, offset: number): number {
    return ((segment << this.shift) | (offset >>> 3)) >>> 0;
  }

  /** Adds a fixed segment to the pool, touched. The caller has checked the bound and `hasNumber`. */
  grow(): void {
    const segment = this.acquire(this.segmentBytes);
    this.state[segment] = FREE;
    this.free.push(segment);
  }

  /** Takes a fixed segment from the pool for writing. The pool is not empty. */
  open(): number {
    const segment = this.free.pop();
    assert(segment !== undefined, 'a segment is opened from a pool that has one');
    this.state[segment] = OPEN;
    this.used[segment] = SEGMENT_HEADER_BYTES;
    this.birth[segment] = ++this.openings;
    return segment;
  }

  /** A segment for one record of `footprintBytes`; open until it is sealed. */
  openJumbo(footprintBytes: number): number {
    const segment = this.acquire(SEGMENT_HEADER_BYTES + footprintBytes);
    this.state[segment] = OPEN;
    this.used[segment] = SEGMENT_HEADER_BYTES;
    this.birth[segment] = ++this.openings;
    return segment;
  }

  seal(segment: number): void {
    this.state[segment] = this.buffers[segment].length === this.segmentBytes ? SEALED : JUMBO;
  }

  /** Nothing lives in it any more: a fixed segment goes back to the pool, the memory of a jumbo is dropped. */
  release(segment: number): void {
    assert(this.live[segment] === 0, 'a segment is released empty');
    if (this.buffers[segment].length !== this.segmentBytes) {
      this.drop(segment);
      return;
    }
    this.state[segment] = FREE;
    this.free.push(segment);
  }

  /** Drops the memory of one pooled segment. The pool is not empty. */
  shed(): void {
    const segment = this.free.pop();
    assert(segment !== undefined, 'a segment is shed from a pool that has one');
    this.drop(segment);
  }

  /** Forgets every record: all fixed segments are free, all jumbos gone. */
  clear(): void {
    for (let segment = 0; segment < this.numbersUsed; segment++) {
      this.live[segment] = 0;
      this.tombstoneBytes[segment] = 0;
      const state = this.state[segment];
      if (state === OPEN || state === SEALED || state === JUMBO) this.release(segment);
    }
  }

  /** The sealed segment with the most dead bytes, if that is at least `deadBytesMin`; else -1. */
  mostDead(deadBytesMin: number, held: number): number {
    let found = -1;
    let most = deadBytesMin;
    for (let segment = 0; segment < this.numbersUsed; segment++) {
      if (this.state[segment] !== SEALED || segment === held) continue;
      const dead = this.used[segment] - SEGMENT_HEADER_BYTES - this.live[segment];
      if (dead < most) continue;
      most = dead + 1;
      found = segment;
    }
    return found;
  }

  /** The oldest sealed or jumbo segment whose eviction would free an eighth of it or more; else -1. */
  oldest(held: number): number {
    let found = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let segment = 0; segment < this.numbersUsed; segment++) {
      const state = this.state[segment];
      if ((state !== SEALED && state !== JUMBO) || segment === held || this.birth[segment] >= least) continue;
      if ((this.live[segment] - this.tombstoneBytes[segment]) * 8 < this.used[segment]) continue;
      least = this.birth[segment];
      found = segment;
    }
    return found;
  }

  private acquire(bytes: number): number {
    const segment = this.absent.pop();
    assert(segment !== undefined, 'a segment is acquired under a free number');
    const buffer = Buffer.allocUnsafeSlow(bytes);
    for (let at = 0; at < bytes; at += PAGE_BYTES) buffer[at] = 0;
    this.buffers[segment] = buffer;
    this.words[segment] = new Int32Array(buffer.buffer, 0, bytes >>> 2);
    this.live[segment] = 0;
    this.tombstoneBytes[segment] = 0;
    this.bytes += bytes;
    this.count++;
    if (segment >= this.numbersUsed) this.numbersUsed = segment + 1;
    return segment;
  }

  private drop(segment: number): void {
    this.bytes -= this.buffers[segment].length;
    this.count--;
    this.buffers[segment] = EMPTY;
    this.words[segment] = EMPTY_WORDS;
    this.state[segment] = ABSENT;
    this.absent.push(segment);
  }
}
