/**
 * The backstop of convergence: two owners compare hashes of what they hold and give each other what differs. Rounds run one at a
 * time, this node asking one peer; every step can be lost, the next round begins anew.
 *
 *     asker                                          peer
 *     ROOTS: a hash per shared partition       ->    compares with its own
 *                                              <-    LEAVES: 256 sums of each partition that differs, then "that was all"
 *     LIST: versions in the leaves that differ ->    sends what is newer here, and
 *                                              <-    WANT: what is newer there
 *     sends those records
 *
 * Cost: 28 bytes a partition when nothing differs; 2 KiB a partition that does; 44 bytes an entry of a leaf that does; then the
 * records. Records travel over the links, window and all, so repair yields to writes.
 * Guarded: a digest is a hint, never an order: every record that arrives is merged by its version. Entries younger than the
 * settle time are left to the links. A partition that has evicted is lossy and is compared only to fill an owner that is new.
 * The same rounds carry what this node holds but does not own to the owners, and tell when it may go.
 */

import { hlcFromMs } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import { FRAME_LEAVES, FRAME_LIST, FRAME_ROOTS, FRAME_WANT } from '../gossip/frames.js';
import { recordHlc, recordKeyEnd, recordKeyStart } from '../record/record.js';
import type { Store } from '../store/store.js';
import {
  END,
  ENTRY_BYTES,
  encodeEnd,
  encodeLeaf,
  entryName,
  FLAG_FOREIGN,
  FLAG_LOSSY,
  FLAG_MORE,
  FLAG_SYNCING,
  LEAF_HEADER_BYTES,
  LEAVES,
  LIST_HEADER_BYTES,
  ROOT_BYTES,
  ROOTS_HEADER_BYTES,
  readEnd,
  readEntries,
  WANT_HEADER_BYTES,
} from './anti-entropy-messages.js';
import { ABSENT_DROP, ABSENT_LEAVE, ABSENT_OFFER, type FloorDesk } from './floor-desk.js';
import type { Floors } from './floors.js';
import type { Frontiers } from './frontier.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import { RepairQueues } from './repair-queues.js';
import type { Replicator } from './replicator.js';
import { mayAdd, versionOf } from './requests.js';

/** Partitions compared leaf by leaf in one round. */
const PARTITIONS_PER_ROUND = 16;
/** Writes younger than this are still on their way; repair leaves them alone. */
const SETTLE_MS = 1000;
/** A round without an end for this long is given up. */
const ROUND_MS = 5000;
/** The pause after a round that found differences. */
const EAGER_MS = 100;
/** A partition is ready when an owner had no more than this to add to it. */
const READY_WITHIN_RECORDS = 16;
/** Index slots looked at per round to leave out what has expired; the sweep sees to the rest. */
const WALK_PER_ROUND = 20_000;
/** Entries of the partitions compared leaf by leaf in one round, about; one partition at least. */
const ENTRIES_PER_ROUND = 20_000;
/** A LIST is cut into frames of about this size. */
const LIST_BYTES_MAX = 512 * 1024;

interface Round {
  readonly peer: Peer;
  readonly endsAtMs: number;
  readonly beganWallMs: number;
  /** The peer has named all that differs. */
  compared: boolean;
  /** Entries of the partitions listed so far; what passes the bound is left to the next round. */
  entries: number;
  postponed: boolean;
  /** Partitions named in ROOTS and not yet found to differ. */
  readonly asked: Set<number>;
  /** Partitions that differ: what the peer had to add and what it lacked, over the parts so far. */
  readonly differing: Map<number, { pushed: number; wanted: number; judged: boolean }>;
}

export interface AntiEntropyOptions {
  partitions: number;
  intervalMs: number;
  random: Random;
  mutations: ReadonlySet<string>;
}

export class AntiEntropy {
  nowMs = 0;
  wallMs = 0;
  private round: Round | null = null;
  private nextRoundAtMs = 0;
  readonly queues: RepairQueues;
  /** Partitions held and not owned: which owners are known to have everything of them. */
  private readonly covered = new Map<number, Set<string>>();
  readonly stats = {
    rounds: 0,
    equalRounds: 0,
    differingPartitions: 0,
    wanted: 0,
    handedOff: 0,
  };

  constructor(
    private readonly store: Store,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly replicator: Replicator,
    private readonly frontiers: Frontiers,
    private readonly floors: Floors,
    private readonly floorDesk: FloorDesk,
    private readonly options: AntiEntropyOptions,
  ) {
    this.queues = new RepairQueues(store, replicator);
  }

