/**
 * Keyed hash of keys and versions: HalfSipHash-1-3 with a 64-bit key and a 64-bit result (Aumasson and Bernstein,
 * "SipHash", 2012; the 32-bit variant of the reference code). One key per cluster, so that the index, the hash trie and
 * SCAN speak of the same ranges on every owner, and a client that does not know it cannot flood one slot.
 * The result stands in `low` and `high` after each call: two unsigned words, no allocation.
 */
export class Hasher {
  low = 0;
  high = 0;
  private readonly key0: number;
  private readonly key1: number;

  constructor(key: readonly [number, number]) {
    this.key0 = key[0] | 0;
    this.key1 = key[1] | 0;
  }

  /** Hashes `bytes[start, end)`; returns the low word, which is what the index uses. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    let v0 = this.key0;
    let v1 = this.key1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.key0;
    let v3 = 0x74656462 ^ this.key1;
    const whole = end - ((end - start) & 3);
    let at = start;
    let word = 0;
    for (; ; at += 4) {
      const last = at >= whole;
      if (last) {
        word = (end - start) << 24;
        const rest = end - whole;
        if (rest > 2) word |= bytes[at + 2] << 16;
        if (rest > 1) word |= bytes[at + 1] << 8;
        if (rest > 0) word |= bytes[at];
      } else {
        word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (last) break;
    }
    v2 ^= 0xee;
    for (let round = 0; round < 6; round++) {
      if (round === 3) {
        this.low = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.high = (v1 ^ v3) >>> 0;
    return this.low;
  }
}

/** A well-mixed 32-bit word from two (the finalizer of MurmurHash3 over a multiply-xor): for sums of versions in digests. */
export function mix32(left: number, right: number): number {
  let h = Math.imul(left ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(right + 0x7f4a7c15, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
