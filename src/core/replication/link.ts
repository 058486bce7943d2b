/**
 * What one peer has been sent and has not yet acknowledged. The replicator fills it record by record and asks it, once a turn,
 * what to put on the wire; acknowledgements take messages out again and say which operations they complete.
 * Guarded: every record handed in leaves by exactly one door: acknowledged, or returned by `abandon` to become a hint.
 * UDP is for speed, the log is for truth: a message goes by datagram once, then by stream (DESIGN section 5).
 */
import { PACKET_BYTES_MAX, SECTION_BYTES_MAX } from '../gossip/packet.js';
import { readWord, writeWord } from '../record/record.js';
import { DurableMarks } from './acks.js';
import type { Operation } from './operations.js';

/** Message number and ring hash stand before the records. */
export const RECORDS_HEADER_BYTES = 8;
/** Datagrams that may be in flight to one peer: what a small receive buffer holds. Past it the stream carries on. */
const DATAGRAMS_IN_FLIGHT_MAX = 64;
/** Bytes unacknowledged to one peer; past it new records become hints at once. */
export const UNACKED_BYTES_MAX = 8 * 1024 * 1024;
const RESEND_FLOOR_MS = 20;
const RTT_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;

export interface SentMessage {
  readonly number: number;
  /** Header and records, as they stand in a section or a frame. */
  readonly body: Buffer;
  /** The coordinator's count of writes when its first record was added; it never falls from one message to the next. */
  readonly firstCount: number;
  sentAtMs: number;
  /** When the records were first handed in. */
  readonly bornAtMs: number;
  viaStream: boolean;
  /** Taken by `takeReady`: before that its header is not written, and nothing else may send it. */
  marked: boolean;
  /** Sent by datagram and not yet answered, given up or resent. */
  inFlight: boolean;
  records: number;
  operations: Operation[] | null;
  /** For each operation: the position of its first record in this message. */
  operationStarts: number[] | null;
  /** Keys whose records deliver hints. */
  hints: string[] | null;
}

export class Link {
  /** In order of numbers. */
  private readonly sent = new Map<number, SentMessage>();
  /** The oldest message that may be unacknowledged: none before it is. */
  private oldestNumber: number;
  /** Goes on from the former link's, so that a late acknowledgement of that one matches nothing. */
  nextNumber: number;
  /** What of the acknowledged is on the peer's disk. */
  readonly durable = new DurableMarks();
  private open: SentMessage | null = null;
  private openLength = 0;
  private ready: SentMessage[] = [];
  private datagramsInFlight = 0;
  private smoothedRttMs = 5;
  private deviationMs = 2.5;
  unackedBytes = 0;
  resent = 0;

  constructor(nextNumber = 1) {
    this.nextNumber = nextNumber;
    this.oldestNumber = nextNumber;
  }

  /** The round trip that nearly all datagrams keep within, ms. */
  get slowRttMs(): number {
    return this.smoothedRttMs + 3 * this.deviationMs;
  }

  /** Time without an acknowledgement after which a message goes by stream: max(20 ms, 2 x p99 of the round trip). */
  get resendAfterMs(): number {
    return Math.max(RESEND_FLOOR_MS, 2 * this.slowRttMs);
  }

  get unackedMessages(): number {
    return this.sent.size + (this.open === null ? 0 : 1);
  }

  get full(): boolean {
    return this.unackedBytes > UNACKED_BYTES_MAX;
  }

  /** All writes counted up to here are acknowledged; `now` is the count of writes at this moment. Constant work. */
  ackedThrough(now: number): number {
    const oldest = this.sent.get(this.oldestNumber) ?? this.open;
    return oldest === null ? now : oldest.firstCount - 1;
  }

  /** All writes counted up to here are acknowledged and on the peer's disk. */
  durableThrough(now: number): number {
    return this.durable.through(this.ackedThrough(now));
  }

  /** The number of the message that a record of this length would go into. */
  nextNumberFor(length: number): number {
    const { open } = this;
    return open !== null && this.openLength + length <= open.body.length ? open.number : this.nextNumber;
  }

  /**
   * Takes in one record. `operation`, if any, waits for its acknowledgement; true if that makes one more message for it to
   * wait for. `hintKey`: the record delivers the hint of that key.
   */
  add(
    bytes: Buffer,
    offset: number,
    length: number,
    count: number,
    nowMs: number,
    operation: Operation | null,
    hintKey: string | null = null,
  ): boolean {
    let message = this.open;
    if (message !== null && this.openLength + length > message.body.length) {
      this.closeOpen();
      message = null;
    }
    if (message === null) {
      const size = Math.max(RECORDS_HEADER_BYTES + length, SECTION_BYTES_MAX);
      message = {
        number: this.nextNumber,
        body: Buffer.allocUnsafe(size),
        firstCount: count,
        sentAtMs: nowMs,
        bornAtMs: nowMs,
        viaStream: RECORDS_HEADER_BYTES + length > SECTION_BYTES_MAX,
        marked: false,
        inFlight: false,
        records: 0,
        operations: null,
        operationStarts: null,
        hints: null,
      };
      this.nextNumber = after(this.nextNumber);
      this.open = message;
      this.openLength = RECORDS_HEADER_BYTES;
    }
    bytes.copy(message.body, this.openLength, offset, offset + length);
    this.openLength += length;
    let joined = false;
    if (operation !== null) {
      message.operations ??= [];
      message.operationStarts ??= [];
      joined = message.operations[message.operations.length - 1] !== operation;
      if (joined) {
        message.operations.push(operation);
        message.operationStarts.push(message.records);
      }
    }
    if (hintKey !== null) {
      message.hints ??= [];
      message.hints.push(hintKey);
    }
    message.records++;
    if (message.viaStream) this.closeOpen();
    return joined;
  }

