/**
 * The ring as this node keeps it: joined from what peers say, written to the log so that a restart places keys as before, and
 * told to whoever holds another one. The spine feeds it frames and asks it to announce.
 * Who has a say stands in the manifest, too: it is durable when the log is not, under `off` or in the interval before a sync. Two that lost their
 * logs would otherwise forget, without the third that they do not remember, what it alone holds.
 * Guarded: this node is in its own ring while it runs, unless it leaves or was forgotten; another member loses its place only
 * after `memberGraceMs` of death or absence, by its own word, or by an operator's; who left or was forgotten is known by its last boot,
 * over every restart.
 */
import { decodeControl, encodeControl } from '../gossip/codec.js';
import { FRAME_RING } from '../gossip/frames.js';
import type { Member } from '../membership/member.js';
import type { Membership } from '../membership/membership.js';
import { dismissedBoot, endedWithBoot } from '../membership/precedence.js';
import {
  decodeRingRecord,
  ENDED_BOOT_MAX,
  encodeRingRecord,
  Ring,
  type RingMember,
  type RingRecord,
} from '../partitions/ring.js';
import { recordEnd, recordKeyEnd, TYPE_RING, writeRecord } from '../record/record.js';
import type { Peer, Peers } from '../replication/peers.js';
import type { Wal } from '../wal/wal.js';

const CHECK_INTERVAL_MS = 1000;
const RECORDS_PER_FRAME_MAX = 4096;
/** Members whose say the manifest remembers: with the longest names they take three quarters of what it may be long. */
const REMEMBERED_MAX = 1024;
/** A node with an empty directory takes the name of a forgotten one; it hears of that within this time of its start. */
const NEWCOMER_MS = 60_000;

export class RingBook {
  readonly ring: Ring;
  private readonly addressOf = new Map<string, string>();
  private readonly owed = new Set<string>();
  /** Members of the ring that membership does not know: since when. */
  private readonly absentSinceMs = new Map<string, number>();
  private changed = true;
  private nextCheckAtMs = 0;
  private leaving = false;
  private newcomerUntilMs: number;
  /** Had a say when this node ended, by the manifest, and no record of them has been met since. */
  private readonly unmet: Set<string>;
  private withSay: readonly string[] = [];
  /** What `withSay` was found from. */
  private withSayOf: readonly string[] | null = null;
  /** As the manifest has it, and what it was made from. */
  private remembered: readonly string[];
  private rememberedOf: readonly string[] | null = null;
  /** Whether this node had a place when it ended last: what it holds is then what it is to hold. */
  readonly hadPlace: boolean;

