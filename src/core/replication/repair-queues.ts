/**
 * Records that anti-entropy found missing at a peer, as keys waiting to be sent: by links, while their windows have room, so that
 * repair yields to writes. Guarded: bounded per peer; what does not fit is found again by the next round.
 */
import type { Store } from '../store/store.js';
import type { Peer, Peers } from './peers.js';
import type { Replicator } from './replicator.js';

/** Keys waiting for one peer. */
const QUEUE_MAX = 100_000;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const WINDOW_FOR_REPAIR_BYTES = 1024 * 1024;
const REPAIRS_PER_TICK = 2000;

interface Owed {
  readonly partition: number;
  readonly key: Buffer;
}

export class RepairQueues {
  private readonly byPeer = new Map<string, Owed[]>();
  private readonly keyBytes = new Map<string, number>();
  sent = 0;
  dropped = 0;

  constructor(
    private readonly store: Store,
    private readonly replicator: Replicator,
  ) {}

  /** Keys waiting, over all peers. */
  get size(): number {
    let total = 0;
    for (const queue of this.byPeer.values()) total += queue.length;
    return total;
  }

  waitsFor(peer: Peer): boolean {
    return this.byPeer.has(peer.id);
  }

  forget(peer: Peer): void {
    this.end(peer.id);
  }

  private end(id: string): void {
    this.byPeer.delete(id);
    this.keyBytes.delete(id);
  }

  /** False if the queue is full. */
  add(peer: Peer, partition: number, key: Buffer): boolean {
    let queue = this.byPeer.get(peer.id);
    if (queue === undefined) {
      queue = [];
      this.byPeer.set(peer.id, queue);
    }
    const bytes = (this.keyBytes.get(peer.id) ?? 0) + key.length;
    if (queue.length >= QUEUE_MAX || bytes > QUEUE_BYTES_MAX) {
      this.dropped++;
      return false;
    }
    this.keyBytes.set(peer.id, bytes);
    queue.push({ partition, key });
    return true;
  }

  /** Sends what the peers' windows take. */
  drain(peers: Peers): void {
    for (const [id, queue] of this.byPeer) {
      const peer = peers.get(id);
      if (peer === undefined || peer.state === 'dead' || peer.state === 'left') {
        this.end(id);
        continue;
      }
      let sent = 0;
      while (sent < queue.length && sent < REPAIRS_PER_TICK && peer.link.unackedBytes < WINDOW_FOR_REPAIR_BYTES) {
        const { partition, key } = queue[sent++];
        this.keyBytes.set(id, (this.keyBytes.get(id) ?? 0) - key.length);
        const hash = this.store.hasher.hash(key, 0, key.length);
        if (this.store.find(partition, hash, key, 0, key.length)) {
          this.replicator.offer(peer, this.store.buffer, this.store.offset);
          this.sent++;
        }
      }
      if (sent === queue.length) this.end(id);
      else queue.splice(0, sent);
    }
  }
}
