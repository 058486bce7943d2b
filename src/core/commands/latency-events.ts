/**
 * Moments in which a command took longer than the threshold, by kind, one sample a second. The probe adds, LATENCY reads.
 * Guarded: two kinds, of 160 samples each; the oldest goes.
 */

const SAMPLES_MAX = 160;

export type LatencyEvent = 'command' | 'fast-command';

export interface LatencySample {
  readonly unixSeconds: number;
  /** The longest of that second. */
  ms: number;
}

export interface LatencyHistory {
  readonly event: LatencyEvent;
  readonly samples: LatencySample[];
  /** Of all time, since the last reset. */
  mostMs: number;
}

export class LatencyEvents {
  /** 0: nothing is noted. */
  thresholdMs = 0;
  private readonly histories = new Map<LatencyEvent, LatencyHistory>();

  note(event: LatencyEvent, ms: number, unixSeconds: number): void {
    if (this.thresholdMs === 0 || ms < this.thresholdMs) return;
    let history = this.histories.get(event);
    if (history === undefined) {
      history = { event, samples: [], mostMs: 0 };
      this.histories.set(event, history);
    }
    history.mostMs = Math.max(history.mostMs, ms);
    const last = history.samples.at(-1);
    if (last !== undefined && last.unixSeconds === unixSeconds) {
      last.ms = Math.max(last.ms, ms);
      return;
    }
    history.samples.push({ unixSeconds, ms });
    if (history.samples.length > SAMPLES_MAX) history.samples.shift();
  }

  all(): LatencyHistory[] {
    return [...this.histories.values()];
  }

  of(event: string): LatencyHistory | null {
    return this.all().find((history) => history.event === event) ?? null;
  }

  /** True if there was any. */
  reset(event: string): boolean {
    const history = this.of(event);
    return history !== null && this.histories.delete(history.event);
  }
}
