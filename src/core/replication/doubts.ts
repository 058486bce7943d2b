/**
 * Partitions of which a peer holds something else although it has seen the same: since when, so that only what stays so is compared
 * leaf by leaf. Anti-entropy keeps one. Guarded: a difference seen once may be time (an expiry that two clocks see apart, a write
 * under way) and is no reason for work; after a comparison the same partition is left alone for a while, found or not.
 */

/** How long two must differ. */
const SETTLE_MS = 1000;
/** A partition just compared is not compared again with the same peer before this has passed. */
const REST_MS = 10_000;
const NONE = Number.NEGATIVE_INFINITY;

export class Doubts {
  /** By peer, by partition: since when the two differ; in the future while it rests. */
  private readonly since = new Map<string, Float64Array>();

  constructor(private readonly partitions: number) {}

  /** The two differ now. True if they have for long enough: the caller compares them. */
  note(id: string, partition: number, nowMs: number): boolean {
    let since = this.since.get(id);
    if (since === undefined) {
      since = new Float64Array(this.partitions).fill(NONE);
      this.since.set(id, since);
    }
    if (since[partition] === NONE) since[partition] = nowMs;
    if (nowMs - since[partition] < SETTLE_MS) return false;
    since[partition] = nowMs + REST_MS - SETTLE_MS;
    return true;
  }

  /** The two hold the same. */
  settle(id: string, partition: number): void {
    const since = this.since.get(id);
    if (since !== undefined) since[partition] = NONE;
  }

  forget(id: string): void {
    this.since.delete(id);
  }
}
