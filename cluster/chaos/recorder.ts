/**
 * What a chaos run looked like from outside, in slices of time: operations, how long they took, partitions that differed. The load and
 * the sampler of run.ts write it, the report draws it.
 * Guarded: bounded whatever the run does: a slice keeps so many latencies and no more, and there are so many slices at most.
 */
export interface Slice {
  /** From the start of the load. */
  readonly atMs: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Null where nothing was acknowledged. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface DivergenceSample {
  readonly atMs: number;
  /** Partitions whose holders differ. */
  readonly differing: number;
}

const SLICES = 200;
const SLICE_MS_MIN = 250;
const SLICES_MAX = 2000;
const LATENCIES_PER_SLICE = 2000;

interface OpenSlice {
  acknowledged: number;
  failed: number;
  tookMs: number[];
}

export class Recorder {
  readonly sliceMs: number;
  readonly divergence: DivergenceSample[] = [];
  private readonly open: OpenSlice[] = [];
  private startedAtMs = 0;
  private lastWriteAtMs = 0;
  private silenceMs = 0;

  constructor(durationMs: number) {
    this.sliceMs = Math.max(SLICE_MS_MIN, Math.ceil(durationMs / SLICES));
  }

  start(atMs: number): void {
    this.startedAtMs = atMs;
    this.lastWriteAtMs = atMs;
  }

  acknowledged(atMs: number, tookMs: number): void {
    const slice = this.sliceAt(atMs);
    slice.acknowledged++;
    if (slice.tookMs.length < LATENCIES_PER_SLICE) slice.tookMs.push(tookMs);
  }

  failed(atMs: number): void {
    this.sliceAt(atMs).failed++;
  }

  /** A write was acknowledged that has to be possible all the time. */
  served(atMs: number): void {
    this.silenceMs = Math.max(this.silenceMs, atMs - this.lastWriteAtMs);
    this.lastWriteAtMs = atMs;
  }

  /** The longest time without such a write, until this moment. */
  longestSilenceMs(untilMs: number): number {
    return Math.max(this.silenceMs, untilMs - this.lastWriteAtMs);
  }

  sample(atMs: number, differing: number): void {
    if (this.divergence.length < SLICES_MAX) this.divergence.push({ atMs: atMs - this.startedAtMs, differing });
  }

  slices(): Slice[] {
    return Array.from({ length: this.open.length }, (_, index) => {
      const { acknowledged, failed, tookMs } = this.open[index] ?? { acknowledged: 0, failed: 0, tookMs: [] };
      tookMs.sort((left, right) => left - right);
      return {
        atMs: index * this.sliceMs,
        acknowledged,
        failed,
        p50Ms: quantileOf(tookMs, 0.5),
        p99Ms: quantileOf(tookMs, 0.99),
      };
    });
  }

  private sliceAt(atMs: number): OpenSlice {
    const index = Math.min(SLICES_MAX, Math.max(0, Math.floor((atMs - this.startedAtMs) / this.sliceMs)));
    for (let at = this.open.length; at <= index; at++) this.open.push({ acknowledged: 0, failed: 0, tookMs: [] });
    return this.open[index];
  }
}

/** Of sorted figures; null if there are none. */
function quantileOf(sorted: readonly number[], part: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
