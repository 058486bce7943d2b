/**
 * The fold of an expiry change into the value it names: a pure function over bytes, called by the store's merge and by
 * recovery. Guarded: the folded PUT is canonical. It keeps type, version, sequence, key and value, takes the expiry and
 * its version from the change, and always carries both expiry fields, so that every replica holds the same bytes
 * whatever the order of arrival and however many changes came before. Which change wins is in merge.ts.
 */
import {
  copyBytes,
  FLAG_EXPIRY,
  FLAG_EXPIRY_VERSION,
  RECORD_HEADER_BYTES,
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyLength,
  recordKeyStart,
  recordLength,
  sealRecord,
  writeHlc,
  writeWord,
} from './record.js';

const FOLDED_FLAGS = FLAG_EXPIRY | FLAG_EXPIRY_VERSION;

/** Bytes that the PUT at `putAt` takes once an expiry change is folded into it. */
export function foldedLength(put: Buffer, putAt: number): number {
  const keyAndValue = recordEnd(put, putAt) - recordKeyStart(put, putAt);
  return recordLength(keyAndValue, 0, FOLDED_FLAGS);
}

/**
 * Writes to `target` the PUT with the expiry and the version of the EXPIRY record `change`. The caller has compared
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
  target[targetAt + 9] = FOLDED_FLAGS;
  const expireAtMs = recordExpireAtMs(change, changeAt);
  const actor = recordActor(change, changeAt);
  let at = targetAt + RECORD_HEADER_BYTES;
  writeWord(target, at, expireAtMs % 0x100000000);
  writeWord(target, at + 4, Math.floor(expireAtMs / 0x100000000) & 0xffff);
  writeHlc(target, at + 8, recordHlc(change, changeAt));
  writeWord(target, at + 16, actor % 0x100000000);
  writeWord(target, at + 20, Math.floor(actor / 0x100000000));
  at += 24;
  const keyStart = recordKeyStart(put, putAt);
  const keyEnd = keyStart + recordKeyLength(put, putAt);
  copyBytes(put, keyStart, keyEnd, target, at);
  copyBytes(put, keyEnd, recordEnd(put, putAt), target, at + keyEnd - keyStart);
  sealRecord(target, targetAt, length);
  return length;
}
