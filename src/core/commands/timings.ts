/**
 * How long commands take: one histogram per command, of those that were timed. The probe adds; INFO commandstats and latencystats and
 * LATENCY HISTOGRAM read. Not every call is timed (probe.ts says which), so counts are scaled to the calls there were.
 * Guarded: a histogram is 128 words, made at a command's first sample; adding allocates nothing after that.
 */

const BUCKETS = 128;
/** The finest that is told apart, in parts of a microsecond. */
const PARTS_PER_US = 8;
const PARTS_MAX = 0x7fffffff;

export class Timings {
  readonly samples: Float64Array;
  readonly totalUs: Float64Array;
  private readonly histograms: (Uint32Array | null)[];

  constructor(commands: number) {
    this.samples = new Float64Array(commands);
    this.totalUs = new Float64Array(commands);
    this.histograms = new Array<Uint32Array | null>(commands).fill(null);
  }

  add(command: number, us: number): void {
    let histogram = this.histograms[command];
    if (histogram === null) {
      histogram = new Uint32Array(BUCKETS);
      this.histograms[command] = histogram;
    }
    histogram[bucketOf(us)]++;
    this.samples[command]++;
    this.totalUs[command] += us;
  }

  /** Mean, in microseconds; 0 without a sample. */
  meanUs(command: number): number {
    return this.samples[command] === 0 ? 0 : this.totalUs[command] / this.samples[command];
  }

  /** The time that `fraction` of the samples stay within, to a fifth of it. */
  percentileUs(command: number, fraction: number): number {
    const histogram = this.histograms[command];
    if (histogram === null) return 0;
    const wanted = Math.max(1, Math.ceil(this.samples[command] * fraction));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += histogram[bucket];
      if (seen >= wanted) return upperUs(bucket);
    }
    return upperUs(BUCKETS - 1);
  }

  /** Pairs of a power of two, in microseconds, and how many of `calls` took no longer: those where more do than at the one before. */
  cumulative(command: number, calls: number): [number, number][] {
    const histogram = this.histograms[command];
    const pairs: [number, number][] = [];
    if (histogram === null) return pairs;
    let seen = 0;
    let told = 0;
    let limitUs = 1;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      while (upperUs(bucket) > limitUs) limitUs *= 2;
      seen += histogram[bucket];
      const isLastWithin = bucket === BUCKETS - 1 || upperUs(bucket + 1) > limitUs;
      if (!isLastWithin || seen === told) continue;
      pairs.push([limitUs, Math.round((seen / this.samples[command]) * calls)]);
      told = seen;
    }
    return pairs;
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.samples.fill(0);
    this.totalUs.fill(0);
    this.histograms.fill(null);
  }
}

/** Four buckets for each doubling. */
function bucketOf(us: number): number {
  const parts = us > 0 ? Math.min(PARTS_MAX, Math.floor(us * PARTS_PER_US)) : 0;
  if (parts < 4) return parts;
  const exponent = 31 - Math.clz32(parts);
  return (exponent - 1) * 4 + ((parts >>> (exponent - 2)) & 3);
}

/** Where a bucket ends, in microseconds. */
function upperUs(bucket: number): number {
  if (bucket < 4) return (bucket + 1) / PARTS_PER_US;
  const exponent = Math.floor(bucket / 4) + 1;
  return ((5 + (bucket & 3)) * 2 ** (exponent - 2)) / PARTS_PER_US;
}
