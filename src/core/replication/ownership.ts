/**
 * Who owns each partition now, who did before, and which of ours are ready to be read: the one place that turns the ring and
 * the members' states into routes. Writes, reads, hints, repair and the slot map all ask here, so they cannot disagree.
 * Guarded: the placement depends on the ring alone; liveness only chooses among owners.
 *
 * A partition that this node comes to own is not ready until it was caught up from an owner that was: until then writes land
 * here, and reads ask others first. After a restart that lasts until the first exchange with an owner that is ready, or for a second
 * if there is none; an owner whose floor is higher is waited for too, as long as it talks and not everybody has said that nobody is
 * ready. A move goes on over restarts: what was a part before is fetched on (standings.ts), and what a node finds and does not own it
 * hands over. What may have lost its tail waits until every owner that can be reached was heard out (fetches.ts).
 */
import { mix32 } from '../base/hash.js';
import type { Flaps } from '../membership/flaps.js';
import { type Placement, place } from '../partitions/placement.js';
import type { Ring, RingMember } from '../partitions/ring.js';
import { slotMap } from '../partitions/slot-map.js';
import { FormerOwners } from './former-owners.js';
import type { Peer, Peers } from './peers.js';
import { Readiness } from './readiness.js';
import { STANDING_FETCHING, STANDING_NONE, STANDING_WHOLE, type Standings } from './standings.js';

/** After a restart an owner answers from what it recovered, at the latest after this time. */
export const CATCH_UP_MS = 1000;
/** An owner that says nothing of what it holds, or has not for so long, is not waited for. */
const SILENT_OWNER_MS = 10_000;
/** One that said, whenever, that it has everything is asked within this time, whatever the number of members: rounds go by chance. */
const UNASKED_OWNER_MS = 20_000;
/** Rings gone by before that are remembered. */
const RINGS_LEFT_MAX = 8;
/** A node that joins waits so long for an answer before it goes on alone. */
const MEET_MS = 3000;

/** What goes on between this node and others, per partition. */
export interface UnderWay {
  /** Whether what a peer has seen of it is being fetched. */
  isPulling(partition: number): boolean;
  /** Whether it may lack what somebody who can be reached has still to be asked for. */
  isUnheard(partition: number): boolean;
}

const NOTHING_UNDER_WAY: UnderWay = { isPulling: () => false, isUnheard: () => false };

export interface OwnershipOptions {
  selfId: string;
  partitions: number;
  replicas: number;
  /** What the copies here are, as recovered. */
  standings: Standings;
  holdsAny: (partition: number) => boolean;
  mutations: ReadonlySet<string>;
}

export class Ownership {
  placement: Placement;
  private members: readonly RingMember[] = [];
  private previous: Placement | null = null;
  private placedHash = -1;
  private readonly ringsLeft = new Set<number>();
  /** Per partition: the other owners as peers, in order. */
  private others: Peer[][] = [];
  /** Per partition: this node's place among the owners; -1 when it is none. */
  private readonly place: Int16Array;
  private readonly ready: Uint8Array;
  private readonly readyAtMs: Float64Array;
  /** Per partition: 1 while it is newly owned and not ready, so that nothing known of it before counts. */
  readonly fetching: Uint8Array;
  /** Per partition: how often this node has come to own it. */
  readonly ownings: Uint32Array;
  /** Per partition: 1 if it became ready with nobody there to fetch it from, until every member is known to have had what is here. */
  readonly unsourced: Uint8Array;
  private flapsVersion = 0;
  private primaries: Uint16Array = new Uint16Array(0);
  /** What peers said of their partitions. */
  readonly readiness: Readiness;
  private readonly former: FormerOwners;
  /** Raised whenever this node has something else to say of its partitions. */
  changes = 0;
  /** Partitions held here for their owners: owned until the ring changed, or found here at the start. */
  private readonly handing = new Set<number>();
  private ringChangedAtMs = 0;
  /** No report that came before this time is of the present ring. */
  private reportsSinceMs = Number.NEGATIVE_INFINITY;
  private notReady = 0;
  /** Whether this node knows its cluster: it founded it, knew it before its restart, or has heard its ring. */
  met = false;
  /** Some of what this node held when it ended was a part only, and nobody has been heard since. */
  private wasFetching = false;
  /** This node was to join somebody, went on alone for want of an answer, and has met nobody since. */
  private wentAlone = false;
  private asksUntilMs = 0;
  /** Until then a node that joins waits to meet somebody. */
  meetsByMs = Number.POSITIVE_INFINITY;
  /** Why none of those whom this node asked to have it does; '' otherwise. Until then it answers for nothing. */
  refusal = '';
  /** Raised whenever the slot map changes. */
  slotMapVersion = 0;

