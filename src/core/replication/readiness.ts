/**
 * What each member says of its partitions while they move: which it owns and is not ready for, and holds all the same, which it gave up
 * and still holds for their new owners, and the ring that it goes by. The spine sends READY when any of that changed, and to whoever connects;
 * ownership.ts reads here who may be a source, and who counts beside the owners until a move is over.
 *
 *     READY  0 u32 ring hash   4 u32 version   8 u16 count of partitions not ready   10 u16 of those handed over   12 u16 of those not
 *            ready that are held, but for their newest writes   14 f64 HLC, 22 f64 actor of the flush   30 u16 each, then, unless the ring
 *            that went before is of no account any more, its members: [id, zone, weight] each
 *
 * Guarded: a report is taken whole or not at all, never an older one of the same start after a newer, and ends with the life that gave it.
 */
import { decodeControl, encodeControl } from '../gossip/codec.js';
import { FRAME_READY } from '../gossip/frames.js';
import { decodeRingRecord, type RingMember } from '../partitions/ring.js';
import { FLUSH_MARK_BYTES, type FlushMark, readFlushMark, writeFlushMark } from './flush-mark.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';

/** Between two reports at least: many partitions become ready at once. */
const TELL_INTERVAL_MS = 100;
const FLUSH_AT = 14;
const READY_HEADER_BYTES = FLUSH_AT + FLUSH_MARK_BYTES;
/** As many as a placement takes with the most partitions that there may be. */
const MEMBERS_MAX = 128;
/** The ring of a report that came from a peer with another ring than ours. */
const NO_RING = -1;

export interface ReadyReport {
  ringHash: number;
  version: number;
  unready: ReadonlySet<number>;
  handing: ReadonlySet<number>;
  /** Of those not ready: no part, but all that there was when they were ready last, but for a tail that may be lost. */
  holding: ReadonlySet<number>;
  /** Members of the ring before this one, while what they hold still counts; null afterwards. */
  before: readonly RingMember[] | null;
}

interface HeldReport extends ReadyReport {
  readonly actor: number;
  readonly atMs: number;
}

export function encodeReady(report: ReadyReport, flushed: FlushMark): Buffer {
  const { ringHash, version, unready, handing, holding, before } = report;
  const body = Buffer.alloc(READY_HEADER_BYTES + (unready.size + handing.size + holding.size) * 2);
  body.writeUInt32LE(ringHash, 0);
  body.writeUInt32LE(version, 4);
  body.writeUInt16LE(unready.size, 8);
  body.writeUInt16LE(handing.size, 10);
  body.writeUInt16LE(holding.size, 12);
  let at = writeFlushMark(body, FLUSH_AT, flushed);
  for (const list of [unready, handing, holding]) {
    for (const partition of list) at = body.writeUInt16LE(partition, at);
  }
  if (before === null) return body;
  return Buffer.concat([body, encodeControl(before.map(({ id, zone, weight }) => [id, zone, weight]))]);
}

/** Null when the bytes are no report about `partitions` partitions. */
export function decodeReady(body: Buffer, partitions: number): { report: ReadyReport; flushed: FlushMark } | null {
  if (body.length < READY_HEADER_BYTES) return null;
  const flushed = readFlushMark(body, FLUSH_AT);
  if (flushed === null) return null;
  const unreadyEnd = READY_HEADER_BYTES + body.readUInt16LE(8) * 2;
  const handingEnd = unreadyEnd + body.readUInt16LE(10) * 2;
  const end = handingEnd + body.readUInt16LE(12) * 2;
  if (body.length < end) return null;
  const before = body.length === end ? null : readMembers(body, end);
  if (body.length > end && before === null) return null;
  const unready = new Set<number>();
  const handing = new Set<number>();
  const holding = new Set<number>();
  for (let at = READY_HEADER_BYTES; at < end; at += 2) {
    const partition = body.readUInt16LE(at);
    if (partition >= partitions) return null;
    (at < unreadyEnd ? unready : at < handingEnd ? handing : holding).add(partition);
  }
  const ringHash = body.readUInt32LE(0);
  return { report: { ringHash, version: body.readUInt32LE(4), unready, handing, holding, before }, flushed };
}

