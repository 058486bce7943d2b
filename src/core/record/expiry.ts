/**
 * Reading an expiry: whether a record is past its time, which value version an EXPIRY record saw, and what may not have one. The store, the
 * keyspace and repair call these; they give back plain numbers. Guarded: one rule everywhere for the instant at which an
 * entry ends. The fold itself is in fold.ts.
 */
import {
  FLAG_EXPIRY,
  readHlc,
  readWord,
  recordBytes,
  recordEnd,
  recordExpireAtMs,
  recordKeyEnd,
  TYPE_EXPIRY,
  TYPE_TOMBSTONE,
  writeHlc,
  writeWord,
} from './record.js';

/** Bytes of an EXPIRY record's value: HLC, then actor as u32, u16, u16 zero. */
export const EXPIRY_VALUE_BYTES = 16;

/** An entry ends with the millisecond it names; 0 names none. */
export function isExpired(expireAtMs: number, wallMs: number): boolean {
  return expireAtMs !== 0 && expireAtMs <= wallMs;
}

export function recordIsExpired(bytes: Buffer, offset: number, wallMs: number): boolean {
  return (bytes[offset + 9] & FLAG_EXPIRY) !== 0 && isExpired(recordExpireAtMs(bytes, offset), wallMs);
}

/** True for a verified EXPIRY record whose value names a version in the one form there is. */
export function isExpiryRecord(bytes: Buffer, offset: number): boolean {
  if (bytes[offset + 8] !== TYPE_EXPIRY) return false;
  if (recordBytes(bytes, offset) - (recordKeyEnd(bytes, offset) - offset) !== EXPIRY_VALUE_BYTES) return false;
  const value = recordEnd(bytes, offset) - EXPIRY_VALUE_BYTES;
  return readWord(bytes, value + 4) <= 0x1fffff && bytes[value + 14] === 0 && bytes[value + 15] === 0;
}

/** True for a verified tombstone in the one form there is: it neither expires nor holds a value. */
export function isTombstoneRecord(bytes: Buffer, offset: number): boolean {
  if (bytes[offset + 8] !== TYPE_TOMBSTONE || bytes[offset + 9] !== 0) return false;
  return recordKeyEnd(bytes, offset) === recordEnd(bytes, offset);
}

/** HLC of the value version that an EXPIRY record saw. */
export function namedHlc(bytes: Buffer, offset: number): number {
  return readHlc(bytes, recordEnd(bytes, offset) - EXPIRY_VALUE_BYTES);
}

/** Actor of the value version that an EXPIRY record saw. */
export function namedActor(bytes: Buffer, offset: number): number {
  const at = recordEnd(bytes, offset) - EXPIRY_VALUE_BYTES + 8;
  return readWord(bytes, at) + (bytes[at + 4] | (bytes[at + 5] << 8)) * 0x100000000;
}

/** Writes the value of an EXPIRY record: the version of the PUT it speaks of. */
export function writeNamedVersion(bytes: Uint8Array, at: number, hlc: number, actor: number): void {
  writeHlc(bytes, at, hlc);
  writeWord(bytes, at + 8, actor % 0x100000000);
  writeWord(bytes, at + 12, Math.floor(actor / 0x100000000));
}
