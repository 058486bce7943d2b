/**
 * How fast hints are handed to one peer: a rate in bytes a second that halves while what clients feel grows, and grows back
 * otherwise, by a constant factor (additive increase would take minutes to use an idle link). It begins low: who is owed hints has
 * mostly just begun, and runs slowly. The replicator asks it once a tick.
 *
 * What it goes by is the link's slow round trip (mean and three deviations, about the p99): it holds the wait in both event
 * loops, here and there, as a client's write at quorum does, and it is measured on the datagrams that carry the hints
 * themselves, so a hand-over that crowds either end out slows itself down. The yardstick is the least slow round trip of late: it
 * falls at once and rises by a hundredth a second, so a link that has become slow for good is not held to its past for ever.
 * Guarded: never below `RATE_MIN`, so that every hint is delivered in the end; never more than `SAVED_MS_MAX` saved up.
 */

/** Bytes a second. A peer that was away for ten minutes of 10 MB a second is handed all of it in twice that at 5 MB. */
const RATE_MIN = 64 * 1024;
const RATE_BEGIN = 128 * 1024;
const RATE_MAX = 64 * 1024 * 1024;
/** Per tick: to double takes 47. */
const GROWTH = 1.015;
/** However long ago it was asked last, no more than this time's worth may be sent at once. */
const SAVED_MS_MAX = 100;
/** Half as slow again as usual, and by more than scheduling alone explains. */
const SLOW_FACTOR = 1.5;
const SLOW_MARGIN_MS = 5;
const YARDSTICK_RISE_PER_S = 0.01;
/** A peer that refused hints is left alone for this long, then twice as long, up to the ceiling. */
const BACKOFF_FLOOR_MS = 1000;
const BACKOFF_CEILING_MS = 30_000;

export class HintPace {
  bytesPerSecond = RATE_BEGIN;
  private allowance = 0;
  private usualMs = Number.POSITIVE_INFINITY;
  private lastMs = Number.NEGATIVE_INFINITY;
  private pausedUntilMs = Number.NEGATIVE_INFINITY;
  private backoffMs = BACKOFF_FLOOR_MS;

  /** Bytes that may be sent now. Call about once a tick, while there is something to send. */
  allow(nowMs: number, slowRttMs: number): number {
    const sinceMs = Math.min(nowMs - this.lastMs, SAVED_MS_MAX);
    this.lastMs = nowMs;
    if (nowMs < this.pausedUntilMs) return 0;
    this.usualMs = Math.min(slowRttMs, this.usualMs * (1 + (YARDSTICK_RISE_PER_S * sinceMs) / 1000));
    const slow = slowRttMs > this.usualMs * SLOW_FACTOR + SLOW_MARGIN_MS;
    const rate = slow ? this.bytesPerSecond / 2 : this.bytesPerSecond * GROWTH;
    this.bytesPerSecond = Math.min(RATE_MAX, Math.max(RATE_MIN, rate));
    // What a record exceeded the last allowance by is owed; what was left of it is not kept.
    this.allowance = Math.min(0, this.allowance) + (this.bytesPerSecond * sinceMs) / 1000;
    return this.allowance;
  }

  spent(bytes: number): void {
    this.allowance -= bytes;
  }

  /** The peer had no room for a record. */
  refused(nowMs: number): void {
    if (nowMs < this.pausedUntilMs) return;
    this.pausedUntilMs = nowMs + this.backoffMs;
    this.backoffMs = Math.min(this.backoffMs * 2, BACKOFF_CEILING_MS);
  }

  /** The peer took a hint. */
  taken(): void {
    this.backoffMs = BACKOFF_FLOOR_MS;
  }
}
