/**
 * The bytes of a counter: what INCR makes of a key. Its value is the total as decimal text, as a SET would have left it; its
 * version data says what the total is made of. counter.ts and its siblings read and write it; nothing else knows the offsets.
 *
 *      0  16 bytes  version of the base: the SET, deletion or end that it counts from; 0 for a key that had not been known
 *     16  i64       the base              24 i32  bits 64 to 95 of it     28 u16 parts   30 u8 1 if the base is no number   31 u8 zero
 *     32  u64       folded through: HLC   40 u48  actor that folded       46 u16 zero
 *     48  u48       sequence of the base's dot, 0 for none                54 u16 zero
 *     56  parts of 40 bytes, ascending by (actor, start):
 *          0 u32 actor, low   4 u32 sequence, low   8 u16 actor, high   10 u16 sequence, high   12 i32 bits 64 to 95 of the sum
 *         16 u64 start: HLC of its first write     24 u64 last: HLC of its last     32 i64 sum
 *
 * A part is what one actor has added without a break. Its sum holds all of that, so of two copies the one that was written last
 * says all that the other says. An actor that finds no part of its own (it gave the key up, or is new) begins another: no
 * part is ever begun twice, so nothing counts twice and nothing is overwritten.
 * Guarded: sums are exact over 96 bits; the text is the total held to 64 bits; equal states are equal bytes.
 */
import { readHlc, readWord, recordVersionBytes, recordVersionStart, writeHlc, writeWord } from '../record/record.js';

export const COUNTER_HEAD_BYTES = 56;
export const PART_BYTES = 40;
/** Parts past which a node that has none of its own yet begins no more. */
export const PARTS_MAX = 256;
/** Parts that concurrent nodes may bring together. */
export const PARTS_MERGED_MAX = 1024;

const WORD = 0x100000000;
/** Times this, rounded down: the high word. A power of two, so the product is exact. */
const HIGH_WORD = 1 / WORD;
/** The greatest high word, in absolute terms, of a 64-bit integer that a double holds exactly. */
const HIGH_MAX = 0x1fffff;

/** Where things lie in the version data that starts at `at`. */
export const BASE_AT = 16;
export const FOLDED_AT = 32;
export const SUM_AT = 32;
export const START_AT = 16;
export const LAST_AT = 24;

export function partCount(bytes: Uint8Array, at: number): number {
  return bytes[at + 28] | (bytes[at + 29] << 8);
}

/** Whether the base is text that is no number: the counter shows it until its base is another. */
export function isOpaque(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 30] === 1;
}

export function partActor(bytes: Uint8Array, part: number): number {
  return readWord(bytes, part) + (bytes[part + 8] | (bytes[part + 9] << 8)) * WORD;
}

export function partSequence(bytes: Uint8Array, part: number): number {
  return readWord(bytes, part + 4) + (bytes[part + 10] | (bytes[part + 11] << 8)) * WORD;
}

export function writePartDot(bytes: Uint8Array, part: number, actor: number, sequence: number): void {
  writeWord(bytes, part, actor);
  writeWord(bytes, part + 4, sequence);
  writeWord(bytes, part + 8, Math.floor(actor * HIGH_WORD) | (Math.floor(sequence * HIGH_WORD) << 16));
}

/** Order of two parts: by actor, then by start. */
export function compareParts(left: Uint8Array, leftPart: number, right: Uint8Array, rightPart: number): number {
  return (
    partActor(left, leftPart) - partActor(right, rightPart) ||
    readHlc(left, leftPart + START_AT) - readHlc(right, rightPart + START_AT)
  );
}

/** A sum of 96 bits whose low 64 stand at `low` and whose top stands at `top`; NaN if a double can not hold it. */
export function readSum(bytes: Uint8Array, low: number, top: number): number {
  const high = readWord(bytes, low + 4) | 0;
  if ((readWord(bytes, top) | 0) !== high >> 31 || high > HIGH_MAX || high < -HIGH_MAX) return Number.NaN;
  return high * WORD + readWord(bytes, low);
}

/** Writes a safe integer as a sum. */
export function writeSum(bytes: Uint8Array, low: number, top: number, sum: number): void {
  const high = Math.floor(sum * HIGH_WORD);
  writeWord(bytes, low, sum);
  writeWord(bytes, low + 4, high);
  writeWord(bytes, top, high < 0 ? -1 : 0);
}

export function readBigSum(bytes: Uint8Array, low: number, top: number): bigint {
  const below = (BigInt(readWord(bytes, low + 4)) << 32n) | BigInt(readWord(bytes, low));
  return (BigInt(readWord(bytes, top) | 0) << 64n) | below;
}

export function writeBigSum(bytes: Uint8Array, low: number, top: number, sum: bigint): void {
  const bits = BigInt.asUintN(96, sum);
  writeWord(bytes, low, Number(bits & 0xffffffffn));
  writeWord(bytes, low + 4, Number((bits >> 32n) & 0xffffffffn));
  writeWord(bytes, top, Number(bits >> 64n));
}

/** Whether the version data of a verified record has the one form there is. */
export function isCounterFormed(bytes: Buffer, offset: number): boolean {
  const length = recordVersionBytes(bytes, offset);
  const at = recordVersionStart(bytes, offset);
  if (length < COUNTER_HEAD_BYTES + PART_BYTES) return false;
  const count = partCount(bytes, at);
  if (count === 0 || count > PARTS_MERGED_MAX || length !== COUNTER_HEAD_BYTES + count * PART_BYTES) return false;
  if (
    bytes[at + 30] > 1 ||
    bytes[at + 31] !== 0 ||
    (bytes[at + 46] | bytes[at + 47] | bytes[at + 54] | bytes[at + 55]) !== 0
  )
    return false;
  if (readWord(bytes, at + FOLDED_AT + 4) > HIGH_MAX) return false;
  for (let index = 0; index < count; index++) {
    const part = at + COUNTER_HEAD_BYTES + index * PART_BYTES;
    if (readWord(bytes, part + START_AT + 4) > HIGH_MAX || readWord(bytes, part + LAST_AT + 4) > HIGH_MAX) return false;
    const start = readHlc(bytes, part + START_AT);
    if (start === 0 || readHlc(bytes, part + LAST_AT) < start || partSequence(bytes, part) === 0) return false;
    if (index > 0 && compareParts(bytes, part - PART_BYTES, bytes, part) >= 0) return false;
  }
  return true;
}

export function writeFolded(bytes: Uint8Array, at: number, hlc: number, actor: number): void {
  writeHlc(bytes, at + FOLDED_AT, hlc);
  writeWord(bytes, at + FOLDED_AT + 8, actor % WORD);
  writeWord(bytes, at + FOLDED_AT + 12, Math.floor(actor / WORD));
}

/** Sequence of the base's dot. */
export function baseSequence(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at + 48) + readWord(bytes, at + 52) * WORD;
}

export function writeBaseSequence(bytes: Uint8Array, at: number, sequence: number): void {
  writeWord(bytes, at + 48, sequence % WORD);
  writeWord(bytes, at + 52, Math.floor(sequence / WORD));
}

export function foldedActor(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at + FOLDED_AT + 8) + readWord(bytes, at + FOLDED_AT + 12) * WORD;
}