  constructor(
    private readonly ring: Ring,
    private readonly peers: Peers,
    private readonly flaps: Flaps,
    private readonly options: OwnershipOptions,
  ) {
    this.place = new Int16Array(options.partitions).fill(-1);
    this.ready = new Uint8Array(options.partitions);
    this.readyAtMs = new Float64Array(options.partitions);
    this.fetching = new Uint8Array(options.partitions);
    this.ownings = new Uint32Array(options.partitions);
    this.unsourced = new Uint8Array(options.partitions);
    this.placement = place([], options.partitions, options.replicas);
    this.readiness = new Readiness(options);
    this.former = new FormerOwners(peers, this.readiness, options);
  }

  /**
   * `met`: this node knows its cluster already; otherwise it waits to hear the ring, or for a while in vain. `hasOthers`: it
   * knows whom to ask for what it never held: that none of them is there yet is no reason to answer without them.
   */
  begin(met: boolean, hasOthers: boolean, nowMs: number): void {
    this.met = met;
    this.meetsByMs = nowMs + MEET_MS;
    this.asksUntilMs = hasOthers ? nowMs + MEET_MS : nowMs;
  }

  /** Whether commands of clients may run: this node knows its cluster, and is refused by none. */
  get serves(): boolean {
    return this.met && this.refusal === '';
  }

  /** `words` as `refusal`. When it ends, who is new here is waited for as after a start: the way in is short now. */
  setRefusal(words: string, nowMs: number): void {
    if (words === '' && this.refusal !== '') this.meetsByMs = Math.max(this.meetsByMs, nowMs + MEET_MS);
    this.refusal = words;
  }

  /** Of the ring that the routes here are by: what is said to others must not claim a later one. */
  get ringHash(): number {
    return this.placedHash < 0 ? this.ring.hash() : this.placedHash;
  }

  /**
   * Recomputes routes after the ring or a member changed. `recovered`: what is owned from now on was recovered from disk, so it
   * becomes ready by time, as far as it was whole; otherwise a partition newly owned waits for a source, unless nobody else could have it.
   * A node that has just met its cluster owns nothing that it need not fetch.
   */
  refresh(nowMs: number, recovered: boolean): void {
    const hash = this.ring.hash();
    if (hash !== this.placedHash) {
      if (this.placedHash >= 0) this.leaveRing(this.placedHash);
      // Of a ring that comes again, what was said while it held before is no news; of a new one all is, also what came ahead of the change.
      this.reportsSinceMs = this.ringsLeft.delete(hash) ? nowMs : Number.NEGATIVE_INFINITY;
      this.placedHash = hash;
      this.ringChangedAtMs = nowMs;
      // The oldest is kept until everything is ready: only its owners are sure to hold what is still to be fetched.
      if (this.previous === null && this.placement.members.length > 0) this.previous = this.placement;
      const members = this.ring.members();
      const hasOthers = members.some((member) => member.id !== this.options.selfId);
      // Who has just started knows of no ring before this one, and who was alone of none but its own.
      const isNewcomer = !this.met || (hasOthers && (this.members.length === 0 || this.wentAlone));
      const before = this.members.length > 0 ? this.members : null;
      this.former.ringChanged(hash, members, before, isNewcomer, this.reportsSinceMs);
      this.members = members;
      this.placement = place(this.members, this.options.partitions, this.options.replicas);
    }
    const self = this.placement.members.indexOf(this.options.selfId);
    let isFirst = this.others.length === 0;
    if (!this.met && this.placement.members.length > 1) {
      this.met = true;
      this.place.fill(-1);
      isFirst = true;
      // The ring is heard before its members are known to be alive.
      this.asksUntilMs = nowMs + MEET_MS;
    }
    if (this.wentAlone && this.placement.members.length > 1) this.meetOthers(nowMs);
    this.others = [];
    for (let partition = 0; partition < this.options.partitions; partition++) {
      const owners = this.placement.owners(partition);
      const mine = owners.indexOf(self);
      if (mine >= 0 && this.place[partition] < 0) this.beginOwning(partition, nowMs, recovered);
      if (mine < 0 && (isFirst || this.place[partition] >= 0)) this.giveUp(partition, isFirst);
      this.place[partition] = mine;
      const others: Peer[] = [];
      for (const index of owners) if (index !== self) others.push(this.peers.ensure(this.placement.members[index]));
      this.others.push(others);
    }
    this.changes++;
    this.countNotReady();
    if (this.notReady === 0) this.previous = null;
    this.former.tick((partition) => this.others[partition], true, nowMs < this.asksUntilMs);
    this.refreshSlotMap();
  }