  tick(): void {
    this.queues.drain(this.peers);
    if (this.options.mutations.has('no-anti-entropy')) return;
    if (this.round !== null && this.nowMs >= this.round.endsAtMs) this.endRound(EAGER_MS);
    if (this.round === null && this.nowMs >= this.nextRoundAtMs) this.beginRound();
  }

  /** A new start with this peer: what was known of it may be gone. */
  peerRestarted(peer: Peer): void {
    peer.passedWallMs.fill(0);
    this.queues.forget(peer);
    for (const owners of this.covered.values()) owners.delete(peer.id);
    this.peerLost(peer);
    this.nextRoundAtMs = Math.min(this.nextRoundAtMs, this.nowMs + EAGER_MS);
  }

  peerLost(peer: Peer): void {
    if (this.round?.peer === peer) this.endRound(this.options.intervalMs);
  }

  /** Rounds begin soon: the ring or the members changed. */
  hasten(): void {
    this.nextRoundAtMs = Math.min(this.nextRoundAtMs, this.nowMs + EAGER_MS);
  }

  private beginRound(): void {
    const peer = this.choosePeer();
    if (peer === null) {
      this.nextRoundAtMs = this.nowMs + this.options.intervalMs;
      return;
    }
    const asked = new Set<number>();
    const body = Buffer.alloc(ROOTS_HEADER_BYTES + this.options.partitions * ROOT_BYTES);
    body.writeUInt32LE(this.ownership.ringHash, 0);
    body.writeDoubleLE(this.store.flushedHlc, 4);
    body.writeDoubleLE(this.store.flushedActor, 12);
    let at = ROOTS_HEADER_BYTES;
    let walk = WALK_PER_ROUND;
    const first = this.options.random.below(this.options.partitions);
    for (let step = 0; step < this.options.partitions; step++) {
      const partition = (first + step) % this.options.partitions;
      const flags = this.sharedFlags(partition, peer);
      if (flags < 0) continue;
      asked.add(partition);
      if (!this.ownership.owns(partition)) this.forgetCover(partition);
      walk = this.store.digest(partition, walk);
      body.writeUInt16LE(partition, at);
      body[at + 2] = flags;
      body.writeUInt32LE(this.store.digestLow, at + 4);
      body.writeUInt32LE(this.store.digestHigh, at + 8);
      const frontier = this.frontiers.of(partition);
      frontier.hash(frontier.floor);
      body.writeUInt32LE(frontier.hashLow, at + 12);
      body.writeUInt32LE(frontier.hashHigh, at + 16);
      body.writeDoubleLE(frontier.floor, at + 20);
      at += ROOT_BYTES;
    }
    body.writeUInt16LE(asked.size, 20);
    this.stats.rounds++;
    this.round = {
      peer,
      endsAtMs: this.nowMs + ROUND_MS,
      beganWallMs: this.wallMs,
      compared: false,
      entries: 0,
      postponed: false,
      asked,
      differing: new Map(),
    };
    if (!this.peers.sendFrame(peer, FRAME_ROOTS, body.subarray(0, at))) this.endRound(this.options.intervalMs);
  }

  /** A live peer to compare with, by chance, but none that still waits for what the last round found. */
  private choosePeer(): Peer | null {
    const live = this.peers
      .all()
      .filter((peer) => peer.state === 'alive' && peer.connected && !this.queues.waitsFor(peer));
    if (live.length === 0) return null;
    return live[this.options.random.below(live.length)];
  }

  /** Flags of a partition in ROOTS to a peer; -1 if the two do not compare it. */
  private sharedFlags(partition: number, peer: Peer): number {
    const mine = this.ownership.owns(partition);
    const syncing = mine && !this.ownership.isReady(partition);
    const theirs = this.ownership.otherOwners(partition).includes(peer);
    const held = mine || this.holds(partition);
    if (!held || !(theirs || syncing)) return -1;
    const lossy = this.store.isLossy(partition);
    if (lossy && !syncing && mine) return -1;
    return (lossy ? FLAG_LOSSY : 0) | (syncing ? FLAG_SYNCING : 0) | (mine ? 0 : FLAG_FOREIGN);
  }

  /** Whether a partition that is not ours has to go to its owners: there is something of it, or all of it was nothing. */
  private holds(partition: number): boolean {
    return this.store.holdsAny(partition) || this.ownership.handedPartitions.has(partition);
  }

  /** What was taken in of a partition that is not ours, since owners were last found to have all of it, they may lack. */
  private forgetCover(partition: number): void {
    if (this.replicator.foreignTouched[partition] === 0) return;
    this.replicator.foreignTouched[partition] = 0;
    this.covered.delete(partition);
  }

