/**
 * Whether this node's clock can be trusted to stamp writes: judged against the median of what its peers show. The spine asks every tick,
 * and at once when the clock jumps. Guarded: a node whose clock is beyond the drift allowed coordinates no write and says so, until it agrees
 * with its peers again; that a measurement took long, as beside a stall, is no drift.
 */
import type { Log } from '../../ports/log.js';
import { hlcToMs } from '../base/hlc.js';
import type { WallClock } from '../base/wall-clock.js';
import type { Rooms } from './rooms.js';

export class ClockWatch {
  /** Whether a jump of the clock can be checked with peers. */
  hasPeers = false;

  constructor(
    private readonly ports: { log: Log },
    private readonly rooms: Rooms,
    private readonly wallClock: WallClock,
    private readonly options: { maxClockDriftMs: number },
  ) {}

  judge(wallMs: number): void {
    const { membership, coordinator, clock } = this.rooms;
    const offset = membership.clockOffsetMedianMs();
    this.hasPeers = offset !== null;
    const movedMs = this.wallClock.judge(offset, membership.systemOffsetMedianMs());
    if (movedMs !== 0) membership.ownClockMoved(movedMs);
    // Stamps far ahead of the clock, from a time when it was wrong, are as bad: peers refuse what carries them.
    const aheadMs = hlcToMs(clock.last) - wallMs;
    const most = this.options.maxClockDriftMs;
    const certain = membership.clockOffsetCertainMs();
    const drifted =
      this.wallClock.inDoubt ||
      (certain !== null && Math.abs(certain) > most) ||
      (aheadMs > most && membership.aliveCount > 1);
    if (drifted === coordinator.drifted) return;
    coordinator.drifted = drifted;
    const jumpedMs = Math.round(this.wallClock.jumpedMs);
    const facts = { offsetMs: offset, jumpedMs, aheadMs };
    if (drifted) this.ports.log.error('clock differs from the median of the peers: not coordinating', facts);
    else this.ports.log.info('clock agrees with the peers again');
  }
}
