/**
 * Flushes of this node that could not be handed to a peer: it was dead, too much waited for it, or it did not acknowledge in time. No
 * hint stands for a flush; the peer hears of it with the next round of anti-entropy, and until it has said so no WAIT counts it.
 * Guarded: constant in size, however many flushes were missed.
 */
export class MissedFlush {
  /** Counts of writes of the first and the last that was missed; none while `first` is infinite. */
  private first = Number.POSITIVE_INFINITY;
  private last = -1;
  /** The version of the latest: who knows that one knows all before. */
  private hlc = 0;

  note(count: number, hlc: number): void {
    this.first = Math.min(this.first, count);
    this.last = Math.max(this.last, count);
    this.hlc = Math.max(this.hlc, hlc);
  }

  /** The peer says that it was flushed at `hlc`. */
  heard(hlc: number): void {
    if (hlc < this.hlc) return;
    this.first = Number.POSITIVE_INFINITY;
    this.last = -1;
  }

  /** Whether one of the writes from `first` to `last` may be a flush that was missed. */
  isWithin(first: number, last: number): boolean {
    return this.first <= last && this.last >= first;
  }
}
