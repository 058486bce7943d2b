/**
 * What an operator asks of the membership: that this node leaves for good (HEARSAY.LEAVE), or that a dead member is forgotten
 * (HEARSAY.FORGET). The commands call it through the host; the spine ticks it and ends the process when it says so.
 *
 *     staying -> handing: the place is given up; the new owners are handed what lies here, commands go to them
 *             -> staying: everybody gave their place up at once, so nobody is left to take anything
 *             -> lingering: everybody is told, probes are answered until the news has spread -> gone
 *
 * Guarded: a node leaves only when others hold what it held, so far as that can be compared; a member that is alive, or may be for all
 * that a node knows that has just started, is never forgotten; both can be asked for again without harm.
 */
import type { Log } from '../../ports/log.js';
import { HearsayError } from '../base/errors.js';
import { lingerMs } from '../membership/formulas.js';
import { isGone } from '../membership/precedence.js';
import type { Store } from '../store/store.js';
import type { Rooms } from './rooms.js';

/** A partition that has evicted cannot be compared to the end: it is waited for while it is fetched or sent, and this long after. */
const LOSSY_PATIENCE_MS = 5_000;
const REPORT_INTERVAL_MS = 10_000;
/** Whom a node has not met so long after its start is taken for dead; before that, it may only not have met it yet. */
const MEET_WITHIN_MS = 30_000;

type Phase = 'staying' | 'handing' | 'lingering' | 'gone';

export class MembershipDesk {
  phase: Phase = 'staying';
  private movedBefore = 0;
  private movedAtMs = 0;
  private endsAtMs = 0;
  private nextReportMs = 0;
  private unplaced = 0;

  constructor(
    private readonly ports: { log: Log },
    private readonly rooms: Rooms,
    private readonly store: Store,
    private readonly options: { selfId: string; partitions: number; gossipIntervalMs: number; startedAtMs: number },
  ) {}

  /** Begins to leave. Throws HearsayError when nobody is there to take what this node holds. */
  leave(nowMs: number): void {
    if (this.phase !== 'staying') return;
    const { membership, ownership, ring } = this.rooms;
    if (!membership.hasJoined || !ownership.met) throw new HearsayError('LOADING', 'this node is joining its cluster');
    const others = membership.aliveCount < 2 ? 'is alive' : ring.hasOthers ? null : 'keeps its place';
    if (others !== null) {
      throw new HearsayError(
        'ERR',
        `no other member ${others} to take what this node holds; to stop it and keep its place, send SIGTERM`,
      );
    }
    this.phase = 'handing';
    this.movedAtMs = nowMs;
    this.nextReportMs = nowMs + REPORT_INTERVAL_MS;
    ring.leaveSelf();
    this.ports.log.info('leaving for good: handing over', { partitions: this.partitionsHeld() });
  }

  /** Ends a dead member's place and its say. Throws HearsayError for a member that lives, this node, or nobody's name. */
  forget(id: string, nowMs: number): void {
    const { membership, ring } = this.rooms;
    if (id === this.options.selfId) {
      throw new HearsayError('ERR', `${id} is this node: HEARSAY.LEAVE gives its place up`);
    }
    const member = membership.get(id);
    if (member === undefined && ring.ring.get(id) === undefined && !ring.unmetIds().includes(id)) {
      throw new HearsayError('ERR', `no member is called ${id}: HEARSAY.STATUS names them`);
    }
    if (member?.state === 'alive' || member?.state === 'suspect') {
      throw new HearsayError(
        'ERR',
        `${id} is ${member.state}: only a dead member is forgotten; stop it first, or have it leave`,
      );
    }
    if (member === undefined && nowMs - this.options.startedAtMs < MEET_WITHIN_MS) {
      const leftS = Math.ceil((MEET_WITHIN_MS - (nowMs - this.options.startedAtMs)) / 1000);
      throw new HearsayError('LOADING', `${id} has not been met since this node started: ask again in ${leftS} s`);
    }
    if (ring.forget(id, member?.zone ?? '', member?.boot ?? 0)) this.ports.log.info('member forgotten as told', { id });
    this.settle(id, nowMs);
  }

  /** The ring changed: who was forgotten in it is owed nothing any more, and not asked for; who left by it and by its own word has ended. */
  ringChanged(nowMs: number): void {
    const { unplaced } = this.rooms.ring.ring;
    if (unplaced > this.unplaced) {
      const { partitions } = this.options;
      this.ports.log.warn('more members than partitions can be placed on: the last ones by name own nothing', {
        unplaced,
        partitions,
      });
    }
    this.unplaced = unplaced;
    for (const { id, state } of this.rooms.ring.ring.records()) {
      if (state === 'forgotten') this.settle(id, nowMs);
      else if (state === 'left') this.noteLeft(id);
    }
  }

