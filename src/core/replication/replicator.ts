/**
 * Records between owners: what this node stamped goes out to the other owners, what they send is merged, logged and acknowledged.
 * The keyspace hands it every local write; the spine hands it every RECORDS section and every acknowledgement.
 * Guarded: a record is acknowledged only when it was merged (or found older than what is here) and taken by the log, under
 * `always` only when that batch is durable; what a peer does not acknowledge becomes a hint.
 */
import type { Log } from '../../ports/log.js';
import type { HybridClock } from '../base/hlc.js';
import { FRAME_RECORDS } from '../gossip/frames.js';
import { SECTION_RECORDS } from '../gossip/packet.js';
import type { Ring } from '../partitions/ring.js';
import { slotOf } from '../partitions/slots.js';
import { isExpiryRecord, namedHlc, recordIsExpired } from '../record/expiry.js';
import {
  isMergeType,
  LOCAL_TYPES_BEGIN,
  RECORD_HEADER_BYTES,
  readHlc,
  recordActor,
  recordBytes,
  recordEnd,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  sealRecord,
  TYPE_EXPIRY,
  TYPE_FLUSH,
  TYPE_HINT,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  verifyRecord,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import { MERGE_APPLIED, MERGE_DERIVED, MERGE_MISSING, MERGE_REFUSED, MERGE_STALE } from '../store/merging.js';
import type { Store } from '../store/store.js';
import { isCovered, isMergeable } from '../types/types.js';
import type { Wal } from '../wal/wal.js';
import { type Acks, REFUSED_MAX } from './acks.js';
import type { DistinctKeys } from './distinct-keys.js';
import type { Floors } from './floors.js';
import { type FlushMark, isLaterFlush } from './flush-mark.js';
import type { Frontiers } from './frontier.js';
import { RECORDS_HEADER_BYTES, recordsNumber, recordsRingHash, type SentMessage } from './link.js';
import { encodeLossy } from './lossy-note.js';
import { logMerged, mergedBytesMax } from './merged.js';
import type { Operation, Operations } from './operations.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';

/** A message not acknowledged for this long is given up: its records become hints. */
const GIVE_UP_MS = 3000;
/** Hints handed over per peer and tick while its window has room. */
const HINTS_PER_TICK = 1024;
const WINDOW_FOR_HINTS_BYTES = 1024 * 1024;
/** Log lines about values that merges let go come this far apart at least. */
const LOST_LINE_MS = 1000;

export interface ReplicatorOptions {
  partitions: number;
  mutations: ReadonlySet<string>;
}

/** The key of a record as latin-1 text. */
function keyOf(bytes: Buffer, offset: number): string {
  return bytes.latin1Slice(recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset));
}

/** What became of a RECORDS message. */
export interface Received {
  ringDiffers: boolean;
  /** Whoever stamped the records sends them to all owners. */
  spread: boolean;
  /** They came in order, and not long after they were sent. */
  readonly viaStream: boolean;
  /** A datagram brought something below the floor: none of its message is acknowledged, so that it comes again by stream if it is owed. */
  late: boolean;
  /** Keys whose expiry change came without its value: the sender is asked for the whole record. */
  missing: Buffer[];
}

export class Replicator {
  /** Writes coordinated here since the start, FLUSH included. */
  writes = 0;
  /** Raised by whatever may let a WAIT end: acknowledgements, hints taken. */
  progress = 0;
  /** The count of writes at the last flush known here. */
  private flushedAtCount = -1;
  nowMs = 0;
  wallMs = 0;
  private lostTold = 0;
  private nextLostLineAtMs = 0;
  /** Per partition not owned: 1 when a record of it was taken in since the last round that offered it to the owners. */
  readonly foreignTouched: Uint8Array;
  private readonly scratch = Buffer.alloc(1024);
  readonly stats = {
    recordsSent: 0,
    recordsReceived: 0,
    recordsApplied: 0,
    recordsMerged: 0,
    recordsStale: 0,
    recordsRefused: 0,
    recordsUnknown: 0,
    recordsDrifted: 0,
    recordsNobodys: 0,
    recordsMalformed: 0,
    messagesAbandoned: 0,
    messagesRefused: 0,
    messagesOfGone: 0,
    hintsReturned: 0,
  };

