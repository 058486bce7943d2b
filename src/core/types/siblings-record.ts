/**
 * Records of siblings: a set taken out of whatever stands for a key, a set put back as the one record it makes, and the merge of
 * two that types.ts asks for. Guarded: the whole record follows from its set, header included, so equal sets are equal bytes on every
 * owner: version and dot are those of its latest write, its expiry is that of the value that ends last. A set without values
 * is a record that has ended: nobody sees it, and it stands against what it covers as other ended records do.
 */
import { assert } from '../base/assert.js';
import type { DotVisitor } from '../record/dots.js';
import { compareVersions } from '../record/merge.js';
import {
  FLAG_EXPIRY_VERSION,
  RECORD_HEADER_BYTES,
  recordActor,
  recordBaseActor,
  recordBaseHlc,
  recordBytes,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordSequence,
  recordType,
  recordVersionBytes,
  recordVersionStart,
  TYPE_PUT,
  TYPE_SIBLINGS,
  VALUE_BYTES_MAX,
  writeRecord,
} from '../record/record.js';
import { latestOf } from './cover.js';
import type { Made } from './made.js';
import {
  BOTH_STAND,
  type Flushed,
  GONE,
  LEFT_STANDS,
  MADE,
  type MergeType,
  RIGHT_STANDS,
  TOO_LARGE,
  type Verdict,
} from './merge-type.js';
import {
  EMPTY_SET,
  endsAtMs,
  expire,
  join,
  lift,
  type SiblingSet,
  trim,
  flushed as withoutFlushed,
} from './siblings.js';
import {
  CHAINS_DECODED_MAX,
  decodeSet,
  encodeSet,
  forEachChain,
  latestChangedExpiry,
  SIBLINGS_DECODED_MAX,
} from './siblings-codec.js';

/** Header and all extensions. */
const FIXED_BYTES = RECORD_HEADER_BYTES + 32;
/** When a set without values has ended. */
const ENDED_MS = 1;

export const siblingsType: MergeType = {
  type: TYPE_SIBLINGS,
  name: 'siblings',
  isText: true,
  isFormed,
  merge,
  isCovered,
  forEachDot,
  latestForeignExpiry,
};

/** The set of a verified record of siblings, or of a PUT or a TOMBSTONE as what siblings stand upon. Its values are views. */
export function takeSet(bytes: Buffer, offset: number): SiblingSet {
  const hlc = recordHlc(bytes, offset);
  const actor = recordActor(bytes, offset);
  const type = recordType(bytes, offset);
  if (type === TYPE_PUT) {
    const value = bytes.subarray(recordKeyEnd(bytes, offset), recordEnd(bytes, offset));
    const stamp = { hlc, actor, sequence: recordSequence(bytes, offset) };
    return lift(stamp, value, recordExpireAtMs(bytes, offset), recordExpiryHlc(bytes, offset));
  }
  if (type !== TYPE_SIBLINGS) return { ...EMPTY_SET, baseHlc: hlc, baseActor: actor };
  const set = decodeAt(bytes, offset);
  assert(set !== null, 'siblings are decoded once before they are kept');
  // An EXPIRE folded into the header, which is not in the set yet.
  const expiryHlc = recordExpiryHlc(bytes, offset);
  const isChanged = (recordFlags(bytes, offset) & FLAG_EXPIRY_VERSION) !== 0 && expiryHlc > latestExpiry(set);
  return isChanged ? expire(set, recordExpireAtMs(bytes, offset), expiryHlc) : set;
}

/** Writes a set as the record of a key, from 0 of `made`. */
export function putSet(set: SiblingSet, key: Buffer, keyStart: number, keyEnd: number, made: Made): void {
  const { version, value } = encodeSet(set);
  const bytes = made.begin(FIXED_BYTES + version.length + keyEnd - keyStart + value.length);
  const fields = { type: TYPE_SIBLINGS, ...headOf(set) };
  const { length } = value;
  made.length = writeRecord(bytes, 0, fields, key, keyStart, keyEnd, value, 0, length, version, version.length);
}

/** Where the value of the last writer lies that has not ended: what a client sees that knows no siblings. */
export function lastWritten(bytes: Buffer, offset: number, wallMs: number): { start: number; end: number } {
  const set = takeSet(bytes, offset);
  let start = recordKeyEnd(bytes, offset);
  for (const { expireAtMs, value } of set.siblings) {
    if (expireAtMs === 0 || expireAtMs > wallMs) return { start, end: start + value.length };
    start += value.length;
  }
  return { start, end: start };
}

