/**
 * INCR on whatever stands for a key: the counter that it is, the number that was SET, nothing. The commands make one change, the
 * keyspace applies it. Where this node's own part is the one that grows, the record is copied and patched, with nothing allocated but
 * for numbers beyond 2^53; otherwise the counter is taken apart, and parts that nobody adds to any more are folded.
 * Guarded: a part of another actor never changes; a total past 64 bits is refused before anything does.
 */
import { HearsayError, wrongType } from '../base/errors.js';
import { hlcFromMs } from '../base/hlc.js';
import {
  copyBytes,
  extensionBytes,
  FLAG_EXPIRY,
  FLAG_MERGE,
  RECORD_HEADER_BYTES,
  type RecordFields,
  recordBaseActor,
  recordBaseHlc,
  recordEnd,
  recordExpireAtMs,
  recordFlags,
  recordKeyEnd,
  recordType,
  recordVersionStart,
  sealRecord,
  TYPE_COUNTER,
  writeHlc,
  writeRecord,
  writeWord,
} from '../record/record.js';
import { readInteger, writeInteger } from '../resp/integer.js';
import {
  type CounterHead,
  HEAD_BYTES,
  isOpaque,
  LAST_AT,
  PART_BYTES,
  PARTS_MAX,
  partActor,
  partCount,
  partSequence,
  partsStart,
  readSum,
  SUM_AT,
  writeFirstPart,
  writeHead,
  writePartDot,
  writeSum,
} from './counter-layout.js';
import {
  byActorAndStart,
  type CounterPart,
  type CounterState,
  emptyState,
  fold,
  INT64_MAX,
  INT64_MIN,
  putTogether,
  settle,
  takeApart,
  totalOf,
} from './counter-state.js';
import { type Base, endOf, forgottenThrough, isOtherType } from './ended.js';
import type { Made } from './made.js';
import type { ChangeLimits, Stamp, StateChange } from './merge-type.js';

/** Parts of one actor past which it goes on with the last: only where values are given up does it come to that. */
const OWN_PARTS_MAX = 16;
/** Bytes of decimal text that a safe integer may take. */
const TEXT_BYTES_MAX = 17;

/** What a first part is made in: used up before the call returns. */
const head: CounterHead = { baseHlc: 0, baseActor: 0, baseSequence: 0, base: 0n, foldedHlc: 0, foldedActor: 0 };
const version = Buffer.alloc(HEAD_BYTES + PART_BYTES);
const text = Buffer.alloc(TEXT_BYTES_MAX);
const first: RecordFields = {
  type: TYPE_COUNTER,
  hlc: 0,
  actor: 0,
  sequence: 0,
  expireAtMs: 0,
  expiryHlc: 0,
  expiryActor: 0,
};

export class CounterChange implements StateChange {
  refusal: HearsayError | null = null;
  /** The total after the change; NaN if only `bigTotal` holds it. */
  total = 0;
  bigTotal = 0n;
  private amount = 0;
  private bigAmount: bigint | null = null;

  /** A safe integer to add. */
  add(amount: number): this {
    this.amount = amount;
    this.bigAmount = null;
    return this;
  }

  /** A 64-bit integer to add. */
  addBig(amount: bigint): this {
    this.bigAmount = amount;
    return this;
  }

  apply(
    stored: Buffer | null,
    offset: number,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    stamp: Stamp,
    limits: ChangeLimits,
    made: Made,
  ): boolean {
    this.refusal = null;
    const isDone =
      this.bigAmount === null &&
      (stored === null
        ? this.begins(key, keyStart, keyEnd, stamp, limits, made)
        : this.grows(stored, offset, stamp, limits, made));
    if (isDone) return true;
    return this.applyApart(stored, offset, key, keyStart, keyEnd, stamp, limits, made);
  }