  constructor(
    private readonly ports: { log: Log },
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly clock: HybridClock,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly operations: Operations,
    private readonly frontiers: Frontiers,
    private readonly distinctKeys: DistinctKeys,
    private readonly floors: Floors,
    private readonly options: ReplicatorOptions,
  ) {
    this.foreignTouched = new Uint8Array(options.partitions);
  }

  /** Planted bugs, by name. */
  get mutations(): ReadonlySet<string> {
    return this.options.mutations;
  }

  /**
   * Sends a record that this node has just stamped to the other owners of its partition, and to the operation's stand-ins. Owners that are suspected or gone are owed a hint. `operation` counts their acknowledgements.
   */
  spread(bytes: Buffer, offset: number, partition: number, operation: Operation | null): void {
    const length = recordBytes(bytes, offset);
    if (!this.ownership.owns(partition)) this.foreignTouched[partition] = 1;
    for (const peer of this.ownership.otherOwners(partition)) {
      if (peer.state === 'alive' || peer.state === 'suspect') this.send(peer, bytes, offset, length, operation);
      if (peer.state !== 'alive') this.hint(peer, bytes, offset, partition, this.writes);
    }
    if (operation === null) return;
    // What is acknowledged above level one rests on those that owned the partition until now, too.
    for (const peer of this.ownership.formers(partition)) this.send(peer, bytes, offset, length, operation);
    if (operation.standIns === null) return;
    for (const id of operation.standIns) this.send(this.peers.ensure(id), bytes, offset, length, operation);
  }

  /** Sends a record to one peer, outside any operation: repair, hints, hand-off. */
  offer(peer: Peer, bytes: Buffer, offset: number): void {
    this.send(peer, bytes, offset, recordBytes(bytes, offset), null);
  }

  /** Sends a record to every live member: a flush. `operation` counts those that may hold what it flushes. */
  broadcast(bytes: Buffer, offset: number, operation: Operation | null): void {
    const holders = operation === null ? null : this.ownership.holders();
    for (const peer of this.peers.all()) {
      if (peer.state !== 'alive' && peer.state !== 'suspect')
        peer.missedFlush.note(this.writes, recordHlc(bytes, offset));
      else this.send(peer, bytes, offset, recordBytes(bytes, offset), holders?.has(peer) ? operation : null);
    }
  }

  private send(peer: Peer, bytes: Buffer, offset: number, length: number, operation: Operation | null): void {
    if (peer.link.full) {
      if (recordType(bytes, offset) === TYPE_FLUSH) peer.missedFlush.note(this.writes, recordHlc(bytes, offset));
      else this.hint(peer, bytes, offset, this.partitionOf(bytes, offset), this.writes);
      return;
    }
    this.stats.recordsSent++;
    if (peer.link.add(bytes, offset, length, this.writes, this.nowMs, operation)) {
      if (operation !== null) this.operations.expect(operation, peer);
    }
  }

  /** End of turn: what was collected for each peer leaves. */
  flush(): void {
    const ringHash = this.ownership.ringHash;
    for (const peer of this.peers.all()) {
      if (peer.link.unackedMessages === 0) continue;
      for (const message of peer.link.takeReady(ringHash, this.nowMs, peer.udpBlocked)) {
        if (message.viaStream) {
          this.peers.sendFrame(peer, FRAME_RECORDS, message.body);
        } else {
          this.peers.packetFor(peer, message.body.length).add(SECTION_RECORDS, message.body, 0, message.body.length);
        }
      }
    }
  }

