/**
 * Partitions that this node holds and does not own, as a stand-in or from before the ring changed: they go to their owners, and then
 * from here. anti-entropy.ts hands it each owner's vector; what the vector does not cover is pushed by the repair queues.
 * Guarded: a partition is dropped only when a walk over ALL its records found each covered by the vector of every owner, and nothing
 * was taken in since: the walk looks at the records, because this node's own vector may claim less than it holds. Walks are sliced and
 * go on where they stood: an owner's vector only grows while its start lasts and the ring is the same.
 */
import { recordKeyEnd, recordKeyStart } from '../record/record.js';
import type { Store } from '../store/store.js';
import type { FloorDesk } from './floor-desk.js';
import type { Frontiers } from './frontier.js';
import type { Ownership } from './ownership.js';
import type { Peer } from './peers.js';
import type { RepairQueues } from './repair-queues.js';
import type { Replicator } from './replicator.js';
import type { Vector } from './vector.js';

/** Records looked at per round, all partitions together. */
const LOOKS_PER_ROUND = 20_000;
const STEP = 128;

interface Progress {
  cursor: number;
  /** Records that the owner did not cover, in this pass. */
  uncovered: number;
}

export class Foreign {
  /** Owners known to have everything, by partition. */
  private readonly covered = new Map<number, Set<string>>();
  /** By partition, then by owner. */
  private readonly passes = new Map<number, Map<string, Progress>>();
  private looksLeft = 0;
  private peer!: Peer;
  private partition = 0;
  private vector!: Vector;
  private progress: Progress = { cursor: 0, uncovered: 0 };
  readonly stats = { looked: 0, handedOff: 0 };
  private readonly visit = (buffer: Buffer, offset: number): void => {
    this.looksLeft--;
    this.stats.looked++;
    if (this.frontiers.isCovered(this.vector, buffer, offset)) return;
    this.progress.uncovered++;
    const key = buffer.subarray(recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset));
    this.queues.add(this.peer, this.partition, Buffer.from(key));
  };

  constructor(
    private readonly store: Store,
    private readonly frontiers: Frontiers,
    private readonly ownership: Ownership,
    private readonly replicator: Replicator,
    private readonly queues: RepairQueues,
    private readonly floorDesk: FloorDesk,
  ) {}

  beginRound(): void {
    this.looksLeft = LOOKS_PER_ROUND;
  }

  /** The ring is another: who was an owner may have given the partition up since, and own it again. */
  ringChanged(): void {
    this.covered.clear();
    this.passes.clear();
  }

  /** A new start of a peer: what it was known to have may be gone. */
  forget(peer: Peer): void {
    for (const owners of this.covered.values()) owners.delete(peer.id);
    for (const passes of this.passes.values()) passes.delete(peer.id);
  }

  /** Whether a partition has to go to its owners: there is something of it, or all of it was nothing. */
  holds(partition: number): boolean {
    return this.store.holdsAny(partition) || this.ownership.handedPartitions.has(partition);
  }

  /** What was taken in of a partition since owners were last found to have all of it, they may lack. */
  refresh(partition: number): void {
    if (this.replicator.foreignTouched[partition] === 0) return;
    this.replicator.foreignTouched[partition] = 0;
    this.forgetPartition(partition);
  }

  /** An owner has seen this much: what it lacks is sent to it, and if that is nothing, it has everything. */
  compare(peer: Peer, partition: number, vector: Vector): void {
    // A new owner that fetches the partition is not sent it as well.
    if (this.ownership.isCatchingUp(peer, partition) || this.covered.get(partition)?.has(peer.id)) return;
    let passes = this.passes.get(partition);
    if (passes === undefined) {
      passes = new Map();
      this.passes.set(partition, passes);
    }
    const progress = passes.get(peer.id) ?? { cursor: 0, uncovered: 0 };
    passes.set(peer.id, progress);
    this.peer = peer;
    this.partition = partition;
    this.vector = vector;
    this.progress = progress;
    while (progress.cursor >= 0 && this.looksLeft > 0) {
      progress.cursor = this.store.scanAll(partition, progress.cursor, STEP, this.visit);
      this.looksLeft--;
    }
    if (progress.cursor >= 0) return;
    passes.delete(peer.id);
    if (progress.uncovered === 0) this.cover(partition, peer);
  }

  /** An owner has everything of a partition; when all have, it goes. */
  cover(partition: number, peer: Peer): void {
    if (this.ownership.owns(partition) || this.replicator.foreignTouched[partition] === 1) {
      this.forgetPartition(partition);
      return;
    }
    let owners = this.covered.get(partition);
    if (owners === undefined) {
      owners = new Set();
      this.covered.set(partition, owners);
    }
    owners.add(peer.id);
    const all = this.ownership.otherOwners(partition);
    for (const owner of all) if (!owners.has(owner.id) || owner.state !== 'alive') return;
    if (all.length === 0) return;
    this.forgetPartition(partition);
    if (!this.floorDesk.giveAway(partition)) return;
    if (!this.replicator.noteCleared(partition)) return;
    this.store.clearPartition(partition);
    this.ownership.handedOff(partition);
    this.stats.handedOff++;
  }

  private forgetPartition(partition: number): void {
    this.covered.delete(partition);
    this.passes.delete(partition);
  }
}
