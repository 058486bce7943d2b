/**
 * What a peer's present life has not shown yet of the writes that its former one acknowledged: it may have come back empty, or without
 * what was not on its disk. reach.ts asks; a change of members opens it, comparisons of anti-entropy close it, partition by partition.
 * Guarded: a write from before the restart counts in memory only after a comparison that began later has found it there, and on disk
 * only when the log batch that the peer had come to by then is durable.
 */

/** Nothing has shown it yet. */
const UNSHOWN = 0;
/** A comparison has shown it; which batch of the peer's log holds it is not known yet. */
const UNNAMED = Number.POSITIVE_INFINITY;

export class FormerLife {
  /** This node's count of writes when the peer was last known to have begun anew; -1 before that. */
  private through = -1;
  private endedAtMs = 0;
  /** Per partition: the batch of the peer's log that holds what was shown, or one of the above; null before the first restart. */
  private batches: Float64Array | null = null;
  private unnamed = 0;

  constructor(private readonly partitions: number) {}

  /** The peer has begun anew, when this node's count of writes is `writes`. */
  ended(writes: number, nowMs: number): void {
    this.through = writes;
    this.endedAtMs = nowMs;
    this.unnamed = 0;
    if (this.batches === null) this.batches = new Float64Array(this.partitions);
    else this.batches.fill(UNSHOWN);
  }

  /** A comparison has found that the peer has everything of a partition that was written until `asOfMs`. */
  shown(partition: number, asOfMs: number): void {
    if (this.batches === null || this.batches[partition] !== UNSHOWN || asOfMs < this.endedAtMs) return;
    this.batches[partition] = UNNAMED;
    this.unnamed++;
  }

  /** The peer says how far its log is, later than whatever it has shown. */
  named(batch: number): void {
    if (this.batches === null || this.unnamed === 0) return;
    for (let partition = 0; partition < this.partitions; partition++) {
      // Batches count from 1; the log of a node that never wrote stands at 0, with nothing that it could lose.
      if (this.batches[partition] === UNNAMED) this.batches[partition] = Math.max(batch, 1);
    }
    this.unnamed = 0;
  }

  /** Whether a write counted `first` or later may have been acknowledged by the former life. */
  concerns(first: number): boolean {
    return first <= this.through;
  }

  /** Whether the present life has everything of a partition. */
  hasShown(partition: number): boolean {
    return this.batches === null || this.batches[partition] !== UNSHOWN;
  }

  /** The batch of the peer's log that holds what it has shown of a partition; infinite while that is not known. */
  shownInBatch(partition: number): number {
    const batch = this.batches === null ? UNSHOWN : this.batches[partition];
    return batch === UNSHOWN ? UNNAMED : batch;
  }
}
