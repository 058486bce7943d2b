/**
 * Memory of the log: the batch that collects, and the batches written but not yet known durable, which are needed again if a
 * sync fails. The log asks for room, appends, writes straight from it and releases from its front.
 * Guarded: a record is copied once, into pooled chunks off the V8 heap, and a batch ends where its chunk does, so nothing is
 * copied again; a chunk is used again only when none of its batches is kept. Kept bytes are bounded by the caller, through
 * `dropBeyond`; chunks beyond those kept wait for use, `FREE_CHUNKS_MAX` at most.
 */
import { align8, copyBytes } from '../record/record.js';
import { FRAME_HEADER_BYTES } from './frame.js';

/** A frame in memory: header at `start` of the chunk's bytes, body behind it. */
export interface Batch {
  number: number;
  chunk: Chunk;
  start: number;
  bodyBytes: number;
}

interface Chunk {
  readonly bytes: Buffer;
  /** The same memory: bodies are 8-aligned. */
  readonly words: Int32Array;
  kept: number;
}

/** A batch has this at most, its header included, unless one record alone is longer. */
export const CHUNK_BYTES = 256 * 1024;
const FREE_CHUNKS_MAX = 16;
/** Longer runs of words are copied by the native call. */
const LOOP_WORDS_MAX = 128;

export class BatchMemory {
  /** The batch that collects; its number is given when it is sealed. */
  readonly collecting: Batch;
  /** Bytes of sealed batches still kept. */
  keptBytes = 0;
  private kept: Batch[] = [];
  private keptHead = 0;
  private readonly free: Chunk[] = [];

  constructor() {
    const chunk = newChunk(CHUNK_BYTES);
    this.collecting = { number: 0, chunk, start: 0, bodyBytes: 0 };
  }

  get empty(): boolean {
    return this.collecting.bodyBytes === 0;
  }

  /** Bytes of body that the chunk has room for, those included that are there. */
  get bodyBytesMax(): number {
    const { chunk, start } = this.collecting;
    return chunk.bytes.length - start - FRAME_HEADER_BYTES;
  }

  /** With nothing collecting: finds a chunk with room for a body of `bodyBytes`. */
  open(bodyBytes: number): void {
    if (bodyBytes <= this.bodyBytesMax) return;
    const old = this.collecting.chunk;
    const bytes = FRAME_HEADER_BYTES + bodyBytes;
    this.collecting.chunk = bytes <= CHUNK_BYTES ? (this.free.pop() ?? newChunk(CHUNK_BYTES)) : newChunk(bytes);
    this.collecting.start = 0;
    if (old.kept === 0) this.recycle(old);
  }

  /** Copies a record behind the others of this batch, padded to 8 bytes with zeros. There is room: the caller has asked. */
  add(source: Buffer, offset: number, length: number): void {
    const batch = this.collecting;
    const at = batch.start + FRAME_HEADER_BYTES + batch.bodyBytes;
    const end = at + align8(length);
    const { bytes } = batch.chunk;
    copyBytes(source, offset, offset + length, bytes, at);
    for (let pad = at + length; pad < end; pad++) bytes[pad] = 0;
    batch.bodyBytes += end - at;
  }

  /** The same for a record in memory that is read by the word, at a multiple of 8, as in a segment. */
  addWords(source: Int32Array, offset: number, length: number): void {
    const batch = this.collecting;
    const at = batch.start + FRAME_HEADER_BYTES + batch.bodyBytes;
    const { words } = batch.chunk;
    const from = offset >>> 2;
    const to = at >>> 2;
    const whole = length >>> 2;
    if (whole > LOOP_WORDS_MAX) words.set(source.subarray(from, from + whole), to);
    else for (let word = 0; word < whole; word++) words[to + word] = source[from + word];
    const padded = align8(length);
    // What lies behind a record in its segment is not zero.
    if ((length & 3) !== 0) words[to + whole] = source[from + whole] & ((1 << ((length & 3) << 3)) - 1);
    if (padded - length >= 4) words[(at + padded - 4) >>> 2] = 0;
    batch.bodyBytes += padded;
  }

  /** Closes the collecting batch under its number and keeps it; an empty one starts behind it. */
  seal(number: number): void {
    const { chunk, start, bodyBytes } = this.collecting;
    const end = start + FRAME_HEADER_BYTES + bodyBytes;
    this.kept.push({ number, chunk, start, bodyBytes });
    chunk.kept++;
    this.keptBytes += FRAME_HEADER_BYTES + bodyBytes;
    this.collecting.start = end;
    this.collecting.bodyBytes = 0;
    this.open(0);
  }

  /** Lets go of every batch up to and including `through`. */
  release(through: number): void {
    while (this.keptHead < this.kept.length && this.kept[this.keptHead].number <= through) this.dropFirst();
  }

  /** Lets go of the oldest batches until at most `bytes` are kept. Returns how many went. */
  dropBeyond(bytes: number): number {
    let dropped = 0;
    for (; this.keptBytes > bytes; dropped++) this.dropFirst();
    return dropped;
  }

  /** The kept batches, oldest first. */
  keptBatches(): readonly Batch[] {
    return this.kept.slice(this.keptHead);
  }

  private dropFirst(): void {
    const batch = this.kept[this.keptHead++];
    this.keptBytes -= FRAME_HEADER_BYTES + batch.bodyBytes;
    batch.chunk.kept--;
    if (this.keptHead > 64 && this.keptHead * 2 > this.kept.length) {
      this.kept = this.kept.slice(this.keptHead);
      this.keptHead = 0;
    }
    if (batch.chunk.kept > 0) return;
    if (batch.chunk !== this.collecting.chunk) this.recycle(batch.chunk);
    else if (this.empty) this.rewind();
  }

  /** The collecting batch starts over at the front of its chunk, which nothing else uses. */
  private rewind(): void {
    this.collecting.start = 0;
    if (this.collecting.chunk.bytes.length > CHUNK_BYTES)
      this.collecting.chunk = this.free.pop() ?? newChunk(CHUNK_BYTES);
  }

  private recycle(chunk: Chunk): void {
    if (chunk.bytes.length === CHUNK_BYTES && this.free.length < FREE_CHUNKS_MAX) this.free.push(chunk);
  }
}

function newChunk(bytes: number): Chunk {
  const chunk = Buffer.allocUnsafeSlow(align8(bytes));
  return { bytes: chunk, words: new Int32Array(chunk.buffer), kept: 0 };
}
