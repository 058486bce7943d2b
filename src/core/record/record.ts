/**
 * The one record: the bytes of a versioned entry, the same in memory, in the log, in a datagram, on a stream and in a
 * backup. Encoded once, by the node that coordinates the write; from then on copied and verified, never re-encoded
 * (the fold of an expiry change into its value is the one exception, and it is canonical: see merge.ts).
 *
 * Layout, little endian, start 8-aligned wherever it is stored, padding not counted:
 *
 *     0  u32  CRC-32 of bytes [4, length)
 *     4  u32  length in bytes, header included
 *     8  u8   type          9  u8  flags          10 u16 key length
 *     12 u32  HLC, low word 16 u32 HLC, high word (21 bits used)
 *     20 u32  actor, low    24 u32 sequence, low  28 u16 actor, high   30 u16 sequence, high
 *     32 ...  8 bytes   expiry, absolute ms: u32 low, u16 high, u16 zero          if flag EXPIRY
 *        ...  16 bytes  version of the expiry: HLC as above, actor as u32, u16, u16 zero   if flag EXPIRY_VERSION
 *        ...  8 bytes   sub-key length u32, zero u32                               if flag SUBKEY (refused in v0)
 *        ...  8 bytes   version data length u32, zero u32                          if flag MERGE
 *        ...  version data: 16 bytes version of the base, as that of an expiry; then as the type has it
 *        ...  key, then value
 *
 * An expiry without a version of its own was set together with the value, and has the record's version.
 * A PERSIST is an expiry of 0 with a version of its own. Values of a merge type (core/types) carry flag MERGE, all of them and
 * nothing else; without an expiry field their expiry has the version of the base: the last SET or end of the key that they
 * build upon, 0 for none. Golden bytes in test/core/record pin this format (v0).
 */
import { crc32 } from '../base/crc32.js';

export const RECORD_HEADER_BYTES = 32;
export const KEY_BYTES_MAX = 0xffff;
export const VALUE_BYTES_MAX = 16 * 1024 * 1024;
/** Version data that one record may carry: its own bound is the type's. */
export const VERSION_BYTES_MAX = 1024 * 1024;
/** The version of the base, with which all version data begins. */
export const BASE_BYTES = 16;
/** Header, all extensions, longest version data, longest key, longest value. */
export const RECORD_BYTES_MAX = RECORD_HEADER_BYTES + 32 + VERSION_BYTES_MAX + KEY_BYTES_MAX + VALUE_BYTES_MAX;

/** What a record is. 0 is never valid, so that zeroed bytes are no record. Append only. */
export const TYPE_PUT = 1;
export const TYPE_TOMBSTONE = 2;
/** An expiry change: its value names the version it saw (8 bytes HLC, 8 bytes actor); its expiry is the new one. */
export const TYPE_EXPIRY = 3;
/** Everything whose key starts with this key (empty: everything) and whose version is at most this one is gone. */
export const TYPE_FLUSH = 4;
/** Values that two nodes may change at once, and that merge by a rule of their own: core/types has a file for each. */
export const TYPE_COUNTER = 5;
export const TYPE_SIBLINGS = 6;
export const TYPE_HLL = 7;
/** Types from here on are local to one node and never sent; those below are of data, whether or not this version knows them. */
export const LOCAL_TYPES_BEGIN = 16;
/** Local to one node's log, never sent: a hint; key = the entry's key, value = partition u16, 0 or 1 (owed, settled), id of the peer. */
export const TYPE_HINT = 16;
/** Local to one node's log: a member's place in the ring and its address; key = its id. */
export const TYPE_RING = 17;
/** Local to one node's images: the partitions that have evicted; no key, value = one bit each. */
export const TYPE_LOSSY = 18;
/** Local to one node's log and images: what it has seen of a partition, actor by actor; no key. */
export const TYPE_FRONTIER = 19;
/** Local to one node's log and images: floors; no key, value = per floor the partition as u16 and its stamp in 8 bytes. */
export const TYPE_FLOOR = 21;
/** Local to one node's log: this version of the key, or an older one, was deleted elsewhere and forgotten; it is not here any more. */
export const TYPE_GONE = 22;
/** Local to one node's log and images: which partitions are whole here, which are being fetched; no key, value = two bits each. */
export const TYPE_STANDINGS = 23;
/** Local to one node's log and images: the sketch of distinct keys; no key, value = stamp of its reset, registers. */
export const TYPE_SKETCH = 24;

