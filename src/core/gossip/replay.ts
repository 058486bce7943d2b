/**
 * Which counters of each sender have been met: a sliding bitmap as in RFC 6479, so that a recorded packet counts once. The reader
 * of packets asks before it opens one and notes it when it was authentic.
 * Guarded: the number of senders is bounded; past it the one that spoke longest ago is given up, and counted. A counter that fell
 * out of the window is refused like one that was met.
 */

/** Counters that are told apart behind the highest one met: a sender's datagrams to all nodes share one row of numbers. */
export const WINDOW_COUNTERS = 8192 - 32;
const WORDS = 256;
export const SENDERS_MAX = 1024;

class Window {
  highest = 0;
  readonly bits = new Int32Array(WORDS);
}

export class ReplayWindows {
  /** Windows given up for want of room. */
  forgotten = 0;
  private readonly windows = new Map<number, Window>();

  constructor(private readonly sendersMax = SENDERS_MAX) {}

  get size(): number {
    return this.windows.size;
  }

  /** Whether this counter of this sender has not been met. */
  isFresh(actor: number, counter: number): boolean {
    const window = this.windows.get(actor);
    if (window === undefined || counter > window.highest) return true;
    if (counter + WINDOW_COUNTERS <= window.highest) return false;
    return (window.bits[wordOf(counter)] & (1 << (counter % 32))) === 0;
  }

  /** Notes an authentic counter. */
  note(actor: number, counter: number): void {
    let window = this.windows.get(actor);
    if (window === undefined) window = this.open(actor, counter);
    else if (this.windows.size > this.sendersMax / 2) {
      // The map's order is that of insertion: whoever speaks goes to its end, so that the silent are given up first.
      this.windows.delete(actor);
      this.windows.set(actor, window);
    }
    if (counter > window.highest) this.advance(window, counter);
    window.bits[wordOf(counter)] |= 1 << (counter % 32);
  }

  private advance(window: Window, counter: number): void {
    const from = Math.floor(window.highest / 32);
    const passed = Math.min(Math.floor(counter / 32) - from, WORDS);
    for (let step = 1; step <= passed; step++) window.bits[(from + step) % WORDS] = 0;
    window.highest = counter;
  }

  private open(actor: number, counter: number): Window {
    if (this.windows.size >= this.sendersMax) {
      const [oldest] = this.windows.keys();
      this.windows.delete(oldest);
      this.forgotten++;
    }
    const window = new Window();
    window.highest = counter;
    this.windows.set(actor, window);
    return window;
  }
}

function wordOf(counter: number): number {
  return Math.floor(counter / 32) % WORDS;
}
