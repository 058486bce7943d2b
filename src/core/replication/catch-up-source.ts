/**
 * The side of catching up that is ahead: it answers each PULL with a SLICE of what the asker's vector does not cover. anti-entropy.ts
 * hands it the frames; catch-up.ts at the other node asks. It keeps nothing between two slices: the cursor comes with the PULL, so a
 * walk outlives a broken stream, and an asker that goes away costs nothing.
 *
 * Two ways to find what differs. The recent writes of this node are looked up by the hashes remembered for their sequences: work in
 * proportion to the gap. Whatever is not of this node, or older than that memory, is found by a walk over the partition in the order of
 * hashes: every record, tombstones and expired ones too, whose dot the vector does not cover. A walk meets each record linked
 * throughout it, and one that took another's place carries a dot of its own; so after the last slice the asker holds, for each dot this
 * node had seen as the walk began, its record or a later one of the same key. That vector goes with the FIRST slice, never a later one.
 * Guarded: work and bytes of a slice are bounded, and bytes per tick over all askers, so that clients come first. What waits for the next tick
 * is bounded per asker, and askers take turns.
 */
import { FRAME_SLICE } from '../gossip/frames.js';
import { recordBytes } from '../record/record.js';
import type { Store } from '../store/store.js';
import {
  decodePull,
  encodeSlice,
  PULL_RECENT,
  type PullMessage,
  SLICE_END,
  SLICE_GONE,
  SLICE_LOSSY,
} from './catch-up-messages.js';
import { PULLS_PER_PEER_MAX } from './catch-up-window.js';
import type { Frontiers } from './frontier.js';
import type { Peer, Peers } from './peers.js';
import type { Vector } from './vector.js';

const RECENT_WORDS = 1 << 18;
const RECENT_MAX = 1024;
const RECENT_MIN = 64;
/** Records of one slice, bytes; a single greater one goes alone. */
const SLICE_BYTES = 256 * 1024;
const STEP = 128;
/** What is sent per tick to all askers, bytes: 20 MB/s at a tick of 25 ms; and looked at for it, some two ms. The rest waits for the next. */
const TICK_BYTES = 512 * 1024;
const TICK_LOOKS = 8_192;

export interface CatchUpBounds {
  /** Records that one slice looks at. */
  sliceRecords: number;
  /** Own writes remembered per partition: a power of two. */
  recentWrites: number;
  /** Bytes merged per tick, to begin with (catch-up-pace.ts). */
  mergedBytesBegin?: number;
}

/** Bounds for so many partitions: 1 MiB for the writes that are remembered, within 64 and 1024 a partition. */
export function catchUpBounds(partitions: number): CatchUpBounds {
  let recentWrites = RECENT_MAX;
  while (recentWrites > RECENT_MIN && recentWrites * partitions > RECENT_WORDS) recentWrites >>>= 1;
  return { sliceRecords: 4096, recentWrites };
}

interface Waiting {
  readonly peer: Peer;
  /** In order of arrival, one a partition. */
  readonly pulls: PullMessage[];
}

export class CatchUpSource {
  /** By peer; each has at least one pull. */
  private readonly waiting = new Map<string, Waiting>();
  private tickBytes = 0;
  private tickLooks = 0;
  private asked!: Vector;
  private partition = 0;
  private readonly pieces: Buffer[] = [];
  private bytes = 0;
  private lastHash = -1;
  /** First hash left to the next slice; -1 if there was room for all. */
  private leftAt = -1;
  private onlyHash = -1;
  readonly stats = { slices: 0, records: 0, bytes: 0, looked: 0, walks: 0, dropped: 0, malformed: 0 };
  private readonly visit = (buffer: Buffer, offset: number, hash: number): void => {
    if (this.onlyHash >= 0 && hash !== this.onlyHash) return;
    this.stats.looked++;
    this.tickLooks++;
    if (this.leftAt >= 0 || this.frontiers.isCovered(this.asked, buffer, offset)) return;
    const length = recordBytes(buffer, offset);
    // Equal hashes stay together: a cursor stands between hashes.
    if (this.bytes > 0 && this.bytes + length > SLICE_BYTES && hash !== this.lastHash) {
      this.leftAt = hash;
      return;
    }
    this.lastHash = hash;
    this.bytes += length;
    this.pieces.push(Buffer.from(buffer.subarray(offset, offset + length)));
  };

  constructor(
    private readonly store: Store,
    private readonly frontiers: Frontiers,
    private readonly peers: Peers,
    private readonly options: { partitions: number; sliceRecords: number; mutations: ReadonlySet<string> },
  ) {}

  get size(): number {
    let size = 0;
    for (const { pulls } of this.waiting.values()) size += pulls.length;
    return size;
  }

  /** A new budget, and who waited for it: one pull of each asker after another. */
  tick(): void {
    this.tickBytes = 0;
    this.tickLooks = 0;
    // What is put back stands at the end of the line, and is met again.
    for (const [id, entry] of this.waiting) {
      if (this.isSpent) return;
      this.waiting.delete(id);
      const pull = entry.pulls.shift();
      if (entry.pulls.length > 0) this.waiting.set(id, entry);
      if (pull !== undefined) this.answer(entry.peer, pull);
    }
  }