  /**
   * The messages completed since the last call, marked with the ring they were sent under; each goes out now, `byStream` where
   * datagrams are known not to arrive.
   */
  takeReady(ringHash: number, nowMs: number, byStream = false): SentMessage[] {
    this.closeOpen();
    const messages = this.ready;
    if (messages.length === 0) return messages;
    this.ready = [];
    for (const message of messages) {
      writeWord(message.body, 0, message.number);
      writeWord(message.body, 4, ringHash);
      message.marked = true;
      message.sentAtMs = nowMs;
      if (!message.viaStream) {
        if (byStream || this.datagramsInFlight >= DATAGRAMS_IN_FLIGHT_MAX) message.viaStream = true;
        else {
          message.inFlight = true;
          this.datagramsInFlight++;
        }
      }
    }
    return messages;
  }

  /** A peer has a message: its record of it, once, or null when it is not known (acknowledged before, or another boot's). */
  acknowledge(number: number, nowMs: number): SentMessage | null {
    const message = this.sent.get(number);
    if (message === undefined) return null;
    this.forget(message);
    if (!message.viaStream) {
      const sample = nowMs - message.sentAtMs;
      this.deviationMs += (Math.abs(sample - this.smoothedRttMs) - this.deviationMs) * DEVIATION_GAIN;
      this.smoothedRttMs += (sample - this.smoothedRttMs) * RTT_GAIN;
    }
    return message;
  }

  /** Datagrams that were not answered in time: from now on they travel by stream. */
  takeOverdue(nowMs: number): SentMessage[] {
    const limit = nowMs - this.resendAfterMs;
    const overdue: SentMessage[] = [];
    for (const message of this.sent.values()) {
      if (message.viaStream || !message.marked || message.sentAtMs > limit) continue;
      message.viaStream = true;
      this.landed(message);
      this.resent++;
      overdue.push(message);
    }
    return overdue;
  }

  /** The stream broke: what it carried is sent again on the next one. What has not left yet leaves at the end of the turn. */
  streamMessages(): SentMessage[] {
    const lost: SentMessage[] = [];
    for (const message of this.sent.values()) if (message.viaStream && message.marked) lost.push(message);
    return lost;
  }

  /** Takes out every message born before `bornBeforeMs`, whether sent or not: their records become hints. */
  abandon(bornBeforeMs: number): SentMessage[] {
    if (bornBeforeMs === Number.POSITIVE_INFINITY) {
      this.closeOpen();
      this.ready = [];
    }
    const abandoned: SentMessage[] = [];
    for (const message of this.sent.values()) {
      if (message.bornAtMs >= bornBeforeMs) break;
      abandoned.push(message);
    }
    for (const message of abandoned) this.forget(message);
    return abandoned;
  }

  private forget(message: SentMessage): void {
    this.sent.delete(message.number);
    const end = this.open === null ? this.nextNumber : this.open.number;
    while (this.oldestNumber !== end && !this.sent.has(this.oldestNumber)) this.oldestNumber = after(this.oldestNumber);
    this.unackedBytes -= message.body.length;
    this.landed(message);
  }

  private landed(message: SentMessage): void {
    if (!message.inFlight) return;
    message.inFlight = false;
    this.datagramsInFlight--;
  }

  private closeOpen(): void {
    const message = this.open;
    if (message === null) return;
    this.open = null;
    // A message that fills little of its buffer is cut to size, so that what waits unacknowledged is what was written.
    const body = message.body.subarray(0, this.openLength);
    const closed = { ...message, body: this.openLength * 2 < PACKET_BYTES_MAX ? Buffer.from(body) : body };
    this.sent.set(closed.number, closed);
    this.unackedBytes += closed.body.length;
    this.ready.push(closed);
  }
}

/** Message numbers go round, and leave out 0. */
function after(number: number): number {
  return (number + 1) >>> 0 || 1;
}

/** Message number in the body of a RECORDS section or frame. */
export function recordsNumber(body: Buffer, start: number): number {
  return readWord(body, start);
}

export function recordsRingHash(body: Buffer, start: number): number {
  return readWord(body, start + 4);
}