  /** The straight path: this node's part of the stored counter grows. False, and nothing made, where that is not all. */
  private grows(stored: Buffer, offset: number, stamp: Stamp, limits: ChangeLimits, made: Made): boolean {
    if (recordType(stored, offset) !== TYPE_COUNTER) return false;
    if ((recordFlags(stored, offset) & FLAG_EXPIRY) !== 0) {
      const expireAtMs = recordExpireAtMs(stored, offset);
      if (expireAtMs !== 0 && stamp.hlc >= hlcFromMs(expireAtMs)) return false;
    }
    const at = recordVersionStart(stored, offset);
    if (isOpaque(stored, at) || (limits.flushedHlc > 0 && isOlder(stored, offset, limits))) return false;
    const part = ownPart(stored, at, stamp.actor);
    if (part === 0 || !limits.continues(partSequence(stored, part))) return false;
    const valueStart = recordKeyEnd(stored, offset);
    const total = readInteger(stored, valueStart, recordEnd(stored, offset)) + this.amount;
    const sum = readSum(stored, part + SUM_AT, part + 12) + this.amount;
    if (!Number.isSafeInteger(total) || !Number.isSafeInteger(sum)) return false;
    const fixedBytes = valueStart - offset;
    const bytes = made.begin(fixedBytes + TEXT_BYTES_MAX);
    copyBytes(stored, offset + 8, valueStart, bytes, 8);
    const length = writeInteger(bytes, fixedBytes, total);
    writeWord(bytes, 4, length);
    writeHlc(bytes, 12, stamp.hlc);
    writePartDot(bytes, 20, stamp.actor, stamp.sequence);
    const own = part - offset;
    writePartDot(bytes, own, stamp.actor, stamp.sequence);
    writeHlc(bytes, own + LAST_AT, stamp.hlc);
    writeSum(bytes, own + SUM_AT, own + 12, sum);
    sealRecord(bytes, 0, length);
    made.length = length;
    this.total = total;
    return true;
  }

  /** The same for a key of which nothing is known: a counter of one part. False where a flush is known that this is not later than. */
  private begins(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    stamp: Stamp,
    limits: ChangeLimits,
    made: Made,
  ): boolean {
    const { flushedHlc, flushedActor } = limits;
    const forgotten = forgottenThrough(limits, stamp.hlc);
    const isFlushed = flushedHlc >= (forgotten?.hlc ?? 0);
    head.baseHlc = isFlushed ? flushedHlc : (forgotten?.hlc ?? 0);
    head.baseActor = isFlushed ? flushedActor : (forgotten?.actor ?? 0);
    if (stamp.hlc <= head.baseHlc) return false;
    first.hlc = stamp.hlc;
    first.actor = stamp.actor;
    first.sequence = stamp.sequence;
    writeFirstPart(version, writeHead(version, head, 1, false), stamp, this.amount);
    const end = writeInteger(text, 0, this.amount);
    const bytes = made.begin(
      RECORD_HEADER_BYTES + extensionBytes(FLAG_MERGE) + version.length + keyEnd - keyStart + end,
    );
    made.length = writeRecord(bytes, 0, first, key, keyStart, keyEnd, text, 0, end, version, version.length);
    this.total = this.amount;
    return true;
  }

