/**
 * HyperLogLog: how many distinct elements there were, in at most 12 KiB and with a standard error of 0.81 % (Flajolet et al., 2007).
 * 16,384 registers of 6 bits; the estimate is Ertl's improved one ("New cardinality estimation algorithms for HyperLogLog
 * sketches", 2017), which needs no table and has no range with a bias. PFADD, PFCOUNT and PFMERGE call it, and the store's merge:
 * the greater of each register, hence commutative, associative and idempotent; and hence what PFADD logs and sends is
 * a sketch of only the registers it raised.
 * Guarded: one encoding per state, so that digests agree: sparse while at most `SPARSE_MAX` registers are raised, else dense.
 *
 *     sparse: u8 1, then per register that is not 0, in order: u24 little endian, index x 64 + rank
 *     dense:  u8 2, then 16,384 registers of 6 bits, lowest bits first
 *
 * An element goes to the register that 14 bits of its hash name, with the rank of the first 1 among 50 others.
 */
import { Murmur } from '../base/murmur.js';

const INDEX_BITS = 14;
export const REGISTERS = 1 << INDEX_BITS;
const RANK_BITS = 50;
export const RANK_MAX = RANK_BITS + 1;
const SPARSE = 1;
const DENSE = 2;
/** Registers of a sparse sketch: a quarter of the memory of a dense one. */
export const SPARSE_MAX = 1024;
const SPARSE_ENTRY_BYTES = 3;
const DENSE_BYTES = 1 + (REGISTERS * 6) / 8;
/** 1 / (2 ln 2), Ertl's alpha for any number of registers. */
const ALPHA = 0.7213475204444817;
const SEED = 0x48656172;

const murmur = new Murmur(SEED);
/** Used up before each call returns. */
const scratch = new Uint8Array(REGISTERS);
const histogram = new Int32Array(RANK_MAX + 1);

/** No element. */
export const EMPTY_SKETCH: Buffer = Buffer.from([SPARSE]);

/** The register that an element goes to, times 64, plus its rank. */
export function entryOf(bytes: Uint8Array, start: number, end: number): number {
  murmur.hash(bytes, start, end);
  const { word0, word1 } = murmur;
  const high = word0 & 0x3ffff;
  const rank = high !== 0 ? Math.clz32(high) - 13 : 19 + Math.clz32(word1);
  return ((word0 >>> 18) << 6) | rank;
}

/** Whether bytes are a sketch in its one form. */
export function isSketch(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start) return false;
  if (bytes[start] === SPARSE) return isSparse(bytes, start, end);
  if (bytes[start] !== DENSE || end - start !== DENSE_BYTES) return false;
  let raised = 0;
  for (let index = 0; index < REGISTERS; index++) {
    const rank = denseRank(bytes, start, index);
    if (rank > RANK_MAX) return false;
    if (rank !== 0) raised++;
  }
  return raised > SPARSE_MAX;
}

/** The rank of one register of a sketch. */
export function rankAt(bytes: Uint8Array, start: number, end: number, index: number): number {
  if (bytes[start] === DENSE) return denseRank(bytes, start, index);
  let low = 0;
  let high = (end - start - 1) / SPARSE_ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sparseEntry(bytes, start, middle) >>> 6 < index) low = middle + 1;
    else high = middle;
  }
  if (start + 1 + low * SPARSE_ENTRY_BYTES >= end) return 0;
  const entry = sparseEntry(bytes, start, low);
  return entry >>> 6 === index ? entry & 63 : 0;
}

/** The sketch of entries as `entryOf` gives them, in any order. */
export function sketchOf(entries: readonly number[]): Buffer {
  scratch.fill(0);
  for (const entry of entries) raise(entry >>> 6, entry & 63);
  return encode(scratch);
}

/** The union of two sketches, in a buffer of its own. */
export function unite(
  left: Buffer,
  leftStart: number,
  leftEnd: number,
  right: Buffer,
  rightStart: number,
  rightEnd: number,
): Buffer {
  if (left[leftStart] === DENSE && right[rightStart] === SPARSE) {
    return uniteDense(left, leftStart, leftEnd, right, rightStart, rightEnd);
  }
  if (left[leftStart] === SPARSE && right[rightStart] === DENSE) {
    return uniteDense(right, rightStart, rightEnd, left, leftStart, leftEnd);
  }
  scratch.fill(0);
  raiseAll(left, leftStart, leftEnd);
  raiseAll(right, rightStart, rightEnd);
  return encode(scratch);
}

/** The union of any number of sketches, as they come: sixteen kibibytes, however many there are. */
export class SketchUnion {
  private readonly ranks = new Uint8Array(REGISTERS);
  private readonly raise = (index: number, rank: number): void => {
    if (this.ranks[index] < rank) this.ranks[index] = rank;
  };

  add(bytes: Uint8Array, start: number, end: number): void {
    forEachRegister(bytes, start, end, this.raise);
  }

  toSketch(): Buffer {
    return encode(this.ranks);
  }
}

