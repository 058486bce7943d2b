/**
 * The bytes of a counter: what INCR makes of a key. Its value is the total as decimal text, as a SET would have left it; its
 * version data says what the total is made of. counter.ts and its siblings read and write it; nothing else knows the offsets.
 *
 *      0  16 bytes  version of the base: the SET, deletion or end that it counts from; 0 for a key that had not been known
 *     16  u16       parts     18 u8 what is in the head, bit by bit: 1 the base is no number, 2, 4, 8 as below    19 u8 zero
 *     20  i64       the base  i32 bits 64 to 95 of it             with bit 2: it is not 0
 *         u48       sequence of the base's dot        u16 zero    with bit 4: it has one
 *         u64       folded through: HLC   u48 actor that folded   u16 zero     with bit 8
 *         parts of 40 bytes, ascending by (actor, start):
 *          0 u32 actor, low   4 u32 sequence, low   8 u16 actor, high   10 u16 sequence, high   12 i32 bits 64 to 95 of the sum
 *         16 u64 start: HLC of its first write     24 u64 last: HLC of its last     32 i64 sum
 *
 * A part is what one actor has added without a break. Its sum holds all of that, so of two copies the one that was written last
 * says all that the other says. An actor that finds no part of its own (it gave the key up, or is new) begins another: no
 * part is ever begun twice, so nothing counts twice and nothing is overwritten.
 * Guarded: sums are exact over 96 bits; the text is the total held to 64 bits; equal states are equal bytes: what is 0 is left out.
 */
import { readHlc, readWord, recordVersionBytes, recordVersionStart, writeHlc, writeWord } from '../record/record.js';

/** Without the parts of a head that most have not. */
export const HEAD_BYTES = 20;
/** With all of them. */
export const HEAD_BYTES_MAX = 56;
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

const BASE_BYTES = 12;
const DOT_BYTES = 8;
const FOLD_BYTES = 16;
const COUNT_AT = 16;
const BITS_AT = 18;
const IS_OPAQUE = 1;
const HAS_BASE = 2;
const HAS_DOT = 4;
const HAS_FOLD = 8;

/** Where things lie in a part. */
export const SUM_AT = 32;
export const START_AT = 16;
export const LAST_AT = 24;

/** The head of a counter's version data. */
export interface CounterHead {
  baseHlc: number;
  baseActor: number;
  /** Of the base's dot; 0 when no write of the key is the base. */
  baseSequence: number;
  base: bigint;
  /** Folded through, and by whom; 0 for never. */
  foldedHlc: number;
  foldedActor: number;
}

/** Where the parts of the version data that starts at `at` begin. */
export function partsStart(bytes: Uint8Array, at: number): number {
  return at + headBytes(bytes[at + BITS_AT]);
}

function headBytes(bits: number): number {
  if (bits < HAS_BASE) return HEAD_BYTES;
  const dotted = HEAD_BYTES + (bits & HAS_BASE ? BASE_BYTES : 0) + (bits & HAS_DOT ? DOT_BYTES : 0);
  return dotted + (bits & HAS_FOLD ? FOLD_BYTES : 0);
}

/** Writes a head at 0 of `bytes`; returns where the parts begin. */
export function writeHead(bytes: Uint8Array, head: CounterHead, parts: number, opaque: boolean): number {
  const { baseHlc, baseActor, base, baseSequence, foldedHlc, foldedActor } = head;
  const bits =
    (opaque ? IS_OPAQUE : 0) |
    (base !== 0n ? HAS_BASE : 0) |
    (baseSequence !== 0 ? HAS_DOT : 0) |
    (foldedHlc !== 0 ? HAS_FOLD : 0);
  writeHlc(bytes, 0, baseHlc);
  write48(bytes, 8, baseActor);
  writeWord(bytes, COUNT_AT, parts | (bits << 16));
  let at = HEAD_BYTES;
  if (bits & HAS_BASE) {
    writeBigSum(bytes, at, at + 8, base);
    at += BASE_BYTES;
  }
  if (bits & HAS_DOT) {
    write48(bytes, at, baseSequence);
    at += DOT_BYTES;
  }
  if (bits & HAS_FOLD) {
    writeHlc(bytes, at, foldedHlc);
    write48(bytes, at + 8, foldedActor);
    at += FOLD_BYTES;
  }
  return at;
}

