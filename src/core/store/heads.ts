/**
 * The open heads: for each kind of record and each class of life span the segment that takes such records next. The store writes
 * fresh records through them, the reclaimer survivors; they never share a head, so that what is young lies with what is
 * young (RAMCloud, FAST'14, section 3), and what expires together leaves together (Segcache, NSDI'21, section 3).
 *
 * Guarded: a head opens on demand, and no kind has more than `lanesMax` open: beyond it a record joins the open lane next
 * to its own. So what open heads leave unused stays near three percent of memory.
 */
import { ADMISSION, MAIN, type Segments } from './segments.js';
import { lanesMaxFor, SEGMENT_HEADER_BYTES } from './sizes.js';

/** New keys, and overwrites of keys in the admission pool. */
export const FRESH = 0;
/** Keys that left a short while ago, and overwrites of keys in the main pool. */
export const FRESH_MAIN = 1;
/** Survivors of cleaning, by pool: as old as they were. */
export const CLEANED = 2;
export const CLEANED_MAIN = 3;
/** Survivors of eviction: they start over in the main pool. */
export const SPARED = 4;
export type HeadKind = typeof FRESH | typeof FRESH_MAIN | typeof CLEANED | typeof CLEANED_MAIN | typeof SPARED;

const KINDS = 5;
const POOLS = [ADMISSION, MAIN, ADMISSION, MAIN, MAIN];
/** Life spans that end a lane, ms: 15 s, then factors of four to about 12 days. Longer or endless lives have the last lane. */
const LANE_ENDS_MS = [15e3, 60e3, 240e3, 960e3, 3.84e6, 15.36e6, 61.44e6, 245.76e6, 983.04e6];
const LANES = LANE_ENDS_MS.length + 1;
export const LANE_ENDLESS = LANES - 1;
const NONE = -1;

/** The lane of a record that expires at `expireAtMs`, 0 for never. */
export function laneOf(expireAtMs: number, wallMs: number): number {
  if (expireAtMs === 0) return LANE_ENDLESS;
  const leftMs = expireAtMs - wallMs;
  let lane = 0;
  while (lane < LANE_ENDLESS && leftMs > LANE_ENDS_MS[lane]) lane++;
  return lane;
}

export class Heads {
  private readonly segments: Segments;
  private readonly lanesMax: number;
  private readonly open = new Int32Array(KINDS * LANES).fill(NONE);
  private readonly openCount = new Uint8Array(KINDS);
  /** Per head of cleaned records, the sum of bytes x birth, for the mean. */
  private readonly birthBytes = new Float64Array(KINDS * LANES);

  constructor(segments: Segments, memoryBytesMax: number) {
    this.segments = segments;
    this.lanesMax = lanesMaxFor(memoryBytesMax, segments.segmentBytes, KINDS, LANES);
  }

  /** The open segment with room for `bytes`, or -1: then `advance` opens one, for which the pool must have a segment. */
  withRoom(kind: HeadKind, lane: number, bytes: number): number {
    const segment = this.open[kind * LANES + this.laneFor(kind, lane)];
    return segment !== NONE && this.segments.used[segment] + bytes <= this.segments.segmentBytes ? segment : NONE;
  }

  /** Seals the head that has no room, and opens the next. */
  advance(kind: HeadKind, lane: number): number {
    const full = kind * LANES + this.laneFor(kind, lane);
    if (this.open[full] !== NONE) this.seal(kind, full);
    const segment = this.segments.open(POOLS[kind], lane);
    this.open[kind * LANES + lane] = segment;
    this.openCount[kind]++;
    return segment;
  }

  /** Survivors of cleaning came with this age. */
  noteBirth(kind: HeadKind, lane: number, bytes: number, birth: number): void {
    this.birthBytes[kind * LANES + this.laneFor(kind, lane)] += bytes * birth;
  }

  /** Heads open now. */
  get count(): number {
    let count = 0;
    for (let kind = 0; kind < KINDS; kind++) count += this.openCount[kind];
    return count;
  }

  /** The segments have been cleared: nothing is open. */
  clear(): void {
    this.open.fill(NONE);
    this.openCount.fill(0);
    this.birthBytes.fill(0);
  }

  /** The lane's own head if it is open or may open, else the open one nearest to it, longer lives first. */
  private laneFor(kind: number, lane: number): number {
    const first = kind * LANES;
    if (this.open[first + lane] !== NONE || this.openCount[kind] < this.lanesMax) return lane;
    for (let away = 1; away < LANES; away++) {
      if (lane + away < LANES && this.open[first + lane + away] !== NONE) return lane + away;
      if (lane >= away && this.open[first + lane - away] !== NONE) return lane - away;
    }
    return lane;
  }

  private seal(kind: number, head: number): void {
    const { segments } = this;
    const segment = this.open[head];
    if (kind === CLEANED || kind === CLEANED_MAIN) {
      segments.birth[segment] = this.birthBytes[head] / Math.max(1, segments.used[segment] - SEGMENT_HEADER_BYTES);
      this.birthBytes[head] = 0;
    }
    segments.seal(segment);
    this.open[head] = NONE;
    this.openCount[kind]--;
  }
}
