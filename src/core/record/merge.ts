/**
 * Which of two records of one key stands: one total order, used by every way in (a client's write, a rumor, a hint,
 * repair, the log). Merge is commutative, associative and idempotent because it takes the maximum of that order, value
 * and expiry each by their own version.
 *
 * The order of versions is (HLC, actor). Value first: the later value version wins whole, with the expiry it carries.
 * Equal value versions name the same value; then the later expiry version wins.
 */
import {
  FLAG_EXPIRY_VERSION,
  recordActor,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordHlc,
} from './record.js';

/** Compares versions: negative, 0 or positive as left is before, equal to or after right. */
export function compareVersions(leftHlc: number, leftActor: number, rightHlc: number, rightActor: number): number {
  return leftHlc !== rightHlc ? leftHlc - rightHlc : leftActor - rightActor;
}

/** Compares two whole records (PUT or TOMBSTONE) of one key in the order of merge. 0 means the same state. */
export function compareRecords(left: Buffer, leftAt: number, right: Buffer, rightAt: number): number {
  const byValue = compareVersions(
    recordHlc(left, leftAt),
    recordActor(left, leftAt),
    recordHlc(right, rightAt),
    recordActor(right, rightAt),
  );
  if (byValue !== 0) return byValue;
  if (((recordFlags(left, leftAt) | recordFlags(right, rightAt)) & FLAG_EXPIRY_VERSION) === 0) return 0;
  return compareVersions(
    recordExpiryHlc(left, leftAt),
    recordExpiryActor(left, leftAt),
    recordExpiryHlc(right, rightAt),
    recordExpiryActor(right, rightAt),
  );
}
