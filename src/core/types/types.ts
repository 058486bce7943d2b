/**
 * All merge types by their record type, and the meeting of two records of one key, whatever they are. The store calls it on every way
 * in: a peer's record, recovery, repair, a backup. Guarded: one rule for every path; which of two stands never depends on
 * who holds which.
 */
import { compareRecords, compareVersions } from '../record/merge.js';
import { isMergeType, recordActor, recordEnd, recordHlc, recordType, TYPE_COUNTER } from '../record/record.js';
import { counterType } from './counter.js';
import { hyperLogLogType } from './hyperloglog-record.js';
import type { Made } from './made.js';
import {
  BOTH_STAND,
  type Flushed,
  LEFT_STANDS,
  type MergeType,
  RIGHT_STANDS,
  TOO_LARGE,
  type Verdict,
} from './merge-type.js';
import { siblingsType } from './siblings-record.js';

/** By record type, from TYPE_COUNTER on. */
const TYPES: readonly MergeType[] = [counterType, siblingsType, hyperLogLogType];

/** Null for what is no merge type, or one that this version does not have. */
export function mergeTypeOf(type: number): MergeType | null {
  return TYPES[type - TYPE_COUNTER] ?? null;
}

/** Whether a verified record of a merge type is one that can be merged. */
export function isMergeable(bytes: Buffer, offset: number): boolean {
  return mergeTypeOf(recordType(bytes, offset))?.isFormed(bytes, offset) === true;
}

/**
 * What becomes of two verified states of one key, PUT, TOMBSTONE or merge type. Two different merge types, or two states of one that
 * together would pass a bound of it: the later (HLC, actor) stands whole, as a SET would. `made.valuesLost`: what was let go for want of room.
 */
export function mergeRecords(
  left: Buffer,
  leftAt: number,
  right: Buffer,
  rightAt: number,
  flushed: Flushed,
  made: Made,
): Verdict {
  const leftType = mergeTypeOf(recordType(left, leftAt));
  const rightType = mergeTypeOf(recordType(right, rightAt));
  const type = leftType ?? rightType;
  const differ = leftType !== null && rightType !== null && leftType !== rightType;
  made.valuesLost = 0;
  if (type !== null && !differ) {
    const verdict = type.merge(left, leftAt, right, rightAt, flushed, made);
    if (verdict !== TOO_LARGE) return verdict;
    made.valuesLost = 1;
    return standing(compareWhole(left, leftAt, right, rightAt));
  }
  const order = differ
    ? compareVersions(
        recordHlc(left, leftAt),
        recordActor(left, leftAt),
        recordHlc(right, rightAt),
        recordActor(right, rightAt),
      ) || recordType(left, leftAt) - recordType(right, rightAt)
    : compareRecords(left, leftAt, right, rightAt);
  return standing(order);
}

function standing(order: number): Verdict {
  return order === 0 ? BOTH_STAND : order > 0 ? LEFT_STANDS : RIGHT_STANDS;
}

/** A total order over records that can not be joined: by version, then by their bytes. */
function compareWhole(left: Buffer, leftAt: number, right: Buffer, rightAt: number): number {
  const byVersion = compareVersions(
    recordHlc(left, leftAt),
    recordActor(left, leftAt),
    recordHlc(right, rightAt),
    recordActor(right, rightAt),
  );
  return byVersion || left.compare(right, rightAt, recordEnd(right, rightAt), leftAt, recordEnd(left, leftAt));
}

/** Whether a flush of this version leaves nothing of a record. */
export function isCovered(bytes: Buffer, offset: number, hlc: number, actor: number): boolean {
  const type = recordType(bytes, offset);
  if (isMergeType(type)) {
    const known = mergeTypeOf(type);
    if (known !== null) return known.isCovered(bytes, offset, hlc, actor);
  }
  return compareVersions(recordHlc(bytes, offset), recordActor(bytes, offset), hlc, actor) <= 0;
}
