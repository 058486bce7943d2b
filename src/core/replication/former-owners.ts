/**
 * Who owned a partition before the ring changed and may still hold what its new owners lack. Until a move is over, what is done at level
 * quorum or all rests on owners and former owners together: with one node more to hear from for each former owner, as many are left out
 * as ever, so that whatever was acknowledged by a quorum of the old owners, or of the new, is met. ownership.ts tells it of the ring;
 * the coordinator and the reads ask.
 * Guarded: a former owner counts from the change of the ring until it says, by the same ring, that it holds the partition no more: it
 * gives its copy up only when every owner has all of it. A node may have skipped rings that others went by: the owners of each ring that
 * somebody says went before count, too. A node that has just joined or started knows them once somebody has
 * told it the ring that went before, or everybody has spoken.
 */
import { type Placement, place } from '../partitions/placement.js';
import type { RingMember } from '../partitions/ring.js';
import type { Peer, Peers } from './peers.js';
import type { Readiness } from './readiness.js';

const NOBODY: readonly Peer[] = [];
/** Rings that others went by and this node did not: few changes fall into one move. */
const SKIPPED_MAX = 8;

export class FormerOwners {
  /** Members of the ring that all went by before it changed; null once everybody goes by the new one, or as long as it is not known here. */
  members: readonly RingMember[] | null = null;
  private before: Placement | null = null;
  /** Rings that went before for others, by their members as text: this node may have skipped them. */
  private readonly skipped = new Map<string, Placement>();
  /** Of these, left out for want of room. */
  skippedDropped = 0;
  private isSettled = true;
  /** This node has joined since everybody had spoken last. */
  private isNewcomer = false;
  private ringHash = 0;
  private ring: readonly RingMember[] = [];
  private heard = -1;
  private readonly byPartition = new Map<number, Peer[]>();

  constructor(
    private readonly peers: Peers,
    private readonly readiness: Readiness,
    private readonly options: { selfId: string; partitions: number; replicas: number; mutations: ReadonlySet<string> },
  ) {}

  /** The ring changed to `ring`. `before`: the members that this node went by; null if it knew nothing of the cluster. */
  ringChanged(
    ringHash: number,
    ring: readonly RingMember[],
    before: readonly RingMember[] | null,
    isNewcomer: boolean,
  ): void {
    this.ringHash = ringHash;
    this.ring = ring;
    this.isSettled = false;
    if (isNewcomer) {
      this.isNewcomer = true;
      this.goBy(null);
    } else if (!this.isNewcomer && this.members === null) this.goBy(before);
  }

  /** Whether a peer has said that it goes by the present ring. */
  private goesAlong(peerId: string): boolean {
    return this.readiness.of(peerId)?.ringHash === this.ringHash;
  }

  private goBy(members: readonly RingMember[] | null): void {
    this.members = members;
    this.before = members === null ? null : place(members, this.options.partitions, this.options.replicas);
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
    if (!this.isSettled) this.learnSkipped();
    const befores = this.before === null ? [...this.skipped.values()] : [this.before, ...this.skipped.values()];
    this.byPartition.clear();
    if (this.options.mutations.has('former-owners-unasked')) return;
    for (const peer of this.peers.all()) {
      if (peer.state !== 'alive' && peer.state !== 'suspect') continue;
      const report = this.readiness.of(peer.id);
      for (const partition of report?.handing ?? []) this.add(partition, peer, ownersOf(partition));
      if (this.goesAlong(peer.id)) continue;
      for (const before of befores) this.addOwned(before, peer, ownersOf);
    }
  }

  /** All that a peer owned by a ring that went before. */
  private addOwned(before: Placement, peer: Peer, ownersOf: (partition: number) => readonly Peer[]): void {
    const member = before.members.indexOf(peer.id);
    for (let partition = 0; member >= 0 && partition < this.options.partitions; partition++) {
      if (before.owners(partition).includes(member)) this.add(partition, peer, ownersOf(partition));
    }
  }

  /** Everybody who is not dead has said that it goes by the new ring: whoever holds what others lack has named it. */
  private settle(isWaiting: boolean): void {
    for (const peer of this.peers.all()) {
      if ((peer.state === 'alive' || peer.state === 'suspect') && !this.goesAlong(peer.id)) return;
    }
    if (this.isNewcomer && isWaiting) {
      for (const { id } of this.ring) if (id !== this.options.selfId && !this.goesAlong(id)) return;
    }
    this.isSettled = true;
    this.isNewcomer = false;
    this.skipped.clear();
    this.goBy(null);
  }

  /** Somebody who was there before says who was. */
  private learn(): void {
    for (const peer of this.peers.all()) {
      const report = this.readiness.of(peer.id);
      if (report === undefined || report.before === null || report.ringHash !== this.ringHash) continue;
      this.goBy(report.before);
      return;
    }
  }

  /** What others, who go by the present ring, went by before: kept until everybody goes by the present one. */
  private learnSkipped(): void {
    for (const peer of this.peers.all()) {
      const report = this.readiness.of(peer.id);
      if (report === undefined || report.before === null || report.ringHash !== this.ringHash) continue;
      const text = textOf(report.before);
      if (this.skipped.has(text) || (this.members !== null && text === textOf(this.members))) continue;
      if (this.skipped.size === SKIPPED_MAX) this.skippedDropped++;
      else this.skipped.set(text, place(report.before, this.options.partitions, this.options.replicas));
    }
  }

  private add(partition: number, peer: Peer, owners: readonly Peer[]): void {
    if (owners.includes(peer)) return;
    const formers = this.byPartition.get(partition);
    if (formers === undefined) this.byPartition.set(partition, [peer]);
    else if (!formers.includes(peer)) formers.push(peer);
  }
}

function textOf(members: readonly RingMember[]): string {
  return JSON.stringify(members.map(({ id, zone, weight }) => [id, zone, weight]));
}