/** Times this, rounded down: the high word of an integer below 2^53. A power of two, so the product is exact. */
const HIGH_WORD = 1 / 0x100000000;
const LOOP_BYTES_MAX = 192;

export const FLAG_EXPIRY = 1;
export const FLAG_EXPIRY_VERSION = 2;
export const FLAG_SUBKEY = 4;
export const FLAG_MERGE = 8;

export function align8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Bytes that a record of these parts takes, padding excluded. */
export function recordLength(keyLength: number, valueLength: number, flags: number): number {
  return RECORD_HEADER_BYTES + extensionBytes(flags) + keyLength + valueLength;
}

export function extensionBytes(flags: number): number {
  return (flags & FLAG_EXPIRY ? 8 : 0) + (flags & FLAG_EXPIRY_VERSION ? 16 : 0) + (flags & FLAG_MERGE ? 8 : 0);
}

/** True for a value that merges by its type's own rule. */
export function isMergeType(type: number): boolean {
  return type >= TYPE_COUNTER && type <= TYPE_HLL;
}

/** True for a record that gives its key a value: not a tombstone, nor a change of an expiry. */
export function holdsValue(bytes: Buffer, offset: number): boolean {
  const type = bytes[offset + 8];
  return type === TYPE_PUT || isMergeType(type);
}

/** The fields of a record's fixed part, as plain numbers. */
export interface RecordFields {
  type: number;
  /** Stamp of the write: milliseconds x 2048 + counter. */
  hlc: number;
  /** Who stamped it: 48 bits. */
  actor: number;
  /** The dot's sequence in its partition: 48 bits. */
  sequence: number;
  /** Absolute ms, 0 for none. */
  expireAtMs: number;
  /** Version of the expiry; 0 when it is the record's own. */
  expiryHlc: number;
  expiryActor: number;
}

/**
 * Writes a whole record at `offset` and seals it. `bytes` must have room for `recordLength(...)` and the version data, if
 * it is of a merge type. Returns the record's length.
 */
export function writeRecord(
  bytes: Buffer,
  offset: number,
  fields: RecordFields,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
  version: Uint8Array | null = null,
  versionEnd = 0,
): number {
  let flags = fields.expiryHlc !== 0 ? FLAG_EXPIRY | FLAG_EXPIRY_VERSION : fields.expireAtMs !== 0 ? FLAG_EXPIRY : 0;
  if (version !== null) flags |= FLAG_MERGE;
  const keyLength = keyEnd - keyStart;
  const length = recordLength(keyLength, valueEnd - valueStart, flags) + versionEnd;
  writeWord(bytes, offset + 4, length);
  bytes[offset + 8] = fields.type;
  bytes[offset + 9] = flags;
  bytes[offset + 10] = keyLength & 0xff;
  bytes[offset + 11] = keyLength >>> 8;
  writeHlc(bytes, offset + 12, fields.hlc);
  writeWord(bytes, offset + 20, fields.actor);
  writeWord(bytes, offset + 24, fields.sequence);
  const actorHigh = Math.floor(fields.actor * HIGH_WORD);
  const sequenceHigh = Math.floor(fields.sequence * HIGH_WORD);
  writeWord(bytes, offset + 28, actorHigh | (sequenceHigh << 16));
  let at = offset + RECORD_HEADER_BYTES;
  if (flags & FLAG_EXPIRY) {
    writeWord(bytes, at, fields.expireAtMs);
    writeWord(bytes, at + 4, Math.floor(fields.expireAtMs * HIGH_WORD) & 0xffff);
    at += 8;
  }
  if (flags & FLAG_EXPIRY_VERSION) {
    writeHlc(bytes, at, fields.expiryHlc);
    writeWord(bytes, at + 8, fields.expiryActor);
    writeWord(bytes, at + 12, Math.floor(fields.expiryActor * HIGH_WORD));
    at += 16;
  }
  if (version !== null) {
    writeWord(bytes, at, versionEnd);
    writeWord(bytes, at + 4, 0);
    copyBytes(version, 0, versionEnd, bytes, at + 8);
    at += 8 + versionEnd;
  }
  copyBytes(key, keyStart, keyEnd, bytes, at);
  copyBytes(value, valueStart, valueEnd, bytes, at + keyLength);
  sealRecord(bytes, offset, length);
  return length;
}

