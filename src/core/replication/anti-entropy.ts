/**
 * The backstop of convergence: two owners compare what they have SEEN of each partition, and who is behind fetches what it lacks.
 * Rounds run one at a time, this node asking one peer; every step can be lost, the next round begins anew.
 *
 *     asker                                            peer
 *     ROOTS: per shared partition hashes of the   ->   compares with its own
 *     frontier and of the records held
 *                                                 <-   LEAVES of partitions where only the records differ (trie.ts), then "that was all",
 *                                                 <-   VECTOR of each partition where the frontiers differ
 *     pulls what the vector has seen and this node has not (catch-up.ts); VECTOR, if the peer is behind, and it does the same
 *
 * Cost: 28 bytes a partition when nothing differs; about 28 an actor of a partition that does; then the records that differ, once.
 * What a vector has seen for less than the settle time is left to the links, so writes under way are no repair. The trie runs only
 * where frontiers are equal and digests were not, twice: something was lost that had been seen.
 * Guarded: a frontier is proof, a digest is a hint. A partition that has evicted is lossy: its frontier counts, its digest does not.
 * The same rounds bring what this node holds but does not own to the owners (foreign.ts), and tell which partitions are ready.
 */

import { hlcFromMs } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import { FRAME_ROOTS, FRAME_VECTOR } from '../gossip/frames.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import {
  END,
  FLAG_COMPARED,
  FLAG_FOREIGN,
  FLAG_LOSSY,
  FLAG_SYNCING,
  LEAVES,
  LEAVES_HEADER_BYTES,
  ROOT_BYTES,
  ROOTS_FLUSH_AT,
  ROOTS_HEADER_BYTES,
  type RoundEnd,
  readEnd,
} from './anti-entropy-messages.js';
import { CatchUp } from './catch-up.js';
import { decodeVector, slicePartition, VECTOR_ASKS } from './catch-up-messages.js';
import { CatchUpPace } from './catch-up-pace.js';
import { CatchUpSource } from './catch-up-source.js';
import { Fetches } from './fetches.js';
import type { FloorDesk } from './floor-desk.js';
import type { Floors } from './floors.js';
import { isLaterFlush, NEVER_FLUSHED, readFlushMark, writeFlushMark } from './flush-mark.js';
import { Foreign } from './foreign.js';
import type { Frontiers } from './frontier.js';
import { Lags } from './lags.js';
import type { Ownership, UnderWay } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import { RepairQueues } from './repair-queues.js';
import type { Replicator } from './replicator.js';
import { RoundAnswer, WALK_PER_ROUND } from './round-answer.js';
import { EAGER_MS, RoundChoice } from './round-choice.js';
import { type Outcome, SETTLE_MS, Trie } from './trie.js';
import type { Vector } from './vector.js';

/** A round without an end for this long is given up. */
const ROUND_MS = 5000;
/** How often what was newest is called settled: so that takes between one and two of these. */
const MARK_MS = SETTLE_MS;
/** What a live owner wrote is asked of others, too, when it has not come from itself within this time, or three rounds with everybody. */
const WRITER_PATIENCE_MS = 5_000;
/** Gaps in what was seen of a live peer that one mark has filled, partitions. */
const GAPS_PER_MARK = 64;

interface Round {
  readonly peer: Peer;
  readonly ringHash: number;
  readonly beganAtMs: number;
  readonly beganWallMs: number;
  /** Partitions named in ROOTS of which nothing was said yet. */
  readonly asked: Set<number>;
  /** The peer has named all that differs. */
  compared: boolean;
  /** Partitions of which a vector is to come. */
  readonly vectors: Set<number>;
  /** Partitions compared leaf by leaf: what one had and the other lacked, over the parts so far. */
  readonly tries: Map<number, number>;
  /** Of which changes of this node's floors the peer was told in this round; -1 for none. */
  toldFloors: number;
  /** Nothing is left for another round, and nobody is behind. */
  clean: boolean;
  postponed: boolean;
}

export interface AntiEntropyOptions {
  partitions: number;
  intervalMs: number;
  tickIntervalMs: number;
  /** Bytes merged per tick, to begin with. */
  mergedBytesBegin?: number;
  /** Records that one slice of a walk looks at. */
  sliceRecords: number;
  random: Random;
  mutations: ReadonlySet<string>;
}

