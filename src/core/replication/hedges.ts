/**
 * When a read is asked of one more owner because the one that was asked is late, and how often that may be (Dean and Barroso, "The
 * Tail at Scale", 2013). Quorum reads and forwarded reads share one budget per node; each peer has an estimate of its answers.
 * Guarded: at most one hedge per twenty reads, so that a slow cluster is not asked twice for everything; an estimate learns each
 * answer from when its own request left, never from when the read began; writes are never hedged.
 */

const SHARE = 0.05;
/** Unspent budget is kept for this many hedges: what 200 reads earn. */
const TOKENS_MAX = 10;
const LATE_FLOOR_MS = 5;
const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** Silent for so many times what is late: others are asked first. */
const SILENT_FACTOR = 4;
/** One that was given up late is left to last for ten times as long as it had been waited for, within these bounds. */
const DOUBT_FACTOR = 10;
const DOUBT_MIN_MS = 100;
const DOUBT_MAX_MS = 2000;

export class HedgeBudget {
  hedged = 0;
  /** Hedges whose answer was there first. */
  won = 0;
  /** Reads that were late and not hedged, for want of budget. */
  denied = 0;
  private tokens = 0;

  /** A read begins that may be hedged. */
  earn(): void {
    this.tokens = Math.min(TOKENS_MAX, this.tokens + SHARE);
  }

  /** Whether a read that is late may be hedged; counted either way. */
  take(): boolean {
    // Twenty shares are a whole one, whatever doubles make of them.
    if (this.tokens < 1 - 1e-9) {
      this.denied++;
      return false;
    }
    this.tokens -= 1;
    this.hedged++;
    return true;
  }
}

/** How long one peer takes to answer requests. */
export class AnswerTime {
  private meanMs = LATE_FLOOR_MS;
  private deviationMs = LATE_FLOOR_MS;
  private open = 0;
  /** When it last gave an answer, or was asked while nothing else was open. */
  private heardMs = 0;
  private doubtUntilMs = Number.NEGATIVE_INFINITY;

  asked(nowMs: number): void {
    if (this.open++ === 0) this.heardMs = nowMs;
  }

  answered(tookMs: number, nowMs: number): void {
    this.open = Math.max(0, this.open - 1);
    this.heardMs = nowMs;
    this.doubtUntilMs = Number.NEGATIVE_INFINITY;
    this.deviationMs += (Math.abs(tookMs - this.meanMs) - this.deviationMs) * DEVIATION_GAIN;
    this.meanMs += (tookMs - this.meanMs) * GAIN;
  }

  /** A request sent so long ago whose answer is not waited for any more. */
  givenUp(waitedMs: number, nowMs: number): void {
    this.open = Math.max(0, this.open - 1);
    if (waitedMs < this.lateAfterMs) return;
    const doubtMs = Math.min(DOUBT_MAX_MS, Math.max(DOUBT_MIN_MS, waitedMs * DOUBT_FACTOR));
    this.doubtUntilMs = Math.max(this.doubtUntilMs, nowMs + doubtMs);
  }

  /** About the 95th percentile: the mean and two mean deviations. */
  get lateAfterMs(): number {
    return Math.max(LATE_FLOOR_MS, this.meanMs + 2 * this.deviationMs);
  }

  isSilent(nowMs: number): boolean {
    return nowMs < this.doubtUntilMs || (this.open > 0 && nowMs - this.heardMs > SILENT_FACTOR * this.lateAfterMs);
  }

  /** How soon an answer is to be expected, ms: peers are asked in this order. */
  expectedMs(nowMs: number): number {
    return this.isSilent(nowMs) ? DOUBT_MAX_MS + this.meanMs : this.meanMs;
  }
}