  /** Who owned a partition before and may hold what its owners lack: asked with them for what is done above level one. */
  formers(partition: number): readonly Peer[] {
    return this.former.of(partition);
  }

  /** Other nodes that count for what concerns every partition: members of the ring, and former owners of any. */
  holders(): Set<Peer> {
    const holders = this.former.all();
    for (const id of this.placement.members) if (id !== this.options.selfId) holders.add(this.peers.ensure(id));
    return holders;
  }

  /** Partitions with former owners that count still. */
  get moving(): number {
    return this.former.size;
  }

  /** Rings that others went by before, left out for want of room. */
  get skippedRingsDropped(): number {
    return this.former.skippedDropped;
  }

  /** Members of the ring that went before, while that matters. */
  get membersBefore(): readonly RingMember[] | null {
    return this.former.members;
  }

  /** Whether others are to coordinate what is done above level one: this node has just joined. */
  get isUnaware(): boolean {
    return this.former.isUnaware;
  }

  /** Partitions that this node owns and is not ready for, and those that it hands over and has not all of: comparing with it proves little. */
  unreadyPartitions(): Set<number> {
    const unready = new Set<number>();
    for (let partition = 0; this.notReady > 0 && partition < this.options.partitions; partition++) {
      if (this.place[partition] >= 0 && this.ready[partition] === 0) unready.add(partition);
    }
    for (const partition of this.handing)
      if (this.options.standings.of(partition) !== STANDING_WHOLE) unready.add(partition);
    return unready;
  }

  /** Those of them of which this node has a copy that was whole, and lacks the newest writes at most. */
  heldOf(unready: ReadonlySet<number>): Set<number> {
    return new Set([...unready].filter((partition) => this.options.standings.isWhole(partition)));
  }

  /** Other owners of a partition, in order of preference. */
  otherOwners(partition: number): readonly Peer[] {
    return this.others[partition];
  }

  /** Who may hold newer records than this node: other owners that may be reached, and while the partition moves, former owners. */
  sources(partition: number): Peer[] {
    const sources = this.others[partition].filter(isReachable);
    if (this.previous !== null && this.ready[partition] === 0) {
      for (const index of this.previous.owners(partition)) {
        const peer = this.peers.get(this.previous.members[index]);
        if (peer !== undefined && isReachable(peer) && !sources.includes(peer)) sources.push(peer);
      }
    }
    for (const peer of this.formers(partition)) if (!sources.includes(peer)) sources.push(peer);
    return sources;
  }

  owns(partition: number): boolean {
    return this.place[partition] >= 0;
  }

  ownerCount(partition: number): number {
    return this.others[partition].length + (this.place[partition] >= 0 ? 1 : 0);
  }

  isReady(partition: number): boolean {
    return this.ready[partition] === 1;
  }

  /** Whether this node is not ready for a partition, and what it holds of it may lack its tail. */
  isTorn(partition: number): boolean {
    return this.place[partition] >= 0 && this.ready[partition] === 0 && this.options.standings.isTorn(partition);
  }

  /** The same of what is here of any partition, also of one that this node does not own any more. */
  mayLackTail(partition: number): boolean {
    return this.options.standings.isTorn(partition);
  }

  /**
   * Whether what is here, of a partition that this node owns or hands over, may lack its tail or is a part: a record that is here may be older
   * than one that was acknowledged with this node's help.
   */
  isPartial(partition: number): boolean {
    if (this.place[partition] < 0) {
      return this.handing.has(partition) && this.options.standings.of(partition) !== STANDING_WHOLE;
    }
    if (this.ready[partition] === 1) return false;
    return this.fetching[partition] === 1 || this.options.standings.isTorn(partition);
  }

  get unready(): number {
    return this.notReady;
  }

