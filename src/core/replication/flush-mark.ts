/**
 * The last FLUSHALL that a node knows, as it tells others: by its version. It is in READY, ROOTS and the end of a round, VECTOR, and in
 * questions about a key and their answers, so that whoever missed the flush itself learns of it before what it holds counts for anything.
 * Guarded: of two flushes the later stands for both; a mark that is no version is refused.
 */
import { compareVersions } from '../record/merge.js';

/** The version of a flush; 0, 0: there was none. */
export interface FlushMark {
  readonly flushedHlc: number;
  readonly flushedActor: number;
}

export const NEVER_FLUSHED: FlushMark = { flushedHlc: 0, flushedActor: 0 };

/** f64 HLC, f64 actor. */
export const FLUSH_MARK_BYTES = 16;

/** Returns the offset behind it. */
export function writeFlushMark(bytes: Buffer, at: number, { flushedHlc, flushedActor }: FlushMark): number {
  bytes.writeDoubleLE(flushedHlc, at);
  return bytes.writeDoubleLE(flushedActor, at + 8);
}

/** Null when the bytes, of which there are enough, are no mark. */
export function readFlushMark(bytes: Buffer, at: number): FlushMark | null {
  const flushedHlc = bytes.readDoubleLE(at);
  const flushedActor = bytes.readDoubleLE(at + 8);
  return isStamp(flushedHlc) && isStamp(flushedActor) ? { flushedHlc, flushedActor } : null;
}

/** Whether the left one is a flush that whoever knows only the right one has missed. */
export function isLaterFlush(left: FlushMark, right: FlushMark): boolean {
  return compareVersions(left.flushedHlc, left.flushedActor, right.flushedHlc, right.flushedActor) > 0;
}

function isStamp(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
