/**
 * Records that anti-entropy found missing at a peer, as keys waiting to be sent: by links, while their windows have room, so that
 * repair yields to writes. Guarded: bounded per peer; what does not fit is found again by the next round.
 */
import type { Store } from '../store/store.js';
import type { Peer, Peers } from './peers.js';
import type { Replicator } from './replicator.js';

/** Keys waiting for one peer. */
export const QUEUE_MAX = 100_000;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const WINDOW_FOR_REPAIR_BYTES = 1024 * 1024;
const REPAIRS_PER_TICK = 2000;

interface Owed {
  readonly partition: number;
  readonly key: Buffer;
}

interface Queue {
  readonly owed: Owed[];
  keyBytes: number;
}

export class RepairQueues {
  private readonly byPeer = new Map<string, Queue>();
  sent = 0;
  dropped = 0;

  constructor(
    private readonly store: Store,
    private readonly replicator: Replicator,
  ) {}

  /** Keys waiting, over all peers. */
  get size(): number {
    let total = 0;
    for (const { owed } of this.byPeer.values()) total += owed.length;
    return total;
  }

  /** Keys waiting for the peer that is owed most. */
  get most(): number {
    let most = 0;
    for (const { owed } of this.byPeer.values()) most = Math.max(most, owed.length);
    return most;
  }

  waitsFor(peer: Peer): boolean {
    return this.byPeer.has(peer.id);
  }

  forget(peer: Peer): void {
    this.byPeer.delete(peer.id);
  }

  /** False if the queue is full. */
  add(peer: Peer, partition: number, key: Buffer): boolean {
    let queue = this.byPeer.get(peer.id);
    if (queue === undefined) {
      queue = { owed: [], keyBytes: 0 };
      this.byPeer.set(peer.id, queue);
    }
    if (queue.owed.length >= QUEUE_MAX || queue.keyBytes + key.length > QUEUE_BYTES_MAX) {
      this.dropped++;
      return false;
    }
    queue.keyBytes += key.length;
    queue.owed.push({ partition, key });
    return true;
  }

  /** Sends what the peers' windows take. */
  drain(peers: Peers): void {
    for (const [id, queue] of this.byPeer) {
      const peer = peers.get(id);
      if (peer === undefined || peer.state === 'dead' || peer.state === 'left') {
        this.byPeer.delete(id);
        continue;
      }
      let sent = 0;
      const { owed } = queue;
      while (sent < owed.length && sent < REPAIRS_PER_TICK && peer.link.unackedBytes < WINDOW_FOR_REPAIR_BYTES) {
        const { partition, key } = owed[sent++];
        queue.keyBytes -= key.length;
        const hash = this.store.hasher.hash(key, 0, key.length);
        if (this.store.find(partition, hash, key, 0, key.length)) {
          this.replicator.offer(peer, this.store.buffer, this.store.offset);
          this.sent++;
        }
      }
      if (sent === owed.length) this.byPeer.delete(id);
      else owed.splice(0, sent);
    }
  }
}
