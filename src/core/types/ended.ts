/**
 * What a change begins upon where a value has ended, or where there is none: the merge types call it. A key whose value has expired, or all of whose
 * siblings were deleted, is free for a value of any type; that stands upon a version above all that the former life had, so that nothing
 * of it, whoever still holds it, stands again.
 */
import { hlcFromMs } from '../base/hlc.js';
import {
  recordActor,
  recordExpireAtMs,
  recordExpiryHlc,
  recordHlc,
  recordType,
  TYPE_PUT,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import type { ChangeLimits } from './merge-type.js';

export interface Base {
  readonly hlc: number;
  readonly actor: number;
}

/** The version that ends the life of a record that has expired by a stamp; null while it lives. */
export function endOf(bytes: Buffer, offset: number, stampHlc: number): Base | null {
  const expireAtMs = recordExpireAtMs(bytes, offset);
  const endHlc = hlcFromMs(expireAtMs);
  if (expireAtMs === 0 || stampHlc < endHlc) return null;
  const hlc = recordHlc(bytes, offset);
  // Where a clock was behind, a value may end before the stamps of its own writes and changes.
  const lastHlc = Math.max(hlc, recordExpiryHlc(bytes, offset));
  if (endHlc > lastHlc) return { hlc: endHlc, actor: 0 };
  return { hlc: lastHlc, actor: lastHlc === hlc ? recordActor(bytes, offset) : 0 };
}

/** Whether a record is of another type than this, which a plain value and a tombstone can become. */
export function isOtherType(bytes: Buffer, offset: number, type: number): boolean {
  const found = recordType(bytes, offset);
  return found !== type && found !== TYPE_PUT && found !== TYPE_TOMBSTONE;
}

/**
 * What was deleted up to here may be forgotten, and all that was not is here: where nothing is known of a key, a value stands upon that, so
 * that what a backup or a late owner still holds of a former life does not join it. Null where it says nothing.
 */
export function forgottenThrough({ floorHlc, isPartial }: ChangeLimits, stampHlc: number): Base | null {
  return floorHlc > 0 && !isPartial ? { hlc: Math.min(floorHlc, stampHlc - 1), actor: 0 } : null;
}
