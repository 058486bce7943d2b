/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) packed into one safe integer:
 * milliseconds x 2048 + counter. It fits 53 bits until the year 2109, so two stamps compare with `<`.
 * Guarded: every stamp is greater than every earlier stamp and every observed one; a stamp from further ahead than
 * `maxClockDriftMs` is refused, so one bad clock cannot drag the cluster along.
 */

/** Stamps per millisecond. */
export const HLC_TICKS = 2048;

/** The milliseconds since the epoch that a stamp was taken at. */
export function hlcToMs(hlc: number): number {
  return Math.floor(hlc / HLC_TICKS);
}

export function hlcFromMs(ms: number): number {
  return ms * HLC_TICKS;
}

export class HybridClock {
  /** The greatest stamp given or observed. */
  last: number;
  private readonly maxDriftTicks: number;

  /** `floor`: nothing is stamped at or below it (the recovered maximum). */
  constructor(floor: number, maxClockDriftMs: number) {
    this.last = floor;
    this.maxDriftTicks = maxClockDriftMs * HLC_TICKS;
  }

  /** A new stamp, above the wall clock and above everything seen. */
  stamp(wallMs: number): number {
    const wall = wallMs * HLC_TICKS;
    this.last = wall > this.last ? wall : this.last + 1;
    return this.last;
  }

  /** Takes note of a stamp from elsewhere. False, and nothing noted, if it is further ahead than the drift allowed. */
  observe(hlc: number, wallMs: number): boolean {
    if (hlc <= this.last) return true;
    if (hlc > wallMs * HLC_TICKS + this.maxDriftTicks) return false;
    this.last = hlc;
    return true;
  }
}

/** `milliseconds.counter@actor`, readable and in the order of versions for one actor. */
export function describeStamp(hlc: number, actor: number): string {
  const ms = hlcToMs(hlc);
  return `${ms}.${hlc - ms * HLC_TICKS}@${actor.toString(16).padStart(12, '0')}`;
}
