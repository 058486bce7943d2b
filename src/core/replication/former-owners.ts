/**
 * Who owned a partition before the ring changed and may still hold what its new owners lack. Until a move is over, what is done at level
 * quorum or all rests on owners and former owners together: with one node more to hear from for each former owner, as many are left out
 * as ever, so that whatever was acknowledged by a quorum of the old owners, or of the new, is met. ownership.ts tells it of the ring;
 * the coordinator and the reads ask.
 * Guarded: a former owner counts from the change of the ring until it says, by the same ring, that it holds the partition no more: it
 * gives its copy up only when every owner has all of it. A node may have skipped rings that others went by: the owners of each ring that
 * somebody says went before count, too. A node that has just joined or started knows them once somebody has told it the ring that went
 * before, or everybody has spoken. A report is gone through once, and a ring that went before once: what a tick costs grows with what was
 * said since the last, not with members times partitions.
 */
import { place } from '../partitions/placement.js';
import type { RingMember } from '../partitions/ring.js';
import type { Peer, Peers } from './peers.js';
import type { Readiness, ReadyReport } from './readiness.js';

const NOBODY: readonly Peer[] = [];
/** Rings that others went by and this node did not: few changes fall into one move. */
const SKIPPED_MAX = 8;

/** By member of a ring that went before: the partitions that it owned. */
type OwnedBefore = ReadonlyMap<string, readonly number[]>;

interface Counted {
  /** What it had said. */
  readonly report: ReadyReport | undefined;
  readonly isThere: boolean;
  readonly partitions: number[];
}

export class FormerOwners {
  /** Members of the ring that all went by before it changed; null once everybody goes by the new one, or as long as it is not known here. */
  members: readonly RingMember[] | null = null;
  private before: OwnedBefore | null = null;
  /** Rings that went before for others, by their members as text: this node may have skipped them. */
  private readonly skipped = new Map<string, OwnedBefore>();
  /** Of these, left out for want of room. */
  skippedDropped = 0;
  private isSettled = true;
  /** This node has joined since everybody had spoken last. */
  private isNewcomer = false;
  private ringHash = 0;
  private reportsSinceMs = Number.NEGATIVE_INFINITY;
  private ring: readonly RingMember[] = [];
  private heard = -1;
  /** A list is never changed: whoever holds one sees by another list that others count. */
  private readonly byPartition = new Map<number, readonly Peer[]>();
  /** What each peer counts for, and what that was read from. */
  private readonly counted = new Map<Peer, Counted>();
  /** The ring, or the one before, is another: what was counted says nothing. */
  private isStale = false;
  /** Partitions of peers gone through since the start. */
  examined = 0;

  constructor(
    private readonly peers: Peers,
    private readonly readiness: Readiness,
    private readonly options: { selfId: string; partitions: number; replicas: number; mutations: ReadonlySet<string> },
  ) {}

  /**
   * The ring changed to `ring`. `before`: the members that this node went by; null if it knew nothing of the cluster. `reportsSinceMs`:
   * what was said earlier was said of that ring when it held before.
   */
  ringChanged(
    ringHash: number,
    ring: readonly RingMember[],
    before: readonly RingMember[] | null,
    isNewcomer: boolean,
    reportsSinceMs = Number.NEGATIVE_INFINITY,
  ): void {
    this.ringHash = ringHash;
    this.reportsSinceMs = reportsSinceMs;
    this.ring = ring;
    this.isSettled = false;
    this.isStale = true;
    if (isNewcomer) {
      this.isNewcomer = true;
      this.goBy(null);
    } else if (!this.isNewcomer && this.members === null) this.goBy(before);
  }

  /** Whether a peer has said that it goes by the present ring. */
  private goesAlong(peer: Peer | undefined): boolean {
    const report = peer === undefined ? undefined : this.readiness.of(peer);
    return report?.ringHash === this.ringHash && report.atMs >= this.reportsSinceMs;
  }

  private goBy(members: readonly RingMember[] | null): void {
    this.members = members;
    this.before = members === null ? null : this.ownedBy(members);
    this.isStale = true;
  }

  private ownedBy(members: readonly RingMember[]): OwnedBefore {
    const { partitions, replicas } = this.options;
    const placement = place(members, partitions, replicas);
    const owned = new Map(placement.members.map((id): [string, number[]] => [id, []]));
    for (let partition = 0; partition < partitions; partition++) {
      for (const member of placement.owners(partition)) owned.get(placement.members[member])?.push(partition);
    }
    return owned;
  }

  /** Those of a partition; few calls find any, and that costs one comparison. */
  of(partition: number): readonly Peer[] {
    if (this.byPartition.size === 0) return NOBODY;
    return this.byPartition.get(partition) ?? NOBODY;
  }

  /** Those of any partition. */
  all(): Set<Peer> {
    return new Set([...this.byPartition.values()].flat());
  }

  /** Partitions that are moving, as far as this node knows. */
  get size(): number {
    return this.byPartition.size;
  }

