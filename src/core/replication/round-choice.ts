/**
 * With whom the next round of anti-entropy is, and when. anti-entropy.ts asks. A node that has everything goes by chance, at the interval that
 * was set. One that waits for partitions goes to those who may make them ready, one after the other without a pause, since each has to be
 * heard out (fetches.ts).
 * Guarded: of the peers that may make a partition ready the one asked longest ago is next, so that none is passed over for long however
 * many they are; and none is asked again at once for what it has just said.
 */
import type { Random } from '../base/random.js';
import type { CatchUp } from './catch-up.js';
import type { Fetches } from './fetches.js';
import type { Floors } from './floors.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import type { RepairQueues } from './repair-queues.js';

/** The pause after a round that left something for the next. */
export const EAGER_MS = 100;
/** The same while what was found is being fetched. */
const FETCHING_MS = 500;

export class RoundChoice {
  constructor(
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly catchUp: CatchUp,
    private readonly fetches: Fetches,
    private readonly floors: Floors,
    private readonly queues: RepairQueues,
    private readonly options: { partitions: number; intervalMs: number; random: Random },
  ) {}

  /** A live peer to compare with, by chance unless one is awaited, but none that still waits for what the last round found. */
  choose(nowMs: number): Peer | null {
    const live = this.peers.all().filter((peer) => this.isFree(peer));
    if (live.length === 0) return null;
    const awaited = live.filter((peer) => this.isAwaited(peer, nowMs));
    const rested = awaited.filter((peer) => this.hasRested(peer, nowMs));
    const chosen = awaited.length === 0 ? live : askedLongestAgo(rested.length > 0 ? rested : awaited);
    return chosen[this.options.random.below(chosen.length)];
  }

  /** How long to wait after a round. `postponed`: it has left something to the next. */
  pauseMs(postponed: boolean, nowMs: number): number {
    const isWaiting = this.ownership.unready > 0;
    if (!postponed && !isWaiting) return this.options.intervalMs;
    const isNext = (peer: Peer): boolean =>
      this.isFree(peer) && this.hasRested(peer, nowMs) && this.isAwaited(peer, nowMs);
    return isWaiting && this.peers.all().some(isNext) ? 0 : this.restMs;
  }

  /** Whether a comparison with a peer may bring what this node waits for; not while it is other sources that have to be heard out. */
  isAwaited(peer: Peer, nowMs: number): boolean {
    const { ownership, fetches } = this;
    for (let partition = 0; ownership.unready > 0 && partition < this.options.partitions; partition++) {
      if (!ownership.owns(partition) || ownership.isReady(partition)) continue;
      if (this.catchUp.isPulling(partition) || !fetches.counts(partition, peer)) continue;
      const isSource = ownership.isSource(peer, partition);
      const hasFloor = !isSource || peer.floors[partition] <= this.floors.floor[partition];
      if (!hasFloor || !fetches.hasHad(partition, peer)) return true;
      if (isSource && fetches.isEnough(partition, nowMs)) return true;
    }
    return false;
  }

  private get restMs(): number {
    return this.catchUp.size === 0 ? EAGER_MS : Math.min(FETCHING_MS, this.options.intervalMs);
  }

  private hasRested(peer: Peer, nowMs: number): boolean {
    return nowMs - peer.roundAtMs >= this.restMs;
  }

  private isFree(peer: Peer): boolean {
    return peer.state === 'alive' && peer.connected && !this.queues.waitsFor(peer);
  }
}

function askedLongestAgo(peers: readonly Peer[]): Peer[] {
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const { roundAtMs } of peers) oldestMs = Math.min(oldestMs, roundAtMs);
  return peers.filter((peer) => peer.roundAtMs === oldestMs);
}