  /** What was not acknowledged in time goes by stream, then becomes hints; hints of live peers are handed over. */
  tick(): void {
    this.tellLost();
    for (const peer of this.peers.all()) {
      const reachable = peer.state === 'alive' || peer.state === 'suspect';
      if (peer.link.unackedMessages > 0) {
        for (const message of peer.link.takeOverdue(this.nowMs)) {
          this.peers.sendFrame(peer, FRAME_RECORDS, message.body);
        }
        this.abandon(peer, reachable ? this.nowMs - GIVE_UP_MS : Number.POSITIVE_INFINITY);
      }
      if (peer.hints.unloggedCount > 0 && this.wal.refusal === null)
        peer.hints.logLate((key, partition) => this.logHint(peer.id, key, partition, 0));
      if (peer.state === 'alive' && peer.connected && peer.hints.waiting > 0) this.handOver(peer);
    }
  }

  private tellLost(): void {
    const { valuesLost } = this.store;
    if (valuesLost === this.lostTold || this.nowMs < this.nextLostLineAtMs) return;
    this.nextLostLineAtMs = this.nowMs + LOST_LINE_MS;
    this.ports.log.warn('what two copies of a key had together is more than a record holds: the oldest values went', {
      values: valuesLost - this.lostTold,
    });
    this.lostTold = valuesLost;
  }

  /** The stream to a peer is open again: what the former one carried leaves by this one. */
  reconnected(peer: Peer): void {
    for (const message of peer.link.streamMessages()) this.peers.sendFrame(peer, FRAME_RECORDS, message.body);
  }

  /** Turns messages into hints; their operations run into their deadline. */
  abandon(peer: Peer, bornBeforeMs: number): void {
    this.owe(peer, peer.link.abandon(bornBeforeMs));
  }

  owe(peer: Peer, messages: readonly SentMessage[]): void {
    for (const message of messages) {
      this.stats.messagesAbandoned++;
      this.oweRecords(peer, message, null);
    }
  }

  /** Records of a message that came to nothing become hints; those that were hints are owed as before. Null: all of them. */
  private oweRecords(peer: Peer, message: SentMessage, positions: readonly number[] | null): void {
    const { body, hints } = message;
    const hinted = hints === null ? null : new Set(hints);
    let position = 0;
    for (let at = RECORDS_HEADER_BYTES; at < body.length; at = recordEnd(body, at)) {
      if (positions !== null && !positions.includes(position++)) continue;
      if (recordType(body, at) === TYPE_FLUSH) {
        // Whichever write of the message it is, or of this moment's.
        peer.missedFlush.note(message.firstCount, recordHlc(body, at));
        peer.missedFlush.note(this.writes, recordHlc(body, at));
        continue;
      }
      const key = keyOf(body, at);
      if (hinted?.delete(key)) {
        this.stats.hintsReturned++;
        peer.hints.returned(key, message.number);
      } else this.hint(peer, body, at, this.partitionOf(body, at), message.firstCount);
    }
    if (positions === null || hinted === null) return;
    for (const key of hinted) this.delivered(peer, key, message.number);
  }

  /** What a peer says of messages of ours. */
  acknowledged(peer: Peer, acks: Acks, bytes: Buffer): void {
    const { link } = peer;
    link.durable.durable(acks.durableBatch);
    const durable = link.durable.isDurable(acks.batch);
    // Hints deliver writes from long before what the link carried last.
    let since = Number.POSITIVE_INFINITY;
    for (let index = 0; index < acks.count; index++) {
      const message = link.acknowledge(bytes.readUInt32LE(acks.numbersStart + index * 4), this.nowMs);
      if (message === null) continue;
      if (message.hints !== null) {
        since = peer.hints.owedSince;
        for (const key of message.hints) this.delivered(peer, key, message.number);
      }
      if (message.operations === null) continue;
      for (const operation of message.operations) this.operations.acknowledge(operation, peer, durable);
    }
    for (const { number, records } of acks.refused) {
      const message = link.acknowledge(number, this.nowMs);
      if (message === null) continue;
      if (message.hints !== null) since = peer.hints.owedSince;
      this.refused(peer, message, records, durable);
    }
    if (acks.count + acks.refused.length > 0) {
      link.durable.acknowledged(link.ackedThrough(this.writes), acks.batch, since - 1);
    }
    this.progress++;
  }