  forget(peer: Peer): void {
    this.waiting.delete(peer.id);
  }

  /** PULL from a peer that is behind. */
  pulled(peer: Peer, body: Buffer): void {
    const pull = decodePull(body);
    if (pull === null || pull.partition >= this.options.partitions) this.stats.malformed++;
    else if (this.isSpent) this.wait(peer, pull);
    else this.answer(peer, pull);
  }

  /** Asked again, a pull takes its own place; one too many is asked for again. */
  private wait(peer: Peer, pull: PullMessage): void {
    const pulls = this.waiting.get(peer.id)?.pulls ?? [];
    const held = pulls.findIndex(({ partition }) => partition === pull.partition);
    if (held >= 0) pulls[held] = pull;
    else if (pulls.length < PULLS_PER_PEER_MAX) pulls.push(pull);
    else this.stats.dropped++;
    this.waiting.set(peer.id, { peer, pulls });
  }

  private get isSpent(): boolean {
    return this.tickBytes >= TICK_BYTES || this.tickLooks >= TICK_LOOKS;
  }

  private answer(peer: Peer, pull: PullMessage): void {
    const { partition, cursor, vector } = pull;
    this.asked = vector;
    this.partition = partition;
    this.bytes = 0;
    this.lastHash = -1;
    this.leftAt = -1;
    this.pieces.length = 0;
    const here = this.frontiers.of(partition);
    const recent = (pull.flags & PULL_RECENT) !== 0 && this.remembers(vector, cursor);
    if (!recent && (pull.flags & PULL_RECENT) !== 0 && cursor > 0) {
      this.reply(peer, pull, SLICE_GONE, cursor, null);
      return;
    }
    if (!recent && cursor === 0) this.stats.walks++;
    const nextCursor = recent ? this.lookUp(cursor) : this.walk(cursor);
    const first = cursor === 0 || this.options.mutations.has('cover-as-of-the-end');
    const flags =
      (recent ? PULL_RECENT : 0) | (nextCursor < 0 ? SLICE_END : 0) | (this.store.isLossy(partition) ? SLICE_LOSSY : 0);
    this.reply(peer, pull, flags, Math.max(0, nextCursor), first ? here : null);
  }

  private reply(peer: Peer, pull: PullMessage, flags: number, nextCursor: number, vector: Vector | null): void {
    const { partition, token, cursor } = pull;
    const epoch = this.frontiers.epoch(partition);
    const body = encodeSlice({ partition, flags, token, cursor, nextCursor, epoch, vector }, this.pieces);
    this.stats.slices++;
    this.stats.records += this.pieces.length;
    this.stats.bytes += body.length;
    this.tickBytes += body.length;
    this.pieces.length = 0;
    this.peers.sendFrame(peer, FRAME_SLICE, body);
  }

  /** Whether what is missing of this node's own writes is within what it remembers. */
  private remembers(asked: Vector, cursor: number): boolean {
    const { frontiers, partition } = this;
    const last = frontiers.sequences[partition];
    const here = frontiers.of(partition);
    const own = here.indexOf(frontiers.self);
    if (own < 0 || here.throughs[own] !== last) return false;
    return Math.max(cursor, this.seenOfOwn(asked) + 1) > last - frontiers.recentCount;
  }

  private seenOfOwn(asked: Vector): number {
    const index = asked.indexOf(this.frontiers.self);
    return index < 0 ? 0 : asked.throughs[index];
  }

  /** This node's own writes from a sequence on. Returns the sequence to go on from, -1 at the end. */
  private lookUp(cursor: number): number {
    const { frontiers, partition, asked, store } = this;
    const last = frontiers.sequences[partition];
    const shipped = new Set<number>();
    let looks = 0;
    for (let sequence = Math.max(cursor, this.seenOfOwn(asked) + 1); sequence <= last; sequence++) {
      if (looks >= this.options.sliceRecords || this.leftAt >= 0) {
        this.onlyHash = -1;
        return this.leftAt >= 0 ? sequence - 1 : sequence;
      }
      looks++;
      if (asked.covers(frontiers.self, sequence)) continue;
      const hash = frontiers.recent[frontiers.recentAt(partition, sequence)];
      if (shipped.has(hash)) continue;
      shipped.add(hash);
      this.onlyHash = hash;
      store.scanAll(partition, hash, 1, this.visit);
    }
    this.onlyHash = -1;
    return this.leftAt >= 0 ? last : -1;
  }

  /** Everything from a hash on. Returns the hash to go on from, -1 at the end. */
  private walk(cursor: number): number {
    const { sliceRecords } = this.options;
    const step = Math.min(STEP, sliceRecords);
    let from = cursor;
    for (let looks = 0; looks < sliceRecords && this.bytes < SLICE_BYTES; looks += step) {
      from = this.store.scanAll(this.partition, from, step, this.visit);
      if (this.leftAt >= 0) return this.leftAt;
      if (from < 0) return -1;
    }
    return from;
  }
}
