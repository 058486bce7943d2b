/**
 * The side of catching up that is behind: pulls of partitions from peers that have seen more, slice by slice. anti-entropy.ts says what
 * is wanted and takes note of what is done; catch-up-source.ts at the peer answers. A hand-off or a bootstrap is a pull with an empty
 * vector.
 *
 *     PULL (partition, cursor, what is seen here)  ->
 *                                                  <-  SLICE (records that it does not cover, the next cursor; first: the peer's vector)
 *     each record merged and logged; PULL from the next cursor, until the end; then the vector is joined and noted in the log
 *
 * Guarded: the peer's vector (COVER) is joined only after every slice of the walk that it stands at the beginning of has been merged,
 * each in its turn: the next slice is asked for when the last is in, an answer to any other cursor is ignored, and a record that could
 * not be kept stops the walk at its cursor. The note stands in the log behind those records, so no torn tail leaves it without them. A peer that
 * started anew, or dropped the partition meanwhile, ends the walk without a join: its vector spoke of what it held before.
 * Bounded: one slice under way per pull, one pull per partition, as many pulls per peer as catch-up-window.ts has it; what is merged per
 * tick is as catch-up-pace.ts has it, the rest of a slice waits.
 */
import { hlcFromMs } from '../base/hlc.js';
import { FRAME_PULL } from '../gossip/frames.js';
import { recordBytes } from '../record/record.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import {
  decodeSlice,
  encodePull,
  PULL_RECENT,
  SLICE_END,
  SLICE_GONE,
  SLICE_LOSSY,
  type SliceHead,
} from './catch-up-messages.js';
import type { CatchUpPace } from './catch-up-pace.js';
import { CatchUpWindow } from './catch-up-window.js';
import type { Frontiers } from './frontier.js';
import type { Peer, Peers } from './peers.js';
import type { Replicator } from './replicator.js';
import type { Vector } from './vector.js';

/** A slice that has not come by then is asked for again, from the same cursor. */
const PATIENCE_MS = 3000;
/** What could not be kept is asked for again after this time. */
const RETRY_MS = 500;
const TRIES_MAX = 6;

/** A slice, merged up to `at`. */
interface Arrived {
  readonly head: SliceHead;
  body: Buffer;
  at: number;
}

interface Pull {
  readonly peer: Peer;
  /** The peer's start that this pull reads from. */
  readonly actor: number;
  readonly partition: number;
  recent: boolean;
  readonly token: number;
  /** This node's epoch of the partition, and which of its ownings of it: what a walk brought belongs to both. */
  readonly ownEpoch: number;
  readonly owning: number;
  /** Whether the peer was a source when it was asked. */
  readonly fromSource: boolean;
  cursor: number;
  /** The peer's vector as the walk began; null before the first slice. */
  cover: Vector | null;
  epoch: number;
  lossy: boolean;
  /** When to ask, for the first time or again; infinite never. */
  askAtMs: number;
  tries: number;
  /** Since when, and what has come. */
  readonly beganAtMs: number;
  records: number;
  bytes: number;
  /** The slice that has come, while not all of it is merged. */
  arrived: Arrived | null;
}

/** How far a partition is that is being fetched. */
export interface PullProgress {
  partition: number;
  source: string;
  /** Of the hashes of a walk; 0 while the peer's own latest writes are asked for, which are few. */
  percent: number;
  records: number;
  bytes: number;
  /** At the pace so far; -1 when there is none yet. */
  eta_seconds: number;
}

const HASHES = 2 ** 32;

export class CatchUp {
  nowMs = 0;
  wallMs = 0;
  /** By partition, in order of arrival. */
  private readonly pulls = new Map<number, Pull>();
  /** Those whose slice is under way, or being merged. */
  private readonly active = new Set<Pull>();
  /** By peer, while a pull from it is under way. */
  private readonly windows = new Map<string, CatchUpWindow>();
  private nextToken = 1;
  private firstActive = 0;
  readonly stats = { pulls: 0, joined: 0, abandoned: 0, records: 0, bytes: 0, unkept: 0, malformed: 0, stray: 0 };

  constructor(
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly frontiers: Frontiers,
    private readonly peers: Peers,
    private readonly replicator: Replicator,
    private readonly pace: CatchUpPace,
    /** Per partition, which of its ownings of it this node is in. */
    private readonly ownings: Uint32Array,
    private readonly options: { mutations: ReadonlySet<string> },
  ) {}

  /** Partitions being caught up, or waiting for it. */
  get size(): number {
    return this.pulls.size;
  }

