/**
 * Virtual time: an event heap ordered by (time, tie-break sequence), and the wall clock of each node derived from it.
 * The simulator's pieces schedule into it and `step` runs one event; nothing else advances time.
 * Guarded: time never steps back, and two events of one instant run in the order in which they were scheduled.
 */

/** Virtual time starts here, not at 0, so that "never" and "at the start" differ. */
export const START_MS = 1_000;
/** What wall clocks show at the start: a plausible date, so that stamps have their real width. */
export const WALL_EPOCH_MS = 1_790_000_000_000;

interface Scheduled {
  timeMs: number;
  sequence: number;
  run: () => void;
}

export class SimClock {
  nowMs = START_MS;
  /** Events run so far. */
  events = 0;
  private readonly heap: Scheduled[] = [];
  private sequence = 0;

  get waiting(): number {
    return this.heap.length;
  }

  /** Runs `run` after `delayMs` of virtual time (0: after everything already scheduled for now). */
  schedule(delayMs: number, run: () => void): void {
    this.scheduleAt(this.nowMs + Math.max(0, delayMs), run);
  }

  /** Runs `run` at exactly this time: what must not overtake is scheduled so, because sums of fractions round. */
  scheduleAt(timeMs: number, run: () => void): void {
    const event = { timeMs: Math.max(this.nowMs, timeMs), sequence: this.sequence++, run };
    let at = this.heap.length;
    this.heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(this.heap[parent], event)) break;
      this.heap[at] = this.heap[parent];
      at = parent;
    }
    this.heap[at] = event;
  }

  /** Runs the next event, unless it lies after `untilMs`: then time moves there and false is returned. */
  step(untilMs: number): boolean {
    if (this.heap.length === 0 || this.heap[0].timeMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      return false;
    }
    const next = this.heap[0];
    const last = this.heap.pop() as Scheduled;
    if (this.heap.length > 0) this.sink(last);
    this.nowMs = next.timeMs;
    this.events++;
    next.run();
    return true;
  }

  private sink(event: Scheduled): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (isBefore(event, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(left: Scheduled, right: Scheduled): boolean {
  return left.timeMs !== right.timeMs ? left.timeMs < right.timeMs : left.sequence < right.sequence;
}

export interface ClockPlan {
  /** Distance from true time at the start, ms. */
  offsetMs: number;
  /** Rate error of the oscillator, parts per million; monotonic and wall clock share it. */
  driftPpm: number;
  /** Steps of the wall clock, ms: 1, or coarse as on some virtual machines. */
  grainMs: number;
}

/** The clocks of one node. */
export class NodeClock {
  private readonly clock: SimClock;
  private readonly plan: ClockPlan;
  private steppedMs = 0;
  private grainMs: number;
  /** Rate error of the wall clock alone, since when, and what came of it until then. */
  private slewPpm = 0;
  private slewSinceMs = START_MS;
  private slewedMs = 0;

  constructor(clock: SimClock, plan: ClockPlan) {
    this.clock = clock;
    this.plan = plan;
    this.grainMs = plan.grainMs;
  }

  /** Fractional ms from an origin of this node's own. */
  monotonicMs(): number {
    return this.clock.nowMs * (1 + this.plan.driftPpm / 1e6) + Math.abs(this.plan.offsetMs) * 7;
  }

  /** Whole ms since the epoch, as this node believes. */
  wallMs(): number {
    const elapsed = (this.clock.nowMs - START_MS) * (1 + this.plan.driftPpm / 1e6);
    const shown = WALL_EPOCH_MS + elapsed + this.plan.offsetMs + this.steppedMs + this.slewMs();
    return Math.floor(shown / this.grainMs) * this.grainMs;
  }

  /** Sets the wall clock forward or back, as a time service does. */
  step(byMs: number): void {
    this.steppedMs += byMs;
  }

  /** The wall clock runs off by so much more. */
  slew(byPpm: number): void {
    this.slewedMs = this.slewMs();
    this.slewSinceMs = this.clock.nowMs;
    this.slewPpm += byPpm;
  }

  /** From now on it keeps its distance. */
  endSlew(): void {
    this.slew(-this.slewPpm);
  }

  /** The wall clock shows multiples of this. */
  coarsen(grainMs: number): void {
    this.grainMs = grainMs;
  }

  private slewMs(): number {
    return this.slewedMs + (this.slewPpm * (this.clock.nowMs - this.slewSinceMs)) / 1e6;
  }
}
