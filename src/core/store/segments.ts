/**
 * Segments: the memory that records lie in, off the JavaScript heap, each an ArrayBuffer of its own. The heads open them
 * for writing, the reclaimer empties them, entries count what lives in each. A segment is fixed (pooled and recycled) or
 * jumbo (one record too large for the others, its memory dropped with it). Inside, behind a reserved header, lie
 * [envelope, record, padding] one after another up to `used`, records at multiples of 8.
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
/** Its pages are being touched. */
export const RISING = 5;

/** New keys are admitted here, and leave soon unless they are used again. */
export const ADMISSION = 0;
/** What has been used again. */
export const MAIN = 1;

const NONE = -1;
const EMPTY = Buffer.alloc(0);
const EMPTY_WORDS = new Int32Array(0);
const PAGE_BYTES = 4096;
/** Bookkeeping of one segment number, in bytes: the arrays below and the two references. */
const NUMBER_BYTES = 4 * 3 + 8 * 2 + 3 + 16;

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
  /** Order of age, by which eviction goes: the count of openings, or for cleaned records the mean of where they were. */
  readonly birth: Float64Array;
  /** Nothing in it expires after this; infinite when something never does. */
  readonly latestMs: Float64Array;
  readonly state: Uint8Array;
  readonly pool: Uint8Array;
  readonly lane: Uint8Array;
  /** Memory of the segments in use, by pool. */
  readonly poolBytes = new Float64Array(2);
  bytes: number;
  count = 0;
  /** Numbers from here on were never used. */
  numbersUsed = 1;
  openings = 0;
  /** Moves with whatever could make a segment worth emptying that was not: a seal, the death of a record. */
  changes = 0;
  private readonly free: number[] = [];
  private readonly absent: number[] = [];
  private rising = NONE;
  private risenBytes = 0;

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
    this.latestMs = new Float64Array(numbers);
    this.state = new Uint8Array(numbers);
    this.pool = new Uint8Array(numbers);
    this.lane = new Uint8Array(numbers);
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

  /** A segment is being touched, its memory held already. */
  get isRising(): boolean {
    return this.rising !== NONE;
  }

  /** False when every segment number is taken. */
  hasNumber(): boolean {
    return this.absent.length > 0;
  }

  locate(segment: number, offset: number): number {
    return ((segment << this.shift) | (offset >>> 3)) >>> 0;
  }

  /**
   * Adds a fixed segment to the pool once it is touched, which this call does for `bytesMax`. For the first call on a segment
   * the caller has checked the bound and `hasNumber`.
   */
  grow(bytesMax: number): void {
    if (this.rising === NONE) {
      this.rising = this.acquire(this.segmentBytes);
      this.risenBytes = 0;
      this.state[this.rising] = RISING;
    }
    const buffer = this.buffers[this.rising];
    const end = Math.min(this.segmentBytes, this.risenBytes + bytesMax);
    for (let at = this.risenBytes; at < end; at += PAGE_BYTES) buffer[at] = 0;
    this.risenBytes = end;
    if (end < this.segmentBytes) return;
    this.state[this.rising] = FREE;
    this.free.push(this.rising);
    this.rising = NONE;
  }

  /** Takes a fixed segment from the pool for writing. The pool is not empty. */
  open(pool: number, lane: number): number {
    const segment = this.free.pop();
    assert(segment !== undefined, 'a segment is opened from a pool that has one');
    return this.begin(segment, pool, lane);
  }

  /** A segment for one record of `footprintBytes`; open until it is sealed. */
  openJumbo(footprintBytes: number, pool: number, lane: number): number {
    const segment = this.acquire(SEGMENT_HEADER_BYTES + footprintBytes);
    for (let at = 0; at < this.buffers[segment].length; at += PAGE_BYTES) this.buffers[segment][at] = 0;
    return this.begin(segment, pool, lane);
  }

  seal(segment: number): void {
    this.state[segment] = this.isFixed(segment) ? SEALED : JUMBO;
    this.changes++;
  }

  /** A jumbo is used: it goes to the end of the main pool as it stands. */
  reprieve(segment: number): void {
    this.poolBytes[this.pool[segment]] -= this.buffers[segment].length;
    this.poolBytes[MAIN] += this.buffers[segment].length;
    this.pool[segment] = MAIN;
    this.birth[segment] = ++this.openings;
  }

  /** Nothing lives in it any more: a fixed segment goes back to the pool, the memory of a jumbo is dropped. */
  release(segment: number): void {
    assert(this.live[segment] === 0, 'a segment is released empty');
    this.poolBytes[this.pool[segment]] -= this.buffers[segment].length;
    if (!this.isFixed(segment)) {
      this.drop(segment);
      return;
    }
    this.state[segment] = FREE;
    this.free.push(segment);
  }

  /** Drops the memory of the segment being touched, or of a pooled one. There is one or the other. */
  shed(): void {
    if (this.rising !== NONE) {
      this.drop(this.rising);
      this.rising = NONE;
      return;
    }
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

  private isFixed(segment: number): boolean {
    return this.buffers[segment].length === this.segmentBytes;
  }

  private begin(segment: number, pool: number, lane: number): number {
    this.state[segment] = OPEN;
    this.used[segment] = SEGMENT_HEADER_BYTES;
    this.birth[segment] = ++this.openings;
    this.latestMs[segment] = 0;
    this.pool[segment] = pool;
    this.lane[segment] = lane;
    this.poolBytes[pool] += this.buffers[segment].length;
    return segment;
  }

  private acquire(bytes: number): number {
    const segment = this.absent.pop();
    assert(segment !== undefined, 'a segment is acquired under a free number');
    const buffer = Buffer.allocUnsafeSlow(bytes);
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