  /** The first of them that are under way or wait: `most` at most. */
  progress(most: number): PullProgress[] {
    const rows: PullProgress[] = [];
    for (const { partition, peer, recent, cursor, records, bytes, beganAtMs } of this.pulls.values()) {
      if (rows.length >= most) break;
      const share = recent ? 0 : cursor / HASHES;
      const leftMs = share === 0 ? -1000 : ((this.nowMs - beganAtMs) * (1 - share)) / share;
      const percent = Math.floor(share * 100);
      rows.push({ partition, source: peer.id, percent, records, bytes, eta_seconds: Math.ceil(leftMs / 1000) });
    }
    return rows;
  }

  isPulling(partition: number): boolean {
    return this.pulls.has(partition);
  }

  isPullingFrom(peer: Peer, partition: number): boolean {
    return this.pulls.get(partition)?.peer === peer;
  }

  /**
   * Brings a partition up to what a peer has seen; with `recent` only that peer's own latest writes, if it remembers them. `fromSource`: the
   * peer has everything that this node may lack.
   */
  want(peer: Peer, partition: number, recent: boolean, fromSource: boolean): void {
    if (this.pulls.has(partition)) return;
    this.stats.pulls++;
    this.pulls.set(partition, {
      peer,
      actor: peer.actor,
      partition,
      recent,
      token: this.nextToken,
      ownEpoch: this.frontiers.epoch(partition),
      owning: this.ownings[partition],
      fromSource,
      cursor: 0,
      cover: null,
      epoch: 0,
      lossy: false,
      askAtMs: this.nowMs,
      tries: 0,
      beganAtMs: this.nowMs,
      records: 0,
      bytes: 0,
      arrived: null,
    });
    this.nextToken = (this.nextToken + 1) >>> 0 || 1;
    this.askNext(peer);
  }

  /**
   * Goes on with the slices that have come, asks for what is due, and again for what has not come. `caughtUp`: told as `slice` does.
   */
  tick(caughtUp: (peer: Peer, partition: number) => void): void {
    this.pace.tick(this.nowMs, this.active.size > 0);
    for (const pull of this.pulls.values()) {
      if (pull.peer.actor !== pull.actor || pull.peer.state === 'dead' || pull.peer.state === 'left')
        this.abandon(pull);
    }
    const active = [...this.active];
    // A long walk takes all there is: each tick another begins.
    this.firstActive = active.length === 0 ? 0 : (this.firstActive + 1) % active.length;
    for (let step = 0; step < active.length; step++) {
      const pull = active[(this.firstActive + step) % active.length];
      const partition = pull.arrived === null ? -1 : this.goOn(pull, pull.arrived);
      if (partition >= 0) caughtUp(pull.peer, partition);
    }
    for (const pull of this.active) if (this.nowMs >= pull.askAtMs) this.ask(pull);
    for (const pull of this.pulls.values()) this.begin(pull);
  }

  /** The stream to a peer broke. What is under way goes on by the next one; those that wait may be had of others. */
  lost(peer: Peer): void {
    for (const pull of this.pulls.values()) {
      if (pull.peer === peer && !this.active.has(pull)) this.abandon(pull);
    }
  }

  /** What was asked of a peer will not come. */
  forget(peer: Peer): void {
    for (const pull of this.pulls.values()) if (pull.peer === peer) this.abandon(pull);
  }

  /** SLICE from a peer. Returns the partition that is now caught up with a source by a whole walk, or -1. */
  slice(peer: Peer, body: Buffer): number {
    const decoded = decodeSlice(body);
    if (decoded === null) {
      this.stats.malformed++;
      return -1;
    }
    const { head, recordsStart } = decoded;
    const pull = this.pulls.get(head.partition);
    const expected = pull !== undefined && head.token === pull.token && head.cursor === pull.cursor;
    const isFrom = pull?.peer === peer && pull.actor === peer.actor && this.active.has(pull);
    if (!expected || !isFrom || pull.arrived !== null) {
      this.stats.stray++;
      return -1;
    }
    this.windows.get(peer.id)?.came(body.length);
    this.stats.bytes += body.length;
    pull.bytes += body.length;
    if ((head.flags & SLICE_GONE) !== 0 || !this.begins(pull, head)) {
      this.abandon(pull);
      return -1;
    }
    pull.askAtMs = Number.POSITIVE_INFINITY;
    const arrived = { head, body, at: recordsStart };
    pull.arrived = arrived;
    const partition = this.goOn(pull, arrived);
    // The frame was lent.
    if (pull.arrived === arrived) arrived.body = Buffer.from(body);
    return partition;
  }

