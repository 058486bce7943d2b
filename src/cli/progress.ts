/**
 * How far a long verb has come, on standard error: one line that is drawn over where a person looks on, a line every few seconds
 * otherwise. backup and restore feed it; it gives text and decides when.
 */
/** A moment of a transfer. */
export interface Moment {
  /** From 0 to 1. */
  part: number;
  bytes: number;
  /** What else is worth saying, as `1,204 keys`. */
  facts: readonly string[];
}

const LIVE_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 5000;
const BAR_CELLS = 20;

export class Progress {
  private readonly startedMs: number;
  private readonly timer: NodeJS.Timeout;
  private drawn = false;

  /** `moment` is asked whenever a line is due, until `end`. */
  constructor(
    private readonly print: (text: string) => void,
    private readonly live: boolean,
    private readonly moment: () => Moment,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.startedMs = nowMs();
    this.timer = setInterval(() => this.draw(), live ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS);
  }

  get elapsedMs(): number {
    return this.nowMs() - this.startedMs;
  }

  /** No more lines; the one that was drawn over is removed. */
  end(): void {
    clearInterval(this.timer);
    if (this.live && this.drawn) this.print('\r\x1b[2K');
  }

  private draw(): void {
    const line = progressLine(this.moment(), this.elapsedMs);
    this.print(this.live ? `\r\x1b[2K${line}` : `${line}\n`);
    this.drawn = true;
  }
}

/** One line: bar, per cent, bytes, rate, time left, and what else there is to say. */
export function progressLine({ part, bytes, facts }: Moment, elapsedMs: number): string {
  const done = Math.min(Math.max(part, 0), 1);
  const full = Math.round(done * BAR_CELLS);
  const bar = `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}]`;
  const percent = `${Math.floor(done * 100)}%`.padStart(4);
  const rate = `${sizeText((bytes * 1000) / Math.max(elapsedMs, 1))}/s`;
  const left = done > 0.01 && done < 1 ? [`${durationText((elapsedMs / done) * (1 - done))} left`] : [];
  return [`${bar} ${percent}`, sizeText(bytes), ...facts, rate, ...left].join('  ');
}

/** Bytes for people: at most one decimal. */
export function sizeText(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${unit === 'B' ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A count with separators, and its noun in the plural unless it is one. */
export function countText(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