  /** A member said that it ends. Where it has given its place up that was for good: the ring remembers which life it was. */
  noteLeft(id: string): void {
    const { membership, ring } = this.rooms;
    const member = membership.get(id);
    if (member?.state === 'left' && ring.ring.get(id)?.state === 'left') ring.noteEnd(id, member.boot);
  }

  /** A member died; one that was forgotten and came back in vain is let go again. */
  died(id: string, nowMs: number): void {
    if (this.rooms.ring.ring.get(id)?.state === 'forgotten') this.settle(id, nowMs);
  }

  tick(nowMs: number): void {
    if (this.phase === 'handing') this.watchHanding(nowMs);
    else if (this.phase === 'lingering' && nowMs >= this.endsAtMs) this.phase = 'gone';
  }

  /** Partitions of which something is here that others are to have before this node is gone: none once it lingers. */
  partitionsHeld(): number {
    return this.phase === 'handing' ? this.partitionsLeft().length : 0;
  }

  /** What a stop in order breaks off, in words; null if nothing. */
  get unfinished(): string | null {
    return this.phase === 'handing' ? `${this.partitionsHeld()} partitions were not handed over` : null;
  }

  private watchHanding(nowMs: number): void {
    if (!this.rooms.ring.hasOthers) {
      this.phase = 'staying';
      this.rooms.ring.stay(nowMs);
      this.ports.log.warn('not leaving: every other member leaves as well, and nobody is there to hand over to');
      return;
    }
    const left = this.partitionsLeft();
    const { antiEntropy, peers } = this.rooms;
    const moved = antiEntropy.queues.sent + antiEntropy.source.stats.slices;
    const unacked = peers.all().some((peer) => peer.state === 'alive' && peer.link.unackedMessages > 0);
    if (moved !== this.movedBefore || antiEntropy.queues.size > 0 || unacked) {
      this.movedBefore = moved;
      this.movedAtMs = nowMs;
    }
    const rested = nowMs - this.movedAtMs >= LOSSY_PATIENCE_MS;
    const isOver = (partition: number) => this.store.isLossy(partition) && this.hasBeenFetched(partition);
    if (!unacked && (left.length === 0 || (rested && left.every(isOver)))) {
      this.goLingering(left.length, nowMs);
    } else if (nowMs >= this.nextReportMs) {
      this.nextReportMs = nowMs + REPORT_INTERVAL_MS;
      this.ports.log.info('leaving for good: handing over', { partitions: left.length });
    }
  }

  /** Whether every owner is there and says, by the ring in force, that it has caught up: one that fetches is sent nothing besides. */
  private hasBeenFetched(partition: number): boolean {
    const { ownership } = this.rooms;
    for (const peer of ownership.otherOwners(partition)) {
      if (peer.state !== 'alive') return false;
      const report = ownership.readiness.of(peer);
      if (report?.ringHash !== ownership.ringHash || report.unready.has(partition)) return false;
    }
    return true;
  }

  /** `uncompared`: partitions that were fetched, and of which nobody can say whether that was all. */
  private goLingering(uncompared: number, nowMs: number): void {
    const { membership } = this.rooms;
    this.phase = 'lingering';
    this.endsAtMs = nowMs + lingerMs(membership.aliveCount, this.options.gossipIntervalMs);
    membership.leave(nowMs);
    this.noteLeft(this.options.selfId);
    if (uncompared === 0) this.ports.log.info('left for good: everything was handed over');
    else {
      const partitions = uncompared;
      this.ports.log.info('left for good: what had evicted was fetched, and cannot be compared', { partitions });
    }
  }

  private partitionsLeft(): number[] {
    const left: number[] = [];
    const { handedPartitions } = this.rooms.ownership;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      if (handedPartitions.has(partition) || this.store.holdsAny(partition)) left.push(partition);
    }
    return left;
  }

  private settle(id: string, nowMs: number): void {
    const { membership, peers, replicator, ring } = this.rooms;
    membership.forget(id, nowMs);
    const member = membership.get(id);
    if (member !== undefined && isGone(member.state)) ring.noteEnd(id, member.boot);
    const peer = peers.get(id);
    if (peer !== undefined && peer.state !== 'alive' && peer.hints.pending > 0) replicator.forgive(peer);
  }
}
