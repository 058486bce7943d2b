/**
 * What floors have to do with the rest of a node: who has a say, what the store may forget, what the log and the peers are told, and
 * the values that have to go because somebody with a higher floor does not have them. The spine calls it each tick and with what arrives;
 * anti-entropy and reads ask it about single keys.
 * Guarded: a floor is in the log before anything is forgotten by it; a value goes by a record in the log, so that no start brings it
 * back; what a peer says of its floors counts for the life in which it said it, and a floor that falls is told to all at once; that a
 * value was deleted is believed of who owns its partition or hands it over.
 */
import type { Log } from '../../ports/log.js';
import { type HybridClock, hlcFromMs } from '../base/hlc.js';
import { FRAME_FLOORS, FRAME_GONE } from '../gossip/frames.js';
import { recordHlc, recordKeyEnd, recordKeyStart, recordType, TYPE_TOMBSTONE } from '../record/record.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import { entryName } from './anti-entropy-messages.js';
import { encodeFloors, encodeGone, readFloors, readGone } from './floor-messages.js';
import { encodeFloorNote, encodeGoneNote } from './floor-note.js';
import type { Floors, Voice } from './floors.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';

/** Every peer is told within so many intervals, however many there are. */
const INTERVALS_FOR_ALL = 8;
/** Hashes of one GONE: the frame stays small. */
const GONE_HASHES_MAX = 8192;
/** Log lines about what had to go come this far apart at least. */
const GONE_LINE_MS = 1000;

/** What becomes of a record that one of two owners has and the other lacks. */
export const ABSENT_OFFER = 0;
/** The other has forgotten it, rightly, and would not take it; here it goes by itself. */
export const ABSENT_LEAVE = 1;
/** The other has forgotten that it was deleted: it goes here. */
export const ABSENT_DROP = 2;
export type AbsentVerdict = typeof ABSENT_OFFER | typeof ABSENT_LEAVE | typeof ABSENT_DROP;

/**
 * A record stamped `hlc` is held by a node whose floor is `holder`, and its key is absent at one whose floor is `lacker`. `proves`: the
 * latter owns the partition. It need not be ready for it: below its floor it lacks nothing.
 */
export function judgeAbsence(
  hlc: number,
  isTombstone: boolean,
  holder: number,
  lacker: number,
  proves: boolean,
): AbsentVerdict {
  if (hlc > lacker) return ABSENT_OFFER;
  if (isTombstone) return ABSENT_LEAVE;
  if (holder >= lacker) return ABSENT_OFFER;
  return proves ? ABSENT_DROP : ABSENT_LEAVE;
}

export class FloorDesk {
  private nextSayAtMs = 0;
  private nextToldId = '';
  /** A floor has fallen since anybody was told: what peers believe of it would let pass what was deleted. */
  private hasFallen = false;
  private goneUntold = 0;
  private nextGoneLineAtMs = 0;
  /** Per partition: the time at which it was first seen to be ready without a source; 0 for none. */
  private readonly unsourcedHlc: Float64Array;
  malformed = 0;
  /** Raised whenever a floor rises or falls. */
  changes = 0;

  constructor(
    private readonly ports: { log: Log },
    private readonly floors: Floors,
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly clock: HybridClock,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly options: { partitions: number; intervalMs: number },
  ) {
    this.unsourcedHlc = new Float64Array(options.partitions);
  }

  /** `idsWithSay`: everybody without whose word nothing may be forgotten; this node may be among them. */
  tick(idsWithSay: readonly string[], selfId: string): void {
    const { floors } = this;
    if (floors.isDue) this.survey(idsWithSay, selfId);
    if (floors.raisesNow) this.raise();
    if (this.hasFallen) {
      this.hasFallen = false;
      for (const peer of this.peers.all()) if (peer.state === 'alive' || peer.state === 'suspect') this.sayTo(peer);
    }
    if (floors.nowMs >= this.nextSayAtMs) {
      this.nextSayAtMs = floors.nowMs + this.options.intervalMs;
      this.sayToSome();
    }
    if (this.goneUntold > 0 && floors.nowMs >= this.nextGoneLineAtMs) {
      this.nextGoneLineAtMs = floors.nowMs + GONE_LINE_MS;
      this.ports.log.warn('dropped what was deleted while this node was away', { records: this.goneUntold });
      this.goneUntold = 0;
    }
  }

