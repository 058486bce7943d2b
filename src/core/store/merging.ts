/**
 * What comes of a record from elsewhere and what stands for its key: an expiry change is folded into the value it names, values of merge
 * types are joined by their types' own rule. `Store.merge` orders registers itself and calls this for all else.
 * Guarded: nothing changes unless the outcome says so; what flushed or malformed records would bring is refused; the outcome is the
 * same in whatever order records come.
 */
import { isExpiryRecord, namedActor, namedHlc } from '../record/expiry.js';
import { foldExpiry, foldedLength } from '../record/fold.js';
import { compareVersions } from '../record/merge.js';
import {
  FLAG_MERGE,
  holdsValue,
  recordActor,
  recordBaseActor,
  recordBaseHlc,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import { made } from '../types/made.js';
import { BOTH_STAND, type Flushed, LEFT_STANDS, MADE, RIGHT_STANDS } from '../types/merge-type.js';
import { isCovered, isMergeable, mergeRecords } from '../types/types.js';
import type { Mixed } from './walker.js';

/** The record stands now; `buffer`, `offset` name it as stored. */
export const MERGE_APPLIED = 0;
/** A later version stands. */
export const MERGE_STALE = 1;
/** This very version stands. */
export const MERGE_EQUAL = 2;
/** An expiry change of a value that is not here. */
export const MERGE_MISSING = 3;
/** Flushed, malformed, or there is no room. */
export const MERGE_REFUSED = 4;
/** What both make together stands now; `buffer`, `offset` name it as stored, and the log is to have that. */
export const MERGE_DERIVED = 5;
export type MergeOutcome =
  | typeof MERGE_DERIVED
  | typeof MERGE_APPLIED
  | typeof MERGE_STALE
  | typeof MERGE_EQUAL
  | typeof MERGE_MISSING
  | typeof MERGE_REFUSED;

/** The store, as far as a merge concerns it: `buffer`, `offset` name what was found or allocated last. */
export interface MergeTarget extends Flushed {
  readonly buffer: Buffer;
  readonly offset: number;
  isFlushed(hlc: number, actor: number): boolean;
  find(partition: number, hash: number, key: Uint8Array, start: number, end: number): boolean;
  allocate(length: number, isTombstone: boolean, expireAtMs: number): boolean;
  publish(partition: number, hash: number): void;
  /** Lets a copy of a record stand for its key. */
  take(partition: number, hash: number, source: Buffer, at: number): MergeOutcome;
  refuse(): MergeOutcome;
  /** A merge let values go, because no record could hold all that both sides had. */
  noteLost(values: number): void;
  /** What was deleted at or below may be forgotten. */
  floorHlcOf(partition: number): number;
}

export function mergeExpiry(
  target: MergeTarget,
  partition: number,
  hash: number,
  source: Buffer,
  at: number,
): MergeOutcome {
  if (!isExpiryRecord(source, at)) return target.refuse();
  const hlc = namedHlc(source, at);
  const actor = namedActor(source, at);
  // One that names no version was made to a value of a merge type, whichever stood.
  const isNamed = hlc !== 0;
  const ownHlc = recordHlc(source, at);
  const ownActor = recordActor(source, at);
  if (target.isFlushed(isNamed ? hlc : ownHlc, isNamed ? actor : ownActor)) return MERGE_STALE;
  if (!target.find(partition, hash, source, recordKeyStart(source, at), recordKeyEnd(source, at))) return MERGE_MISSING;
  const { buffer, offset } = target;
  const merges = (buffer[offset + 9] & FLAG_MERGE) !== 0;
  const baseHlc = recordBaseHlc(buffer, offset);
  const baseActor = recordBaseActor(buffer, offset);
  if (isNamed) {
    const named = compareVersions(hlc, actor, baseHlc, baseActor);
    if (named > 0) return MERGE_MISSING;
    if (named < 0 || !holdsValue(buffer, offset)) return MERGE_STALE;
  } else if (!merges) {
    return compareVersions(ownHlc, ownActor, baseHlc, baseActor) > 0 ? MERGE_MISSING : MERGE_STALE;
  }
  const order = compareVersions(ownHlc, ownActor, recordExpiryHlc(buffer, offset), recordExpiryActor(buffer, offset));
  if (order < 0) return MERGE_STALE;
  if (order === 0) return MERGE_EQUAL;
  if (merges) {
    const folded = Buffer.allocUnsafe(foldedLength(buffer, offset));
    foldExpiry(buffer, offset, source, at, folded, 0);
    return mergeFound(target, partition, hash, folded, 0);
  }
  if (!target.allocate(foldedLength(buffer, offset), false, recordExpireAtMs(source, at))) return MERGE_REFUSED;
  foldExpiry(buffer, offset, source, at, target.buffer, target.offset);
  target.publish(partition, hash);
  return MERGE_APPLIED;
}

/** A value of a merge type meets what stands for its key. */
export function mergeStates(
  target: MergeTarget,
  partition: number,
  hash: number,
  source: Buffer,
  at: number,
): MergeOutcome {
  if (!isMergeable(source, at) || isCovered(source, at, target.flushedHlc, target.flushedActor)) return target.refuse();
  const found = target.find(partition, hash, source, recordKeyStart(source, at), recordKeyEnd(source, at));
  if (found && !isForgettable(target, partition)) return mergeFound(target, partition, hash, source, at);
  // Alone, it is what a flush leaves of it.
  const verdict = mergeRecords(source, at, source, at, target, made);
  if (verdict === BOTH_STAND || verdict === LEFT_STANDS) return target.take(partition, hash, source, at);
  return verdict === MADE ? takeMade(target, partition, hash) : target.refuse();
}

/** Whether what was found is a tombstone that the floor has passed: who writes next may know no more of it. */
function isForgettable(target: MergeTarget, partition: number): boolean {
  const { buffer, offset } = target;
  return recordType(buffer, offset) === TYPE_TOMBSTONE && recordHlc(buffer, offset) <= target.floorHlcOf(partition);
}

/** By the types' own rule, with the record that `find` has just found. */
export function mergeFound(
  target: MergeTarget,
  partition: number,
  hash: number,
  source: Buffer,
  at: number,
): MergeOutcome {
  const verdict = mergeRecords(source, at, target.buffer, target.offset, target, made);
  if (made.valuesLost > 0) target.noteLost(made.valuesLost);
  switch (verdict) {
    case BOTH_STAND:
      return MERGE_EQUAL;
    case RIGHT_STANDS:
      return MERGE_STALE;
    case LEFT_STANDS:
      return target.take(partition, hash, source, at);
    case MADE:
      return takeMade(target, partition, hash);
    default:
      return target.refuse();
  }
}

/** What a flush leaves of a value of a merge type stands in its place. */
export function trimFlushed(target: MergeTarget, { partition, hash, key }: Mixed): void {
  if (!target.find(partition, hash, key, 0, key.length)) return;
  const { buffer, offset } = target;
  if (mergeRecords(buffer, offset, buffer, offset, target, made) === MADE) takeMade(target, partition, hash);
}

function takeMade(target: MergeTarget, partition: number, hash: number): MergeOutcome {
  return target.take(partition, hash, made.bytes, 0) === MERGE_APPLIED ? MERGE_DERIVED : MERGE_REFUSED;
}
