/**
 * How much of what peers send is merged per tick: in bytes over all peers, a record counting for its own work too. catch-up.ts asks it.
 * It begins slowly, because a process that has just begun runs everything for the first time and those who wait for its turn to end are
 * clients, then grows with every tick that comes in time. A tick that comes late says that the machine does not keep up: on a node
 * that writes and answers meanwhile, catching up takes what is left.
 * Guarded: never below what it begins with, so that every catch-up ends; never more than about a third of a core.
 */

/** The interval of ticks that the bounds below are for. */
const TICK_MS = 25;
/** Per tick: about 25 small records. A thousand of them a second are merged whatever else goes on, or half of that if every tick is late. */
const BYTES_BEGIN = 16 * 1024;
const BYTES_MAX = 1536 * 1024;
/** To double takes 47 ticks. */
const GROWTH = 1.015;
const DECREASE = 0.7;
/** What merging a record costs beyond its length, in the time that a byte takes. */
const RECORD_COST_BYTES = 512;
/** Of the tick interval: what lies between two ticks is more than this when the process does not keep up. */
const LATE_INTERVALS = 1.45;

export class CatchUpPace {
  private readonly bytesBegin: number;
  private readonly bytesMax: number;
  private readonly growth: number;
  private bytesPerTick: number;
  private leftBytes: number;
  private lastMs = 0;

  /** `bytesBegin`: less for a world in which little stands for much. */
  constructor(
    private readonly tickIntervalMs: number,
    bytesBegin = BYTES_BEGIN,
  ) {
    const scale = tickIntervalMs / TICK_MS;
    this.bytesBegin = bytesBegin * scale;
    this.bytesMax = Math.max(BYTES_MAX, bytesBegin) * scale;
    this.growth = GROWTH ** scale;
    this.bytesPerTick = this.bytesBegin;
    this.leftBytes = this.bytesBegin;
  }

  /** A new allowance. `busy`: something is being caught up. */
  tick(nowMs: number, busy: boolean): void {
    const late = nowMs - this.lastMs > this.tickIntervalMs * LATE_INTERVALS;
    this.lastMs = nowMs;
    if (!busy) this.bytesPerTick = this.bytesBegin;
    else if (late) this.bytesPerTick = Math.max(this.bytesBegin, this.bytesPerTick * DECREASE);
    else if (this.leftBytes <= 0) this.bytesPerTick = Math.min(this.bytesMax, this.bytesPerTick * this.growth);
    // What one long record took beyond that is owed, within reason.
    const owed = Math.max(-this.bytesMax, Math.min(0, this.leftBytes));
    this.leftBytes = owed + this.bytesPerTick;
  }

  /** Nothing more may be merged before the next tick. */
  get isSpent(): boolean {
    return this.leftBytes <= 0;
  }

  /** A record of this length was merged. */
  spent(bytes: number): void {
    this.leftBytes -= bytes + RECORD_COST_BYTES;
  }
}
