/**
 * Memory of the log: the batch that collects in this turn, and the batches written but not yet known durable, which are
 * needed again if a sync fails. The log appends to it, writes straight from it and releases from its front.
 * Guarded: records are copied once, into pooled chunks off the V8 heap; a chunk is used again only when none of its
 * batches is kept; kept bytes are bounded by the caller, through `dropBeyond`.
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
  kept: number;
}

const CHUNK_BYTES = 256 * 1024;
const FREE_CHUNKS_MAX = 16;

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

  /** Copies a record behind the others of this batch, padded to 8 bytes with zeros. */
  add(source: Buffer, offset: number, length: number): void {
    const padded = align8(length);
    const batch = this.collecting;
    let at = batch.start + FRAME_HEADER_BYTES + batch.bodyBytes;
    if (at + padded > batch.chunk.bytes.length) {
      this.moveCollecting(FRAME_HEADER_BYTES + batch.bodyBytes + padded);
      at = batch.start + FRAME_HEADER_BYTES + batch.bodyBytes;
    }
    const bytes = batch.chunk.bytes;
    copyBytes(source, offset, offset + length, bytes, at);
    for (let pad = at + length; pad < at + padded; pad++) bytes[pad] = 0;
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
    if (end + FRAME_HEADER_BYTES * 2 > chunk.bytes.length) this.moveCollecting(FRAME_HEADER_BYTES);
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

  private moveCollecting(bytes: number): void {
    const batch = this.collecting;
    const old = batch.chunk;
    const next = bytes <= CHUNK_BYTES ? (this.free.pop() ?? newChunk(CHUNK_BYTES)) : newChunk(bytes * 2);
    const { start } = batch;
    if (batch.bodyBytes > 0) copyBytes(old.bytes, start, start + FRAME_HEADER_BYTES + batch.bodyBytes, next.bytes, 0);
    batch.chunk = next;
    batch.start = 0;
    if (old.kept === 0) this.recycle(old);
  }

  private recycle(chunk: Chunk): void {
    if (chunk.bytes.length === CHUNK_BYTES && this.free.length < FREE_CHUNKS_MAX) this.free.push(chunk);
  }
}

function newChunk(bytes: number): Chunk {
  return { bytes: Buffer.allocUnsafeSlow(bytes), kept: 0 };
}
