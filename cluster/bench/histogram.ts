/**
 * Latencies counted in buckets that grow with the value, as HdrHistogram does: 64 buckets to each doubling, so a percentile is
 * at most 1.6 % above the truth. The load generator records into it without allocating.
 * Guarded: memory is fixed; what is longer than 35 minutes counts as 35 minutes; the greatest value is kept exactly.
 */

const SUB_BUCKETS = 64;
const SUB_BITS = 6;
const VALUE_MAX = 2 ** 31 - 1;
const BUCKETS = SUB_BUCKETS * 2 + (31 - SUB_BITS - 1) * SUB_BUCKETS;

export class LatencyHistogram {
  count = 0;
  maxUs = 0;
  private readonly buckets = new Float64Array(BUCKETS);

  /** `times` requests that took `microseconds` each. */
  record(microseconds: number, times = 1): void {
    if (microseconds > this.maxUs) this.maxUs = microseconds;
    const value = microseconds >= VALUE_MAX ? VALUE_MAX : microseconds <= 0 ? 0 : microseconds | 0;
    this.buckets[bucketOf(value)] += times;
    this.count += times;
  }

  /** Microseconds that a share of all requests stayed below; NaN when there were none. */
  percentileUs(share: number): number {
    if (this.count === 0) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.buckets[index];
      if (seen >= wanted) return Math.min(upperEdge(index), this.maxUs);
    }
    return this.maxUs;
  }

  summary(): LatencySummary {
    return {
      p50Ms: this.percentileUs(0.5) / 1000,
      p99Ms: this.percentileUs(0.99) / 1000,
      p999Ms: this.percentileUs(0.999) / 1000,
      maxMs: this.maxUs / 1000,
    };
  }
}

export interface LatencySummary {
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

function bucketOf(value: number): number {
  if (value < SUB_BUCKETS * 2) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return SUB_BUCKETS * 2 + (shift - 1) * SUB_BUCKETS + ((value >>> shift) - SUB_BUCKETS);
}

/** The greatest value that falls into a bucket. */
function upperEdge(index: number): number {
  if (index < SUB_BUCKETS * 2) return index;
  const shift = Math.floor((index - SUB_BUCKETS * 2) / SUB_BUCKETS) + 1;
  const sub = ((index - SUB_BUCKETS * 2) % SUB_BUCKETS) + SUB_BUCKETS;
  return (sub + 1) * 2 ** shift - 1;
}