  /** Somebody else is there: what expired while nobody was may be needed from now on, before the next survey. */
  met(): void {
    if (!this.floors.alone) return;
    this.floors.alone = false;
    for (let partition = 0; partition < this.options.partitions; partition++) this.noteFloor(partition);
  }

  private survey(idsWithSay: readonly string[], selfId: string): void {
    const { floors, peers } = this;
    const voices: Voice[] = [];
    for (const id of idsWithSay) {
      if (id === selfId) continue;
      const peer = peers.ensure(id);
      voices.push({ peer, heard: peer.state === 'alive' });
    }
    // Who is here without a place, a joiner or one that leaves, may hold something all the same.
    for (const peer of peers.all()) {
      if (peer.state === 'alive' && !idsWithSay.includes(peer.id)) voices.push({ peer, heard: true });
    }
    for (const id of floors.survey(this.ownership, voices)) {
      this.ports.log.warn('a member is silent for too long: deletes that it has not seen are forgotten', {
        member: id,
      });
    }
    for (let partition = 0; partition < this.options.partitions; partition++) {
      this.noteFloor(partition);
      this.noteSource(partition);
    }
  }

  /** What was silent when a partition became ready has been heard since: what is absent here is nowhere. */
  private noteSource(partition: number): void {
    const { floors, ownership, unsourcedHlc } = this;
    if (ownership.unsourced[partition] === 0) unsourcedHlc[partition] = 0;
    else if (unsourcedHlc[partition] === 0) unsourcedHlc[partition] = hlcFromMs(floors.wallMs);
    else if (floors.passable[partition] > unsourcedHlc[partition]) ownership.unsourced[partition] = 0;
  }

  private noteFloor(partition: number): void {
    const { floors, store } = this;
    const hlc = floors.floor[partition];
    store.noteFloor(partition, hlc, floors.passable[partition]);
    // Alone, nobody could bring an older version of what expired. A stand-in keeps such values for the owners, who may have missed them.
    store.notePassed(partition, floors.alone ? Number.POSITIVE_INFINITY : hlc);
  }

  private raise(): void {
    const raised = this.floors.raise(this.store.wantedFloors);
    if (raised.length > 0) this.write(raised);
  }

  /** False, and nothing changed, if the log has no room: what is wanted is met again by the next walk. */
  private write(raised: readonly [partition: number, hlc: number][]): boolean {
    const note = encodeFloorNote(raised);
    if (!this.wal.hasRoom(note.length) || !this.wal.append(note, 0, note.length)) return false;
    this.changes++;
    for (const [partition, hlc] of raised) {
      this.floors.set(partition, hlc);
      this.clock.observe(hlc, this.floors.wallMs);
      this.noteFloor(partition);
    }
    return true;
  }

  /**
   * A partition is about to be given away with all that is here of it: what is absent says nothing any more. False, and nothing changed, if the
   * log has no room to say so.
   */
  giveAway(partition: number): boolean {
    if (this.floors.floor[partition] === 0) return true;
    if (!this.write([[partition, 0]])) return false;
    this.hasFallen = true;
    return true;
  }

  // --- What nodes tell each other -------------------------------------------------------------------------------------

  /** Our floors, and what we hold nothing of. */
  sayTo(peer: Peer): void {
    const { floors, ownership, store } = this;
    const isClear = (partition: number): boolean => !ownership.owns(partition) && !store.holdsAny(partition);
    this.peers.sendFrame(peer, FRAME_FLOORS, encodeFloors(floors.wallMs, floors.floor, isClear));
  }

  private sayToSome(): void {
    const live = this.peers.all().filter((peer) => peer.state === 'alive' && peer.connected);
    if (live.length === 0) return;
    const next = live.findIndex((peer) => peer.id >= this.nextToldId);
    const first = Math.max(next, 0);
    const count = Math.ceil(live.length / INTERVALS_FOR_ALL);
    for (let step = 0; step < count; step++) this.sayTo(live[(first + step) % live.length]);
    const following = first + count;
    this.nextToldId = following >= live.length ? '' : live[following].id;
  }