  /** A peer took a message but for some of its records: it had no room, our clock is too far ahead for it, or it owns their partition no more. */
  private refused(peer: Peer, message: SentMessage, positions: readonly number[], durable: boolean): void {
    this.stats.messagesRefused++;
    peer.pace.refused(this.nowMs);
    this.oweRecords(peer, message, positions);
    const { operations, operationStarts, records } = message;
    if (operations === null || operationStarts === null) return;
    for (const [index, operation] of operations.entries()) {
      const from = operationStarts[index];
      const to = operationStarts[index + 1] ?? records;
      if (positions.some((position) => position >= from && position < to)) continue;
      this.operations.acknowledge(operation, peer, durable);
    }
  }

  private delivered(peer: Peer, key: string, number: number): void {
    peer.pace.taken();
    if (peer.hints.acknowledged(key, number)) this.logHint(peer.id, key, 0, 1);
  }

  /** Takes in a RECORDS message. Nothing in it is trusted: each record is verified, dated and merged for itself. */
  receive(peer: Peer, body: Buffer, start: number, end: number, viaStream: boolean): Received {
    const received: Received = { ringDiffers: false, spread: false, missing: [], viaStream, late: false };
    if (end - start < RECORDS_HEADER_BYTES) return received;
    // Who left or was forgotten has no say: others may have proved since, without it, that they lack nothing of that time. What it alone had is given up.
    if (peer.state === 'left' && !this.options.mutations.has('gone-still-heard')) {
      this.stats.messagesOfGone++;
      return received;
    }
    const number = recordsNumber(body, start);
    const ringHash = recordsRingHash(body, start);
    received.ringDiffers = ringHash !== this.ownership.ringHash;
    received.spread = !received.ringDiffers;
    const isBehind = received.ringDiffers && this.ownership.hasLeft(ringHash);
    let refused: number[] | null = null;
    let position = 0;
    for (let at = start + RECORDS_HEADER_BYTES; at < end; ) {
      const length = verifyRecord(body, at, end);
      if (length === 0) {
        this.stats.recordsMalformed++;
        return received;
      }
      this.stats.recordsReceived++;
      if (!this.take(peer, body, at, length, received) || (isBehind && this.isNobodys(body, at))) {
        refused ??= [];
        refused.push(position);
      }
      position++;
      at += length;
    }
    if (received.late) return received;
    if (refused !== null && (refused.length === received.missing.length || refused.length > REFUSED_MAX)) {
      // Whole values were asked for: once they are here, the message that comes again is taken.
      return received;
    }
    peer.acks.note(number, this.wal.lastBatch, refused, viaStream);
    return received;
  }

  /**
   * Whether nobody would ask this node for a record: it owns the partition no more and has handed it over. A sender that is behind takes it
   * for an owner; what it holds is brought to the owners, but does not count as acknowledged by one.
   */
  private isNobodys(body: Buffer, at: number): boolean {
    if (recordType(body, at) === TYPE_FLUSH) return false;
    const partition = this.partitionOf(body, at);
    if (this.ownership.owns(partition) || this.ownership.handedPartitions.has(partition)) return false;
    this.stats.recordsNobodys++;
    return true;
  }

  /** A record that came as an answer, not in a link's message: verified, merged and logged like any other. */
  adopt(peer: Peer, body: Buffer, start: number, end: number): boolean {
    const length = verifyRecord(body, start, end);
    if (length === 0) {
      this.stats.recordsMalformed++;
      return false;
    }
    return this.take(peer, body, start, length, {
      ringDiffers: false,
      spread: false,
      missing: [],
      viaStream: true,
      late: false,
    });
  }