export class AntiEntropy implements UnderWay {
  private now = 0;
  private wall = 0;
  private round: Round | null = null;
  private nextRoundAtMs = 0;
  private nextMarkAtMs = 0;
  /** The partition with which the next search for gaps begins. */
  private gapsFrom = 0;
  readonly queues: RepairQueues;
  readonly catchUp: CatchUp;
  readonly source: CatchUpSource;
  readonly trie: Trie;
  readonly foreign: Foreign;
  private readonly answer: RoundAnswer;
  readonly lags = new Lags();
  private readonly fetches: Fetches;
  private readonly choice: RoundChoice;
  /** By peer: for each partition the owning of ours in which both lives have been found to hold the same. */
  private readonly compared = new Map<string, Uint32Array>();
  /** By partition: since when this node waits for live owners to bring what they wrote. */
  private readonly waitingSinceMs = new Map<number, number>();
  readonly stats = { rounds: 0, equalRounds: 0, differingPartitions: 0, vectors: 0, gaps: 0, malformed: 0 };

  constructor(
    private readonly store: Store,
    wal: Wal,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly replicator: Replicator,
    private readonly frontiers: Frontiers,
    private readonly floors: Floors,
    private readonly floorDesk: FloorDesk,
    private readonly options: AntiEntropyOptions,
  ) {
    this.queues = new RepairQueues(store, replicator);
    const pace = new CatchUpPace(options.tickIntervalMs, options.mergedBytesBegin);
    this.catchUp = new CatchUp(store, wal, frontiers, peers, replicator, pace, ownership.ownings, options);
    this.fetches = new Fetches(ownership, peers, this.catchUp, options);
    this.choice = new RoundChoice(ownership, peers, this.catchUp, this.fetches, floors, this.queues, options);
    this.source = new CatchUpSource(store, frontiers, peers, options);
    this.trie = new Trie(store, ownership, peers, this.queues, floorDesk, options);
    this.foreign = new Foreign(store, frontiers, ownership, replicator, this.queues, floorDesk);
    this.answer = new RoundAnswer(
      store,
      wal,
      ownership,
      peers,
      frontiers,
      floors,
      floorDesk,
      this.foreign,
      this.trie,
      this.queues,
      options,
    );
  }

  setTime(nowMs: number, wallMs: number): void {
    this.now = nowMs;
    this.wall = wallMs;
    this.catchUp.nowMs = nowMs;
    this.catchUp.wallMs = wallMs;
    this.trie.wallMs = wallMs;
  }

  tick(): void {
    this.queues.drain(this.peers);
    if (this.options.mutations.has('no-anti-entropy')) return;
    this.source.tick();
    this.catchUp.tick(this.walkedThrough);
    if (this.now >= this.nextMarkAtMs) this.mark();
    if (this.round !== null && this.now >= this.round.beganAtMs + ROUND_MS) this.endRound(EAGER_MS);
    if (this.round === null && this.now >= this.nextRoundAtMs) this.beginRound();
  }

  isPulling(partition: number): boolean {
    return this.catchUp.isPulling(partition);
  }

  /** Whether a partition may lack its tail, and somebody who can be reached has not been heard out. */
  isUnheard(partition: number): boolean {
    return this.fetches.isTorn(partition) && !this.fetches.isEnough(partition, this.now);
  }

  /** A new start with this peer: what was known of it may be gone. */
  peerRestarted(peer: Peer): void {
    peer.passedWallMs.fill(0);
    peer.flushed = NEVER_FLUSHED;
    this.queues.forget(peer);
    this.foreign.forget(peer);
    this.compared.delete(peer.id);
    this.catchUp.forget(peer);
    this.answer.doubts.forget(peer.id);
    this.lags.forget(peer.id);
    this.fetches.forget(peer);
    this.peerLost(peer);
    this.nextRoundAtMs = Math.min(this.nextRoundAtMs, this.now + EAGER_MS);
  }

  peerLost(peer: Peer): void {
    this.source.forget(peer);
    this.catchUp.lost(peer);
    if (this.round?.peer === peer) this.endRound(this.options.intervalMs);
  }

  /** A member is forgotten for good. */
  peerForgotten(peer: Peer): void {
    this.answer.doubts.forget(peer.id);
    this.compared.delete(peer.id);
    this.lags.forget(peer.id);
    this.fetches.forget(peer);
    this.catchUp.forget(peer);
  }

  /** A peer said what it has: if that is what this node waits for, it is asked at once. */
  reported(peer: Peer): void {
    if (this.nextRoundAtMs > this.now && this.choice.isAwaited(peer, this.now)) this.nextRoundAtMs = this.now;
  }

