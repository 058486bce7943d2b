/**
 * MurmurHash3 x86_128 (Austin Appleby, public domain) over bytes in place: the hash of elements that sketches count, the same on
 * every node and in every cluster, so that sketches of two of them can be united. The result stands in `word0` to `word3` after each
 * call: unsigned words, no allocation. It is not keyed: for whatever must withstand chosen keys there is hash.ts.
 */
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

export class Murmur {
  word0 = 0;
  word1 = 0;
  word2 = 0;
  word3 = 0;

  constructor(private readonly seed: number) {}

  hash(bytes: Uint8Array, start: number, end: number): void {
    let h1 = this.seed | 0;
    let h2 = h1;
    let h3 = h1;
    let h4 = h1;
    const length = end - start;
    const whole = start + (length & ~15);
    for (let at = start; at < whole; at += 16) {
      h1 ^= scramble(wordAt(bytes, at), C1, 15, C2);
      h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
      h2 ^= scramble(wordAt(bytes, at + 4), C2, 16, C3);
      h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
      h3 ^= scramble(wordAt(bytes, at + 8), C3, 17, C4);
      h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
      h4 ^= scramble(wordAt(bytes, at + 12), C4, 18, C1);
      h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
    }
    if (end > whole + 12) h4 ^= scramble(restAt(bytes, whole + 12, end), C4, 18, C1);
    if (end > whole + 8) h3 ^= scramble(restAt(bytes, whole + 8, end), C3, 17, C4);
    if (end > whole + 4) h2 ^= scramble(restAt(bytes, whole + 4, end), C2, 16, C3);
    if (end > whole) h1 ^= scramble(restAt(bytes, whole, end), C1, 15, C2);
    h1 ^= length;
    h2 ^= length;
    h3 ^= length;
    h4 ^= length;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = finish((h2 + h1) | 0);
    h3 = finish((h3 + h1) | 0);
    h4 = finish((h4 + h1) | 0);
    h1 = finish(h1);
    h1 = (h1 + h2 + h3 + h4) | 0;
    this.word0 = h1 >>> 0;
    this.word1 = (h2 + h1) >>> 0;
    this.word2 = (h3 + h1) >>> 0;
    this.word3 = (h4 + h1) >>> 0;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function scramble(word: number, before: number, bits: number, after: number): number {
  return Math.imul(rotate(Math.imul(word, before), bits), after);
}

function finish(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Up to four bytes before `end`. */
function restAt(bytes: Uint8Array, at: number, end: number): number {
  let word = bytes[at];
  if (at + 1 < end) word |= bytes[at + 1] << 8;
  if (at + 2 < end) word |= bytes[at + 2] << 16;
  if (at + 3 < end) word |= bytes[at + 3] << 24;
  return word;
}
