/**
 * How far the writes of a connection have come: how many other owners have all of them, in memory or on disk. WAIT and WAITAOF ask
 * (waiters.ts), for what this node has coordinated.
 * Guarded: nobody counts that may lack one of them: who has not caught up with a partition, who is owed a hint or has missed one for
 * which there was no room, who has missed a flush, who has begun anew since. Each counts again once it has said, or a comparison has
 * shown, that it has it.
 * Cost: whether there are enough is asked over and over, and answered by the one partition where there were not, with a look at its
 * owners; a figure is made once per answer.
 */
import type { WriteMark } from '../commands/write-marks.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import type { Replicator } from './replicator.js';

export class Reach {
  /** Peers that have all they were sent of the mark in hand. */
  private readonly having = new Set<Peer>();

  constructor(
    private readonly ownership: Pick<Ownership, 'otherOwners' | 'isSource' | 'owns' | 'handedPartitions'>,
    private readonly peers: Pick<Peers, 'all'>,
    private readonly replicator: Pick<Replicator, 'writes'> & Partial<Pick<Replicator, 'mutations'>>,
    private readonly options: { partitions: number },
  ) {}

  /** Other owners of each partition written into that have every write of the mark: the least over the partitions. */
  peersWith(mark: WriteMark, durable: boolean): number {
    const { having } = this;
    having.clear();
    for (const peer of this.peers.all()) if (this.isWith(peer, mark, durable)) having.add(peer);
    let least = Number.POSITIVE_INFINITY;
    for (let at = this.next(mark, 0); at >= 0 && least > 0; at = this.next(mark, at + 1)) {
      let count = 0;
      for (const peer of this.ownership.otherOwners(at)) {
        if (having.has(peer) && this.isWhole(peer, at, mark, durable)) count++;
      }
      least = Math.min(least, count);
    }
    having.clear();
    return Number.isFinite(least) ? least : 0;
  }

  /**
   * A partition written into where fewer than `wanted` other owners have every write of the mark: the first one at `from` or after it, or
   * else from the beginning; -1 if there is none. Whoever asks again begins where it ended.
   */
  lacking(mark: WriteMark, durable: boolean, wanted: number, from: number): number {
    if (wanted <= 0) return -1;
    for (let at = this.next(mark, from); at >= 0; at = this.next(mark, at + 1)) {
      if (!this.isEnough(at, mark, durable, wanted)) return at;
    }
    for (let at = this.next(mark, 0); at >= 0 && at < from; at = this.next(mark, at + 1)) {
      if (!this.isEnough(at, mark, durable, wanted)) return at;
    }
    return -1;
  }

  private isEnough(partition: number, mark: WriteMark, durable: boolean, wanted: number): boolean {
    const owners = this.ownership.otherOwners(partition);
    let left = owners.length - wanted;
    for (const peer of owners) {
      if (left < 0) return false;
      if (!this.isWith(peer, mark, durable) || !this.isWhole(peer, partition, mark, durable)) left--;
    }
    return left >= 0;
  }

  /** What concerned all partitions is to be with the owners of each. */
  private next(mark: WriteMark, from: number): number {
    if (!mark.coversAll) return mark.next(from);
    return from < this.options.partitions ? from : -1;
  }

  /** Whether a peer has taken all that it was sent of the mark, and nothing of it is still owed to it. */
  private isWith(peer: Peer, mark: WriteMark, durable: boolean): boolean {
    if (peer.state === 'dead' || peer.state === 'left') return false;
    if (mark.isEmpty || this.replicator.mutations?.has('wait-counts-unacknowledged')) return true;
    if (peer.hints.pending > 0 && peer.hints.owedSince <= mark.last) return false;
    if (peer.missedFlush.isWithin(mark.first, mark.last)) return false;
    const now = this.replicator.writes;
    return (durable ? peer.link.durableThrough(now) : peer.link.ackedThrough(now)) >= mark.last;
  }

  /**
   * Whether a peer holds all of a partition, as far as the mark goes. One that came to own it after the writes were made has not been
   * sent them: it has them once it has caught up.
   */
  private isWhole(peer: Peer, partition: number, mark: WriteMark, durable: boolean): boolean {
    if (!this.ownership.isSource(peer, partition)) return false;
    if (mark.isEmpty) return true;
    if (peer.formerLife.concerns(mark.first) && !this.isShown(peer, partition, durable)) return false;
    return !peer.hints.hasMissed(partition, mark.first, peer.passedWallMs[partition]);
  }

  /**
   * Whether a peer that has begun anew has shown that it has a partition, or has it on disk. Where this node has nothing left to compare
   * with, every owner had all of it when it was given up, and who has caught up since has it from one of them.
   */
  private isShown(peer: Peer, partition: number, durable: boolean): boolean {
    const { ownership } = this;
    if (!ownership.owns(partition) && !ownership.handedPartitions.has(partition)) return true;
    if (!durable) return peer.formerLife.hasShown(partition);
    return peer.link.durable.isDurable(peer.formerLife.shownInBatch(partition));
  }
}
