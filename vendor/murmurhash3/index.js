// MurmurHash3_x86_128 (Austin Appleby, public domain) over the UTF-8 bytes of a string, in plain JavaScript.
// hyperloglog calls `murmur128Sync(key, seed)` and reads four unsigned 32-bit words.
'use strict';

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

const rotateLeft = (word, bits) => (word << bits) | (word >>> (32 - bits));

const finalMix = (word) => {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
};

exports.murmur128Sync = function murmur128Sync(key, seed = 0) {
  const bytes = Buffer.from(key, 'utf8');
  const length = bytes.length;
  const blockEnd = length & ~15;
  let h1 = seed | 0;
  let h2 = seed | 0;
  let h3 = seed | 0;
  let h4 = seed | 0;
  for (let at = 0; at < blockEnd; at += 16) {
    h1 ^= Math.imul(rotateLeft(Math.imul(bytes.readInt32LE(at), C1), 15), C2);
    h1 = (Math.imul((rotateLeft(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotateLeft(Math.imul(bytes.readInt32LE(at + 4), C2), 16), C3);
    h2 = (Math.imul((rotateLeft(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotateLeft(Math.imul(bytes.readInt32LE(at + 8), C3), 17), C4);
    h3 = (Math.imul((rotateLeft(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotateLeft(Math.imul(bytes.readInt32LE(at + 12), C4), 18), C1);
    h4 = (Math.imul((rotateLeft(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const tail = Buffer.alloc(16);
  bytes.copy(tail, 0, blockEnd);
  const rest = length & 15;
  if (rest > 12) h4 ^= Math.imul(rotateLeft(Math.imul(tail.readInt32LE(12), C4), 18), C1);
  if (rest > 8) h3 ^= Math.imul(rotateLeft(Math.imul(tail.readInt32LE(8), C3), 17), C4);
  if (rest > 4) h2 ^= Math.imul(rotateLeft(Math.imul(tail.readInt32LE(4), C2), 16), C3);
  if (rest > 0) h1 ^= Math.imul(rotateLeft(Math.imul(tail.readInt32LE(0), C1), 15), C2);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h3 = finalMix(h3);
  h4 = finalMix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  return [h1 >>> 0, h2 >>> 0, h3 >>> 0, h4 >>> 0];
};
