/**
 * How two counters become one; types.ts calls it for every pair of records of which one is a counter. Most pairs are one write
 * apart: then all of one is in the other, which is found by walking both lists of parts once, with nothing allocated. The rest
 * goes through counter-state.ts.
 * Guarded: a side in which all of the other is stands with its very bytes, dot included, so that every owner comes to the same ones.
 */

import type { DotVisitor } from '../record/dots.js';
import { compareVersions } from '../record/merge.js';
import {
  FLAG_EXPIRY,
  readHlc,
  readWord,
  recordBaseActor,
  recordBaseHlc,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordKeyEnd,
  recordKeyStart,
  recordSequence,
  recordType,
  recordVersionStart,
  sealRecord,
  TYPE_COUNTER,
  writeWord,
} from '../record/record.js';
import {
  baseSequence,
  compareParts,
  isCounterFormed,
  isSameHead,
  LAST_AT,
  PART_BYTES,
  PARTS_MERGED_MAX,
  partActor,
  partCount,
  partSequence,
  partsStart,
  START_AT,
} from './counter-layout.js';
import { joinStates, putTogether, settle, takeApart } from './counter-state.js';
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

export const counterType: MergeType = {
  type: TYPE_COUNTER,
  name: 'string',
  isText: true,
  isFormed: isCounterFormed,
  merge,
  isCovered,
  forEachDot,
};

/** Neither side has all of the other, or it takes more than a walk to see. */
const CONCURRENT = -1;

function merge(left: Buffer, leftAt: number, right: Buffer, rightAt: number, flushed: Flushed, made: Made): Verdict {
  if (recordType(left, leftAt) === recordType(right, rightAt)) {
    const verdict = compareCounters(left, leftAt, right, rightAt, flushed);
    if (verdict !== CONCURRENT) return verdict as Verdict;
  }
  return mergeApart(left, leftAt, right, rightAt, flushed, made);
}

/** Which of two counters on one base stands; CONCURRENT if both have what the other has not. */
function compareCounters(left: Buffer, leftAt: number, right: Buffer, rightAt: number, flushed: Flushed): number {
  const one = recordVersionStart(left, leftAt);
  const other = recordVersionStart(right, rightAt);
  if (!standsOnSame(left, leftAt, one, right, rightAt, other)) return CONCURRENT;
  if (flushed.flushedHlc > 0 && (isTrimmed(left, one, flushed) || isTrimmed(right, other, flushed))) return CONCURRENT;
  let from = partsStart(left, one);
  let to = partsStart(right, other);
  const leftEnd = from + partCount(left, one) * PART_BYTES;
  const rightEnd = to + partCount(right, other) * PART_BYTES;
  let leftHas = false;
  let rightHas = false;
  while (from < leftEnd || to < rightEnd) {
    const order = from === leftEnd ? 1 : to === rightEnd ? -1 : compareParts(left, from, right, to);
    const lastOrder = order === 0 ? readHlc(left, from + LAST_AT) - readHlc(right, to + LAST_AT) : -order;
    if (lastOrder > 0) leftHas = true;
    else if (lastOrder < 0) rightHas = true;
    if (order <= 0) from += PART_BYTES;
    if (order >= 0) to += PART_BYTES;
  }
  if (!leftHas && !rightHas) return BOTH_STAND;
  // An expiry may end the life that one side's parts belong to.
  if (leftHas && rightHas) return CONCURRENT;
  return leftHas ? LEFT_STANDS : RIGHT_STANDS;
}

/** Base, fold and expiry are the same. */
function standsOnSame(
  left: Buffer,
  leftAt: number,
  one: number,
  right: Buffer,
  rightAt: number,
  other: number,
): boolean {
  if (recordFlags(left, leftAt) !== recordFlags(right, rightAt)) return false;
  if (!isSameHead(left, one, right, other)) return false;
  if ((recordFlags(left, leftAt) & FLAG_EXPIRY) === 0) return true;
  return (
    recordExpiryHlc(left, leftAt) === recordExpiryHlc(right, rightAt) &&
    recordExpiryActor(left, leftAt) === recordExpiryActor(right, rightAt) &&
    recordExpireAtMs(left, leftAt) === recordExpireAtMs(right, rightAt)
  );
}

/** Whether a flush is later than what a counter counts from: then it counts from the flush, whatever that takes of it. */
function isTrimmed(bytes: Buffer, at: number, { flushedHlc, flushedActor }: Flushed): boolean {
  const baseActor = readWord(bytes, at + 8) + readWord(bytes, at + 12) * 0x100000000;
  return compareVersions(readHlc(bytes, at), baseActor, flushedHlc, flushedActor) < 0;
}