  /** The ring is another. */
  ringChanged(): void {
    this.foreign.ringChanged();
    this.hasten();
  }

  /** Rounds begin soon: the ring or the members changed. */
  hasten(): void {
    this.nextRoundAtMs = Math.min(this.nextRoundAtMs, this.now + EAGER_MS);
  }

  /** What is newest is settled from the mark after next on. What was lost on the way from a live peer is fetched from it. */
  private mark(): void {
    const isLive = (actor: number): boolean => this.peers.withActor(actor) !== undefined;
    // Whoever stood still for longer has nothing new.
    if (this.now - this.nextMarkAtMs > 2 * MARK_MS) this.frontiers.mark(isLive);
    this.nextMarkAtMs = this.now + MARK_MS;
    // Who is alone knows of nobody who may have more: that is no proof once it is not.
    for (let partition = 0; partition < this.options.partitions && !this.floors.alone; partition++) {
      this.frontiers.raise(partition, this.floors.settledThrough(partition));
    }
    this.frontiers.mark(isLive);
    let left = GAPS_PER_MARK;
    const { partitions } = this.options;
    for (let step = 0, from = this.gapsFrom; step < partitions && left > 0; step++) {
      const partition = (from + step) % partitions;
      if (!this.ownership.owns(partition) || this.catchUp.isPulling(partition)) continue;
      const peer = this.gapIn(this.frontiers.of(partition));
      if (peer === null) continue;
      // Where the next mark begins: gaps that do not close are not in the way of the others.
      if (--left === 0) this.gapsFrom = partition + 1;
      this.stats.gaps++;
      this.catchUp.want(peer, partition, true, false);
    }
  }

  /** A live peer of whose writes a later one was seen a while ago, and an earlier one was not. */
  private gapIn(vector: Vector): Peer | null {
    for (let index = 0; index < vector.count; index++) {
      if (vector.rangesOf(index).length === 0 || vector.settled[index] <= vector.throughs[index]) continue;
      const peer = this.peers.withActor(vector.actors[index]);
      if (peer !== undefined && peer.state === 'alive' && peer.connected) return peer;
    }
    return null;
  }

  private beginRound(): void {
    const peer = this.choice.choose(this.now);
    if (peer === null) {
      this.nextRoundAtMs = this.now + this.options.intervalMs;
      return;
    }
    this.foreign.beginRound();
    const asked = new Set<number>();
    const body = Buffer.alloc(ROOTS_HEADER_BYTES + this.options.partitions * ROOT_BYTES);
    body.writeUInt32LE(this.ownership.ringHash, 0);
    writeFlushMark(body, ROOTS_FLUSH_AT, this.store);
    let at = ROOTS_HEADER_BYTES;
    let walk = WALK_PER_ROUND;
    const first = this.options.random.below(this.options.partitions);
    for (let step = 0; step < this.options.partitions; step++) {
      const partition = (first + step) % this.options.partitions;
      const flags = this.sharedFlags(partition, peer);
      if (flags < 0) continue;
      asked.add(partition);
      if ((flags & FLAG_SYNCING) !== 0) this.fetches.asked(partition, peer, this.now);
      if (!this.ownership.owns(partition)) this.foreign.refresh(partition);
      walk = this.store.digest(partition, walk);
      const frontier = this.frontiers.of(partition);
      const floor = Math.max(frontier.floor, peer.floors[partition]);
      frontier.hash(floor);
      body.writeUInt16LE(partition, at);
      body[at + 2] = flags;
      body.writeUInt32LE(this.store.digestLow, at + 4);
      body.writeUInt32LE(this.store.digestHigh, at + 8);
      body.writeUInt32LE(frontier.hashLow, at + 12);
      body.writeUInt32LE(frontier.hashHigh, at + 16);
      body.writeDoubleLE(floor, at + 20);
      at += ROOT_BYTES;
    }
    body.writeUInt16LE(asked.size, 20);
    this.lags.keep(peer.id, asked);
    this.stats.rounds++;
    peer.roundAtMs = this.now;
    const sent = this.peers.sendFrame(peer, FRAME_ROOTS, body.subarray(0, at));
    this.round = {
      peer,
      ringHash: this.ownership.ringHash,
      beganAtMs: this.now,
      beganWallMs: this.wall,
      asked,
      compared: false,
      vectors: new Set(),
      tries: new Map(),
      toldFloors: -1,
      clean: true,
      postponed: false,
    };
    if (!sent) this.endRound(this.options.intervalMs);
  }

