/**
 * The wall clock that a node goes by: the system's, unless that jumps against the monotonic clock while peers are there to ask. Then time
 * goes on steadily from where it was until either the system's clock comes back or the peers' agree with where it went (a machine
 * that slept, a clock set right) or their systems' clocks went there as well (all were set, or all machines slept). The spine reads it once a turn; stamps and expiries therefore never follow one wrong clock.
 * Guarded: what it gives moves with the monotonic clock while the system's is in doubt; doubt ends by itself when peers cannot be
 * asked for a minute.
 */

/** Without a peer to ask for so long, the system's clock is all there is. */
const UNANSWERED_MS_MAX = 60_000;

export class WallClock {
  /** The system's clock has jumped, and no peer has confirmed it. */
  inDoubt = false;
  /** Wall clock minus monotonic clock: what the node goes by, and what the system last said. */
  private trustedMs: number | null = null;
  private systemMs = 0;
  private nowMs = 0;
  private unansweredSinceMs = 0;

  /** `jumpMs`: what the clock may move against the monotonic one from one turn to the next. */
  constructor(private readonly jumpMs: number) {}

  /** How far the system's clock is ahead of what the node goes by. */
  get jumpedMs(): number {
    return this.trustedMs === null ? 0 : this.systemMs - this.trustedMs;
  }

  /** The time of a turn. `hasPeers`: the clocks of peers are known, so that a jump can be checked. */
  read(monotonicMs: number, systemWallMs: number, hasPeers: boolean): number {
    this.nowMs = monotonicMs;
    this.systemMs = systemWallMs - monotonicMs;
    const jumped = Math.abs(this.jumpedMs) > this.jumpMs;
    if (jumped && hasPeers && !this.inDoubt) {
      this.inDoubt = true;
      this.unansweredSinceMs = monotonicMs;
    }
    if (this.inDoubt && jumped) return monotonicMs + (this.trustedMs ?? this.systemMs);
    this.believe();
    return systemWallMs;
  }

  /**
   * `peersAheadMs`: how far the median of the peers is ahead of what the node goes by; null when none can be asked. `systemsAheadMs`: the
   * same of their systems, whose clocks they may doubt as this node does its own: where all jumped alike, each would wait for the others
   * for ever. Returns by how much what the node goes by is moved: 0 unless doubt ends now.
   */
  judge(peersAheadMs: number | null, systemsAheadMs: number | null = peersAheadMs): number {
    if (!this.inDoubt) return 0;
    const { jumpedMs } = this;
    if (peersAheadMs === null) {
      if (this.nowMs - this.unansweredSinceMs < UNANSWERED_MS_MAX) return 0;
      this.believe();
      return jumpedMs;
    }
    this.unansweredSinceMs = this.nowMs;
    if (!this.agrees(peersAheadMs) && !this.agrees(systemsAheadMs)) return 0;
    this.believe();
    return jumpedMs;
  }

  private agrees(aheadMs: number | null): boolean {
    return aheadMs !== null && Math.abs(aheadMs - this.jumpedMs) <= this.jumpMs;
  }

  private believe(): void {
    this.inDoubt = false;
    this.trustedMs = this.systemMs;
  }
}