/** Reads the head at `at` into `head`; returns where the parts begin. */
export function readHead(bytes: Uint8Array, at: number, head: CounterHead): number {
  const bits = bytes[at + BITS_AT];
  head.baseHlc = readHlc(bytes, at);
  head.baseActor = read48(bytes, at + 8);
  let from = at + HEAD_BYTES;
  head.base = bits & HAS_BASE ? readBigSum(bytes, from, from + 8) : 0n;
  if (bits & HAS_BASE) from += BASE_BYTES;
  head.baseSequence = bits & HAS_DOT ? read48(bytes, from) : 0;
  if (bits & HAS_DOT) from += DOT_BYTES;
  head.foldedHlc = bits & HAS_FOLD ? readHlc(bytes, from) : 0;
  head.foldedActor = bits & HAS_FOLD ? read48(bytes, from + 8) : 0;
  return bits & HAS_FOLD ? from + FOLD_BYTES : from;
}

/** Whether two heads say the same of what the parts stand upon. */
export function isSameHead(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  const bits = left[leftAt + BITS_AT];
  if (bits !== right[rightAt + BITS_AT]) return false;
  for (let at = 0, end = headBytes(bits); at < end; at += 4) {
    // The count of parts may differ.
    if (at !== COUNT_AT && readWord(left, leftAt + at) !== readWord(right, rightAt + at)) return false;
  }
  return true;
}

export function partCount(bytes: Uint8Array, at: number): number {
  return bytes[at + COUNT_AT] | (bytes[at + COUNT_AT + 1] << 8);
}

/** Whether the base is text that is no number: the counter shows it until its base is another. */
export function isOpaque(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + BITS_AT] & IS_OPAQUE) !== 0;
}

/** Sequence of the base's dot; 0 for none. */
export function baseSequence(bytes: Uint8Array, at: number): number {
  const bits = bytes[at + BITS_AT];
  return bits & HAS_DOT ? read48(bytes, at + HEAD_BYTES + (bits & HAS_BASE ? BASE_BYTES : 0)) : 0;
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

/** Writes a part that has been begun with one change. */
export function writeFirstPart(
  bytes: Uint8Array,
  part: number,
  dot: { hlc: number; actor: number; sequence: number },
  sum: number,
): void {
  writePartDot(bytes, part, dot.actor, dot.sequence);
  writeHlc(bytes, part + START_AT, dot.hlc);
  writeHlc(bytes, part + LAST_AT, dot.hlc);
  writeSum(bytes, part + SUM_AT, part + 12, sum);
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
  if (length < HEAD_BYTES + PART_BYTES || !isHeadFormed(bytes, at, length)) return false;
  const count = partCount(bytes, at);
  const start = partsStart(bytes, at);
  if (count === 0 || count > PARTS_MERGED_MAX || length !== start - at + count * PART_BYTES) return false;
  for (let part = start; part < at + length; part += PART_BYTES) {
    if (readWord(bytes, part + START_AT + 4) > HIGH_MAX || readWord(bytes, part + LAST_AT + 4) > HIGH_MAX) return false;
    const startHlc = readHlc(bytes, part + START_AT);
    if (startHlc === 0 || readHlc(bytes, part + LAST_AT) < startHlc || partSequence(bytes, part) === 0) return false;
    if (part > start && compareParts(bytes, part - PART_BYTES, bytes, part) >= 0) return false;
  }
  return true;
}

/** Known bits only, and nothing said to be there that is 0. */
function isHeadFormed(bytes: Buffer, at: number, length: number): boolean {
  const bits = bytes[at + BITS_AT];
  if (bits >= HAS_FOLD * 2 || bytes[at + BITS_AT + 1] !== 0 || headBytes(bits) > length) return false;
  let from = at + HEAD_BYTES;
  if (bits & HAS_BASE) {
    if ((readWord(bytes, from) | readWord(bytes, from + 4) | readWord(bytes, from + 8)) === 0) return false;
    from += BASE_BYTES;
  }
  if (bits & HAS_DOT) {
    if ((readWord(bytes, from) | readWord(bytes, from + 4)) === 0 || readWord(bytes, from + 4) > 0xffff) return false;
    from += DOT_BYTES;
  }
  if ((bits & HAS_FOLD) === 0) return true;
  const foldedHigh = readWord(bytes, from + 4);
  return (readWord(bytes, from) | foldedHigh) !== 0 && foldedHigh <= HIGH_MAX && readWord(bytes, from + 12) <= 0xffff;
}

/** 48 bits, then 16 of zero. */
function write48(bytes: Uint8Array, at: number, integer: number): void {
  writeWord(bytes, at, integer);
  writeWord(bytes, at + 4, Math.floor(integer * HIGH_WORD));
}

function read48(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at) + readWord(bytes, at + 4) * WORD;
}
