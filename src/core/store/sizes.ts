/**
 * The store's formulas: what a record takes in a segment, how large segments are, and when memory is reclaimed by
 * cleaning rather than by eviction. Called by the machines beside it; pure, in bytes.
 */
import { align8 } from '../record/record.js';

export const SEGMENT_BYTES_MIN = 4 * 1024;
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Least memory a store accepts: below it the heads and the cleaner's reserve would be most of it. */
export const MEMORY_BYTES_MIN = 256 * 1024;
/**
 * Reserved at the start of each segment, so that location 0 names no record and an index slot of 0 is empty, and the first record
 * starts, behind its envelope, at a multiple of 8.
 */
export const SEGMENT_HEADER_BYTES = 60;
/** The local word in front of each record: its partition, uses and flags. */
export const ENVELOPE_BYTES = 4;

/** Bytes a record of `length` takes in a segment: its envelope, and padding up to the next one's. */
export function footprint(length: number): number {
  return align8(length + ENVELOPE_BYTES);
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

/** Share of memory in use that new keys have before they must have been used again (S3-FIFO). */
export const ADMISSION_SHARE = 0.1;
/** Uses in the admission pool that take a value to the main pool. */
export const PROMOTION_USES = 1;
/** Uses are counted up to here. */
export const FREQUENCY_MAX = 3;
/** So many segments of the main pool in a row that gave less than an eighth raise the uses that save a value by one. */
export const GAINLESS_MAX = 8;
/** Cleaning weighs age while less of memory than this lives; above, it takes what gives the most now (RAMCloud). */
export const GREEDY_SHARE = 0.85;

/**
 * Where nothing is evicted, values are refused past this share of what segments may take: cleaning a segment copies u / (1 - u)
 * bytes for each that it frees, six here and nine at 0.9, where tombstones are refused too.
 */
export const VALUES_SHARE_MAX = 0.85;
export const TOMBSTONES_SHARE_MAX = 0.9;

/** Free segments that turns leave behind, so that writes of one turn hardly ever wait for a segment to be emptied. */
export function reserveSegments(memoryBytesMax: number, segmentBytes: number): number {
  const segments = memoryBytesMax / segmentBytes;
  return segments >= 256 ? 4 : segments >= 128 ? 3 : 2;
}

/** Free segments touched ahead while memory is not full: 16 MiB, or a sixteenth of memory. */
export function aheadSegments(memoryBytesMax: number, segmentBytes: number): number {
  const bytes = Math.min(16 * 1024 * 1024, memoryBytesMax / 16);
  return Math.max(reserveSegments(memoryBytesMax, segmentBytes), Math.floor(bytes / segmentBytes));
}

/**
 * Memory that dead records may take beyond as much as lives, before cleaning is preferred to growing: 32 MiB, or an eighth. Cleaning
 * then copies about one byte for two that are written, of memory that is warm; growing costs page faults and collections.
 */
export function slackBytes(memoryBytesMax: number): number {
  return Math.min(32 * 1024 * 1024, Math.floor(memoryBytesMax / 8));
}

/** Open lanes of each kind of head: all open heads, half empty on average, waste three percent of memory. */
export function lanesMaxFor(memoryBytesMax: number, segmentBytes: number, kinds: number, lanes: number): number {
  return Math.max(1, Math.min(lanes, Math.floor(((memoryBytesMax / segmentBytes) * 0.06) / kinds)));
}