/** By taking both apart. */
function mergeApart(
  left: Buffer,
  leftAt: number,
  right: Buffer,
  rightAt: number,
  flushed: Flushed,
  made: Made,
): Verdict {
  const leftIsSet = recordType(left, leftAt) !== TYPE_COUNTER;
  const rightIsSet = recordType(right, rightAt) !== TYPE_COUNTER;
  const state = joinStates(
    takeApart(left, leftAt),
    leftIsSet,
    takeApart(right, rightAt),
    rightIsSet,
    flushed.addsParts,
  );
  settle(state, flushed);
  if (state.parts.length > PARTS_MERGED_MAX) return TOO_LARGE;
  if (state.parts.length === 0) {
    // Nothing was counted since the base: if that is the other record, it stands as it is.
    if (leftIsSet && isBase(left, leftAt, state.baseHlc, state.baseActor)) return LEFT_STANDS;
    if (rightIsSet && isBase(right, rightAt, state.baseHlc, state.baseActor)) return RIGHT_STANDS;
    return GONE;
  }
  putTogether(state, 0, left, recordKeyStart(left, leftAt), recordKeyEnd(left, leftAt), made);
  const isLeft = !leftIsSet && isSameValue(left, leftAt, made);
  const isRight = !rightIsSet && isSameValue(right, rightAt, made);
  if (isLeft && isSameExpiry(left, leftAt, made))
    return isRight && isSameExpiry(right, rightAt, made) ? BOTH_STAND : LEFT_STANDS;
  if (isRight && isSameExpiry(right, rightAt, made)) return RIGHT_STANDS;
  // The value of one with the expiry of the other keeps its dot.
  if (isLeft || isRight) {
    const sequence = isLeft ? recordSequence(left, leftAt) : recordSequence(right, rightAt);
    writeWord(made.bytes, 24, sequence % 0x100000000);
    made.bytes[30] = Math.floor(sequence / 0x100000000) & 0xff;
    made.bytes[31] = Math.floor(sequence / 0x10000000000) & 0xff;
    sealRecord(made.bytes, 0, made.length);
  }
  return MADE;
}

function isBase(bytes: Buffer, offset: number, hlc: number, actor: number): boolean {
  return recordBaseHlc(bytes, offset) === hlc && recordBaseActor(bytes, offset) === actor;
}

/** Version data, key and value are those of `made`. */
function isSameValue(bytes: Buffer, offset: number, made: Made): boolean {
  const start = recordVersionStart(bytes, offset);
  const from = recordVersionStart(made.bytes, 0);
  return bytes.compare(made.bytes, from, made.length, start, recordEnd(bytes, offset)) === 0;
}

function isSameExpiry(bytes: Buffer, offset: number, made: Made): boolean {
  return (
    recordFlags(bytes, offset) === recordFlags(made.bytes, 0) &&
    recordExpireAtMs(bytes, offset) === recordExpireAtMs(made.bytes, 0) &&
    recordExpiryHlc(bytes, offset) === recordExpiryHlc(made.bytes, 0) &&
    recordExpiryActor(bytes, offset) === recordExpiryActor(made.bytes, 0)
  );
}

/** A flush leaves nothing: the base and every part are from before it. */
function isCovered(bytes: Buffer, offset: number, hlc: number, actor: number): boolean {
  const at = recordVersionStart(bytes, offset);
  const start = partsStart(bytes, at);
  if (compareVersions(recordBaseHlc(bytes, offset), recordBaseActor(bytes, offset), hlc, actor) > 0) return false;
  for (let part = start, end = start + partCount(bytes, at) * PART_BYTES; part < end; part += PART_BYTES) {
    if (compareVersions(readHlc(bytes, part + START_AT), partActor(bytes, part), hlc, actor) > 0) return false;
  }
  return true;
}

function forEachDot(bytes: Buffer, offset: number, visit: DotVisitor): void {
  const at = recordVersionStart(bytes, offset);
  const sequence = baseSequence(bytes, at);
  if (sequence !== 0) visit(recordBaseActor(bytes, offset), sequence, recordBaseHlc(bytes, offset));
  const start = partsStart(bytes, at);
  for (let part = start, end = start + partCount(bytes, at) * PART_BYTES; part < end; part += PART_BYTES) {
    visit(partActor(bytes, part), partSequence(bytes, part), readHlc(bytes, part + LAST_AT));
  }
}
