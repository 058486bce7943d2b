/**
 * The bytes of frontiers' frames: VECTOR, PULL, SLICE. anti-entropy.ts and catch-up.ts speak them; nothing else knows the offsets. All
 * little endian; a vector is as vector.ts writes it.
 *
 *     VECTOR  0 u16 partition   2 u8 flags   3 u8 zero   4 f64 HLC, 12 f64 actor of the flush   20 the sender's vector
 *     PULL    0 u16 partition   2 u8 flags   3 u8 zero   4 u32 token   8 f64 cursor   16 the asker's vector
 *     SLICE   0 u16 partition   2 u8 flags   3 u8 zero   4 u32 token   8 f64 cursor asked   16 f64 cursor to go on from
 *             24 f64 epoch of the partition there   32 u32 bytes of the vector: the sender's as the walk began, in the first slice
 *             36 vector, then records
 */
import { readFlushMark } from './flush-mark.js';
import { readVector, type Vector, vectorBytes, writeVector } from './vector.js';

/** VECTOR: the peer is to say its own in return if it is ahead. */
export const VECTOR_ASKS = 1;
/** PULL and SLICE: the answerer's own recent writes only; the cursor is a sequence. Otherwise everything, and it is a hash. */
export const PULL_RECENT = 1;
/** SLICE: the walk is over. */
export const SLICE_END = 2;
/** SLICE: the partition has evicted there, so what was seen may not be among the records. */
export const SLICE_LOSSY = 4;
/** SLICE: what was asked for can not be answered any more; the asker begins anew. */
export const SLICE_GONE = 8;
const VECTOR_HEADER_BYTES = 20;
const PULL_HEADER_BYTES = 16;
export const SLICE_HEADER_BYTES = 36;

export interface VectorMessage {
  partition: number;
  flags: number;
  /** The last flush that the sender knows: what it covers is not among the records that a walk brings. */
  flushedHlc: number;
  flushedActor: number;
  vector: Vector;
}

export function encodeVector({ partition, flags, flushedHlc, flushedActor, vector }: VectorMessage): Buffer {
  const body = Buffer.alloc(VECTOR_HEADER_BYTES + vectorBytes(vector));
  body.writeUInt16LE(partition, 0);
  body[2] = flags;
  body.writeDoubleLE(flushedHlc, 4);
  body.writeDoubleLE(flushedActor, 12);
  writeVector(body, VECTOR_HEADER_BYTES, vector);
  return body;
}

/** Null when the bytes are no VECTOR. */
export function decodeVector(body: Buffer): VectorMessage | null {
  if (body.length < VECTOR_HEADER_BYTES) return null;
  const vector = readVector(body, VECTOR_HEADER_BYTES, body.length);
  if (vector === null) return null;
  const flushed = readFlushMark(body, 4);
  if (flushed === null) return null;
  return { partition: body.readUInt16LE(0), flags: body[2], ...flushed, vector };
}

export interface PullMessage {
  partition: number;
  flags: number;
  token: number;
  cursor: number;
  vector: Vector;
}

export function encodePull({ partition, flags, token, cursor, vector }: PullMessage): Buffer {
  const body = Buffer.alloc(PULL_HEADER_BYTES + vectorBytes(vector));
  body.writeUInt16LE(partition, 0);
  body[2] = flags;
  body.writeUInt32LE(token, 4);
  body.writeDoubleLE(cursor, 8);
  writeVector(body, PULL_HEADER_BYTES, vector);
  return body;
}

/** Null when the bytes are no PULL. */
export function decodePull(body: Buffer): PullMessage | null {
  if (body.length < PULL_HEADER_BYTES) return null;
  const cursor = body.readDoubleLE(8);
  const vector = readVector(body, PULL_HEADER_BYTES, body.length);
  if (vector === null || !Number.isSafeInteger(cursor) || cursor < 0) return null;
  return { partition: body.readUInt16LE(0), flags: body[2], token: body.readUInt32LE(4), cursor, vector };
}

export interface SliceHead {
  partition: number;
  flags: number;
  token: number;
  cursor: number;
  nextCursor: number;
  epoch: number;
  vector: Vector | null;
}

/** A SLICE around records: `pieces` in order. */
export function encodeSlice(head: SliceHead, pieces: readonly Buffer[]): Buffer {
  const vectorLength = head.vector === null ? 0 : vectorBytes(head.vector);
  const start = Buffer.alloc(SLICE_HEADER_BYTES + vectorLength);
  start.writeUInt16LE(head.partition, 0);
  start[2] = head.flags;
  start.writeUInt32LE(head.token, 4);
  start.writeDoubleLE(head.cursor, 8);
  start.writeDoubleLE(head.nextCursor, 16);
  start.writeDoubleLE(head.epoch, 24);
  start.writeUInt32LE(vectorLength, 32);
  if (head.vector !== null) writeVector(start, SLICE_HEADER_BYTES, head.vector);
  return Buffer.concat([start, ...pieces]);
}

/** Which partition a SLICE is of; -1 if it is none. */
export function slicePartition(body: Buffer): number {
  return body.length < SLICE_HEADER_BYTES ? -1 : body.readUInt16LE(0);
}

/** Null when the bytes are no SLICE; else its head, and where its records begin. */
export function decodeSlice(body: Buffer): { head: SliceHead; recordsStart: number } | null {
  if (body.length < SLICE_HEADER_BYTES) return null;
  const vectorLength = body.readUInt32LE(32);
  const recordsStart = SLICE_HEADER_BYTES + vectorLength;
  const cursor = body.readDoubleLE(8);
  const nextCursor = body.readDoubleLE(16);
  if (recordsStart > body.length || !Number.isSafeInteger(cursor) || !Number.isSafeInteger(nextCursor)) return null;
  const vector = vectorLength === 0 ? null : readVector(body, SLICE_HEADER_BYTES, recordsStart);
  if (vectorLength !== 0 && vector === null) return null;
  const head = {
    partition: body.readUInt16LE(0),
    flags: body[2],
    token: body.readUInt32LE(4),
    cursor,
    nextCursor,
    epoch: body.readDoubleLE(24),
    vector,
  };
  return { head, recordsStart };
}