function readMembers(body: Buffer, start: number): RingMember[] | null {
  const value = decodeControl(body, start, body.length);
  if (value === null || value.length > MEMBERS_MAX) return null;
  const members: RingMember[] = [];
  const ids = new Set<string>();
  for (const item of value) {
    // A member in a ring is a record without state, version and ended boot.
    const member =
      Array.isArray(item) && item.length === 3 ? decodeRingRecord([...(item as unknown[]), 0, 0, 0]) : null;
    if (member === null || ids.has(member.id)) return null;
    ids.add(member.id);
    members.push({ id: member.id, zone: member.zone, weight: member.weight });
  }
  return members;
}

export class Readiness {
  private readonly reports = new Map<string, HeldReport>();
  private version = 0;
  private toldChanges = -1;
  private nextTellAtMs = 0;
  /** Raised by every report taken. */
  heard = 0;
  readonly stats = { told: 0, stale: 0, malformed: 0 };

  constructor(private readonly options: { partitions: number }) {}

  /** What a peer says in its present life: what a former one said is nothing to go by. */
  of(peer: Peer): HeldReport | undefined {
    const report = this.lastOf(peer);
    return report?.actor === peer.actor ? report : undefined;
  }

  /** What a peer said last, in whichever life. */
  lastOf(peer: Peer): HeldReport | undefined {
    return this.reports.get(peer.id);
  }

  forget(peerId: string): void {
    if (this.reports.delete(peerId)) this.heard++;
  }

  /** Learnt with a round of anti-entropy; `ringHash` null: the peer goes by another ring. */
  note(
    peer: Peer,
    ringHash: number | null,
    { unready, handing, holding }: Pick<ReadyReport, 'unready' | 'handing' | 'holding'>,
    nowMs: number,
  ): void {
    const { version, before } = this.of(peer) ?? { version: 0, before: null };
    const { actor } = peer;
    const report = { ringHash: ringHash ?? NO_RING, version, unready, handing, holding, before };
    this.reports.set(peer.id, { ...report, actor, atMs: nowMs });
    this.heard++;
  }

  /** READY from a peer. Returns the flush that it knows; null if the bytes are no report. */
  arrived(peer: Peer, body: Buffer, nowMs: number): FlushMark | null {
    const said = decodeReady(body, this.options.partitions);
    if (said === null) {
      this.stats.malformed++;
      return null;
    }
    const { report, flushed } = said;
    const held = this.of(peer);
    // Versions count on for longer than any start lasts.
    if (held !== undefined && report.version < held.version) {
      this.stats.stale++;
      return flushed;
    }
    this.reports.set(peer.id, { ...report, actor: peer.actor, atMs: nowMs });
    this.heard++;
    return flushed;
  }

  /** Tells everybody what has changed here since they were told. */
  tick(ownership: Ownership, peers: Peers, flushed: FlushMark, nowMs: number): void {
    if (ownership.changes === this.toldChanges || nowMs < this.nextTellAtMs) return;
    this.toldChanges = ownership.changes;
    this.nextTellAtMs = nowMs + TELL_INTERVAL_MS;
    this.version++;
    const body = this.encode(ownership, flushed);
    for (const peer of peers.all()) if (peer.connected) this.send(peers, peer, body);
  }

  /** A stream to a peer is open. It learns of a flush that it has missed before anything is asked of it, or answered. */
  tellTo(peer: Peer, ownership: Ownership, peers: Peers, flushed: FlushMark): void {
    this.send(peers, peer, this.encode(ownership, flushed));
  }

  private encode(ownership: Ownership, flushed: FlushMark): Buffer {
    const { version } = this;
    const { ringHash, handedPartitions: handing, membersBefore } = ownership;
    // What has been settled in a large cluster is settled before all have been told who they were.
    const before = membersBefore === null || membersBefore.length > MEMBERS_MAX ? null : membersBefore;
    const unready = ownership.unreadyPartitions();
    const holding = ownership.heldOf(unready);
    return encodeReady({ ringHash, version, unready, handing, holding, before }, flushed);
  }

  private send(peers: Peers, peer: Peer, body: Buffer): void {
    this.stats.told++;
    peers.sendFrame(peer, FRAME_READY, body);
  }
}
