/**
 * How far `hearsay simulate` has come with its seeds: one line that is drawn over where a person looks on, else a line every ten seconds.
 * played.ts feeds it between two seeds, for nothing else runs while one is played.
 * Guarded: a run that is over in a moment prints none of it.
 */
const LIVE_INTERVAL_MS = 200;
const PLAIN_INTERVAL_MS = 10_000;
const CLEARED = '\r\x1b[2K';

export class SeedProgress {
  private toldAtMs: number;
  private isDrawn = false;

  constructor(
    private readonly print: (text: string) => void,
    private readonly isLive: boolean,
    private readonly seeds: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.toldAtMs = nowMs();
  }

  /** So many seeds are done. */
  played(done: number, failed: number, elapsedMs: number): void {
    if (done < this.seeds) this.tell(progressOf(done, this.seeds, failed, elapsedMs));
  }

  shrinking(runs: number, steps: number): void {
    this.tell(`shrinking: ${runs} runs, ${steps} steps left`);
  }

  /** Makes room for a line of its own on the same terminal. */
  clear(): void {
    if (this.isDrawn) this.print(CLEARED);
    this.isDrawn = false;
  }

  end(): void {
    this.clear();
  }

  private tell(line: string): void {
    const nowMs = this.nowMs();
    if (nowMs - this.toldAtMs < (this.isLive ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
    this.toldAtMs = nowMs;
    this.print(this.isLive ? `${CLEARED}${line}` : `${line}\n`);
    this.isDrawn = this.isLive;
  }
}

/** `40 of 500 seeds, 0 failed, 2.5 a second, 3 min 4 s left`. */
export function progressOf(done: number, seeds: number, failed: number, elapsedMs: number): string {
  const rate = (done * 1_000) / Math.max(1, elapsedMs);
  const leftSeconds = Math.round((seeds - done) / Math.max(rate, 1e-9));
  const left = leftSeconds < 60 ? `${leftSeconds} s` : `${Math.floor(leftSeconds / 60)} min ${leftSeconds % 60} s`;
  return `${done} of ${seeds} seeds, ${failed} failed, ${rate.toFixed(1)} a second, ${left} left`;
}