  /** Flags of a partition in ROOTS to a peer; -1 if the two do not compare it. */
  private sharedFlags(partition: number, peer: Peer): number {
    const mine = this.ownership.owns(partition);
    const syncing = mine && !this.ownership.isReady(partition);
    const theirs = this.ownership.otherOwners(partition).includes(peer);
    if (!(mine || this.foreign.holds(partition)) || !(theirs || syncing)) return -1;
    const compared = this.compared.get(peer.id)?.[partition] === this.ownership.ownings[partition];
    return (
      (this.store.isLossy(partition) ? FLAG_LOSSY : 0) |
      (syncing ? FLAG_SYNCING : 0) |
      (mine ? 0 : FLAG_FOREIGN) |
      (compared && mine && !syncing ? FLAG_COMPARED : 0)
    );
  }

  /** ROOTS from a peer: answers with what differs. True if the peer goes by another ring. */
  roots(peer: Peer, body: Buffer): boolean {
    const flushed = body.length < ROOTS_HEADER_BYTES ? null : readFlushMark(body, ROOTS_FLUSH_AT);
    if (flushed === null) {
      this.stats.malformed++;
      return false;
    }
    this.replicator.hearFlush(peer, flushed);
    return this.answer.roots(peer, body, this.now);
  }

  /** LEAVES from the peer asked: compared leaf by leaf. At the end, what was not named is equal. */
  leaves(peer: Peer, body: Buffer): void {
    const round = this.round;
    if (round === null || round.peer !== peer || body.length < 2) return;
    const partition = body.readUInt16LE(0);
    if (partition === END) {
      const said = readEnd(body, this.options.partitions);
      if (said === null) this.stats.malformed++;
      else {
        this.replicator.hearFlush(peer, said.flushed);
        this.allCompared(round, said);
      }
    } else if (body.length === LEAVES_HEADER_BYTES + LEAVES * 8 && round.asked.delete(partition)) {
      round.tries.set(partition, 0);
      this.tellFloors(round);
      this.trie.leaves(peer, partition, Math.max(0, this.sharedFlags(partition, peer)), body);
    } else this.stats.malformed++;
  }

  /**
   * Floors rise here and there at different moments: by what the peer knew of ours, a delete that was forgotten here since would be missing. Said on the
   * stream before what is listed.
   */
  private tellFloors(round: Round): void {
    const { changes } = this.floorDesk;
    if (round.toldFloors === changes) return;
    round.toldFloors = changes;
    this.floorDesk.sayTo(round.peer);
  }

  listed(peer: Peer, body: Buffer): void {
    this.trie.listed(peer, body);
  }

  wanted(peer: Peer, body: Buffer): void {
    const outcome = this.trie.wanted(peer, body);
    if (outcome === null) this.stats.malformed++;
    else if (this.round?.peer === peer) this.concluded(this.round, outcome);
  }

  /** A part of a partition was compared leaf by leaf. */
  private concluded(round: Round, { partition, pushed, wanted, more }: Outcome): void {
    const before = round.tries.get(partition);
    if (before === undefined) return;
    // What this node has evicted is no difference that ends.
    const differing = before + wanted + (this.store.isLossy(partition) ? 0 : pushed);
    round.tries.set(partition, differing);
    if (pushed + wanted > 0) round.clean = false;
    if (more) return;
    round.tries.delete(partition);
    this.noteCompared(round.peer, partition);
    if (differing === 0) this.equal(round, partition);
    this.endIfOver(round);
  }

  /** The peer has said what differs: everything else it was asked about is equal. */
  private allCompared(round: Round, said: RoundEnd): void {
    if (round.ringHash !== this.ownership.ringHash) {
      // What was asked, and what was said of it, is of another ring.
      this.endRound(EAGER_MS);
      return;
    }
    const ringHash = said.busy ? null : round.ringHash;
    this.ownership.readiness.note(round.peer, ringHash, said, this.now);
    round.compared = true;
    round.postponed = said.remaining.size > 0;
    if (said.busy || round.postponed) round.clean = false;
    for (const skipped of said.skipped) round.asked.delete(skipped);
    for (const partition of said.differing) if (round.asked.delete(partition)) round.vectors.add(partition);
    this.stats.differingPartitions += said.differing.size;
    for (const partition of round.asked) {
      if (said.busy || said.remaining.has(partition)) continue;
      if (said.doubted.has(partition)) this.seenTheSame(round, partition);
      else this.equal(round, partition);
    }
    round.peer.formerLife.named(said.lastBatch);
    round.peer.link.durable.durable(said.durableBatch);
    this.replicator.progress++;
    this.endIfOver(round);
  }

