/**
 * A counter taken apart: what a merge of two that are concurrent, and an INCR off the straight path, work on. counter.ts and
 * counter-change.ts call it. A state is a base with a version, parts begun after that version, and an expiry:
 *
 *     base      the later version stands (a SET, a deletion, an end, a flush); parts begun at or before it are in it, or lost to it.
 *               Where a flush is known it is the base of whatever has no later one, so that all who know it have the same bytes
 *     parts     by (actor, start): the copy that was written last
 *     expiry    the latest change of it that is later than the base; a change that named a SET counts for that SET alone
 *     an end    a part begun after the expiry belongs to the key's next life: the end of the former becomes its base
 *     a fold    parts of actors that have ended are added to the base, once every owner has everything stamped up to "folded
 *               through"; the state folded furthest is the account of every part begun at or before that, the other adds none
 *
 * Guarded: each rule takes a maximum or drops what a maximum covers, so states that have met everything are the same.
 */
import { hlcFromMs } from '../base/hlc.js';
import { compareVersions } from '../record/merge.js';
import {
  RECORD_HEADER_BYTES,
  readHlc,
  recordBaseActor,
  recordBaseHlc,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordKeyEnd,
  recordSequence,
  recordType,
  recordVersionStart,
  TYPE_COUNTER,
  TYPE_PUT,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import { readBigInteger, readInteger } from '../resp/integer.js';
import {
  type CounterHead,
  HEAD_BYTES_MAX,
  isOpaque,
  LAST_AT,
  PART_BYTES,
  partActor,
  partCount,
  partSequence,
  readBigSum,
  readHead,
  START_AT,
  SUM_AT,
  writeBigSum,
  writeHead,
  writePartDot,
} from './counter-layout.js';
import type { Made } from './made.js';
import type { Flushed } from './merge-type.js';

export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;

export interface CounterPart {
  readonly actor: number;
  readonly startHlc: number;
  lastHlc: number;
  sequence: number;
  sum: bigint;
}

export interface CounterState extends CounterHead {
  /** The value of a base that is no number: its bytes. */
  opaque: { bytes: Buffer; start: number; end: number } | null;
  expireAtMs: number;
  expiryHlc: number;
  expiryActor: number;
  /** Ascending by (actor, start). */
  parts: CounterPart[];
}

export function emptyState(): CounterState {
  const expiry = { expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  return {
    baseHlc: 0,
    baseActor: 0,
    baseSequence: 0,
    base: 0n,
    opaque: null,
    ...expiry,
    foldedHlc: 0,
    foldedActor: 0,
    parts: [],
  };
}

/** The state of a verified record: of a counter, or of a PUT or a TOMBSTONE as the base of one. */
export function takeApart(bytes: Buffer, offset: number): CounterState {
  const state = emptyState();
  const type = recordType(bytes, offset);
  state.baseHlc = recordBaseHlc(bytes, offset);
  state.baseActor = recordBaseActor(bytes, offset);
  state.expireAtMs = recordExpireAtMs(bytes, offset);
  state.expiryHlc = recordExpiryHlc(bytes, offset);
  state.expiryActor = recordExpiryActor(bytes, offset);
  const value = { bytes, start: recordKeyEnd(bytes, offset), end: recordEnd(bytes, offset) };
  if (type === TYPE_PUT) {
    if (Number.isNaN(readInteger(bytes, value.start, value.end))) state.opaque = value;
    else state.base = readBigInteger(bytes, value.start, value.end);
  }
  if (type !== TYPE_COUNTER) {
    state.baseSequence = recordSequence(bytes, offset);
    return state;
  }
  const at = recordVersionStart(bytes, offset);
  if (isOpaque(bytes, at)) state.opaque = value;
  const start = readHead(bytes, at, state);
  for (let part = start, end = start + partCount(bytes, at) * PART_BYTES; part < end; part += PART_BYTES) {
    state.parts.push({
      actor: partActor(bytes, part),
      startHlc: readHlc(bytes, part + START_AT),
      lastHlc: readHlc(bytes, part + LAST_AT),
      sequence: partSequence(bytes, part),
      sum: readBigSum(bytes, part + SUM_AT, part + 12),
    });
  }
  return state;
}

/** What becomes of two states. `leftIsSet`, `rightIsSet`: that one is a PUT or a TOMBSTONE, whose expiry counts for it alone. */
export function joinStates(
  left: CounterState,
  leftIsSet: boolean,
  right: CounterState,
  rightIsSet: boolean,
  addsParts = false,
): CounterState {
  const order = compareBases(left, right);
  const rightStands = order !== 0 ? order < 0 : compareFolds(left, right) < 0;
  const high = rightStands ? right : left;
  const low = rightStands ? left : right;
  const joined = { ...high, parts: unite(high, low, addsParts) };
  const lowIsSet = rightStands ? leftIsSet : rightIsSet;
  const counts = !lowIsSet || compareBases(low, high) === 0;
  if (counts && compareVersions(low.expiryHlc, low.expiryActor, high.expiryHlc, high.expiryActor) > 0) {
    joined.expireAtMs = low.expireAtMs;
    joined.expiryHlc = low.expiryHlc;
    joined.expiryActor = low.expiryActor;
  }
  return joined;
}

/** Applies what has ended a part of the state: a flush, then its base, then its expiry. In place. */
export function settle(state: CounterState, flushed: Flushed): void {
  const { flushedHlc, flushedActor } = flushed;
  if (compareVersions(state.baseHlc, state.baseActor, flushedHlc, flushedActor) < 0) {
    clearAt(state, flushedHlc, flushedActor);
  }
  state.parts = state.parts.filter((part) => isAfter(part, state.baseHlc, state.baseActor));
  if (state.expireAtMs === 0) return;
  // Where a clock was behind, a value may end before the stamps of its own base and expiry: its next life is above both.
  const endHlc = Math.max(hlcFromMs(state.expireAtMs), state.baseHlc + 1, state.expiryHlc + 1);
  if (!state.parts.some((part) => part.startHlc >= endHlc)) return;
  clearAt(state, endHlc, 0);
  state.parts = state.parts.filter((part) => isAfter(part, endHlc, 0));
}

/** Adds the parts that `folds` names to the base: all of them are known everywhere and none of them grows. */
export function fold(
  state: CounterState,
  throughHlc: number,
  actor: number,
  folds: (part: CounterPart) => boolean,
): void {
  if (throughHlc <= state.foldedHlc || !state.parts.some(folds)) return;
  for (const part of state.parts) if (folds(part)) state.base = BigInt.asIntN(96, state.base + part.sum);
  state.parts = state.parts.filter((part) => !folds(part));
  state.foldedHlc = throughHlc;
  state.foldedActor = actor;
}

export function totalOf(state: CounterState): bigint {
  let total = state.base;
  for (const part of state.parts) total += part.sum;
  return total;
}

/**
 * Writes the state as a record that starts at 0 of `made`, for the key of `keyBytes`. `sequence` 0: derived. Its version is the
 * greatest in it. Returns the length.
 */
export function putTogether(
  state: CounterState,
  sequence: number,
  keyBytes: Buffer,
  keyStart: number,
  keyEnd: number,
  made: Made,
): number {
  const { opaque, parts } = state;
  const total = totalOf(state);
  const text = total > INT64_MAX ? INT64_MAX : total < INT64_MIN ? INT64_MIN : total;
  const value = opaque?.bytes ?? Buffer.from(text.toString(), 'latin1');
  const valueStart = opaque?.start ?? 0;
  const valueEnd = opaque?.end ?? value.length;
  const version = versionData(state);
  const hasExpiry =
    state.expireAtMs !== 0 || compareVersions(state.expiryHlc, state.expiryActor, state.baseHlc, state.baseActor) !== 0;
  let hlc = state.baseHlc;
  let actor = state.baseActor;
  for (const part of parts) {
    if (compareVersions(part.lastHlc, part.actor, hlc, actor) <= 0) continue;
    hlc = part.lastHlc;
    actor = part.actor;
  }
  const fields = {
    type: TYPE_COUNTER,
    hlc,
    actor,
    sequence,
    expireAtMs: hasExpiry ? state.expireAtMs : 0,
    expiryHlc: hasExpiry ? state.expiryHlc : 0,
    expiryActor: hasExpiry ? state.expiryActor : 0,
  };
  const roomBytes = RECORD_HEADER_BYTES + 32 + version.length + keyEnd - keyStart + valueEnd - valueStart;
  const bytes = made.begin(roomBytes);
  made.length = writeRecord(
    bytes,
    0,
    fields,
    keyBytes,
    keyStart,
    keyEnd,
    value,
    valueStart,
    valueEnd,
    version,
    version.length,
  );
  return made.length;
}

function versionData(state: CounterState): Buffer {
  const { parts } = state;
  const bytes = Buffer.alloc(HEAD_BYTES_MAX + parts.length * PART_BYTES);
  let at = writeHead(bytes, state, parts.length, state.opaque !== null);
  for (const part of parts) {
    writePartDot(bytes, at, part.actor, part.sequence);
    writeHlc(bytes, at + START_AT, part.startHlc);
    writeHlc(bytes, at + LAST_AT, part.lastHlc);
    writeBigSum(bytes, at + SUM_AT, at + 12, part.sum);
    at += PART_BYTES;
  }
  return bytes.subarray(0, at);
}

/** Parts of both, of two copies the one written last; one that the further fold of an equal base accounts for is left out. */
function unite(high: CounterState, low: CounterState, addsParts: boolean): CounterPart[] {
  const accounts = high.foldedHlc > 0 && (compareBases(high, low) !== 0 || compareFolds(high, low) !== 0);
  const united: CounterPart[] = [];
  let left = 0;
  let right = 0;
  while (left < high.parts.length || right < low.parts.length) {
    const one = high.parts[left];
    const other = low.parts[right];
    const order = one === undefined ? 1 : other === undefined ? -1 : byActorAndStart(one, other);
    if (order < 0) united.push(one);
    else if (order === 0) {
      const later = other.lastHlc > one.lastHlc ? other : one;
      united.push(addsParts ? { ...later, sum: one.sum + other.sum } : later);
    } else if (!accounts || other.startHlc > high.foldedHlc) united.push(other);
    if (order <= 0) left++;
    if (order >= 0) right++;
  }
  return united;
}

function compareBases(left: CounterState, right: CounterState): number {
  return compareVersions(left.baseHlc, left.baseActor, right.baseHlc, right.baseActor);
}

function compareFolds(left: CounterState, right: CounterState): number {
  return compareVersions(left.foldedHlc, left.foldedActor, right.foldedHlc, right.foldedActor);
}

export function byActorAndStart(left: CounterPart, right: CounterPart): number {
  return left.actor - right.actor || left.startHlc - right.startHlc;
}

function isAfter(part: CounterPart, hlc: number, actor: number): boolean {
  return compareVersions(part.startHlc, part.actor, hlc, actor) > 0;
}

/** Nothing of the base is left: the state counts from this version on. */
function clearAt(state: CounterState, hlc: number, actor: number): void {
  state.baseHlc = hlc;
  state.baseActor = actor;
  state.baseSequence = 0;
  state.base = 0n;
  state.opaque = null;
  state.foldedHlc = 0;
  state.foldedActor = 0;
  const isLater = compareVersions(state.expiryHlc, state.expiryActor, hlc, actor) > 0;
  if (isLater && (state.expireAtMs === 0 || hlcFromMs(state.expireAtMs) > hlc)) return;
  state.expireAtMs = 0;
  state.expiryHlc = hlc;
  state.expiryActor = actor;
}
