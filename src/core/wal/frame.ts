/**
 * The frame: the container that a batch of records travels to the disk in. The log's writer seals one per turn, the image
 * writer one per 256 KiB, and the reader accepts a header only where it was written: everything that is local to one
 * place on one disk (file, offset, salt, batch) is in the frame and under its checksum, nothing of it is in a record.
 * Guarded: a stale, misplaced, zeroed or half-written header is never taken for a frame of this use of this file.
 *
 * Layout, little endian, at an 8-aligned position; the first frame after a sync was started at a 512-byte boundary, so
 * that a sector that may be durable is never written again:
 *
 *     0  u32 magic            4  u32 body length, a multiple of 8
 *     8  u64 batch            16 u64 last batch known durable when this frame was written      (two words each, low first)
 *     24 u32 file number      28 u32 offset in the file, modulo 2^32
 *     32 u32 salt             36 u32 kind
 *     40 u32 CRC-32 of body   44 u32 CRC-32 of bytes [0, 44)
 *     48 ... records, each at an 8-aligned offset, padded with zeros
 */
import { crc32 } from '../base/crc32.js';
import { RECORD_BYTES_MAX, readWord, writeWord } from '../record/record.js';

export const FRAME_HEADER_BYTES = 48;
export const FRAME_MAGIC = 0x30465348;
export const SECTOR_BYTES = 512;
/** The longest body that a header may name: one record of the greatest length, and what may stand with it. */
export const BODY_BYTES_MAX = RECORD_BYTES_MAX + 1024 * 1024;

export const KIND_BATCH = 1;
/** The last frame of a log that was closed in order; no records. */
export const KIND_SHUTDOWN = 2;
export const KIND_IMAGE = 3;
/** The last frame of an image: how many frames and records stand before it, and a CRC over their checksums. */
export const KIND_FOOTER = 4;

export interface FrameHeader {
  kind: number;
  bodyBytes: number;
  batch: number;
  durable: number;
  bodyCrc: number;
}

/** Where a frame stands: part of its identity. */
export interface FramePlace {
  file: number;
  offset: number;
  salt: number;
}

/** Position rounded up to 8 bytes; positions may pass 2^31, so no bit operations. */
export function alignPosition8(position: number): number {
  return Math.ceil(position / 8) * 8;
}

export function alignPositionSector(position: number): number {
  return Math.ceil(position / SECTOR_BYTES) * SECTOR_BYTES;
}

/** Writes the header of a frame whose body already stands behind it, and seals both. */
export function sealFrame(
  bytes: Buffer,
  at: number,
  kind: number,
  bodyBytes: number,
  batch: number,
  durable: number,
  place: FramePlace,
): void {
  writeWord(bytes, at, FRAME_MAGIC);
  writeWord(bytes, at + 4, bodyBytes);
  writeWide(bytes, at + 8, batch);
  writeWide(bytes, at + 16, durable);
  writeWord(bytes, at + 24, place.file);
  writeWord(bytes, at + 28, place.offset % 0x100000000);
  writeWord(bytes, at + 32, place.salt);
  writeWord(bytes, at + 36, kind);
  const body = at + FRAME_HEADER_BYTES;
  writeWord(bytes, at + 40, crc32(bytes, body, body + bodyBytes));
  writeWord(bytes, at + 44, crc32(bytes, at, at + 44));
}

/** Reads a header into `header`. False unless it was sealed for exactly this place. */
export function readFrameHeader(bytes: Buffer, at: number, place: FramePlace, header: FrameHeader): boolean {
  if (readWord(bytes, at) !== FRAME_MAGIC) return false;
  if (readWord(bytes, at + 32) !== place.salt || readWord(bytes, at + 24) !== place.file) return false;
  if (readWord(bytes, at + 28) !== place.offset % 0x100000000) return false;
  if (readWord(bytes, at + 44) !== crc32(bytes, at, at + 44)) return false;
  const bodyBytes = readWord(bytes, at + 4);
  const kind = readWord(bytes, at + 36);
  if (bodyBytes > BODY_BYTES_MAX || bodyBytes % 8 !== 0 || kind < KIND_BATCH || kind > KIND_FOOTER) return false;
  header.kind = kind;
  header.bodyBytes = bodyBytes;
  header.batch = readWide(bytes, at + 8);
  header.durable = readWide(bytes, at + 16);
  header.bodyCrc = readWord(bytes, at + 40);
  return true;
}

/**
 * Whether a header that `readFrameHeader` refuses was once sealed for this place: of the four words that name the place
 * three hold. Of what an earlier use of the file left there at most two do; a header sealed whole under another salt is of a
 * run that no manifest came to name.
 */
export function resemblesFrame(bytes: Buffer, at: number, place: FramePlace): boolean {
  let right = 0;
  if (readWord(bytes, at) === FRAME_MAGIC) right++;
  if (readWord(bytes, at + 24) === place.file) right++;
  if (readWord(bytes, at + 28) === place.offset % 0x100000000) right++;
  if (readWord(bytes, at + 32) === place.salt) right++;
  else if (readWord(bytes, at + 44) === crc32(bytes, at, at + 44)) return false;
  return right >= 3;
}

/** An unsigned integer below 2^53 as two words, low first. */
export function readWide(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at) + readWord(bytes, at + 4) * 0x100000000;
}

export function writeWide(bytes: Uint8Array, at: number, value: number): void {
  writeWord(bytes, at, value % 0x100000000);
  writeWord(bytes, at + 4, Math.floor(value / 0x100000000));
}
