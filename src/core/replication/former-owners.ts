/**
 * Who owned a partition before the ring changed and may still hold what its new owners lack. Until a move is over, what is done at level
 * quorum or all rests on owners and former owners together: with one node more to hear from for each former owner, as many are left out
 * as ever, so that whatever was acknowledged by a quorum of the old owners, or of the new, is met. ownership.ts tells it of the ring;
 * the coordinator and the reads ask.
 * Guarded: a former owner counts from the change of the ring until it says, by the same ring, that it holds the partition no more: it
 * gives its copy up only when every owner has all of it. A node that has just joined or started knows them once somebody has
 * told it the ring that went before, or everybody has spoken.
 */
import { type Placement, place } from '../partitions/placement.js';
import type { RingMember } from '../partitions/ring.js';
import type { Peer, Peers } from './peers.js';
import type { Readiness } from './readiness.js';

const NOBODY: readonly Peer[] = [];

export class FormerOwners {
  /** Members of the ring that all went by before it changed; null once everybody goes by the new one, or as long as it is not known here. */
  members: readonly RingMember[] | null = null;
  private before: Placement | null = null;
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
    this.byPartition.clear();
    if (this.options.mutations.has('former-owners-unasked')) return;
    for (const peer of this.peers.all()) {
      if (peer.state !== 'alive' && peer.state !== 'suspect') continue;
      const report = this.readiness.of(peer.id);
      for (const partition of report?.handing ?? []) this.add(partition, peer, ownersOf(partition));
      if (this.before === null || this.goesAlong(peer.id)) continue;
      const member = this.before.members.indexOf(peer.id);
      for (let partition = 0; member >= 0 && partition < this.options.partitions; partition++) {
        if (this.before.owners(partition).includes(member)) this.add(partition, peer, ownersOf(partition));
      }
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

  private add(partition: number, peer: Peer, owners: readonly Peer[]): void {
    if (owners.includes(peer)) return;
    const formers = this.byPartition.get(partition);
    if (formers === undefined) this.byPartition.set(partition, [peer]);
    else if (!formers.includes(peer)) formers.push(peer);
  }
}