  markReady(partition: number): void {
    if (this.ready[partition] === 1) return;
    this.ready[partition] = 1;
    this.fetching[partition] = 0;
    this.options.standings.set(partition, STANDING_WHOLE);
    this.changes++;
    this.notReady--;
    if (this.notReady === 0) this.previous = null;
  }

  /**
   * An owner with a higher floor than ours was met after this node had become ready without a source: what was deleted meanwhile, and
   * forgotten, may stand here. It answers from here again once it was compared.
   */
  doubt(partition: number, nowMs: number): void {
    if (this.place[partition] < 0 || this.ready[partition] === 0 || this.unsourced[partition] === 0) return;
    this.ready[partition] = 0;
    this.unsourced[partition] = 0;
    this.readyAtMs[partition] = nowMs + CATCH_UP_MS;
    this.changes++;
    this.notReady++;
  }

  /** Partitions whose time to wait is over, or for which nobody is left to wait for. `floors`: this node's, per partition. */
  tick(nowMs: number, floors: Float64Array, underWay: UnderWay = NOTHING_UNDER_WAY): void {
    const isPatient = nowMs < this.meetsByMs || this.refusal !== '';
    if (!this.met && !isPatient && !this.peers.all().some(isReachable)) {
      this.met = true;
      this.wentAlone = true;
    }
    if (this.wasFetching && this.peers.all().some(isReachable)) {
      this.wasFetching = false;
      this.asksUntilMs = nowMs + MEET_MS;
    }
    if (this.notReady > 0) {
      for (let partition = 0; partition < this.options.partitions; partition++) {
        if (this.place[partition] < 0 || this.ready[partition] === 1) continue;
        const byTime = Number.isFinite(this.readyAtMs[partition]);
        // After a change of the ring nobody has spoken by it yet.
        const isSettled = nowMs - this.ringChangedAtMs >= CATCH_UP_MS;
        const isDue = nowMs >= this.readyAtMs[partition] && isSettled && !underWay.isPulling(partition);
        const isOver = isDue && !this.awaitsOwner(partition, nowMs, floors[partition]);
        const isAlone = byTime ? isOver : this.goesOnAlone(nowMs) && !this.hasSource(partition);
        if (isAlone || (nowMs - this.ringChangedAtMs > CATCH_UP_MS && this.nobodyHas(partition, underWay))) {
          if (underWay.isUnheard(partition)) continue;
          this.markReady(partition);
          this.unsourced[partition] = 1;
        }
      }
    }
    this.former.tick((partition) => this.others[partition], false, nowMs < this.asksUntilMs);
    if (this.flaps.version !== this.flapsVersion) this.refreshSlotMap();
  }

  /**
   * The first owner that is not suspected, and that this node has a stream to: where a command that reads before it writes
   * runs. Null: that is this node.
   */
  firstOwner(partition: number): Peer | null | undefined {
    const mine = this.place[partition];
    const others = this.others[partition];
    const count = this.ownerCount(partition);
    for (let position = 0; position < count; position++) {
      if (position === mine) {
        if (this.ready[partition] === 1) return null;
        continue;
      }
      const peer = others[mine >= 0 && position > mine ? position - 1 : position];
      if (peer.state === 'alive' && peer.connected) return peer;
    }
    return mine >= 0 ? null : undefined;
  }

  /**
   * Another owner to run a command at: alive, not in `avoid`; owners of the ring before first while ours is not ready.
   * Undefined when there is none.
   */
  otherOwner(partition: number, avoid: ReadonlySet<string> | null): Peer | undefined {
    if (this.previous !== null && this.place[partition] >= 0) {
      for (const index of this.previous.owners(partition)) {
        const peer = this.peers.get(this.previous.members[index]);
        if (peer !== undefined && peer.state === 'alive' && !avoid?.has(peer.id)) return peer;
      }
    }
    const others = this.others[partition];
    let unready: Peer | undefined;
    for (const peer of others) {
      if (peer.state !== 'alive' || !peer.connected || avoid?.has(peer.id)) continue;
      if (!this.isCatchingUp(peer, partition)) return peer;
      unready ??= peer;
    }
    if (unready !== undefined) return unready;
    for (const peer of others) if (peer.state === 'alive' && !avoid?.has(peer.id)) return peer;
    for (const peer of others) if (peer.state === 'suspect' && !avoid?.has(peer.id)) return peer;
    return undefined;
  }