  private applyApart(
    stored: Buffer | null,
    offset: number,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    stamp: Stamp,
    limits: ChangeLimits,
    made: Made,
  ): boolean {
    const isOther = stored !== null && isOtherType(stored, offset, TYPE_COUNTER);
    const end = isOther ? endOf(stored, offset, stamp.hlc) : null;
    if (isOther && end === null) {
      this.refusal = wrongType();
      return false;
    }
    const base = stored === null ? forgottenThrough(limits, stamp.hlc) : end;
    const state = base !== null ? begun(base) : stored === null ? emptyState() : takeApart(stored, offset);
    // Before anything is folded into a base that a flush takes.
    settle(state, limits);
    const isExpired = state.expireAtMs !== 0 && stamp.hlc >= hlcFromMs(state.expireAtMs);
    const amount = this.bigAmount ?? BigInt(this.amount);
    let own = isExpired ? undefined : growing(state, stamp.actor, limits);
    if (own === undefined) {
      foldWhatEnded(state, stamp, limits);
      own = { actor: stamp.actor, startHlc: stamp.hlc, lastHlc: 0, sequence: 0, sum: 0n };
      state.parts.push(own);
      state.parts.sort(byActorAndStart);
    }
    settle(state, limits);
    if (!state.parts.includes(own)) {
      // A flush took the part with what it held.
      own = { actor: stamp.actor, startHlc: stamp.hlc, lastHlc: 0, sequence: 0, sum: 0n };
      state.parts.push(own);
      state.parts.sort(byActorAndStart);
    }
    if (state.opaque !== null) return this.refuse('ERR', 'value is not an integer or out of range');
    if (state.parts.length > PARTS_MAX) {
      return this.refuse('BUSY', 'this counter has too many parts of nodes that have ended; they wait for every owner');
    }
    const total = totalOf(state) + amount;
    if (amount > 0n ? total > INT64_MAX : total < INT64_MIN && amount < 0n) {
      return this.refuse('ERR', 'increment or decrement would overflow');
    }
    own.sum = BigInt.asIntN(96, own.sum + amount);
    own.lastHlc = stamp.hlc;
    own.sequence = stamp.sequence;
    putTogether(state, stamp.sequence, key, keyStart, keyEnd, made);
    this.bigTotal = total > INT64_MAX ? INT64_MAX : total < INT64_MIN ? INT64_MIN : total;
    const asDouble = Number(this.bigTotal);
    this.total = Number.isSafeInteger(asDouble) ? asDouble : Number.NaN;
    return true;
  }

  private refuse(code: 'ERR' | 'BUSY', message: string): boolean {
    this.refusal = new HearsayError(code, message);
    return false;
  }
}

/** Whether a flush has come since what the counter counts from. */
function isOlder(bytes: Buffer, offset: number, { flushedHlc, flushedActor }: ChangeLimits): boolean {
  const baseHlc = recordBaseHlc(bytes, offset);
  if (baseHlc !== flushedHlc) return baseHlc < flushedHlc;
  return recordBaseActor(bytes, offset) < flushedActor;
}

/** Where the newest part of an actor stands; 0 if it has none. */
function ownPart(bytes: Buffer, at: number, actor: number): number {
  const start = partsStart(bytes, at);
  for (let part = start + (partCount(bytes, at) - 1) * PART_BYTES; part >= start; part -= PART_BYTES) {
    if (partActor(bytes, part) === actor) return part;
  }
  return 0;
}

/** The part that an actor goes on with, if it knows that it added nothing elsewhere since; or if it has very many. */
function growing(state: CounterState, actor: number, limits: ChangeLimits): CounterPart | undefined {
  const parts = state.parts.filter((part) => part.actor === actor);
  const newest = parts.at(-1);
  if (newest === undefined || parts.length >= OWN_PARTS_MAX || limits.continues(newest.sequence)) return newest;
  return undefined;
}

/** Nothing, upon what ended or was forgotten. */
function begun({ hlc, actor }: Base): CounterState {
  return { ...emptyState(), baseHlc: hlc, baseActor: actor, expiryHlc: hlc, expiryActor: actor };
}

/** Parts of actors that ended before what every owner has been known to have become part of the base: nobody has more of them. */
function foldWhatEnded(state: CounterState, stamp: Stamp, limits: ChangeLimits): void {
  // What this copy lacks would be taken for accounted for.
  if (limits.isPartial && state.parts.length < PARTS_MAX / 2) return;
  const throughHlc = Math.min(limits.floorHlc, stamp.hlc - 1);
  fold(
    state,
    throughHlc,
    stamp.actor,
    (part) => part.lastHlc <= throughHlc && limits.endHlcOf(part.actor) <= throughHlc,
  );
}
