/**
 * When to say again what goes on being wrong: at once or after a first wait, then at intervals that double up to a bound. The desks that
 * log a lasting state ask here at every tick (join-watch.ts, ready-watch.ts).
 * Guarded: a state that lasts for days makes a line now and then, never a flood and never silence.
 */

export interface ReminderOptions {
  /** From the beginning of the state to the first line, ms. */
  readonly firstMs: number;
  /** From the first line to the second, ms; each later wait is twice the one before. */
  readonly againMs: number;
  /** The longest wait, ms. */
  readonly mostMs: number;
}

export class Reminder {
  /** Lines that were due in this state. */
  said = 0;
  private dueAtMs = Number.NaN;
  private waitMs: number;

  constructor(private readonly options: ReminderOptions) {
    this.waitMs = options.againMs;
  }

  /** The state lasts: whether a line is due now. The first call begins it. */
  isDue(nowMs: number): boolean {
    if (Number.isNaN(this.dueAtMs)) this.dueAtMs = nowMs + this.options.firstMs;
    if (nowMs < this.dueAtMs) return false;
    this.dueAtMs = nowMs + this.waitMs;
    this.waitMs = Math.min(this.waitMs * 2, this.options.mostMs);
    this.said++;
    return true;
  }

  /** The state is over. Returns whether anything was said of it. */
  end(): boolean {
    const said = this.said > 0;
    this.dueAtMs = Number.NaN;
    this.waitMs = this.options.againMs;
    this.said = 0;
    return said;
  }
}
