/**
 * Medians, ranges and ratios of repeated runs. Every case of the benchmark suite reports through it.
 * Guarded: a sample has at least one finite value; a ratio exists only where both sides were measured in the same round.
 */

export interface Sample {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order of the rounds. */
  readonly values: readonly number[];
}

/** Null when nothing was measured, or something that is no number. */
export function sampleOf(values: readonly number[]): Sample | null {
  if (values.length === 0 || values.some((value) => !Number.isFinite(value))) return null;
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1], values: [...values] };
}

/** Round by round: the first over the second. Null unless both have the same number of rounds and no divisor is 0. */
export function ratioOf(ours: Sample | null, theirs: Sample | null): Sample | null {
  if (ours === null || theirs === null || ours.values.length !== theirs.values.length) return null;
  return sampleOf(ours.values.map((value, round) => value / theirs.values[round]));
}

/** The value below which a share of the sorted values lies (nearest rank); NaN of nothing. */
export function percentileOf(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}