/** Version, dot and expiry of the record that a set makes. */
function headOf(set: SiblingSet) {
  const { hlc, actor, sequence } = latestOf(set);
  if (set.siblings.length === 0)
    return { hlc, actor, sequence, expireAtMs: ENDED_MS, expiryHlc: hlc, expiryActor: actor };
  const expireAtMs = endsAtMs(set);
  const expiryHlc = expireAtMs === 0 ? 0 : latestExpiry(set);
  return { hlc, actor, sequence, expireAtMs, expiryHlc, expiryActor: 0 };
}

function latestExpiry(set: SiblingSet): number {
  let hlc = 0;
  for (const { expiryHlc } of set.siblings) hlc = Math.max(hlc, expiryHlc);
  return hlc;
}

function decodeAt(bytes: Buffer, offset: number): SiblingSet | null {
  const start = recordVersionStart(bytes, offset);
  const end = start + recordVersionBytes(bytes, offset);
  return decodeSet(bytes, start, end, recordKeyEnd(bytes, offset), recordEnd(bytes, offset));
}

/** Whether a record is what its set makes. */
function isFormed(bytes: Buffer, offset: number): boolean {
  const set = decodeAt(bytes, offset);
  if (set === null) return false;
  const head = headOf(set);
  if (recordHlc(bytes, offset) !== head.hlc || recordActor(bytes, offset) !== head.actor) return false;
  if (recordSequence(bytes, offset) !== head.sequence || recordExpireAtMs(bytes, offset) !== head.expireAtMs)
    return false;
  if ((recordFlags(bytes, offset) & FLAG_EXPIRY_VERSION) === 0) return head.expiryHlc === 0;
  return recordExpiryHlc(bytes, offset) === head.expiryHlc && recordExpiryActor(bytes, offset) === head.expiryActor;
}

function merge(left: Buffer, leftAt: number, right: Buffer, rightAt: number, flush: Flushed, made: Made): Verdict {
  const leftIsSet = recordType(left, leftAt) !== TYPE_SIBLINGS;
  const rightIsSet = recordType(right, rightAt) !== TYPE_SIBLINGS;
  const byBase = compareVersions(
    recordBaseHlc(left, leftAt),
    recordBaseActor(left, leftAt),
    recordBaseHlc(right, rightAt),
    recordBaseActor(right, rightAt),
  );
  const joined = join(takeSet(left, leftAt), takeSet(right, rightAt));
  // Of a SET or DEL that the siblings do not stand upon nothing but itself may be left.
  if (leftIsSet && byBase > 0 && isAlone(joined, left, leftAt)) return LEFT_STANDS;
  if (rightIsSet && byBase < 0 && isAlone(joined, right, rightAt)) return RIGHT_STANDS;
  const whole = flush.flushedHlc > 0 ? withoutFlushed(joined, flush.flushedHlc, flush.flushedActor) : joined;
  if (whole.chains.length > CHAINS_DECODED_MAX) return TOO_LARGE;
  const set = trim(whole, VALUE_BYTES_MAX, SIBLINGS_DECODED_MAX);
  made.valuesLost = whole.siblings.length - set.siblings.length;
  putSet(set, left, recordKeyStart(left, leftAt), recordKeyEnd(left, leftAt), made);
  if (isFlushed(made.bytes, 0, flush)) return GONE;
  const isLeft = isMade(left, leftAt, made);
  const isRight = isMade(right, rightAt, made);
  return isLeft ? (isRight ? BOTH_STAND : LEFT_STANDS) : isRight ? RIGHT_STANDS : MADE;
}

/** Whether a set is no more than the PUT or TOMBSTONE that it stands upon. */
function isAlone(set: SiblingSet, bytes: Buffer, offset: number): boolean {
  const values = recordType(bytes, offset) === TYPE_PUT ? 1 : 0;
  return set.siblings.length === values && set.chains.length === values && set.foldedHlc === 0;
}

function isMade(bytes: Buffer, offset: number, made: Made): boolean {
  const length = recordBytes(bytes, offset);
  return length === made.length && bytes.compare(made.bytes, 0, length, offset, offset + length) === 0;
}

function isFlushed(bytes: Buffer, offset: number, { flushedHlc, flushedActor }: Flushed): boolean {
  return flushedHlc > 0 && isCovered(bytes, offset, flushedHlc, flushedActor);
}

/** A flush leaves nothing of what its latest write is not later than. */
function isCovered(bytes: Buffer, offset: number, hlc: number, actor: number): boolean {
  return compareVersions(recordHlc(bytes, offset), recordActor(bytes, offset), hlc, actor) <= 0;
}

function forEachDot(bytes: Buffer, offset: number, visit: DotVisitor): void {
  forEachChain(bytes, recordVersionStart(bytes, offset), visit);
}

/** A value that ends as its own write said is seen with it; who changed the end of one afterwards, the set does not say. */
function latestForeignExpiry(bytes: Buffer, offset: number): number {
  return latestChangedExpiry(bytes, recordVersionStart(bytes, offset));
}