  /** Stand-ins for owners that are not alive: other live members with a place, the same order on every node. */
  fallbacks(partition: number, count: number): Peer[] {
    const owners = this.others[partition];
    const formers = this.formers(partition);
    const { members } = this.placement;
    return this.peers
      .all()
      .filter((peer) => peer.state === 'alive' && members.includes(peer.id))
      .filter((peer) => !owners.includes(peer) && !formers.includes(peer))
      .sort((left, right) => rank(partition, left.id) - rank(partition, right.id))
      .slice(0, count);
  }

  forget(id: string): void {
    this.readiness.forget(id);
  }

  /** Index into `placement.members` of the node that the slot map names for each partition. */
  slotMapPrimaries(): Uint16Array {
    return this.primaries;
  }

  private refreshSlotMap(): void {
    this.flapsVersion = this.flaps.version;
    const primaries = slotMap(this.placement, (id) => {
      if (id === this.options.selfId) return false;
      return this.flaps.isOut(id) || this.peers.get(id)?.state !== 'alive';
    });
    let same = primaries.length === this.primaries.length;
    for (let at = 0; same && at < primaries.length; at++) same = primaries[at] === this.primaries[at];
    this.primaries = primaries;
    if (!same) this.slotMapVersion++;
  }

  private leaveRing(hash: number): void {
    this.ringsLeft.add(hash);
    for (const oldest of this.ringsLeft) {
      if (this.ringsLeft.size <= RINGS_LEFT_MAX) break;
      this.ringsLeft.delete(oldest);
    }
  }

  /** Whether whoever goes by a ring is behind: this node has gone by it, and by another since. */
  hasLeft(ringHash: number): boolean {
    return this.ringsLeft.has(ringHash);
  }