  /** ROOTS from a peer: answers with the leaves of what differs. True if the peer goes by another ring. */
  roots(peer: Peer, body: Buffer): boolean {
    if (body.length < ROOTS_HEADER_BYTES) return false;
    const flushedHlc = body.readDoubleLE(4);
    const flushedActor = body.readDoubleLE(12);
    if (Number.isSafeInteger(flushedHlc) && Number.isSafeInteger(flushedActor) && flushedHlc > 0) {
      this.replicator.adoptFlush(flushedHlc, flushedActor);
    }
    let sent = 0;
    const remaining: number[] = [];
    const skipped: number[] = [];
    let entries = 0;
    let walk = WALK_PER_ROUND;
    // Peers of different rings do not know what each other owns: the rings are exchanged first.
    const busy = this.queues.waitsFor(peer) || body.readUInt32LE(0) !== this.ownership.ringHash;
    for (let at = ROOTS_HEADER_BYTES; at + ROOT_BYTES <= body.length && !busy; at += ROOT_BYTES) {
      const partition = body.readUInt16LE(at);
      if (partition >= this.options.partitions) continue;
      const flags = body[at + 2];
      const lossy = this.store.isLossy(partition);
      const unfit = lossy && (flags & (FLAG_SYNCING | FLAG_FOREIGN)) === 0;
      if (unfit || !(this.ownership.owns(partition) || this.holds(partition))) {
        skipped.push(partition);
        continue;
      }
      walk = this.store.digest(partition, walk);
      if (this.store.digestLow === body.readUInt32LE(at + 4) && this.store.digestHigh === body.readUInt32LE(at + 8)) {
        continue;
      }
      if (sent >= PARTITIONS_PER_ROUND || (sent > 0 && entries > ENTRIES_PER_ROUND)) {
        remaining.push(partition);
        continue;
      }
      sent++;
      entries += this.store.keys(partition);
      this.sendLeaves(peer, partition, lossy);
    }
    const unready = this.unreadyHere();
    const end = encodeEnd(busy, unready, [...this.ownership.handedPartitions], remaining, skipped);
    this.peers.sendFrame(peer, FRAME_LEAVES, end);
    return body.readUInt32LE(0) !== this.ownership.ringHash;
  }

