/**
 * Which segment is emptied next, and whether its values leave or move. The reclaimer asks, once for each segment it empties:
 *
 *     1. one in which everything has expired           at once, whatever else there is
 *     2. one that is dead enough                       cleaned: by age and share of the dead while there is slack, greedily when not
 *     3. where eviction is allowed, the oldest         of the admission pool while that has more than its share, else of the main pool
 *
 * One pass over the segments' bookkeeping, which is short beside the records of the segment it finds; after a pass that
 * found nothing the next waits for a seal, a death or an expiry, so a full store refuses without looking. Cleaning as in RAMCloud
 * (FAST'14), section 3; the pools as in S3-FIFO (SOSP'23), with a segment in the place of an object.
 */
import { ADMISSION, JUMBO, MAIN, SEALED, type Segments } from './segments.js';
import { ADMISSION_SHARE, deadBytesMin, GREEDY_SHARE, SEGMENT_HEADER_BYTES } from './sizes.js';

const NONE = -1;

export class Victims {
  /** The values of the segment found leave, unless they were used. */
  evicts = false;
  private readonly segments: Segments;
  private readonly mayEvict: boolean;
  private readonly deadBytesMin: number;
  /** Where a search found nothing: the segments' changes then, and when the first segment will have expired. */
  private quietChanges = -1;
  private quietUntilMs = 0;

  constructor(segments: Segments, mayEvict: boolean) {
    this.segments = segments;
    this.mayEvict = mayEvict;
    this.deadBytesMin = deadBytesMin(segments.segmentBytes, mayEvict);
  }

  /** A segment other than `held` to be emptied, or -1. */
  next(held: number, liveBytes: number, wallMs: number): number {
    const { segments } = this;
    if (segments.changes === this.quietChanges && wallMs < this.quietUntilMs) return NONE;
    const greedy = liveBytes > segments.bytes * GREEDY_SHARE;
    const pool = this.evictedPool();
    let past = NONE;
    let untilMs = Number.POSITIVE_INFINITY;
    let cleaned = NONE;
    let most = 0;
    let oldest = NONE;
    let least = Number.POSITIVE_INFINITY;
    let other = NONE;
    let otherLeast = Number.POSITIVE_INFINITY;
    for (let segment = 0; segment < segments.numbersUsed; segment++) {
      const state = segments.state[segment];
      if ((state !== SEALED && state !== JUMBO) || segment === held) continue;
      if (segments.latestMs[segment] <= wallMs) past = segment;
      else if (segments.latestMs[segment] < untilMs) untilMs = segments.latestMs[segment];
      const used = segments.used[segment];
      const live = segments.live[segment];
      if (state === SEALED) {
        const dead = used - SEGMENT_HEADER_BYTES - live;
        if (dead >= this.deadBytesMin) {
          const age = greedy ? 1 : 1 + segments.openings - segments.birth[segment];
          const worth = (dead * age) / (used + live);
          if (worth > most) {
            most = worth;
            cleaned = segment;
          }
        }
      }
      // What is almost all tombstones would give back next to nothing.
      if (!this.mayEvict || (live - segments.tombstoneBytes[segment]) * 8 < used) continue;
      if (segments.pool[segment] === pool) {
        if (segments.birth[segment] >= least) continue;
        least = segments.birth[segment];
        oldest = segment;
      } else if (segments.birth[segment] < otherLeast) {
        otherLeast = segments.birth[segment];
        other = segment;
      }
    }
    const moved = past !== NONE ? past : cleaned;
    this.evicts = moved === NONE;
    if (moved !== NONE) return moved;
    if (oldest !== NONE || other !== NONE) return oldest !== NONE ? oldest : other;
    this.quietChanges = held === NONE ? segments.changes : -1;
    this.quietUntilMs = untilMs;
    return NONE;
  }

  private evictedPool(): number {
    const { poolBytes } = this.segments;
    const isOver = poolBytes[ADMISSION] > (poolBytes[ADMISSION] + poolBytes[MAIN]) * ADMISSION_SHARE;
    return isOver ? ADMISSION : MAIN;
  }
}
