/**
 * CPUT and CDEL on whatever stands for a key: siblings, a plain value (the one sibling that it is), a tombstone, nothing. The commands
 * make one change, the keyspace applies it. Guarded: past the bounds on values, bytes and chains a write is refused by
 * name before anything changes; chains that the floor has passed are folded before they count.
 */
import { HearsayError, wrongType } from '../base/errors.js';
import { TYPE_SIBLINGS } from '../record/record.js';
import type { Cover } from './cover.js';
import { type Base, endOf, forgottenThrough, isOtherType } from './ended.js';
import type { Made } from './made.js';
import type { ChangeLimits, Stamp, StateChange } from './merge-type.js';
import {
  alive,
  EMPTY_SET,
  flushed,
  fold,
  refusal as refusalOf,
  remove,
  SIBLINGS_MAX,
  type SiblingSet,
  valueBytes,
  write,
} from './siblings.js';
import { putSet, takeSet } from './siblings-record.js';

/** Bytes of one key's values together past which a write is refused: two nodes may each allow as much, and a record holds both. */
export const SIBLINGS_BYTES_MAX = 8 * 1024 * 1024;

/** Nothing, upon what ended or was forgotten. */
function begun({ hlc, actor }: Base): SiblingSet {
  return { ...EMPTY_SET, baseHlc: hlc, baseActor: actor };
}

export class SiblingsChange implements StateChange {
  refusal: HearsayError | null = null;
  /** After the change: the set, and how many values it took away. */
  set: SiblingSet = EMPTY_SET;
  removed = 0;
  private seen: Cover = EMPTY_SET;
  private value: Buffer | null = null;
  private expireAtMs = 0;
  private wallMs = 0;

  /** A value in the place of what `seen` has seen. */
  put(seen: Cover, value: Buffer, expireAtMs: number, wallMs: number): this {
    this.seen = seen;
    this.value = value;
    this.expireAtMs = expireAtMs;
    this.wallMs = wallMs;
    return this;
  }

  /** Nothing in the place of it. */
  remove(seen: Cover, wallMs: number): this {
    this.seen = seen;
    this.value = null;
    this.wallMs = wallMs;
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
    const isOther = stored !== null && isOtherType(stored, offset, TYPE_SIBLINGS);
    const end = isOther ? endOf(stored, offset, stamp.hlc) : null;
    if (isOther && end === null) {
      this.refusal = wrongType();
      return false;
    }
    const base = stored === null ? forgottenThrough(limits, stamp.hlc) : end;
    const known = base !== null ? begun(base) : stored === null ? EMPTY_SET : takeSet(stored, offset);
    const kept = limits.flushedHlc > 0 ? flushed(known, limits.flushedHlc, limits.flushedActor) : known;
    const before = fold(kept, Math.min(limits.floorHlc, stamp.hlc - 1), limits.isPartial);
    const { seen, value, wallMs } = this;
    const seenNow = limits.mutations?.has('context-ignored') ? EMPTY_SET : seen;
    const sequence = limits.mutations?.has('dots-reused') ? stamp.sequence | 1 : stamp.sequence;
    const dot = { hlc: stamp.hlc, actor: stamp.actor, sequence };
    const continues = (last: number): boolean => limits.continues(last);
    const after =
      value === null
        ? remove(before, seenNow, dot, wallMs, continues)
        : write(before, seenNow, dot, value, this.expireAtMs, wallMs, continues);
    if (value !== null && !this.fits(after)) return false;
    this.removed = alive(before, wallMs).length - after.siblings.length;
    this.set = after;
    putSet(after, key, keyStart, keyEnd, made);
    return true;
  }

  private fits(after: SiblingSet): boolean {
    const why = refusalOf(after);
    if (why === 'siblings') {
      return this.refuse(
        'SIBLINGS',
        `${SIBLINGS_MAX} values stand beside each other; CGET them and CPUT with their context`,
      );
    }
    if (why === 'chains') {
      return this.refuse('BUSY', 'too many nodes that have ended wrote this key; they wait for every owner');
    }
    if (valueBytes(after) <= SIBLINGS_BYTES_MAX) return true;
    return this.refuse('SIBLINGS', 'the values of this key would take more than 8 MiB together');
  }

  private refuse(code: 'SIBLINGS' | 'BUSY', message: string): boolean {
    this.refusal = new HearsayError(code, message);
    return false;
  }
}