  /** What a node that was alone has nothing of may be with those it meets. */
  private meetOthers(nowMs: number): void {
    this.wentAlone = false;
    this.asksUntilMs = nowMs + MEET_MS;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      if (this.place[partition] < 0 || this.options.holdsAny(partition)) continue;
      this.place[partition] = -1;
      this.options.standings.set(partition, STANDING_NONE);
    }
  }

  /** A part of a partition is handed over as well: what was acknowledged with it counts. */
  private giveUp(partition: number, isFound: boolean): void {
    const wasWhole = !isFound && this.options.standings.isWhole(partition);
    if (wasWhole || this.options.holdsAny(partition)) this.handing.add(partition);
  }

  private beginOwning(partition: number, nowMs: number, recovered: boolean): void {
    this.handing.delete(partition);
    this.ownings[partition]++;
    this.ready[partition] = 0;
    // What was being fetched before a restart is fetched on.
    const isWhole = recovered && this.options.standings.isWhole(partition);
    if (recovered && !isWhole) this.wasFetching = true;
    if (!isWhole) this.options.standings.set(partition, STANDING_FETCHING);
    this.fetching[partition] = isWhole ? 0 : 1;
    this.unsourced[partition] = 0;
    this.readyAtMs[partition] = isWhole ? nowMs + CATCH_UP_MS : Number.POSITIVE_INFINITY;
  }

  /**
   * Whether comparing with this peer tells what a partition holds: a ready owner, or one that was and hands it over. What is handed over and
   * may lack its tail is one source among others to an owner that looks for its own, and to who fetches only where there is nothing better.
   */
  isSource(peer: Peer, partition: number): boolean {
    const report = this.readiness.of(peer);
    if (report === undefined) return false;
    if (report.handing.has(partition)) {
      if (!report.unready.has(partition)) return true;
      return report.holding.has(partition) && (this.isTorn(partition) || !this.hasBetter(partition));
    }
    // By another ring it may own none of it yet.
    const isOfRing = report.ringHash === this.placedHash && report.atMs >= this.reportsSinceMs;
    return isOfRing && this.others[partition].includes(peer) && !report.unready.has(partition);
  }

  /** Whether somebody who can be reached has more than a torn copy that is handed over: an owner will answer for it, or another hands over all. */
  private hasBetter(partition: number): boolean {
    for (const peer of this.peers.all()) {
      const report = isReachable(peer) ? this.readiness.of(peer) : undefined;
      if (report === undefined) continue;
      const isUnready = report.unready.has(partition);
      if (report.handing.has(partition)) {
        if (!isUnready) return true;
        continue;
      }
      if (!this.others[partition].includes(peer) || report.ringHash !== this.placedHash) continue;
      if (!isUnready || report.holding.has(partition)) return true;
    }
    return false;
  }

  /** Whether a peer may say what has been deleted of a partition: it owns it, ready or not, or it did and hands it over. */
  proves(peer: Peer, partition: number): boolean {
    if (this.others[partition].includes(peer) || this.formers(partition).includes(peer)) return true;
    return this.readiness.of(peer)?.handing.has(partition) ?? false;
  }

  /** Whether a peer last said that it owns a partition and is not ready for it. */
  isCatchingUp(peer: Peer, partition: number): boolean {
    return this.readiness.of(peer)?.unready.has(partition) ?? false;
  }

  /** Partitions that this node has ceased to own and still holds, for their new owners to fetch. */
  get handedPartitions(): ReadonlySet<number> {
    return this.handing;
  }

  /** A partition that this node held for its new owners is gone from here. */
  handedOff(partition: number): void {
    this.options.standings.set(partition, STANDING_NONE);
    if (this.handing.delete(partition)) this.changes++;
  }

  /**
   * Every live member has said, since the ring changed, that it cannot be a source: a cluster that begins. To a node that fetches the
   * partition it makes a difference whether they hold a part like itself, or a copy that they have restarted with and will answer for.
   */
  private nobodyHas(partition: number, underWay: UnderWay): boolean {
    const isHolder = this.options.standings.isWhole(partition) || this.options.mutations.has('unready-copies-ignored');
    if (!isHolder && underWay.isPulling(partition)) return false;
    let isAnybodyThere = false;
    for (const peer of this.peers.all()) {
      if (!isReachable(peer)) continue;
      isAnybodyThere = true;
      const report = this.readiness.of(peer);
      if (report?.ringHash !== this.placedHash || report.atMs < this.ringChangedAtMs) return false;
      if (this.isSource(peer, partition)) return false;
      if (!isHolder && report.holding.has(partition)) return false;
    }
    return isAnybodyThere;
  }

  /** Whether this node has just started and reaches no other owner: what it holds may be old, and there is nobody to ask yet. */
  isDeaf(partition: number): boolean {
    if (this.place[partition] < 0 || this.ready[partition] === 1) return false;
    const others = this.others[partition];
    return Number.isFinite(this.readyAtMs[partition]) && others.length > 0 && !others.some(isReachable);
  }

  /**
   * Whether another owner may tell a restarted node what it missed: one that is ready, or whose floor is higher, or that has had no time
   * to say so.
   */
  private awaitsOwner(partition: number, nowMs: number, floor: number): boolean {
    const sinceMs = nowMs - this.readyAtMs[partition] + CATCH_UP_MS;
    for (const peer of this.others[partition]) {
      if (peer.state !== 'alive') continue;
      const report = this.readiness.of(peer);
      if (report === undefined || peer.saidWallMs === 0) {
        if (sinceMs < SILENT_OWNER_MS) return true;
      } else if (peer.connected && (sinceMs < UNASKED_OWNER_MS || nowMs - report.atMs < SILENT_OWNER_MS)) {
        if (this.isSource(peer, partition) || peer.floors[partition] > floor) return true;
      }
    }
    return false;
  }

  /** Whether what cannot be fetched is done without: not before a node has heard somebody to whom it may be known, if there is anybody. */
  private goesOnAlone(nowMs: number): boolean {
    return nowMs >= this.asksUntilMs && (!this.wasFetching || this.placement.members.length < 2);
  }

  /** Whether some live member may hold the partition: an owner now or before. */
  private hasSource(partition: number): boolean {
    if (this.others[partition].some(isReachable) || this.formers(partition).length > 0) return true;
    if (this.previous === null) return false;
    for (const index of this.previous.owners(partition)) {
      const peer = this.peers.get(this.previous.members[index]);
      if (peer !== undefined && isReachable(peer)) return true;
    }
    return false;
  }

  private countNotReady(): void {
    this.notReady = 0;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      if (this.place[partition] >= 0 && this.ready[partition] === 0) this.notReady++;
    }
  }
}

function isReachable(peer: Peer): boolean {
  return peer.state === 'alive' || peer.state === 'suspect';
}

/** Rendezvous weight of a member as a stand-in for a partition. */
function rank(partition: number, id: string): number {
  let hash = partition;
  for (let at = 0; at < id.length; at++) hash = mix32(hash, id.charCodeAt(at));
  return hash;
}