  /** Acknowledgements that waited for the log. */
  releaseAcks(releasedBatch: number): void {
    for (const peer of this.peers.all()) peer.acks.release(releasedBatch);
  }

  /** One record from a peer: merged and logged. False if it could not be kept, so that its message is not acknowledged. */
  private take(peer: Peer, source: Buffer, at: number, length: number, received: Received): boolean {
    const type = recordType(source, at);
    const hlc = recordHlc(source, at);
    // The version of its expiry too: a change of the expiry stamped here later must be later.
    const latest = Math.max(hlc, recordExpiryHlc(source, at));
    if (this.options.mutations.has('hlc-ignores-received') ? false : !this.clock.observe(latest, this.wallMs)) {
      this.stats.recordsDrifted++;
      return false;
    }
    if (type === TYPE_FLUSH) return this.takeFlush(source, at, length);
    const merges = isMergeType(type) && isMergeable(source, at);
    if (type !== TYPE_PUT && type !== TYPE_TOMBSTONE && type !== TYPE_EXPIRY && !merges) {
      // Data of a later version: who sent it is not told that it was seen, so that it comes again to one that knows it.
      if (type < LOCAL_TYPES_BEGIN && !isMergeType(type)) {
        this.stats.recordsUnknown++;
        return false;
      }
      this.stats.recordsRefused++;
      return true;
    }
    if (!this.wal.hasRoom(length)) return false;
    let bytes = source;
    let offset = at;
    if (this.options.mutations.has('ttl-restarted-per-hop') && type === TYPE_PUT) {
      bytes = this.restartTtl(source, at, length);
      offset = 0;
    }
    const keyStart = recordKeyStart(bytes, offset);
    const keyEnd = recordKeyEnd(bytes, offset);
    const partition = this.partition(slotOf(bytes, keyStart, keyEnd));
    const hash = this.store.hasher.hash(bytes, keyStart, keyEnd);
    if (this.options.mutations.has('asymmetric-tie-break') && this.isTie(partition, hash, bytes, offset)) return true;
    if (this.isForgotten(peer, partition, hash, bytes, offset)) return true;
    if (!received.viaStream && this.isLate(partition, hash, bytes, offset)) {
      received.late = true;
      return false;
    }
    if (merges && !this.wal.hasRoom(mergedBytesMax(this.store, partition, hash, bytes, offset))) return false;
    const keysBefore = this.store.keyCount;
    const outcome = this.store.merge(partition, hash, bytes, offset);
    if (outcome === MERGE_APPLIED || outcome === MERGE_DERIVED) {
      const { resetHlc } = this.distinctKeys;
      const isNew = this.store.keyCount > keysBefore || (resetHlc > 0 && type !== TYPE_TOMBSTONE);
      if (isNew && hlc > resetHlc) this.distinctKeys.count(hash);
      this.stats.recordsApplied++;
      if (outcome === MERGE_DERIVED) this.stats.recordsMerged++;
      if (this.isNewForOwners(peer, partition, received)) this.foreignTouched[partition] = 1;
      if (!logMerged(this.store, this.wal, outcome, bytes, offset)) return false;
      this.frontiers.note(partition, bytes, offset);
      return true;
    }
    if (outcome === MERGE_MISSING) {
      received.missing.push(Buffer.from(bytes.subarray(keyStart, keyEnd)));
      return false;
    }
    if (outcome === MERGE_REFUSED) {
      this.stats.recordsRefused++;
      if (!isCovered(bytes, offset, this.store.flushedHlc, this.store.flushedActor)) return false;
      this.frontiers.note(partition, bytes, offset);
      return true;
    }
    this.stats.recordsStale++;
    this.frontiers.note(partition, bytes, offset);
    // The value that won here has expired, so no digest speaks of it: the sender would keep its older one for ever.
    if (outcome === MERGE_STALE && recordIsExpired(this.store.buffer, this.store.offset, this.wallMs)) {
      this.offer(peer, this.store.buffer, this.store.offset);
    }
    return true;
  }