  constructor(
    private readonly wal: Wal,
    private readonly self: RingMember,
    recovered: readonly Buffer[],
    nowMs: number,
    { membersMax, withSay = [] }: { membersMax?: number; withSay?: readonly string[] } = {},
  ) {
    this.ring = new Ring(undefined, membersMax);
    this.remembered = withSay;
    for (const bytes of recovered) {
      const value = decodeControl(bytes, recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
      const record = value === null ? null : decodeRingRecord(value[0]);
      if (value === null || record === null) continue;
      this.ring.join(record);
      const address = value[1];
      if (typeof address === 'string' && address !== '') this.addressOf.set(record.id, address);
    }
    this.unmet = new Set(withSay.filter((id) => id !== self.id && this.ring.get(id) === undefined));
    const mine = this.ring.get(self.id);
    this.hadPlace = mine?.state === 'in';
    this.newcomerUntilMs = mine === undefined ? nowMs + NEWCOMER_MS : nowMs;
  }

  /** Last known gossip addresses of other members of the ring: contact points beside the configured ones. */
  addresses(): string[] {
    return this.ring
      .records()
      .filter((record) => record.id !== this.self.id && record.state === 'in')
      .flatMap((record) => this.addressOf.get(record.id) ?? []);
  }

  /** Whether anybody else has a place. */
  get hasOthers(): boolean {
    return this.ring.records().some((record) => record.id !== this.self.id && record.state === 'in');
  }

  /** Whether an operator had the cluster forget this node: it may not go on, nor start again from what it holds. */
  get isForgotten(): boolean {
    return this.ring.get(this.self.id)?.state === 'forgotten';
  }

  /** Whether this node is giving its place up for good. */
  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Ids of the members without whose word nothing deleted may be forgotten, this node included: alive, silent or dead. */
  idsWithSay(): readonly string[] {
    const ids = this.ring.idsWithSay();
    if (this.withSayOf === ids) return this.withSay;
    this.withSayOf = ids;
    for (const id of this.unmet) if (this.ring.get(id) !== undefined) this.unmet.delete(id);
    this.withSay = this.unmet.size === 0 ? ids : [...ids, ...this.unmet].sort();
    return this.withSay;
  }

  /** Ids of members that have a say by the manifest alone: the log has lost them, and nobody has told of them since. */
  unmetIds(): string[] {
    return this.idsWithSay().filter((id) => this.unmet.has(id));
  }

  /** Has the manifest remember who has a say, if that changed. Throws HearsayError NOSPACE or DISKFAILED; then it is to be called again. */
  rememberSay(): void {
    const ids = this.idsWithSay();
    if (ids === this.rememberedOf) return;
    const withSay = ids.slice(0, REMEMBERED_MAX);
    const { remembered } = this;
    const isSame = withSay.length === remembered.length && withSay.every((id, at) => id === remembered[at]);
    if (!isSame) this.wal.setState({ withSay });
    this.remembered = withSay;
    this.rememberedOf = ids;
  }

  /** Members with a say that the manifest does not remember, for want of room. */
  get unremembered(): number {
    return Math.max(0, this.idsWithSay().length - REMEMBERED_MAX);
  }

  /** Takes this node's place, or takes it again after others had given it up. */
  joinSelf(nowMs: number): void {
    const mine = this.ring.get(this.self.id);
    const { zone, weight } = this.self;
    if (this.leaving || (mine?.state === 'in' && mine.zone === zone && mine.weight === weight)) return;
    if (mine?.state === 'forgotten' && nowMs >= this.newcomerUntilMs) return;
    this.join({ ...this.self, state: 'in', version: (mine?.version ?? 0) + 1, endedBoot: mine?.endedBoot ?? 0 });
  }

  /** Gives this node's place up; the others move in, and are handed what it holds. */
  leaveSelf(): void {
    if (this.leaving) return;
    this.leaving = true;
    const mine = this.ring.get(this.self.id);
    this.join({ ...this.self, state: 'left', version: (mine?.version ?? 0) + 1, endedBoot: mine?.endedBoot ?? 0 });
  }

  /** Takes back the place that this node was giving up. */
  stay(nowMs: number): void {
    this.leaving = false;
    this.joinSelf(nowMs);
  }

  /** Ends a dead member's place, its say and its lives: `boot` is that of the latest one known. False if that is so already. */
  forget(id: string, zone: string, boot: number): boolean {
    const held = this.ring.get(id);
    if (held?.state === 'forgotten') return false;
    const version = (held?.version ?? 0) + 1;
    const endedBoot = Math.min(dismissedBoot(Math.max(boot, held?.endedBoot ?? 0)), ENDED_BOOT_MAX);
    this.join({ id, zone: held?.zone ?? zone, weight: held?.weight ?? 1, state: 'forgotten', version, endedBoot });
    return true;
  }

  /**
   * The life of this boot, of a member that left or was forgotten, is over. Under the version that is: what the member says of its place when
   * it is back is later, whoever still learns of this.
   */
  noteEnd(id: string, boot: number): void {
    const held = this.ring.get(id);
    if (held === undefined || boot <= held.endedBoot) return;
    this.join({ ...held, endedBoot: Math.min(endedWithBoot(boot), ENDED_BOOT_MAX) });
  }

  /** A peer's ring. */
  arrived(body: Buffer, membership: Membership, nowMs: number): void {
    const value = decodeControl(body, 0, body.length);
    if (value === null || value.length > RECORDS_PER_FRAME_MAX) return;
    for (const item of value) {
      const record = decodeRingRecord(item);
      if (record === null) this.ring.refused++;
      else this.join(record);
    }
    this.joinSelf(nowMs);
    const mine = this.ring.get(this.self.id);
    if (mine?.state === 'in') membership.outlive(mine.endedBoot, nowMs);
    for (const member of membership.members()) this.remember(member);
  }

  /** Keeps the address of a member of the ring for the next start. */
  remember(member: Member): void {
    const record = this.ring.get(member.id);
    const address = `${member.host}:${member.port}`;
    if (record === undefined || this.addressOf.get(member.id) === address) return;
    this.addressOf.set(member.id, address);
    this.write(record);
  }

  /** Members dead or gone past the grace lose their place; everybody who notices writes the same record. */
  tick(membership: Membership, nowMs: number, memberGraceMs: number): void {
    if (nowMs < this.nextCheckAtMs) return;
    this.nextCheckAtMs = nowMs + CHECK_INTERVAL_MS;
    for (const record of this.ring.records()) {
      if (record.state !== 'in' || record.id === this.self.id) continue;
      if (nowMs - this.goneSince(record.id, membership.get(record.id), nowMs) < memberGraceMs) continue;
      this.join({ ...record, state: 'out', version: record.version + 1 });
    }
  }

  /** Since when a member is dead, gone, or not heard of at all; Infinity while it is there. */
  private goneSince(id: string, member: Member | undefined, nowMs: number): number {
    if (member === undefined) {
      const since = this.absentSinceMs.get(id) ?? nowMs;
      this.absentSinceMs.set(id, since);
      return since;
    }
    this.absentSinceMs.delete(id);
    return member.state === 'dead' || member.state === 'left' ? member.stateSinceMs : Number.POSITIVE_INFINITY;
  }

  /** True once after each change. */
  takeChanged(): boolean {
    const changed = this.changed;
    this.changed = false;
    return changed;
  }

  announceTo(peers: Peers, peer: Peer): void {
    peers.sendFrame(peer, FRAME_RING, this.encode());
  }

  announceToAll(peers: Peers): void {
    const body = this.encode();
    for (const peer of peers.all()) if (peer.connected) peers.sendFrame(peer, FRAME_RING, body);
  }

  /** A message showed that this peer holds another ring: it is told ours with the next tick, once. */
  announceSoon(peerId: string): void {
    this.owed.add(peerId);
  }

  flush(peers: Peers): void {
    if (this.owed.size === 0) return;
    for (const id of this.owed) {
      const peer = peers.get(id);
      if (peer !== undefined) this.announceTo(peers, peer);
    }
    this.owed.clear();
  }

  /** Hands every record to `write`, for a checkpoint. */
  dump(write: (bytes: Buffer, length: number) => void): void {
    for (const record of this.ring.records()) {
      const bytes = this.encodeRecord(record);
      write(bytes, recordEnd(bytes, 0));
    }
  }

  private join(record: RingRecord): void {
    const { forgotten } = this.ring;
    if (!this.ring.join(record)) return;
    if (this.ring.forgotten !== forgotten) {
      for (const id of this.addressOf.keys()) if (this.ring.get(id) === undefined) this.addressOf.delete(id);
    }
    // An absence ends with the place: who comes back to it has one of its own, if any.
    if (record.state !== 'in') this.absentSinceMs.delete(record.id);
    this.changed = true;
    this.write(record);
  }

  private write(record: RingRecord): void {
    const bytes = this.encodeRecord(record);
    this.wal.append(bytes, 0, recordEnd(bytes, 0));
  }

  private encodeRecord(record: RingRecord): Buffer {
    const key = Buffer.from(record.id, 'utf8');
    const value = encodeControl([encodeRingRecord(record), this.addressOf.get(record.id) ?? '']);
    const fields = { type: TYPE_RING, hlc: 0, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
    const bytes = Buffer.alloc(64 + key.length + value.length);
    writeRecord(bytes, 0, fields, key, 0, key.length, value, 0, value.length);
    return bytes;
  }

  private encode(): Buffer {
    return encodeControl(this.ring.records().map((record) => encodeRingRecord(record)));
  }
}
