/**
 * This node's own health, as Lifeguard's local health multiplier has it, for an event loop: Membership asks on every tick
 * how long the loop stood still, and stretches its probes by the score. Guarded: silence of others is never inferred from
 * time in which we did not run; the score stays in 0..7. Lifeguard, section IV.A; formulas.ts holds the threshold.
 */
import { HEALTH_SCORE_MAX, stallThresholdMs } from './formulas.js';

const LAG_SMOOTHING = 0.1;
const SLEPT_MS = 1_000;

export class Health {
  /** 0 is healthy. */
  score = 0;
  /** Smoothed lateness of ticks, ms; acks carry it. */
  loopLagMs = 0;
  /** How far the system's wall clock is ahead of what the node goes by while that is in doubt, ms; acks carry it. */
  clockJumpedMs = 0;
  stalls = 0;
  /** How long the latest stall took by the clock that ran through it. */
  pausedMs = 0;
  /** Whether only the wall clock shows the latest stall: the machine slept, or its clock was set ahead. */
  onlyByWallClock = false;
  private readonly tickIntervalMs: number;
  private lastTickMs: number | null = null;
  private lastWallMs = 0;

  constructor(tickIntervalMs: number) {
    this.tickIntervalMs = tickIntervalMs;
  }

  /**
   * Notes a tick. Returns the time since the one before if the loop stood still in it, else 0. A wall clock that ran ahead of
   * the monotonic one may mean the same: the machine slept, and the monotonic clock with it. It is no count of stalls, for the
   * clock may as well have been set; one that was set back says nothing.
   */
  ticked(nowMs: number, wallMs: number): number {
    const gapMs = this.lastTickMs === null ? 0 : nowMs - this.lastTickMs;
    const sleptMs = this.lastTickMs === null ? 0 : wallMs - this.lastWallMs - gapMs;
    this.lastTickMs = nowMs;
    this.lastWallMs = wallMs;
    const lagMs = Math.max(0, gapMs - this.tickIntervalMs);
    this.loopLagMs += lagMs > this.loopLagMs ? lagMs - this.loopLagMs : LAG_SMOOTHING * (lagMs - this.loopLagMs);
    this.onlyByWallClock = gapMs <= stallThresholdMs(this.tickIntervalMs);
    if (this.onlyByWallClock && sleptMs <= SLEPT_MS) return 0;
    if (!this.onlyByWallClock) this.stalls++;
    this.pausedMs = Math.max(gapMs, sleptMs);
    return gapMs;
  }

  better(): void {
    this.score = Math.max(0, this.score - 1);
  }

  worse(by: number): void {
    this.score = Math.min(HEALTH_SCORE_MAX, this.score + by);
  }
}