  /** Two have seen the same of a partition as of the start of the round, and hold the same. */
  private equal(round: Round, partition: number): void {
    const { peer } = round;
    this.seenTheSame(round, partition);
    if (!this.ownership.owns(partition)) return;
    this.noteCompared(peer, partition);
    if (!this.isHeardSource(peer, partition) || !this.hasFetched(partition)) return;
    this.floors.adopt(partition, peer.floors[partition]);
    this.markReady(partition);
  }

  private noteCompared(peer: Peer, partition: number): void {
    let compared = this.compared.get(peer.id);
    if (compared === undefined) {
      compared = new Uint32Array(this.options.partitions);
      this.compared.set(peer.id, compared);
    }
    compared[partition] = this.ownership.ownings[partition];
  }

  private hasFetched(partition: number): boolean {
    const { fetches } = this;
    return !(fetches.isFetching(partition) || fetches.isTorn(partition)) || fetches.isEnough(partition, this.now);
  }

  private markReady(partition: number): void {
    this.fetches.end(partition);
    this.ownership.markReady(partition);
  }

  private seenTheSame({ peer, beganAtMs, beganWallMs }: Round, partition: number): void {
    this.floors.proved(peer, partition, beganWallMs);
    peer.formerLife.shown(partition, beganAtMs);
    this.lags.note(peer.id, partition, 0);
    if (this.ownership.owns(partition)) this.caughtUp(peer, partition);
    else this.foreign.compare(peer, partition, this.frontiers.of(partition));
  }

  /**
   * This node has seen what a peer had: if that is a source, the partition is ready. But if its floor is higher, what it has deleted and
   * forgotten may stand here, until the records are found equal; and what is newly owned was to be walked through first. Of what may have
   * lost its tail, everybody has a say.
   */
  private caughtUp(peer: Peer, partition: number): void {
    this.hadTail(peer, partition);
    if (!this.isHeardSource(peer, partition)) return;
    if (this.fetches.isFetching(partition)) {
      if (!this.fetches.isWalked(partition)) this.catchUp.want(peer, partition, false, true);
      this.fetches.had(partition, peer, this.now);
    }
    if (!this.hasFetched(partition) || peer.floors[partition] > this.floors.floor[partition]) return;
    this.markReady(partition);
  }

  /** Nothing that a peer has of what may have been lost here is missing, whatever it lacks itself. */
  private hadTail(peer: Peer, partition: number): void {
    if (!this.fetches.isTorn(partition) || isLaterFlush(peer.flushed, this.store)) return;
    this.fetches.had(partition, peer, this.now);
  }

  private readonly walkedThrough = (peer: Peer, partition: number): void => {
    if (!this.ownership.owns(partition)) return;
    this.fetches.walked(partition, peer, this.now);
    this.caughtUp(peer, partition);
    // Other sources are heard out behind the walk.
    if (this.catchUp.size === 0 && this.ownership.unready > 0) this.nextRoundAtMs = this.now;
  };

  /** Whether a peer is a source for a partition, has said how high its floors are, and knows of no flush that is not known here. */
  private isHeardSource(peer: Peer, partition: number): boolean {
    return peer.saidWallMs > 0 && !isLaterFlush(peer.flushed, this.store) && this.ownership.isSource(peer, partition);
  }

  /** VECTOR from a peer: what it has seen of a partition. */
  vector(peer: Peer, body: Buffer): void {
    const message = decodeVector(body);
    if (message === null || message.partition >= this.options.partitions) {
      this.stats.malformed++;
      return;
    }
    const { partition, vector } = message;
    this.stats.vectors++;
    this.replicator.hearFlush(peer, { flushedHlc: message.flushedHlc, flushedActor: message.flushedActor });
    const theirs = this.ownership.otherOwners(partition).includes(peer);
    const owns = this.ownership.owns(partition);
    if (!owns && theirs) this.foreign.compare(peer, partition, vector);
    const lacked = owns ? this.fetch(peer, partition, vector) : 0;
    if (owns && lacked === 0) this.takeFloor(peer, partition, vector);
    if (lacked === 0 && owns) this.hadTail(peer, partition);
    const lag = theirs ? vector.lacked(this.frontiers.of(partition), this.quietHlc) : 0;
    this.lags.note(peer.id, partition, lag);
    if (owns && lag > 0 && (message.flags & VECTOR_ASKS) !== 0) {
      this.peers.sendFrame(peer, FRAME_VECTOR, this.answer.encodeVector(partition, 0));
    }
    const { round } = this;
    if (round?.peer !== peer || !round.vectors.delete(partition)) return;
    if (lacked + lag > 0) round.clean = false;
    else if (owns) {
      // What settles has been seen for one mark at least, and two at most.
      this.floors.proved(peer, partition, round.beganWallMs - 2 * MARK_MS);
      peer.formerLife.shown(partition, round.beganAtMs - 2 * MARK_MS);
      this.caughtUp(peer, partition);
    }
    this.endIfOver(round);
  }

