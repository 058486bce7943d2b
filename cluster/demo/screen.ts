/**
 * What a demonstration shows: steps, progress and a table. A terminal sees one moving line for a progress, a pipe a line per
 * quarter. The tour writes on it. Guarded: a moving line is always ended before another line begins.
 */

const BAR_CELLS = 28;
const REDRAW_INTERVAL_MS = 100;

export interface ScreenOutput {
  out(text: string): void;
  /** Whether a person reads it on a terminal. */
  readonly interactive: boolean;
}

export class Screen {
  private moving = false;

  constructor(private readonly output: ScreenOutput) {}

  line(text: string): void {
    if (this.moving) this.output.out('\r\x1b[2K');
    this.moving = false;
    this.output.out(`${text}\n`);
  }

  step(title: string): void {
    this.line('');
    this.line(this.output.interactive ? `\x1b[1m${title}\x1b[0m` : title);
  }

  /** Replaces the moving line; a pipe sees nothing. */
  move(text: string): void {
    if (!this.output.interactive) return;
    this.output.out(`\r\x1b[2K${text}`);
    this.moving = true;
  }

  progress(what: string, total: number, nowMs: () => number): Progress {
    return new Progress(this, what, total, this.output.interactive, nowMs);
  }

  table(rows: readonly (readonly [string, string])[]): void {
    const left = Math.max(...rows.map(([name]) => name.length));
    const right = Math.max(...rows.map(([, value]) => value.length));
    const rule = `+${'-'.repeat(left + 2)}+${'-'.repeat(right + 2)}+`;
    this.line(rule);
    for (const [name, value] of rows) this.line(`| ${name.padEnd(left)} | ${value.padStart(right)} |`);
    this.line(rule);
  }
}

export class Progress {
  done = 0;
  private readonly startedAtMs: number;
  private drawnAtMs = 0;
  private quarters = 0;

  constructor(
    private readonly screen: Screen,
    private readonly what: string,
    private readonly total: number,
    private readonly interactive: boolean,
    private readonly nowMs: () => number,
  ) {
    this.startedAtMs = nowMs();
  }

  get elapsedMs(): number {
    return this.nowMs() - this.startedAtMs;
  }

  /** Operations per second so far. */
  get rate(): number {
    return Math.round((this.done * 1000) / Math.max(1, this.elapsedMs));
  }

  advance(count = 1): void {
    this.done += count;
    const now = this.nowMs();
    if (this.interactive) {
      if (now - this.drawnAtMs < REDRAW_INTERVAL_MS && this.done < this.total) return;
      this.drawnAtMs = now;
      this.screen.move(this.text());
      return;
    }
    const quarters = Math.floor((this.done * 4) / this.total);
    if (quarters === this.quarters || quarters >= 4) return;
    this.quarters = quarters;
    this.screen.line(this.text());
  }

  /** The last line of it, which stays. */
  end(note = ''): void {
    const seconds = (this.elapsedMs / 1000).toFixed(1);
    this.screen.line(
      `  ${this.what}: ${grouped(this.done)} in ${seconds} s, ${grouped(this.rate)}/s${note === '' ? '' : `, ${note}`}`,
    );
  }

  private text(): string {
    const part = this.done / this.total;
    const filled = Math.floor(part * BAR_CELLS);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`;
    const leftSeconds = Math.ceil((this.total - this.done) / Math.max(1, this.rate));
    const percent = String(Math.floor(part * 100)).padStart(3);
    return `  ${this.what} ${bar} ${percent}%  ${grouped(this.rate)}/s  ${leftSeconds} s left`;
  }
}

/** 138398 as 138,398. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}