  /** FLOORS from a peer. */
  arrived(peer: Peer, body: Buffer): void {
    const said = readFloors(body, this.options.partitions);
    if (said === null) {
      this.malformed++;
      return;
    }
    peer.floors.set(said.floors);
    peer.saidWallMs = said.wallMs;
    const { floors, ownership } = this;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      if (said.isClear(partition)) floors.proved(peer, partition, floors.wallMs);
      if (ownership.unsourced[partition] === 0 || peer.floors[partition] <= floors.floor[partition]) continue;
      // Who could not take that floor over would wait for ever.
      if (!floors.mayAdopt(peer.floors[partition])) continue;
      if (ownership.otherOwners(partition).includes(peer)) ownership.doubt(partition, floors.nowMs);
    }
  }

  /** A new start of the peer: what it said in the former counts no more. */
  peerRestarted(peer: Peer): void {
    peer.floors.fill(0);
    peer.saidWallMs = 0;
  }

  // --- What has to go ---------------------------------------------------------------------------------------------------

  /** A record here of a key that the peer lacks. `peerProves`: the peer owns the partition. */
  absentThere(peer: Peer, partition: number, bytes: Buffer, offset: number, peerProves: boolean): AbsentVerdict {
    const isTombstone = recordType(bytes, offset) === TYPE_TOMBSTONE;
    const { floor } = this.floors;
    return judgeAbsence(recordHlc(bytes, offset), isTombstone, floor[partition], peer.floors[partition], peerProves);
  }

  /**
   * A record that the peer has of a key that is absent here, a tombstone perhaps: whether to drop it there, leave or want it. Whoever owned
   * the partition until the ring changed, and hands it over, proves as an owner does: its floor stands until all of it is given away.
   */
  absentHere(peer: Peer, partition: number, hlc: number): AbsentVerdict {
    const { floor } = this.floors;
    return judgeAbsence(hlc, false, peer.floors[partition], floor[partition], true);
  }

  /** Tells a peer which of its keys were deleted and forgotten: hashes, low and high by turns. */
  sayGone(peer: Peer, partition: number, hashes: readonly number[]): void {
    const hlc = this.floors.floor[partition];
    for (let from = 0; from < hashes.length; from += GONE_HASHES_MAX * 2) {
      const some = hashes.slice(from, from + GONE_HASHES_MAX * 2);
      this.peers.sendFrame(peer, FRAME_GONE, encodeGone({ partition, hlc, hashes: some }));
    }
  }

  /**
   * GONE from a peer: what we hold of that at or below its floor goes, but for tombstones, which go with our own floor. Only who owns the
   * partition, or hands it over, knows that; one that is an owner by a ring not heard of here says it again with the next comparison.
   */
  gone(peer: Peer, body: Buffer): void {
    const said = readGone(body, this.options.partitions);
    if (said === null) {
      this.malformed++;
      return;
    }
    const { partition, hlc, hashes } = said;
    if (!this.ownership.proves(peer, partition)) {
      this.floors.stats.goneUnproved++;
      return;
    }
    if (hlc <= this.floors.floor[partition]) return;
    const byLeaf = new Map<number, Set<string>>();
    for (let at = 0; at + 1 < hashes.length; at += 2) {
      const leaf = hashes[at] >>> 24;
      const names = byLeaf.get(leaf) ?? new Set();
      byLeaf.set(leaf, names);
      names.add(entryName(hashes[at], hashes[at + 1]));
    }
    const keys: Buffer[] = [];
    const { store } = this;
    for (const [leaf, names] of byLeaf) {
      store.visitLeaf(partition, leaf, (bytes, offset) => {
        const start = recordKeyStart(bytes, offset);
        const end = recordKeyEnd(bytes, offset);
        store.hasher.hash(bytes, start, end);
        if (names.has(entryName(store.hasher.low, store.hasher.high))) {
          keys.push(Buffer.from(bytes.subarray(start, end)));
        }
      });
    }
    for (const key of keys) this.drop(partition, key, hlc);
  }

  /** Drops the value of a key if it is not stamped above `hlc`, in the log too. True if it is not here any more. */
  drop(partition: number, key: Buffer, hlc: number): boolean {
    const { store, wal } = this;
    const hash = store.hasher.hash(key, 0, key.length);
    if (!store.find(partition, hash, key, 0, key.length)) return true;
    const { buffer, offset } = store;
    if (recordType(buffer, offset) === TYPE_TOMBSTONE || recordHlc(buffer, offset) > hlc) return false;
    const note = encodeGoneNote(buffer, offset);
    if (!wal.hasRoom(note.length) || !wal.append(note, 0, note.length)) return false;
    store.remove(partition, hash, key, 0, key.length);
    this.floors.stats.recordsGone++;
    this.goneUntold++;
    return true;
  }
}