  /** Merges what the pace allows of a slice; at its end the next is asked for. Returns the partition as `slice` does. */
  private goOn(pull: Pull, arrived: Arrived): number {
    const { head } = arrived;
    // What was merged before the partition was dropped here is gone: the peer's vector would speak of it.
    if (this.frontiers.epoch(pull.partition) !== pull.ownEpoch) {
      this.abandon(pull);
      return -1;
    }
    const kept = this.takeSome(pull, arrived);
    if (kept && arrived.at < arrived.body.length) return -1;
    pull.arrived = null;
    if (!kept) {
      this.stats.unkept++;
      pull.askAtMs = this.nowMs + RETRY_MS;
      return -1;
    }
    pull.lossy ||= (head.flags & SLICE_LOSSY) !== 0;
    pull.tries = 0;
    if ((head.flags & SLICE_END) === 0) {
      if (head.nextCursor > pull.cursor) {
        pull.cursor = head.nextCursor;
        this.ask(pull);
      } else {
        this.stats.malformed++;
        this.abandon(pull);
      }
      return -1;
    }
    const counts = !pull.recent && pull.fromSource && pull.owning === this.ownings[pull.partition];
    // Nobody has seen all of what is stamped ahead of this node's clock.
    const mostHlc = hlcFromMs(this.wallMs);
    if (counts && pull.cover !== null) this.frontiers.walked(pull.partition, Math.min(pull.cover.floor, mostHlc));
    this.finish(pull);
    return counts ? pull.partition : -1;
  }

  /** Whether the slice belongs to one walk with those before it; the first tells what kind of walk it is. */
  private begins(pull: Pull, head: SliceHead): boolean {
    const isFirst = pull.cursor === 0 || this.options.mutations.has('cover-as-of-the-end');
    if (head.vector !== null && isFirst) pull.cover = head.vector;
    if (pull.cursor === 0) {
      pull.recent = (head.flags & PULL_RECENT) !== 0;
      pull.epoch = head.epoch;
      if (this.options.mutations.has('cover-before-records') && pull.cover !== null) this.join(pull, pull.cover);
    }
    return pull.cover !== null && pull.epoch === head.epoch && pull.recent === ((head.flags & PULL_RECENT) !== 0);
  }

  /** Merges and logs records of a slice as long as the pace allows; false at the first that could not be kept. */
  private takeSome(pull: Pull, arrived: Arrived): boolean {
    const { body } = arrived;
    while (arrived.at < body.length && !this.pace.isSpent) {
      if (!this.replicator.adopt(pull.peer, body, arrived.at, body.length)) return false;
      const length = recordBytes(body, arrived.at);
      arrived.at += length;
      this.pace.spent(length);
      this.stats.records++;
      pull.records++;
    }
    return true;
  }

  private finish(pull: Pull): void {
    if (pull.cover !== null) this.join(pull, pull.cover);
    this.stats.joined++;
    this.end(pull);
    this.askNext(pull.peer);
    this.closeWindow(pull.peer);
  }

  private join(pull: Pull, cover: Vector): void {
    const { frontiers } = this;
    if (pull.recent) frontiers.joinActor(pull.partition, cover, pull.actor);
    else frontiers.join(pull.partition, cover);
    // What the peer had seen and given up is not among the records: its absence here is no proof either.
    if (pull.lossy && !this.store.isLossy(pull.partition)) {
      this.store.noteLossy(pull.partition);
      // Before the note that it takes back part of.
      if (!this.replicator.noteLossy()) return;
    }
    this.replicator.noteFrontier(pull.partition);
  }

  private abandon(pull: Pull): void {
    this.stats.abandoned++;
    this.end(pull);
    this.closeWindow(pull.peer);
  }

  private end(pull: Pull): void {
    this.pulls.delete(pull.partition);
    if (this.active.delete(pull)) this.windows.get(pull.peer.id)?.ended();
  }

  /** What comes later begins anew. */
  private closeWindow(peer: Peer): void {
    if (this.windows.get(peer.id)?.isEmpty) this.windows.delete(peer.id);
  }

  /** The next partitions of this peer, as far as its window is open. */
  private askNext(peer: Peer): void {
    if (!peer.connected) return;
    for (const pull of this.pulls.values()) {
      if (this.windows.get(peer.id)?.isOpen === false) return;
      if (pull.peer === peer) this.begin(pull);
    }
  }

  /** Asks for the first slice of a pull that waits, if it may be under way now. */
  private begin(pull: Pull): void {
    const { peer } = pull;
    if (!peer.connected || this.active.has(pull)) return;
    const window = this.windows.get(peer.id) ?? new CatchUpWindow();
    if (!window.isOpen) return;
    this.windows.set(peer.id, window);
    window.began();
    this.active.add(pull);
    this.ask(pull);
  }

  private ask(pull: Pull): void {
    if (++pull.tries > TRIES_MAX) {
      this.abandon(pull);
      return;
    }
    pull.askAtMs = this.nowMs + PATIENCE_MS;
    if (!pull.peer.connected || this.wal.refusal !== null) return;
    const { partition, token, cursor } = pull;
    const flags = pull.recent ? PULL_RECENT : 0;
    const vector = this.frontiers.of(partition);
    this.peers.sendFrame(pull.peer, FRAME_PULL, encodePull({ partition, flags, token, cursor, vector }));
  }
}