/** Computes and stores the checksum; the last step of writing a record. */
export function sealRecord(bytes: Buffer, offset: number, length: number): void {
  writeWord(bytes, offset, crc32(bytes, offset + 4, offset + length));
}

/**
 * Length of the record at `offset` if it lies wholly within `limit`, is well formed and its checksum holds; otherwise 0.
 * For bytes from outside: nothing is trusted before the checksum.
 */
export function verifyRecord(bytes: Buffer, offset: number, limit: number): number {
  const length = recordIsFormed(bytes, offset, limit);
  if (length === 0 || crc32(bytes, offset + 4, offset + length) !== readWord(bytes, offset)) return 0;
  return length;
}

/** The same without the checksum, for bytes whose container has just been checked. */
export function recordIsFormed(bytes: Buffer, offset: number, limit: number): number {
  if (limit - offset < RECORD_HEADER_BYTES) return 0;
  const length = readWord(bytes, offset + 4);
  if (length < RECORD_HEADER_BYTES || length > limit - offset || length > RECORD_BYTES_MAX) return 0;
  const flags = bytes[offset + 9];
  if (flags & ~(FLAG_EXPIRY | FLAG_EXPIRY_VERSION | FLAG_MERGE)) return 0;
  if ((flags & (FLAG_EXPIRY | FLAG_EXPIRY_VERSION)) === FLAG_EXPIRY_VERSION) return 0;
  const keyLength = bytes[offset + 10] | (bytes[offset + 11] << 8);
  let fixed = RECORD_HEADER_BYTES + extensionBytes(flags) + keyLength;
  if ((flags & FLAG_MERGE) !== 0) {
    const versionBytes = fixed > length ? 0 : formedVersionBytes(bytes, offset);
    if (versionBytes === 0) return 0;
    fixed += versionBytes;
  } else if (isMergeType(bytes[offset + 8])) return 0;
  if (fixed > length || length - fixed > VALUE_BYTES_MAX) return 0;
  if (bytes[offset + 8] === 0) return 0;
  return readWord(bytes, offset + 16) > 0x1fffff ? 0 : length;
}

/** Bytes of version data of a record whose head fits; 0 if what says so is not well formed. */
function formedVersionBytes(bytes: Buffer, offset: number): number {
  const flags = bytes[offset + 9];
  if (!isMergeType(bytes[offset + 8]) || (flags & (FLAG_EXPIRY | FLAG_EXPIRY_VERSION)) === FLAG_EXPIRY) return 0;
  const at = offset + RECORD_HEADER_BYTES + extensionBytes(flags);
  const versionBytes = readWord(bytes, at - 8);
  if (versionBytes < BASE_BYTES || versionBytes > VERSION_BYTES_MAX || readWord(bytes, at - 4) !== 0) return 0;
  if (at + BASE_BYTES > offset + readWord(bytes, offset + 4)) return 0;
  return readWord(bytes, at + 4) > 0x1fffff || readWord(bytes, at + 12) > 0xffff ? 0 : versionBytes;
}

export function recordType(bytes: Buffer, offset: number): number {
  return bytes[offset + 8];
}

export function recordFlags(bytes: Buffer, offset: number): number {
  return bytes[offset + 9];
}

/** Length as stored, padding excluded. */
export function recordBytes(bytes: Buffer, offset: number): number {
  return readWord(bytes, offset + 4);
}

export function recordHlc(bytes: Buffer, offset: number): number {
  return readHlc(bytes, offset + 12);
}

export function recordActor(bytes: Buffer, offset: number): number {
  return readWord(bytes, offset + 20) + (bytes[offset + 28] | (bytes[offset + 29] << 8)) * 0x100000000;
}