  /**
   * The starts that everybody has all of are gone from a source's vector, and may stand in this one: no hash would ever be the same. Who is
   * ready proves what everybody has by itself, unless its clock is wrong: then it judges by others, and by all that they have seen.
   */
  private takeFloor(peer: Peer, partition: number, vector: Vector): void {
    if (!this.isHeardSource(peer, partition)) return;
    const judgesByOthers = this.floors.drifted && this.frontiers.of(partition).lacked(vector) === 0;
    if (this.ownership.isReady(partition) && !judgesByOthers) return;
    this.frontiers.raise(partition, Math.min(vector.floor, hlcFromMs(this.wall)));
  }

  /** Pulls what a peer has seen and this node has not; returns how much that is. A node that catches up wants the newest, too. */
  private fetch(peer: Peer, partition: number, vector: Vector): number {
    const mine = this.frontiers.of(partition);
    const syncing = !this.ownership.isReady(partition);
    let lacked = 0;
    let recent = false;
    let walk = false;
    let waits = false;
    for (let index = 0; index < vector.count; index++) {
      const limit = syncing ? Number.POSITIVE_INFINITY : vector.settledOf(index, this.quietHlc);
      const dots = mine.lackedOf(vector, index, limit);
      if (dots === 0) continue;
      lacked += dots;
      const actor = vector.actors[index];
      if (actor === peer.actor) recent = true;
      else if (syncing || !this.remembersItself(actor, partition)) walk = true;
      else waits = true;
    }
    if (waits && this.noteWaiting(partition)) walk = true;
    if (walk || !waits) this.waitingSinceMs.delete(partition);
    // What is newly owned is walked through whatever vectors say (fetches.ts).
    if (this.fetches.isFetching(partition) && !this.fetches.isWalked(partition)) walk ||= recent;
    if (recent || walk) this.catchUp.want(peer, partition, !walk, this.isHeardSource(peer, partition));
    return lacked;
  }

  /** What is stamped at or below has settled, unless it comes late: an actor that has stamped nothing since is not writing now. */
  private get quietHlc(): number {
    return hlcFromMs(this.wall - 2 * MARK_MS);
  }

  /**
   * Notes that live owners are waited for to bring what they wrote; true once that was in vain for long enough: they may not reach this node,
   * while others reach both.
   */
  private noteWaiting(partition: number): boolean {
    const sinceMs = this.waitingSinceMs.get(partition);
    if (sinceMs === undefined) this.waitingSinceMs.set(partition, this.now);
    // Time for some rounds with each of them.
    const patienceMs = Math.max(WRITER_PATIENCE_MS, 3 * this.options.intervalMs * this.peers.all().length);
    return sinceMs !== undefined && this.now - sinceMs > patienceMs;
  }

  /** Whether an actor is another live owner: a round with it finds its own writes faster than a walk here. */
  private remembersItself(actor: number, partition: number): boolean {
    const peer = this.peers.withActor(actor);
    if (peer === undefined || peer.state !== 'alive' || !peer.connected) return false;
    return this.ownership.otherOwners(partition).includes(peer);
  }

  /** SLICE from a peer that this node pulls from. */
  slice(peer: Peer, body: Buffer): void {
    const pulled = slicePartition(body);
    if (this.catchUp.isPullingFrom(peer, pulled)) this.fetches.heard(pulled, this.now);
    const partition = this.catchUp.slice(peer, body);
    if (partition >= 0) this.walkedThrough(peer, partition);
  }

  private endIfOver(round: Round): void {
    if (!round.compared || round.vectors.size + round.tries.size > 0) return;
    if (round.clean) {
      this.stats.equalRounds++;
      round.peer.equalAtMs = this.now;
    }
    this.endRound(this.choice.pauseMs(round.postponed, this.now));
  }

  private endRound(pauseMs: number): void {
    this.round = null;
    this.nextRoundAtMs = this.now + pauseMs;
  }
}
