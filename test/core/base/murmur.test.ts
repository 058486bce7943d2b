import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Murmur } from '../../../src/core/base/murmur.js';

const { murmur128Sync } = createRequire(import.meta.url)('../../../vendor/murmurhash3/index.js') as {
  murmur128Sync(key: Uint8Array, seed: number): number[];
};

describe('the hash of elements', () => {
  it('is MurmurHash3 x86_128 of the bytes it is given, wherever they lie', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat({ max: 9 }), fc.nat(), (bytes, before, seed) => {
        const murmur = new Murmur(seed);
        const lent = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(5, 9)]);
        murmur.hash(lent, before, before + bytes.length);
        expect([murmur.word0, murmur.word1, murmur.word2, murmur.word3]).toEqual(murmur128Sync(bytes, seed));
      }),
    );
  });

  it('gives the words of the published test of an empty input and a known one', () => {
    const murmur = new Murmur(0);
    murmur.hash(Buffer.alloc(0), 0, 0);
    expect([murmur.word0, murmur.word1, murmur.word2, murmur.word3]).toEqual([0, 0, 0, 0]);
    murmur.hash(Buffer.from('The quick brown fox jumps over the lazy dog'), 0, 43);
    expect(murmur.word0.toString(16)).toBe('2f1583c3');
  });
});