  /**
   * Whether what came of a partition that is not ours has to be brought to its owners. What an owner sends while this node hands the
   * partition over goes to them all: otherwise writes without end would keep the move from ending.
   */
  private isNewForOwners(peer: Peer, partition: number, received: Received): boolean {
    const { ownership } = this;
    if (ownership.owns(partition)) return false;
    if (!received.spread || !ownership.handedPartitions.has(partition)) return true;
    return !ownership.otherOwners(partition).includes(peer);
  }

  /**
   * Everything of a partition is about to be dropped here: what was seen of it is no longer held, nor by the log, or a start that finds this
   * node to be an owner again would bring back what was deleted in between. False, and nothing changed, if the log has no room to say so.
   */
  noteCleared(partition: number): boolean {
    const note = this.frontiers.encodeCleared(partition, this.clock.last);
    if (!this.wal.hasRoom(note.length) || !this.wal.append(note, 0, note.length)) return false;
    this.frontiers.clear(partition, this.clock.last);
    return true;
  }

  /** Says in the log which partitions have evicted, here or where they were fetched from. False if it has no room. */
  noteLossy(): boolean {
    const note = encodeLossy(this.store, this.options.partitions);
    return note === null || (this.wal.hasRoom(note.length) && this.wal.append(note, 0, note.length));
  }

  /** Says in the log how far the frontier of a partition is, behind the records that it speaks of. */
  noteFrontier(partition: number): void {
    const note = this.frontiers.encode(partition);
    this.wal.append(note, 0, note.length);
  }

  /**
   * Whether a record of a key that is absent here is one that this node has forgotten on purpose: an old tombstone, or a value that was
   * deleted since, held by somebody who missed that.
   */
  private isForgotten(peer: Peer, partition: number, hash: number, bytes: Buffer, offset: number): boolean {
    const type = recordType(bytes, offset);
    // An expiry change is of the age of the value that it names; one of a value that merges names none.
    const named = type === TYPE_EXPIRY && isExpiryRecord(bytes, offset) ? namedHlc(bytes, offset) : 0;
    const hlc = named || recordHlc(bytes, offset);
    if (hlc > this.floors.forgottenBelow(partition)) return false;
    const isTombstone = type === TYPE_TOMBSTONE;
    if (!isTombstone && !this.floors.refuses(peer, partition, hlc)) return false;
    const keyEnd = recordKeyEnd(bytes, offset);
    const found = this.store.find(partition, hash, bytes, recordKeyStart(bytes, offset), keyEnd);
    // A merging value that stands here may have been begun when nobody here knew of the tombstone any more.
    if (found && !(isTombstone && this.isMergingAfter(hlc))) return false;
    if (isTombstone) this.stats.recordsStale++;
    else this.floors.stats.recordsBelowFloor++;
    this.frontiers.note(partition, bytes, offset);
    return true;
  }