/** Whether every register of `part` is at most that of `whole`: uniting would change nothing. */
export function includes(
  whole: Uint8Array,
  wholeStart: number,
  wholeEnd: number,
  part: Uint8Array,
  partStart: number,
  partEnd: number,
): boolean {
  let held = true;
  forEachRegister(part, partStart, partEnd, (index, rank) => {
    if (held && rankAt(whole, wholeStart, wholeEnd, index) < rank) held = false;
  });
  return held;
}

/** Visits the registers that are not 0, in order. */
export function forEachRegister(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (index: number, rank: number) => void,
): void {
  if (bytes[start] === DENSE) {
    for (let index = 0; index < REGISTERS; index++) {
      const rank = denseRank(bytes, start, index);
      if (rank !== 0) visit(index, rank);
    }
    return;
  }
  const count = (end - start - 1) / SPARSE_ENTRY_BYTES;
  for (let place = 0; place < count; place++) {
    const entry = sparseEntry(bytes, start, place);
    visit(entry >>> 6, entry & 63);
  }
}

/** How many distinct elements a sketch has seen: a whole number. */
export function estimate(bytes: Uint8Array, start: number, end: number): number {
  histogram.fill(0);
  let raised = 0;
  forEachRegister(bytes, start, end, (_index, rank) => {
    histogram[rank]++;
    raised++;
  });
  histogram[0] = REGISTERS - raised;
  let z = REGISTERS * tau(1 - histogram[RANK_MAX] / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + histogram[rank]);
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

/** Ertl's sigma: what registers that are still 0 add. Infinite for 1, so that nothing counts as nothing. */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let y = 1;
  let z = share;
  for (let before = -1; z !== before; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

/** Ertl's tau: what registers at their highest rank add. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - share;
  for (let before = -1; z !== before; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

function isSparse(bytes: Uint8Array, start: number, end: number): boolean {
  const count = (end - start - 1) / SPARSE_ENTRY_BYTES;
  if (!Number.isInteger(count) || count > SPARSE_MAX) return false;
  let before = -1;
  for (let place = 0; place < count; place++) {
    const entry = sparseEntry(bytes, start, place);
    const rank = entry & 63;
    if (entry >>> 6 <= before || entry >>> 6 >= REGISTERS || rank === 0 || rank > RANK_MAX) return false;
    before = entry >>> 6;
  }
  return true;
}

function sparseEntry(bytes: Uint8Array, start: number, place: number): number {
  const at = start + 1 + place * SPARSE_ENTRY_BYTES;
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
}

/** Six bits lie in one byte or in two. */
function denseRank(bytes: Uint8Array, start: number, index: number): number {
  const bit = index * 6;
  const at = start + 1 + (bit >>> 3);
  const shift = bit & 7;
  return ((bytes[at] | (shift > 2 ? bytes[at + 1] << 8 : 0)) >>> shift) & 63;
}

function setDenseRank(bytes: Uint8Array, start: number, index: number, rank: number): void {
  const bit = index * 6;
  const at = start + 1 + (bit >>> 3);
  const shift = bit & 7;
  bytes[at] = (bytes[at] & ~(63 << shift)) | (rank << shift);
  if (shift > 2) bytes[at + 1] = (bytes[at + 1] & ~(63 >>> (8 - shift))) | (rank >>> (8 - shift));
}

function uniteDense(
  dense: Buffer,
  denseStart: number,
  denseEnd: number,
  sparse: Buffer,
  sparseStart: number,
  sparseEnd: number,
): Buffer {
  const united = Buffer.from(dense.subarray(denseStart, denseEnd));
  forEachRegister(sparse, sparseStart, sparseEnd, (index, rank) => {
    if (denseRank(united, 0, index) < rank) setDenseRank(united, 0, index, rank);
  });
  return united;
}

function raise(index: number, rank: number): void {
  if (scratch[index] < rank) scratch[index] = rank;
}

function raiseAll(bytes: Uint8Array, start: number, end: number): void {
  forEachRegister(bytes, start, end, raise);
}

/** The one encoding of registers. */
function encode(ranks: Uint8Array): Buffer {
  let raised = 0;
  for (let index = 0; index < REGISTERS; index++) if (ranks[index] !== 0) raised++;
  if (raised > SPARSE_MAX) {
    const dense = Buffer.alloc(DENSE_BYTES);
    dense[0] = DENSE;
    for (let index = 0; index < REGISTERS; index++) {
      if (ranks[index] !== 0) setDenseRank(dense, 0, index, ranks[index]);
    }
    return dense;
  }
  const sparse = Buffer.alloc(1 + raised * SPARSE_ENTRY_BYTES);
  sparse[0] = SPARSE;
  let at = 1;
  for (let index = 0; index < REGISTERS; index++) {
    if (ranks[index] === 0) continue;
    const entry = (index << 6) | ranks[index];
    sparse[at++] = entry & 0xff;
    sparse[at++] = (entry >>> 8) & 0xff;
    sparse[at++] = entry >>> 16;
  }
  return sparse;
}