  /** Whether this node may not know all former owners yet, because it has just joined. */
  get isUnaware(): boolean {
    return this.isNewcomer && !this.isSettled && this.before === null;
  }

  /** With each tick, after a report or a change of members (`changed`): who counts. `isWaiting`: members may not have been met yet. */
  tick(ownersOf: (partition: number) => readonly Peer[], changed: boolean, isWaiting: boolean): void {
    if (!changed && this.isSettled && this.heard === this.readiness.heard) return;
    this.heard = this.readiness.heard;
    if (!this.isSettled) this.settle(isWaiting);
    if (this.isNewcomer && this.before === null) this.learn();
    if (this.options.mutations.has('former-owners-unasked')) return;
    if (changed || this.isStale) this.countAnew();
    if (!this.isSettled) this.learnSkipped();
    if (this.isStale) this.countAnew();
    const peers = this.peers.all();
    for (const peer of peers) this.count(peer, ownersOf);
    if (this.counted.size === peers.length) return;
    for (const [peer, counted] of this.counted) if (!peers.includes(peer)) this.withdraw(peer, counted);
  }

  private countAnew(): void {
    this.isStale = false;
    this.byPartition.clear();
    this.counted.clear();
  }

  /** What a peer counts for now, if it has said something else since, or has come or gone. */
  private count(peer: Peer, ownersOf: (partition: number) => readonly Peer[]): void {
    // Also of a former life: until the peer has spoken it may hold still what it handed over.
    const report = this.readiness.lastOf(peer);
    const isThere = peer.state === 'alive' || peer.state === 'suspect';
    const former = this.counted.get(peer);
    if (former !== undefined) {
      if (former.report === report && former.isThere === isThere) return;
      this.withdraw(peer, former);
    }
    const counted: Counted = { report, isThere, partitions: [] };
    this.counted.set(peer, counted);
    if (!isThere) return;
    for (const partition of report?.handing ?? []) this.add(partition, peer, ownersOf(partition), counted);
    if (this.goesAlong(peer)) return;
    this.addOwned(this.before, peer, ownersOf, counted);
    for (const before of this.skipped.values()) this.addOwned(before, peer, ownersOf, counted);
  }

  /** All that a peer owned by a ring that went before. */
  private addOwned(
    before: OwnedBefore | null,
    peer: Peer,
    ownersOf: (partition: number) => readonly Peer[],
    counted: Counted,
  ): void {
    for (const partition of before?.get(peer.id) ?? []) this.add(partition, peer, ownersOf(partition), counted);
  }

  private withdraw(peer: Peer, { partitions }: Counted): void {
    this.counted.delete(peer);
    for (const partition of partitions) {
      const left = (this.byPartition.get(partition) ?? NOBODY).filter((one) => one !== peer);
      if (left.length > 0) this.byPartition.set(partition, left);
      else this.byPartition.delete(partition);
    }
  }

  /** Everybody who is not dead has said that it goes by the new ring: whoever holds what others lack has named it. */
  private settle(isWaiting: boolean): void {
    for (const peer of this.peers.all()) {
      if ((peer.state === 'alive' || peer.state === 'suspect') && !this.goesAlong(peer)) return;
    }
    if (this.isNewcomer && isWaiting) {
      for (const { id } of this.ring) if (id !== this.options.selfId && !this.goesAlong(this.peers.get(id))) return;
    }
    this.isSettled = true;
    this.isNewcomer = false;
    this.skipped.clear();
    this.goBy(null);
  }

  /** Somebody who was there before says who was. */
  private learn(): void {
    for (const peer of this.peers.all()) {
      const report = this.readiness.of(peer);
      if (report === undefined || report.before === null || report.ringHash !== this.ringHash) continue;
      this.goBy(report.before);
      return;
    }
  }

  /** What others, who go by the present ring, went by before: kept until everybody goes by the present one. */
  private learnSkipped(): void {
    for (const peer of this.peers.all()) {
      const report = this.readiness.of(peer);
      if (report === undefined || report.before === null || report.ringHash !== this.ringHash) continue;
      if (this.counted.get(peer)?.report === report) continue;
      const text = textOf(report.before);
      if (this.skipped.has(text) || (this.members !== null && text === textOf(this.members))) continue;
      if (this.skipped.size === SKIPPED_MAX) this.skippedDropped++;
      else {
        this.skipped.set(text, this.ownedBy(report.before));
        this.isStale = true;
      }
    }
  }

  private add(partition: number, peer: Peer, owners: readonly Peer[], { partitions }: Counted): void {
    this.examined++;
    const formers = this.byPartition.get(partition) ?? NOBODY;
    if (owners.includes(peer) || formers.includes(peer)) return;
    this.byPartition.set(partition, [...formers, peer]);
    partitions.push(partition);
  }
}

function textOf(members: readonly RingMember[]): string {
  return JSON.stringify(members.map(({ id, zone, weight }) => [id, zone, weight]));
}
