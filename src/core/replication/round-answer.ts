/**
 * The answering side of a round of anti-entropy: a peer's ROOTS are compared with what was seen and is held here, and what differs is
 * named. anti-entropy.ts, which asks, hands it the frame. Guarded: it keeps nothing of a round; leaves and vectors are bounded per round,
 * and what does not fit is named as left to the next.
 */
import { FRAME_LEAVES, FRAME_VECTOR } from '../gossip/frames.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import {
  encodeEnd,
  FLAG_COMPARED,
  FLAG_FOREIGN,
  FLAG_LOSSY,
  FLAG_SYNCING,
  ROOT_BYTES,
  ROOTS_HEADER_BYTES,
} from './anti-entropy-messages.js';
import { encodeVector, VECTOR_ASKS } from './catch-up-messages.js';
import { Doubts } from './doubts.js';
import type { FloorDesk } from './floor-desk.js';
import type { Floors } from './floors.js';
import type { Foreign } from './foreign.js';
import type { Frontiers } from './frontier.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import type { RepairQueues } from './repair-queues.js';
import type { Trie } from './trie.js';

/** Partitions compared leaf by leaf in one round. */
const LEAVES_PER_ROUND = 16;
/** Vectors sent in one round, bytes; the partitions beyond wait for the next. */
const VECTOR_BYTES_PER_ROUND = 512 * 1024;
/** Index slots looked at per round to leave out what has expired; the sweep sees to the rest. */
export const WALK_PER_ROUND = 20_000;

export class RoundAnswer {
  /** Partitions that a peer holds otherwise, though it has seen the same. */
  readonly doubts: Doubts;

  constructor(
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly frontiers: Frontiers,
    private readonly floors: Floors,
    private readonly floorDesk: FloorDesk,
    private readonly foreign: Foreign,
    private readonly trie: Trie,
    private readonly queues: RepairQueues,
    private readonly options: { partitions: number },
  ) {
    this.doubts = new Doubts(options.partitions);
  }

  /** Answers ROOTS, whose header is there, with what differs. True if the peer goes by another ring. */
  roots(peer: Peer, body: Buffer, nowMs: number): boolean {
    // Peers of different rings do not know what each other owns: the rings are exchanged first.
    const busy = body.readUInt32LE(0) !== this.ownership.ringHash;
    // Who is about to be ready has to know by then what was deleted and forgotten here: said on the same stream, before the answer.
    if (!busy && namesSyncing(body)) this.floorDesk.sayTo(peer);
    const remaining = new Set<number>();
    const skipped = new Set<number>();
    const doubted = new Set<number>();
    const vectors = new Map<number, Buffer>();
    const sameFlush = this.knowsSameFlush(body);
    let walk = WALK_PER_ROUND;
    let leaves = this.queues.waitsFor(peer) ? LEAVES_PER_ROUND : 0;
    let vectorBytes = 0;
    const named = new Set<number>();
    for (let at = ROOTS_HEADER_BYTES; at + ROOT_BYTES <= body.length && !busy; at += ROOT_BYTES) {
      const partition = body.readUInt16LE(at);
      if (partition >= this.options.partitions || named.has(partition)) continue;
      named.add(partition);
      if (!(this.ownership.owns(partition) || this.foreign.holds(partition))) {
        skipped.add(partition);
        continue;
      }
      const frontier = this.frontiers.of(partition);
      frontier.hash(body.readDoubleLE(at + 20));
      if (frontier.hashLow !== body.readUInt32LE(at + 12) || frontier.hashHigh !== body.readUInt32LE(at + 16)) {
        if (vectorBytes > VECTOR_BYTES_PER_ROUND) remaining.add(partition);
        else {
          const vector = this.encodeVector(partition, VECTOR_ASKS);
          vectors.set(partition, vector);
          vectorBytes += vector.length;
        }
      } else if (this.comparesRecords(peer, partition, body[at + 2])) {
        if (!sameFlush) {
          doubted.add(partition);
          continue;
        }
        walk = this.store.digest(partition, walk);
        if (this.store.digestLow === body.readUInt32LE(at + 4) && this.store.digestHigh === body.readUInt32LE(at + 8)) {
          this.doubts.settle(peer.id, partition);
          continue;
        }
        doubted.add(partition);
        // What is the same is so by any clock; by a wrong one, what is on its way to the peer would count as settled.
        if (this.floors.drifted) continue;
        const isDue = this.doubts.note(peer.id, partition, nowMs) || (body[at + 2] & FLAG_SYNCING) !== 0;
        if (!isDue || leaves >= LEAVES_PER_ROUND) continue;
        leaves++;
        this.trie.sendLeaves(peer, partition);
      }
    }
    const handing = this.ownership.handedPartitions;
    const differing = new Set(vectors.keys());
    const { flushedHlc, flushedActor } = this.store;
    const flushed = { flushedHlc, flushedActor };
    const { lastBatch, durableBatch } = this.wal;
    const unready = this.ownership.unreadyPartitions();
    const holding = this.ownership.heldOf(unready);
    const held = { unready, handing, holding };
    const end = { busy, flushed, lastBatch, durableBatch, ...held, remaining, skipped, doubted, differing };
    this.peers.sendFrame(peer, FRAME_LEAVES, encodeEnd(end));
    for (const vector of vectors.values()) this.peers.sendFrame(peer, FRAME_VECTOR, vector);
    return busy;
  }

  /**
   * What a flush took is no difference to repair: who has not taken it in yet, its clock being behind, would offer it all for nothing. The
   * asker's flush was taken in before this, if this node's clock allowed that.
   */
  private knowsSameFlush(body: Buffer): boolean {
    return body.readDoubleLE(4) === this.store.flushedHlc && body.readDoubleLE(12) === this.store.flushedActor;
  }

  /**
   * Whether two who have seen the same compare what they hold: it says nothing where one has evicted or is no owner, unless one of
   * them was away while the other forgot deletes. That ends with the first comparison: floors rise one by one, and differ for moments.
   */
  private comparesRecords(peer: Peer, partition: number, flags: number): boolean {
    if ((flags & FLAG_FOREIGN) !== 0) return false;
    if ((flags & FLAG_COMPARED) === 0 && peer.floors[partition] !== this.floors.floor[partition]) return true;
    return (flags & (FLAG_LOSSY | FLAG_SYNCING)) === 0 && !this.store.isLossy(partition);
  }

  /** VECTOR: what this node has seen of a partition. */
  encodeVector(partition: number, flags: number): Buffer {
    const { flushedHlc, flushedActor } = this.store;
    return encodeVector({ partition, flags, flushedHlc, flushedActor, vector: this.frontiers.of(partition) });
  }
}

/** Whether ROOTS name a partition that their sender is catching up. */
function namesSyncing(body: Buffer): boolean {
  for (let at = ROOTS_HEADER_BYTES; at + ROOT_BYTES <= body.length; at += ROOT_BYTES) {
    if ((body[at + 2] & FLAG_SYNCING) !== 0) return true;
  }
  return false;
}
