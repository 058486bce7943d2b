/**
 * The store's formulas: what a record takes in a segment, how large segments are, and when memory is reclaimed by
 * cleaning rather than by eviction. Called by the machines beside it; pure, in bytes.
 */
import { align8 } from '../record/record.js';

export const SEGMENT_BYTES_MIN = 4 * 1024;
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Least memory a store accepts: below it the heads and the cleaner's reserve would be most of it. */
export const MEMORY_BYTES_MIN = 256 * 1024;
/** Reserved at the start of each segment, so that location 0 names no record and an index slot of 0 is empty. */
export const SEGMENT_HEADER_BYTES = 64;
/**
 * Local words in front of each record: the key's hash and the partition. The cleaner meets records without their keys'
 * placement at hand, and finds it here instead of hashing again.
 */
export const ENVELOPE_BYTES = 8;

/** Bytes a record of `length` takes in a segment: envelope before, padding behind. */
export function footprint(length: number): number {
  return align8(length) + ENVELOPE_BYTES;
}

/** Segments are 1/512 of memory, so that a head, a survivor head and a reserve are together below one percent. */
export function segmentBytesFor(memoryBytesMax: number): number {
  let bytes = SEGMENT_BYTES_MIN;
  while (bytes < SEGMENT_BYTES_MAX && bytes * 2 * 512 <= memoryBytesMax) bytes *= 2;
  return bytes;
}

/** Records with a larger footprint get a segment of their own, which bounds what a seal leaves unused to a quarter. */
export function inlineBytesMax(segmentBytes: number): number {
  return segmentBytes >>> 2;
}

/** One record may take half of memory: more would evict everything for its sake. */
export function jumboBytesMax(memoryBytesMax: number): number {
  return Math.floor(memoryBytesMax / 2);
}

/** Tombstones are never evicted, so they may take a twentieth of memory and no more. */
export function tombstoneBytesMax(memoryBytesMax: number): number {
  return Math.floor(memoryBytesMax / 20);
}

/**
 * Dead bytes that make a segment worth cleaning: a quarter when eviction is the alternative (each byte gained costs three
 * copied), a tenth when refusal is (nine copied). Greedy cleaning then runs to about 85 and 95 percent live.
 */
export function deadBytesMin(segmentBytes: number, evicts: boolean): number {
  return Math.floor(segmentBytes / (evicts ? 4 : 10));
}