  /** Partitions that this node owns and is not ready for. */
  private unreadyHere(): number[] {
    const unready: number[] = [];
    if (this.ownership.unready === 0) return unready;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      if (this.ownership.owns(partition) && !this.ownership.isReady(partition)) unready.push(partition);
    }
    return unready;
  }

  private sendLeaves(peer: Peer, partition: number, lossy: boolean): void {
    const reply = Buffer.alloc(8 + LEAVES * 8);
    reply.writeUInt16LE(partition, 0);
    reply[2] = lossy ? FLAG_LOSSY : 0;
    const sums = this.store.leafSums(partition);
    for (let index = 0; index < LEAVES * 2; index++) reply.writeUInt32LE(sums[index] >>> 0, 8 + index * 4);
    this.peers.sendFrame(peer, FRAME_LEAVES, reply);
  }

  /** LEAVES from the peer asked: lists what lies in those that differ; at the end, closes the round. */
  leaves(peer: Peer, body: Buffer): void {
    const round = this.round;
    if (round === null || round.peer !== peer || body.length < 8) return;
    const partition = body.readUInt16LE(0);
    if (partition === END) {
      const said = readEnd(body);
      if (said === null) return;
      this.ownership.peerReports(peer.id, said.unready, said.handing, this.nowMs);
      for (const skipped of said.skipped) round.asked.delete(skipped);
      this.allCompared(round, said.busy, said.remaining);
      return;
    }
    if (body.length !== 8 + LEAVES * 8 || !round.asked.delete(partition)) return;
    if (round.differing.size > 0 && round.entries > ENTRIES_PER_ROUND) {
      round.postponed = true;
      return;
    }
    round.entries += this.store.keys(partition);
    round.differing.set(partition, { pushed: 0, wanted: 0, judged: true });
    this.stats.differingPartitions++;
    const sums = this.store.leafSums(partition);
    const differing: number[] = [];
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const low = body.readUInt32LE(8 + leaf * 8);
      const high = body.readUInt32LE(12 + leaf * 8);
      if (low !== sums[leaf * 2] >>> 0 || high !== sums[leaf * 2 + 1] >>> 0) differing.push(leaf);
    }
    this.sendList(peer, partition, differing);
  }

  /** Says what lies in the leaves that differ, in as many frames as it takes. */
  private sendList(peer: Peer, partition: number, leaves: readonly number[]): void {
    const flags = Math.max(0, this.sharedFlags(partition, peer));
    let pieces: Buffer[] = [];
    let bytes = 0;
    const send = (more: number): void => {
      const head = Buffer.alloc(LIST_HEADER_BYTES);
      head.writeUInt16LE(partition, 0);
      head[2] = flags | more;
      this.peers.sendFrame(peer, FRAME_LIST, Buffer.concat([head, ...pieces]));
      pieces = [];
      bytes = 0;
    };
    for (const leaf of leaves) {
      const entries = encodeLeaf(this.store, partition, leaf);
      if (bytes + entries.length > LIST_BYTES_MAX) send(FLAG_MORE);
      pieces.push(entries);
      bytes += entries.length;
    }
    send(0);
  }

  /** LIST from an asker: sends it what is newer here, and names what is newer there. */
  listed(peer: Peer, body: Buffer): void {
    if (body.length < LIST_HEADER_BYTES) return;
    const partition = body.readUInt16LE(0);
    if (partition >= this.options.partitions) return;
    const flags = body[2];
    const settled = hlcFromMs(this.wallMs - SETTLE_MS);
    const foreign = (flags & FLAG_FOREIGN) !== 0;
    const whole = (flags & FLAG_LOSSY) === 0 && !this.store.isLossy(partition);
    const mayWant = this.ownership.owns(partition) && (foreign || whole);
    const wanted: number[] = [];
    const goneThere: number[] = [];
    const goneHere: Buffer[] = [];
    // An owner has everything up to its floor, ready or not: what it lacks there was deleted.
    const theyProve = (flags & FLAG_FOREIGN) === 0 && this.ownership.otherOwners(partition).includes(peer);
    let pushed = 0;
    for (let at = LIST_HEADER_BYTES; at + LEAF_HEADER_BYTES <= body.length; ) {
      const leaf = body.readUInt16LE(at);
      const count = body.readUInt32LE(at + 4);
      at += LEAF_HEADER_BYTES;
      if (leaf >= LEAVES || count > (body.length - at) / ENTRY_BYTES) return;
      const theirs = readEntries(body, at, count);
      at += count * ENTRY_BYTES;
      this.store.visitLeaf(partition, leaf, (bytes, offset) => {
        const keyStart = recordKeyStart(bytes, offset);
        const keyEnd = recordKeyEnd(bytes, offset);
        this.store.hasher.hash(bytes, keyStart, keyEnd);
        const name = entryName(this.store.hasher.low, this.store.hasher.high);
        const their = theirs.get(name);
        const mine = versionOf(bytes, offset);
        const adds = their === undefined || mayAdd(mine, their.version);
        if (their !== undefined) {
          their.absent = false;
          if (!mayAdd(their.version, mine)) theirs.delete(name);
        } else {
          const verdict = this.floorDesk.absentThere(peer, partition, bytes, offset, theyProve);
          if (verdict === ABSENT_DROP) goneHere.push(Buffer.from(bytes.subarray(keyStart, keyEnd)));
          if (verdict !== ABSENT_OFFER) return;
        }
        const syncing = (flags & FLAG_SYNCING) !== 0;
        if (adds && (syncing || recordHlc(bytes, offset) <= settled)) {
          // What the queue has no room for is missing there all the same.
          pushed++;
          this.queues.add(peer, partition, Buffer.from(bytes.subarray(keyStart, keyEnd)));
        }
      });
      for (const entry of theirs.values()) {
        const verdict = entry.absent ? this.floorDesk.absentHere(peer, partition, entry.version.hlc) : ABSENT_OFFER;
        if (verdict === ABSENT_DROP) goneThere.push(entry.low, entry.high);
        if (!mayWant || verdict === ABSENT_DROP || verdict === ABSENT_LEAVE) continue;
        if (foreign || entry.version.hlc <= settled) wanted.push(entry.low, entry.high);
      }
    }
    for (const key of goneHere) this.floorDesk.drop(partition, key, peer.floors[partition]);
    // Before WANT, so that the asker is done with it when it concludes.
    if (goneThere.length > 0) this.floorDesk.sayGone(peer, partition, goneThere);
    this.stats.wanted += wanted.length / 2;
    const reply = Buffer.alloc(WANT_HEADER_BYTES + wanted.length * 4);
    reply.writeUInt16LE(partition, 0);
    reply[2] = (mayWant ? 0 : FLAG_LOSSY) | (flags & FLAG_MORE);
    reply.writeUInt32LE(pushed, 4);
    for (let index = 0; index < wanted.length; index++)
      reply.writeUInt32LE(wanted[index], WANT_HEADER_BYTES + index * 4);
    this.peers.sendFrame(peer, FRAME_WANT, reply);
  }

  /** WANT: what the peer lacks of a partition. */
  wanted(peer: Peer, body: Buffer): void {
    if (body.length < WANT_HEADER_BYTES) return;
    const partition = body.readUInt16LE(0);
    if (partition >= this.options.partitions) return;
    const pushed = body.readUInt32LE(4);
    const byLeaf = new Map<number, Set<string>>();
    for (let at = WANT_HEADER_BYTES; at + 8 <= body.length; at += 8) {
      const low = body.readUInt32LE(at);
      const leaf = low >>> 24;
      let names = byLeaf.get(leaf);
      if (names === undefined) {
        names = new Set();
        byLeaf.set(leaf, names);
      }
      names.add(entryName(low, body.readUInt32LE(at + 4)));
    }
    for (const [leaf, names] of byLeaf) {
      this.store.visitLeaf(partition, leaf, (bytes, offset) => {
        const keyStart = recordKeyStart(bytes, offset);
        const keyEnd = recordKeyEnd(bytes, offset);
        this.store.hasher.hash(bytes, keyStart, keyEnd);
        if (names.has(entryName(this.store.hasher.low, this.store.hasher.high))) {
          this.queues.add(peer, partition, Buffer.from(bytes.subarray(keyStart, keyEnd)));
        }
      });
    }
    this.concluded(peer, partition, body[2], pushed, byLeaf.size);
  }

  /** One part of a partition is compared; after the last it is known what the two made of it. */
  private concluded(peer: Peer, partition: number, flags: number, pushed: number, wanted: number): void {
    const { round } = this;
    const outcome = round?.peer === peer ? round.differing.get(partition) : undefined;
    if (round === null || outcome === undefined) return;
    outcome.pushed += pushed;
    outcome.wanted += wanted;
    outcome.judged &&= (flags & FLAG_LOSSY) === 0;
    if ((flags & FLAG_MORE) !== 0) return;
    round.differing.delete(partition);
    if (outcome.wanted === 0 && outcome.judged) this.cover(partition, peer);
    const complete = outcome.pushed <= READY_WITHIN_RECORDS && this.ownership.isSource(peer, partition);
    if (complete && this.ownership.owns(partition)) this.ownership.markReady(partition);
    // What is left to differ is younger than the settle time, well within the margin that passing allows for.
    if (outcome.wanted === 0 && outcome.pushed === 0 && outcome.judged) this.passed(round, partition);
    if (round.compared && round.differing.size === 0) this.endRound(EAGER_MS);
  }

  /** Both have the same of a partition as of the start of the round. */
  private passed(round: Round, partition: number): void {
    this.floors.proved(round.peer, partition, round.beganWallMs);
    if (this.ownership.isSource(round.peer, partition)) this.floors.adopt(partition, round.peer.floors[partition]);
  }

  /** The peer has said what differs: everything else it was asked about is equal. */
  private allCompared(round: Round, busy: boolean, remaining: ReadonlySet<number>): void {
    round.compared = true;
    if (!busy) {
      for (const partition of round.asked) if (!remaining.has(partition)) this.equal(round, partition);
      if (remaining.size + round.differing.size === 0 && !round.postponed) {
        this.stats.equalRounds++;
        round.peer.equalAtMs = this.nowMs;
      }
    }
    // Partitions that differ are still being compared: the round goes on until the last has been, or its time is over.
    if (round.differing.size > 0) return;
    const eager = remaining.size > 0 || round.postponed || this.ownership.unready > 0;
    this.endRound(eager ? EAGER_MS : this.options.intervalMs);
  }

  /** A partition is the same here and there. */
  private equal(round: Round, partition: number): void {
    this.passed(round, partition);
    if (!this.ownership.owns(partition)) {
      if (!this.store.isLossy(partition)) this.cover(partition, round.peer);
    } else if (this.ownership.isSource(round.peer, partition)) {
      this.ownership.markReady(partition);
    }
  }

  private endRound(pauseMs: number): void {
    this.round = null;
    this.nextRoundAtMs = this.nowMs + pauseMs;
  }

  /** An owner has everything of a partition that is not ours; when all have, it goes. */
  private cover(partition: number, peer: Peer): void {
    if (this.ownership.owns(partition) || this.replicator.foreignTouched[partition] === 1) {
      this.covered.delete(partition);
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
    this.covered.delete(partition);
    this.store.clearPartition(partition);
    this.replicator.noteCleared(partition);
    this.floorDesk.gaveAway(partition);
    this.ownership.handedOff(partition);
    this.stats.handedOff++;
  }
}
