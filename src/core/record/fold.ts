/**
 * The fold of an expiry change into the value it names: a pure function over bytes, called by the store's merge and by
 * recovery. Guarded: the folded value is canonical. It keeps type, version, sequence, version data, key and value, takes the expiry and
 * its version from the change, and always carries both expiry fields, so that every replica holds the same bytes
 * whatever the order of arrival and however many changes came before. Which change wins is in merge.ts.
 */
import {
  copyBytes,
  extensionBytes,
  FLAG_EXPIRY,
  FLAG_EXPIRY_VERSION,
  FLAG_MERGE,
  RECORD_HEADER_BYTES,
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordType,
  sealRecord,
  TYPE_EXPIRY,
  writeHlc,
  writeWord,
} from './record.js';

const FOLDED_FLAGS = FLAG_EXPIRY | FLAG_EXPIRY_VERSION;

/** Bytes that the value at `putAt` takes once an expiry change is folded into it. */
export function foldedLength(put: Buffer, putAt: number): number {
  return RECORD_HEADER_BYTES + extensionBytes(FOLDED_FLAGS) + recordEnd(put, putAt) - bodyStart(put, putAt);
}

/** Behind the expiry fields: version data if there is any, key, value. */
function bodyStart(bytes: Buffer, offset: number): number {
  return offset + RECORD_HEADER_BYTES + extensionBytes(bytes[offset + 9] & FOLDED_FLAGS);
}

/**
 * Writes to `target` the value with the expiry and its version of `change`: an EXPIRY record, or another record of a merge type. The caller has compared
 * versions; `target` has room for `foldedLength` and does not overlap `put`. Returns the length.
 */
export function foldExpiry(
  put: Buffer,
  putAt: number,
  change: Buffer,
  changeAt: number,
  target: Buffer,
  targetAt: number,
): number {
  const length = foldedLength(put, putAt);
  copyBytes(put, putAt + 8, putAt + RECORD_HEADER_BYTES, target, targetAt + 8);
  writeWord(target, targetAt + 4, length);
  target[targetAt + 9] = FOLDED_FLAGS | (put[putAt + 9] & FLAG_MERGE);
  const expireAtMs = recordExpireAtMs(change, changeAt);
  const isChange = recordType(change, changeAt) === TYPE_EXPIRY;
  const hlc = isChange ? recordHlc(change, changeAt) : recordExpiryHlc(change, changeAt);
  const actor = isChange ? recordActor(change, changeAt) : recordExpiryActor(change, changeAt);
  const at = targetAt + RECORD_HEADER_BYTES;
  writeWord(target, at, expireAtMs % 0x100000000);
  writeWord(target, at + 4, Math.floor(expireAtMs / 0x100000000) & 0xffff);
  writeHlc(target, at + 8, hlc);
  writeWord(target, at + 16, actor % 0x100000000);
  writeWord(target, at + 20, Math.floor(actor / 0x100000000));
  copyBytes(put, bodyStart(put, putAt), recordEnd(put, putAt), target, at + 24);
  sealRecord(target, targetAt, length);
  return length;
}