  /**
   * Whether a datagram brings what lies below the floor for a key that is absent here: however high its sender's floor is now, it may have
   * left before that rose, and the key may have been deleted since.
   */
  private isLate(partition: number, hash: number, bytes: Buffer, offset: number): boolean {
    const type = recordType(bytes, offset);
    if (type === TYPE_TOMBSTONE || type === TYPE_EXPIRY) return false;
    if (!this.floors.isBelow(partition, recordHlc(bytes, offset))) return false;
    if (this.store.find(partition, hash, bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset)))
      return false;
    this.floors.stats.recordsBelowFloor++;
    return true;
  }

  /** Whether the record that was found is of a value that merges, and later than this. */
  private isMergingAfter(hlc: number): boolean {
    const { buffer, offset } = this.store;
    return isMergeType(recordType(buffer, offset)) && recordHlc(buffer, offset) > hlc;
  }

  /** A flush from a peer, or learnt with its roots. True if it is known now. */
  takeFlush(source: Buffer, at: number, length: number): boolean {
    const hlc = recordHlc(source, at);
    const actor = recordActor(source, at);
    if (hlc < this.store.flushedHlc || (hlc === this.store.flushedHlc && actor <= this.store.flushedActor)) return true;
    if (!this.wal.append(source, at, length)) return false;
    this.store.flush(hlc, actor);
    this.flushedAtCount = this.writes;
    this.ports.log.info('flushed by a peer', { hlc });
    return true;
  }

  /** A peer says which flush it knows, by its version only: it is known here too from now on, if the clock and the log allow that. */
  hearFlush(peer: Peer, flushed: FlushMark): void {
    const { flushedHlc, flushedActor } = flushed;
    if (flushedHlc === 0) return;
    peer.missedFlush.heard(flushedHlc);
    if (isLaterFlush(flushed, peer.flushed)) peer.flushed = flushed;
    if (!isLaterFlush(flushed, this.store) || !this.clock.observe(flushedHlc, this.wallMs)) return;
    const length = this.writeFlush(flushedHlc, flushedActor);
    this.takeFlush(this.scratch, 0, length);
  }

  /** Stamps, logs and spreads a flush. */
  flushAll(hlc: number, actor: number, operation: Operation | null): boolean {
    const length = this.writeFlush(hlc, actor);
    if (!this.wal.append(this.scratch, 0, length)) return false;
    this.writes++;
    this.store.flush(hlc, actor);
    this.flushedAtCount = this.writes;
    this.broadcast(this.scratch, 0, operation);
    return true;
  }

  private writeFlush(hlc: number, actor: number): number {
    const empty = Buffer.alloc(0);
    const fields = { type: TYPE_FLUSH, hlc, actor, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
    return writeRecord(this.scratch, 0, fields, empty, 0, 0, empty, 0, 0);
  }

  /** Notes that a peer is owed a key, here and in the log. */
  private hint(peer: Peer, bytes: Buffer, offset: number, partition: number, count: number): void {
    const key = keyOf(bytes, offset);
    if (this.options.mutations.has('no-hints')) return;
    if (peer.hints.add(key, partition, count, this.wallMs, this.writes) && !this.logHint(peer.id, key, partition, 0))
      peer.hints.notLogged(key);
    if (this.options.mutations.has('hints-uncounted')) peer.hints.created--;
  }

  private handOver(peer: Peer): void {
    const { hints, link, pace } = peer;
    let allowance = pace.allow(this.nowMs, link.slowRttMs);
    if (allowance <= 0) return;
    // No more than the allowance takes of the smallest records.
    const most = Math.min(HINTS_PER_TICK, Math.ceil(allowance / RECORD_HEADER_BYTES));
    for (const [key, { partition, count }] of hints.first(most)) {
      if (link.unackedBytes > WINDOW_FOR_HINTS_BYTES || allowance <= 0) break;
      const bytes = Buffer.from(key, 'latin1');
      const hash = this.store.hasher.hash(bytes, 0, bytes.length);
      if (!this.store.find(partition, hash, bytes, 0, bytes.length)) {
        if (count <= this.flushedAtCount) hints.supersede(key);
        else hints.drop(key, this.wallMs);
        this.logHint(peer.id, key, partition, 1);
        continue;
      }
      const { buffer, offset } = this.store;
      if (recordIsExpired(buffer, offset, this.wallMs)) {
        // Nobody can read it; but it still takes the place of an older value that the peer may hold.
        hints.expire(key);
        this.offer(peer, buffer, offset);
        this.logHint(peer.id, key, partition, 1);
        continue;
      }
      const length = recordBytes(buffer, offset);
      const number = link.nextNumberFor(length);
      link.add(buffer, offset, length, this.writes, this.nowMs, null, key);
      hints.underWay(key, number);
      allowance -= length;
      pace.spent(length);
      this.stats.recordsSent++;
    }
  }

  /** TYPE_HINT: the key owed; value = partition u16, u8 0 owed or 1 settled, peer id. */
  encodeHint(peerId: string, key: string, partition: number, settled: number): Buffer {
    const keyBytes = Buffer.from(key, 'latin1');
    const value = Buffer.alloc(3 + peerId.length);
    value.writeUInt16LE(partition, 0);
    value[2] = settled;
    value.latin1Write(peerId, 3);
    const fields = { type: TYPE_HINT, hlc: 0, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
    const record = Buffer.alloc(64 + keyBytes.length + value.length);
    writeRecord(record, 0, fields, keyBytes, 0, keyBytes.length, value, 0, value.length);
    return record;
  }

  /**
   * False if the log has no room for it. An end that is not logged costs nothing: a start finds the key owed, and hands it over once more.
   */
  private logHint(peerId: string, key: string, partition: number, settled: number): boolean {
    const record = this.encodeHint(peerId, key, partition, settled);
    return this.wal.append(record, 0, recordBytes(record, 0));
  }

  /** A member is forgotten: nothing is owed to it any more, in the log neither. */
  forgive(peer: Peer): void {
    for (const [key, partition] of [...peer.hints.entries()]) {
      peer.hints.drop(key, this.wallMs);
      this.logHint(peer.id, key, partition, 1);
    }
  }

  /** A TYPE_HINT record met during recovery; one for somebody who has no place in the ring is let go. */
  recoverHint(bytes: Buffer, offset: number, ring: Ring): void {
    const valueStart = recordKeyEnd(bytes, offset);
    const key = keyOf(bytes, offset);
    const end = recordEnd(bytes, offset);
    if (end - valueStart < 3) return;
    const partition = bytes[valueStart] | (bytes[valueStart + 1] << 8);
    const id = bytes.latin1Slice(valueStart + 3, end);
    if (ring.get(id)?.state !== 'in') return;
    const peer = this.peers.ensure(id);
    if (partition < this.options.partitions) {
      peer.hints.recover(key, partition, bytes[valueStart + 2] !== 1, this.wallMs);
    }
  }

  /**
   * Whether a key that is absent here may stand with somebody who cannot be asked, or was never compared with: then a delete is written
   * though it finds nothing, so that it wins when they meet.
   */
  mayStandElsewhere(partition: number): boolean {
    const { ownership, floors } = this;
    if (floors.alone) return false;
    if (!ownership.owns(partition) || !ownership.isReady(partition)) return true;
    return ownership.unsourced[partition] === 1 || this.store.isLossy(partition);
  }

  /** Whether anything of a partition is here. */
  holdsAny(partition: number): boolean {
    return this.store.holdsAny(partition);
  }

  /** Whether all of a partition that was not deleted is here: this node owns it, has caught up and has given nothing up. */
  holdsWhole(partition: number): boolean {
    const { ownership, store } = this;
    return ownership.owns(partition) && ownership.isReady(partition) && !store.isLossy(partition);
  }

  partition(slot: number): number {
    return Math.floor((slot * this.options.partitions) / 16384);
  }

  private partitionOf(bytes: Buffer, offset: number): number {
    return this.partition(slotOf(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset)));
  }

  /** The planted bug `asymmetric-tie-break`: of two writes with one stamp the first to arrive stays. */
  private isTie(partition: number, hash: number, bytes: Buffer, offset: number): boolean {
    const { store } = this;
    const known = store.find(partition, hash, bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset));
    return known && recordHlc(store.buffer, store.offset) === recordHlc(bytes, offset);
  }

  /** The planted bug `ttl-restarted-per-hop`: the time to live counts from the arrival, not from the write. */
  private restartTtl(source: Buffer, at: number, length: number): Buffer {
    const copy = Buffer.from(source.subarray(at, at + length));
    if ((copy[9] & 1) !== 0) {
      const expireAtMs = readHlc(copy, 32);
      const lifeMs = expireAtMs - Math.floor(recordHlc(copy, 0) / 2048);
      writeHlc(copy, 32, this.wallMs + lifeMs);
      sealRecord(copy, 0, length);
    }
    return copy;
  }
}
