/**
 * Records of HyperLogLogs: the sketch that stands for a key, with what it was made of; the merge of two that types.ts asks for; and the
 * changes that PFADD and PFMERGE make. Its version data is that of siblings without values (base, folded stamp, chains of dots: who has
 * written into it), then the stamp of the first write of this life of the key, u64; its value is the sketch.
 *
 * What is logged and sent is the resulting state, not the registers that were raised: an owner that missed one patch would then hold
 * less than its version says, and only the trie would find out. A state says all; it is 3 KiB at most up to 1,024 registers, and a
 * dense one, 12 KiB, is written only when a register rises, about 16,384 x ln(n) times for n elements.
 * Guarded: as for siblings, the record follows from its state, so equal states are equal bytes. After an end a key begins from nothing,
 * whatever an owner still holds of its former life.
 */
import { assert } from '../base/assert.js';
import { HearsayError, wrongType } from '../base/errors.js';
import { hlcFromMs } from '../base/hlc.js';
import type { DotVisitor } from '../record/dots.js';
import { compareVersions } from '../record/merge.js';
import {
  RECORD_HEADER_BYTES,
  readHlc,
  readWord,
  recordActor,
  recordBaseActor,
  recordBaseHlc,
  recordBytes,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordSequence,
  recordType,
  recordVersionBytes,
  recordVersionStart,
  TYPE_HLL,
  TYPE_TOMBSTONE,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import { CHAINS_MAX, type Cover, EMPTY_COVER, foldCover, joinCovers, latestOf, withDot } from './cover.js';
import { type Base, endOf } from './ended.js';
import { EMPTY_SKETCH, isSketch, unite } from './hyperloglog.js';
import type { Made } from './made.js';
import {
  BOTH_STAND,
  type ChangeLimits,
  type Flushed,
  GONE,
  LEFT_STANDS,
  MADE,
  type MergeType,
  RIGHT_STANDS,
  type Stamp,
  type StateChange,
  TOO_LARGE,
  type Verdict,
} from './merge-type.js';
import {
  CHAIN_BYTES,
  CHAINS_DECODED_MAX,
  COVER_HEAD_BYTES,
  forEachChain,
  readCover,
  writeCover,
} from './siblings-codec.js';

interface Sketch extends Cover {
  /** Stamp of the first write of this life of the key. */
  readonly startHlc: number;
  readonly expireAtMs: number;
  readonly expiryHlc: number;
  readonly expiryActor: number;
  readonly registers: Buffer;
}

export const hyperLogLogType: MergeType = {
  type: TYPE_HLL,
  name: 'hyperloglog',
  isText: false,
  isFormed,
  merge,
  isCovered,
  forEachDot,
};

const START_BYTES = 8;
const NOTHING: Base = { hlc: 0, actor: 0 };
const FIXED_BYTES = RECORD_HEADER_BYTES + 32;

/** Raises the registers of a sketch in the one that stands for a key. */
export class SketchChange implements StateChange {
  refusal: HearsayError | null = null;
  private added: Buffer = EMPTY_SKETCH;

  add(sketch: Buffer): this {
    this.added = sketch;
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
    const before = stored === null ? begun(NOTHING, limits, stamp) : standing(stored, offset, stamp, limits);
    if (before === null) {
      this.refusal = wrongType();
      return false;
    }
    const cover = foldCover(before, Math.min(limits.floorHlc, stamp.hlc - 1), limits.isPartial);
    const chains = withDot(cover.chains, stamp, (last) => limits.continues(last));
    if (chains.length > CHAINS_MAX) {
      this.refusal = new HearsayError(
        'BUSY',
        'too many nodes that have ended wrote this key; they wait for every owner',
      );
      return false;
    }
    const registers = unite(before.registers, 0, before.registers.length, this.added, 0, this.added.length);
    put({ ...before, foldedHlc: cover.foldedHlc, chains, registers }, key, keyStart, keyEnd, made);
    return true;
  }
}

/** What a change builds upon: null if it is another type's and lives. */
function standing(stored: Buffer, offset: number, stamp: Stamp, limits: ChangeLimits): Sketch | null {
  const type = recordType(stored, offset);
  const end = endOf(stored, offset, stamp.hlc);
  if (end !== null) return begun(end, limits, stamp);
  if (type === TYPE_TOMBSTONE) {
    return begun({ hlc: recordHlc(stored, offset), actor: recordActor(stored, offset) }, limits, stamp);
  }
  if (type !== TYPE_HLL) return null;
  const { flushedHlc, flushedActor } = limits;
  const sketch = take(stored, offset);
  const isFlushed = compareVersions(sketch.startHlc, sketch.baseActor, flushedHlc, flushedActor) <= 0;
  return isFlushed ? begun(NOTHING, limits, stamp) : sketch;
}

/**
 * A new life upon the end of the one before, or upon the flush that is known, whichever is later: who has not heard of the flush yet may
 * still hold what it took, which nobody could tell apart once it had joined.
 */
function begun(end: Base, { flushedHlc, flushedActor }: Flushed, stamp: Stamp): Sketch {
  const isEnd = compareVersions(end.hlc, end.actor, flushedHlc, flushedActor) >= 0;
  const [baseHlc, baseActor] = isEnd ? [end.hlc, end.actor] : [flushedHlc, flushedActor];
  const expiry = { expireAtMs: 0, expiryHlc: baseHlc, expiryActor: baseActor };
  return { ...EMPTY_COVER, baseHlc, baseActor, startHlc: stamp.hlc, ...expiry, registers: EMPTY_SKETCH };
}

function take(bytes: Buffer, offset: number): Sketch {
  const start = recordVersionStart(bytes, offset);
  const end = start + recordVersionBytes(bytes, offset);
  const cover = readCover(bytes, start, end - START_BYTES);
  assert(cover !== null, 'a sketch is decoded once before it is kept');
  return {
    ...cover,
    startHlc: readHlc(bytes, end - START_BYTES),
    expireAtMs: recordExpireAtMs(bytes, offset),
    expiryHlc: recordExpiryHlc(bytes, offset),
    expiryActor: recordExpiryActor(bytes, offset),
    registers: bytes.subarray(recordKeyEnd(bytes, offset), recordEnd(bytes, offset)),
  };
}

function put(sketch: Sketch, key: Buffer, keyStart: number, keyEnd: number, made: Made): void {
  const version = Buffer.alloc(COVER_HEAD_BYTES + sketch.chains.length * CHAIN_BYTES + START_BYTES);
  const at = writeCover(version, 0, sketch, 0);
  writeHlc(version, at, sketch.startHlc);
  const { registers } = sketch;
  const bytes = made.begin(FIXED_BYTES + version.length + keyEnd - keyStart + registers.length);
  const fields = { type: TYPE_HLL, ...latestOf(sketch), ...expiryOf(sketch) };
  const { length } = registers;
  made.length = writeRecord(bytes, 0, fields, key, keyStart, keyEnd, registers, 0, length, version, version.length);
}

/** Without an expiry of its own the record has the version of its base. */
function expiryOf({ baseHlc, baseActor, expireAtMs, expiryHlc, expiryActor }: Sketch) {
  const isOwn = expireAtMs !== 0 || compareVersions(expiryHlc, expiryActor, baseHlc, baseActor) !== 0;
  return isOwn ? { expireAtMs, expiryHlc, expiryActor } : { expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
}

function isFormed(bytes: Buffer, offset: number): boolean {
  const start = recordVersionStart(bytes, offset);
  const end = start + recordVersionBytes(bytes, offset);
  if (end - start < COVER_HEAD_BYTES + START_BYTES || readWord(bytes, end - 4) > 0x1fffff) return false;
  const cover = readCover(bytes, start, end - START_BYTES);
  if (cover === null || cover.chains.length === 0 || bytes.readUInt16LE(start + 26) !== 0) return false;
  if (end - START_BYTES !== start + COVER_HEAD_BYTES + cover.chains.length * CHAIN_BYTES) return false;
  const head = latestOf(cover);
  const isHead =
    recordHlc(bytes, offset) === head.hlc &&
    recordActor(bytes, offset) === head.actor &&
    recordSequence(bytes, offset) === head.sequence;
  return isHead && isSketch(bytes, recordKeyEnd(bytes, offset), recordEnd(bytes, offset));
}

function merge(left: Buffer, leftAt: number, right: Buffer, rightAt: number, flush: Flushed, made: Made): Verdict {
  const leftIsSet = recordType(left, leftAt) !== TYPE_HLL;
  const rightIsSet = recordType(right, rightAt) !== TYPE_HLL;
  const byBase = compareVersions(
    recordBaseHlc(left, leftAt),
    recordBaseActor(left, leftAt),
    recordBaseHlc(right, rightAt),
    recordBaseActor(right, rightAt),
  );
  if (leftIsSet || rightIsSet) {
    // A SET or DEL that the sketch does not stand upon wins whole.
    const setStands = leftIsSet ? byBase > 0 : byBase < 0;
    return setStands === leftIsSet ? LEFT_STANDS : RIGHT_STANDS;
  }
  const joined = join(take(left, leftAt), take(right, rightAt), flush.sketchTakesLess === true);
  if (joined.chains.length > CHAINS_DECODED_MAX) return TOO_LARGE;
  put(joined, left, recordKeyStart(left, leftAt), recordKeyEnd(left, leftAt), made);
  if (flush.flushedHlc > 0 && isCovered(made.bytes, 0, flush.flushedHlc, flush.flushedActor)) return GONE;
  const isLeft = isMade(left, leftAt, made);
  const isRight = isMade(right, rightAt, made);
  return isLeft ? (isRight ? BOTH_STAND : LEFT_STANDS) : isRight ? RIGHT_STANDS : MADE;
}

/** The greater of each register, over the lives that both speak of. */
function join(left: Sketch, right: Sketch, takesLess: boolean): Sketch {
  const byBase = compareVersions(left.baseHlc, left.baseActor, right.baseHlc, right.baseActor);
  // Its registers can not be told apart by who raised them, so nothing of a sketch stands beside a later base.
  if (byBase !== 0) return byBase > 0 ? left : right;
  const byExpiry = compareVersions(left.expiryHlc, left.expiryActor, right.expiryHlc, right.expiryActor);
  const { expireAtMs, expiryHlc, expiryActor } = byExpiry >= 0 ? left : right;
  const [first, second] = left.startHlc <= right.startHlc ? [left, right] : [right, left];
  const endHlc = hlcFromMs(expireAtMs);
  // The second was begun after the end of the first: that is what it stands upon.
  if (expireAtMs !== 0 && first.startHlc < endHlc && second.startHlc >= endHlc) return reborn(second, endHlc);
  return {
    ...joinCovers(left, right),
    startHlc: first.startHlc,
    expireAtMs,
    expiryHlc,
    expiryActor,
    registers: takesLess
      ? smaller(left.registers, right.registers)
      : unite(left.registers, 0, left.registers.length, right.registers, 0, right.registers.length),
  };
}

function smaller(left: Buffer, right: Buffer): Buffer {
  return left.length <= right.length ? left : right;
}

/** A life of the key upon the end of the one before. */
function reborn(sketch: Sketch, endHlc: number): Sketch {
  const isOwn = compareVersions(sketch.expiryHlc, sketch.expiryActor, endHlc, 0) > 0;
  const expiry = isOwn ? {} : { expireAtMs: 0, expiryHlc: endHlc, expiryActor: 0 };
  return { ...sketch, baseHlc: endHlc, baseActor: 0, ...expiry };
}

function isMade(bytes: Buffer, offset: number, made: Made): boolean {
  const length = recordBytes(bytes, offset);
  return length === made.length && bytes.compare(made.bytes, 0, length, offset, offset + length) === 0;
}

/** A flush leaves nothing of what its latest write is not later than. */
function isCovered(bytes: Buffer, offset: number, hlc: number, actor: number): boolean {
  return compareVersions(recordHlc(bytes, offset), recordActor(bytes, offset), hlc, actor) <= 0;
}

function forEachDot(bytes: Buffer, offset: number, visit: DotVisitor): void {
  forEachChain(bytes, recordVersionStart(bytes, offset), visit);
}