export function recordSequence(bytes: Buffer, offset: number): number {
  return readWord(bytes, offset + 24) + (bytes[offset + 30] | (bytes[offset + 31] << 8)) * 0x100000000;
}

export function recordKeyLength(bytes: Buffer, offset: number): number {
  return bytes[offset + 10] | (bytes[offset + 11] << 8);
}

export function recordKeyStart(bytes: Buffer, offset: number): number {
  const flags = bytes[offset + 9];
  if (flags === 0) return offset + RECORD_HEADER_BYTES;
  const at = offset + RECORD_HEADER_BYTES + extensionBytes(flags);
  return (flags & FLAG_MERGE) === 0 ? at : at + readWord(bytes, at - 8);
}

/** Where the version data of a record of a merge type begins. */
export function recordVersionStart(bytes: Buffer, offset: number): number {
  return offset + RECORD_HEADER_BYTES + extensionBytes(bytes[offset + 9]);
}

export function recordVersionBytes(bytes: Buffer, offset: number): number {
  return readWord(bytes, recordVersionStart(bytes, offset) - 8);
}

/** HLC of what the record's value begins with: for a merge type its base, else its own. */
export function recordBaseHlc(bytes: Buffer, offset: number): number {
  if ((bytes[offset + 9] & FLAG_MERGE) === 0) return recordHlc(bytes, offset);
  return readHlc(bytes, recordVersionStart(bytes, offset));
}

export function recordBaseActor(bytes: Buffer, offset: number): number {
  if ((bytes[offset + 9] & FLAG_MERGE) === 0) return recordActor(bytes, offset);
  const at = recordVersionStart(bytes, offset) + 8;
  return readWord(bytes, at) + readWord(bytes, at + 4) * 0x100000000;
}

export function recordKeyEnd(bytes: Buffer, offset: number): number {
  return recordKeyStart(bytes, offset) + recordKeyLength(bytes, offset);
}

/** The value lies in [recordKeyEnd, recordEnd). */
export function recordEnd(bytes: Buffer, offset: number): number {
  return offset + readWord(bytes, offset + 4);
}

/** Absolute expiry in ms; 0 for none. */
export function recordExpireAtMs(bytes: Buffer, offset: number): number {
  if ((bytes[offset + 9] & FLAG_EXPIRY) === 0) return 0;
  return readWord(bytes, offset + 32) + (bytes[offset + 36] | (bytes[offset + 37] << 8)) * 0x100000000;
}

/** HLC of the expiry's version: its own, or that of what the value begins with. */
export function recordExpiryHlc(bytes: Buffer, offset: number): number {
  return bytes[offset + 9] & FLAG_EXPIRY_VERSION ? readHlc(bytes, offset + 40) : recordBaseHlc(bytes, offset);
}

export function recordExpiryActor(bytes: Buffer, offset: number): number {
  if ((bytes[offset + 9] & FLAG_EXPIRY_VERSION) === 0) return recordBaseActor(bytes, offset);
  return readWord(bytes, offset + 48) + readWord(bytes, offset + 52) * 0x100000000;
}

/** Unsigned 32-bit little-endian read without bounds checks beyond the array's own. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** The low 32 bits of a non-negative integer below 2^53, little endian. */
export function writeWord(bytes: Uint8Array, at: number, integer: number): void {
  const word = integer | 0;
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

/** A stamp: eight bytes, two words, low first. */
export function readHlc(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at) + readWord(bytes, at + 4) * 0x100000000;
}

export function writeHlc(bytes: Uint8Array, at: number, hlc: number): void {
  writeWord(bytes, at, hlc);
  writeWord(bytes, at + 4, Math.floor(hlc * HIGH_WORD));
}

/** Copies bytes: in a loop as long as that beats the call, and the view it needs, which is garbage. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Buffer, at: number): void {
  if (end - start <= LOOP_BYTES_MAX) {
    let from = start;
    let to = at;
    for (; from + 4 <= end; from += 4, to += 4) {
      target[to] = source[from];
      target[to + 1] = source[from + 1];
      target[to + 2] = source[from + 2];
      target[to + 3] = source[from + 3];
    }
    for (; from < end; from++, to++) target[to] = source[from];
  } else {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
  }
}
