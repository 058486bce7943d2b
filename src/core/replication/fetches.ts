/**
 * Partitions that this node has come to own and fetches: of whom it has had what they had seen. anti-entropy.ts notes it, and asks whether that is
 * enough to answer for the partition.
 *
 * Equal vectors prove nothing to a node that begins with nothing: what everybody has had for long is left out of them, with the starts
 * that wrote it. So the first thing is a whole walk over what a source holds, begun when it was one; behind that walk, vectors tell. And
 * every source that can be reached counts, not the first: a write that a quorum acknowledged lies at one of them, not at each.
 * Guarded: what was noted before the partition was owned anew, or of a start of a peer that has ended, counts for nothing.
 */
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';

/** A source that is alive, and says nothing of the partition for so long after the first walk, is not waited for. */
const PATIENCE_MS = 30_000;

interface Fetch {
  /** Which of this node's ownings of the partition it belongs to. */
  readonly owning: number;
  readonly walkedAtMs: number;
  /** By id: of whom this node has had everything. */
  readonly had: Set<string>;
}

export class Fetches {
  private readonly fetches = new Map<number, Fetch>();

  constructor(
    private readonly ownership: Ownership,
    private readonly peers: Peers,
  ) {}

  /** Whether a partition is ready only by what is noted here. */
  isFetching(partition: number): boolean {
    return this.ownership.fetching[partition] === 1;
  }

  /** Whether the first walk is over. */
  isWalked(partition: number): boolean {
    return this.fetches.get(partition)?.owning === this.ownership.ownings[partition];
  }

  /** A whole walk over what a source held is merged; it began in this owning. */
  walked(partition: number, peer: Peer, nowMs: number): void {
    if (!this.isFetching(partition)) return;
    if (!this.isWalked(partition)) {
      const owning = this.ownership.ownings[partition];
      this.fetches.set(partition, { owning, walkedAtMs: nowMs, had: new Set() });
    }
    this.had(partition, peer);
  }

  /** Behind the first walk: this node has seen what a source had seen. */
  had(partition: number, peer: Peer): void {
    if (this.isWalked(partition)) this.fetches.get(partition)?.had.add(peer.id);
  }

  /** Whether this node has had everything of a source, behind the first walk. */
  hasHad(partition: number, peer: Peer): boolean {
    return this.isWalked(partition) && this.fetches.get(partition)?.had.has(peer.id) === true;
  }

  /** Whether every source that can be reached has been heard out. */
  isEnough(partition: number, nowMs: number): boolean {
    const fetch = this.fetches.get(partition);
    if (fetch === undefined || !this.isWalked(partition)) return false;
    if (nowMs - fetch.walkedAtMs > PATIENCE_MS) return true;
    for (const peer of this.peers.all()) {
      if (peer.state !== 'alive' || !peer.connected || fetch.had.has(peer.id)) continue;
      if (this.ownership.isSource(peer, partition)) return false;
    }
    return true;
  }

  /** The partition is ready. */
  end(partition: number): void {
    this.fetches.delete(partition);
  }

  /** A new start of a peer, or a member forgotten. */
  forget(peer: Peer): void {
    for (const { had } of this.fetches.values()) had.delete(peer.id);
  }
}
