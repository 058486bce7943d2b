/**
 * How far the writes of a connection have come: how many other owners have all of them, in memory or on disk. WAIT and WAITAOF ask
 * (waiters.ts), for what this node has coordinated.
 * Guarded: nobody counts that may lack one of them: who has not caught up with a partition, who is owed a hint or has missed one for
 * which there was no room, who has missed a flush. Each counts again once it has said, or a comparison has shown, that it has it.
 */
import type { WriteMark } from '../commands/write-marks.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import type { Replicator } from './replicator.js';

export class Reach {
  constructor(
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly replicator: Replicator,
    private readonly options: { partitions: number },
  ) {}

  /** Other owners of each partition written into that have every write of the mark: the least over the partitions. */
  peersWith(mark: WriteMark, durable: boolean): number {
    if (mark.coversAll) return this.leastOverAll(mark, durable);
    let least = Number.POSITIVE_INFINITY;
    for (const partition of mark.partitions()) {
      let count = 0;
      for (const peer of this.ownership.otherOwners(partition)) {
        if (this.isWith(peer, mark, durable) && this.isWhole(peer, partition, mark)) count++;
      }
      least = Math.min(least, count);
    }
    return Number.isFinite(least) ? least : 0;
  }

  /** What concerned all partitions is to be with the owners of each. */
  private leastOverAll(mark: WriteMark, durable: boolean): number {
    const having = new Set<Peer>();
    for (const peer of this.peers.all()) if (this.isWith(peer, mark, durable)) having.add(peer);
    let least = Number.POSITIVE_INFINITY;
    for (let partition = 0; partition < this.options.partitions && least > 0; partition++) {
      let count = 0;
      for (const peer of this.ownership.otherOwners(partition)) {
        if (having.has(peer) && this.isWhole(peer, partition, mark)) count++;
      }
      least = Math.min(least, count);
    }
    return least;
  }

  /** Whether a peer has taken all that it was sent of the mark, and nothing of it is still owed to it. */
  private isWith(peer: Peer, mark: WriteMark, durable: boolean): boolean {
    if (peer.state === 'dead' || peer.state === 'left') return false;
    if (peer.hints.pending > 0 && peer.hints.owedSince <= mark.last) return false;
    if (peer.missedFlush.isWithin(mark.first, mark.last)) return false;
    // What a former run of the peer acknowledged and had not on disk yet may have gone with it.
    if (durable && mark.first <= peer.doubtfulThrough) return false;
    const now = this.replicator.writes;
    return (durable ? peer.link.durableThrough(now) : peer.link.ackedThrough(now)) >= mark.last;
  }

  /**
   * Whether a peer holds all of a partition, as far as the mark goes. One that came to own it after the writes were made has not been
   * sent them: it has them once it has caught up.
   */
  private isWhole(peer: Peer, partition: number, mark: WriteMark): boolean {
    if (!this.ownership.isSource(peer, partition)) return false;
    return !peer.hints.hasMissed(partition, mark.first, peer.passedWallMs[partition]);
  }
}
