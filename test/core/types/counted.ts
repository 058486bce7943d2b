/** Replicas of one key as records, changed and merged by the pure functions alone: what histories of the merge types are made of. */
import { hlcFromMs } from '../../../src/core/base/hlc.js';
import { isExpired } from '../../../src/core/record/expiry.js';
import { foldExpiry, foldedLength } from '../../../src/core/record/fold.js';
import {
  recordActor,
  recordBytes,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordType,
  TYPE_TOMBSTONE,
  verifyRecord,
} from '../../../src/core/record/record.js';
import { CounterChange } from '../../../src/core/types/counter-change.js';
import { made } from '../../../src/core/types/made.js';
import { BOTH_STAND, type Flushed, GONE, LEFT_STANDS, MADE } from '../../../src/core/types/merge-type.js';
import { isMergeable, mergeRecords } from '../../../src/core/types/types.js';
import { expiryRecord, record } from '../record/records.js';

export const KEY = Buffer.from('key');
export const UNFLUSHED: Flushed = { flushedHlc: 0, flushedActor: 0 };

/** What becomes of two records; null when nothing is left. The same from either side, or it throws. */
export function merged(left: Buffer, right: Buffer, flushed: Flushed = UNFLUSHED): Buffer | null {
  const one = mergedAs(left, right, flushed);
  const other = mergedAs(right, left, flushed);
  if (one === null ? other !== null : other === null || !one.equals(other)) {
    throw new Error(`not commutative: ${left.toString('hex')} ${right.toString('hex')}`);
  }
  return one;
}

function mergedAs(left: Buffer, right: Buffer, flushed: Flushed): Buffer | null {
  const verdict = mergeRecords(left, 0, right, 0, flushed, made);
  if (verdict === GONE) return null;
  if (verdict === BOTH_STAND || verdict === LEFT_STANDS) return left;
  return verdict === MADE ? takeMade() : right;
}

export function takeMade(): Buffer {
  const bytes = Buffer.from(made.bytes.subarray(0, made.length));
  if (verifyRecord(bytes, 0, bytes.length) !== bytes.length || !isMergeable(bytes, 0)) {
    throw new Error(`what was made is malformed: ${bytes.toString('hex')}`);
  }
  return bytes;
}

/** One node that holds a copy of the key. */
export class Replica {
  stored: Buffer | null = null;
  sequence = 0;
  /** The sequence of its last INCRBY, known though its copy was given up: upon an older copy of its part it does not go on. */
  private lastAdd = 0;
  /** How far every owner is known to have come. */
  floorHlc = 0;
  /** Actors that have ended, and when. */
  readonly ended = new Map<number, number>();
  flushed: Flushed = UNFLUSHED;

  constructor(public actor: number) {}

  /** INCRBY; null if it was refused, with the reason in `refusal`. */
  add(hlc: number, amount: number | bigint): bigint | null {
    const change = new CounterChange();
    if (typeof amount === 'bigint') change.addBig(amount);
    else change.add(amount);
    const limits = {
      ...this.flushed,
      floorHlc: this.floorHlc,
      isPartial: false,
      endHlcOf: (actor: number) => this.ended.get(actor) ?? Number.POSITIVE_INFINITY,
      continues: (sequence: number) => sequence === this.lastAdd,
    };
    const stamp = { hlc, actor: this.actor, sequence: this.sequence + 1 };
    if (!change.apply(this.stored, 0, KEY, 0, KEY.length, stamp, limits, made)) {
      this.refusal = change.refusal?.message ?? '';
      return null;
    }
    this.lastAdd = ++this.sequence;
    this.stored = takeMade();
    return Number.isNaN(change.total) ? change.bigTotal : BigInt(change.total);
  }

  refusal = '';

  set(hlc: number, value: string, expireAtMs = 0): void {
    this.stored = record({ hlc, actor: this.actor, sequence: ++this.sequence, expireAtMs }, KEY, value);
  }

  remove(hlc: number): void {
    this.stored = record({ type: TYPE_TOMBSTONE, hlc, actor: this.actor, sequence: ++this.sequence }, KEY);
  }

  /** EXPIRE on a value that merges. */
  expire(hlc: number, expireAtMs: number): void {
    if (this.stored === null) return;
    const change = expiryRecord({ hlc, actor: this.actor, sequence: ++this.sequence, expireAtMs }, KEY, 0, 0);
    const folded = Buffer.alloc(foldedLength(this.stored, 0));
    foldExpiry(this.stored, 0, change, 0, folded, 0);
    this.receive(folded);
  }

  receive(bytes: Buffer | null): void {
    if (bytes === null) return;
    this.stored = this.stored === null ? merged(bytes, bytes, this.flushed) : merged(bytes, this.stored, this.flushed);
  }

  forget(): void {
    this.stored = null;
  }

  /** The text of what stands at a time; null for nothing. */
  textAt(ms: number): string | null {
    return this.stored === null ? null : textOf(this.stored, ms);
  }
}

export function textOf(bytes: Buffer, ms: number): string | null {
  if (recordType(bytes, 0) === TYPE_TOMBSTONE || isExpired(recordExpireAtMs(bytes, 0), ms)) return null;
  return bytes.latin1Slice(recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
}

/** A line for whoever reads a counterexample. */
export function describeRecord(bytes: Buffer): string {
  const text = bytes.latin1Slice(recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
  return `type ${recordType(bytes, 0)} version ${recordHlc(bytes, 0)}@${recordActor(bytes, 0)} ${text} (${recordBytes(bytes, 0)} bytes)`;
}

export const at = hlcFromMs;
