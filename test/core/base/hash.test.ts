import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hasher, mix32 } from '../../../src/core/base/hash.js';

const WORD = 0xffffffffn;

function rotate(word: bigint, bits: bigint): bigint {
  return ((word << bits) | (word >> (32n - bits))) & WORD;
}

/** HalfSipHash-c-d with a 64-bit result, written from the paper: slow, and shares nothing with the one under test. */
function slowHalfSipHash(c: number, d: number, key: readonly [number, number], input: Uint8Array): [number, number] {
  const key0 = BigInt(key[0]);
  const key1 = BigInt(key[1]);
  const v = [key0, key1 ^ 0xeen, 0x6c796765n ^ key0, 0x74656462n ^ key1];
  const round = () => {
    v[0] = (v[0] + v[1]) & WORD;
    v[1] = rotate(v[1], 5n) ^ v[0];
    v[0] = rotate(v[0], 16n);
    v[2] = (v[2] + v[3]) & WORD;
    v[3] = rotate(v[3], 8n) ^ v[2];
    v[0] = (v[0] + v[3]) & WORD;
    v[3] = rotate(v[3], 7n) ^ v[0];
    v[2] = (v[2] + v[1]) & WORD;
    v[1] = rotate(v[1], 13n) ^ v[2];
    v[2] = rotate(v[2], 16n);
  };
  const padded = new Uint8Array((Math.floor(input.length / 4) + 1) * 4);
  padded.set(input);
  padded[padded.length - 1] = input.length & 0xff;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(view.getUint32(at, true));
    v[3] ^= word;
    for (let n = 0; n < c; n++) round();
    v[0] ^= word;
  }
  v[2] ^= 0xeen;
  for (let n = 0; n < d; n++) round();
  const low = Number(v[1] ^ v[3]);
  v[1] ^= 0xddn;
  for (let n = 0; n < d; n++) round();
  return [low, Number(v[1] ^ v[3])];
}

function hex(words: [number, number]): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(words[0], 0);
  bytes.writeUInt32LE(words[1], 4);
  return bytes.toString('hex');
}

describe('the keyed hash', () => {
  it('is compared with an implementation that gives the reference vectors of HalfSipHash-2-4', () => {
    const vectors = ['218d1f59b9b83cc8', 'be552412f8387315', '064f39ef7c50eb57', 'ce0f1a45f7060679'];
    for (const [length, expected] of vectors.entries()) {
      const input = Uint8Array.from({ length }, (_, index) => index);
      expect(hex(slowHalfSipHash(2, 4, [0x03020100, 0x07060504], input))).toBe(expected);
    }
  });

  it('is HalfSipHash-1-3 for every key, length and place in a buffer', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(word, word, fc.uint8Array({ maxLength: 300 }), fc.nat(5), (key0, key1, input, before) => {
        const hasher = new Hasher([key0, key1]);
        const placed = new Uint8Array(before + input.length + 3).fill(0xa5);
        placed.set(input, before);
        const low = hasher.hash(placed, before, before + input.length);
        expect([low, hasher.high]).toEqual(slowHalfSipHash(1, 3, [key0, key1], input));
        expect(hasher.low).toBe(low);
      }),
    );
  });
});

describe('the mixer of digests', () => {
  it('gives unsigned words that depend on every bit of both arguments', () => {
    for (let bit = 0; bit < 32; bit++) {
      const changed = (1 << bit) >>> 0;
      for (const other of [mix32(changed, 0), mix32(0, changed)]) {
        expect(other).not.toBe(mix32(0, 0));
        expect(other).toBe(other >>> 0);
      }
    }
  });
});
