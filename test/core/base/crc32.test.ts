import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { accelerateCrc32, crc32 } from '../../../src/core/base/crc32.js';

describe('crc32', () => {
  afterEach(() => accelerateCrc32((bytes) => zlibCrc32(bytes)));

  it('equals what zlib computes, for every range of a buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(), fc.nat(), (bytes, left, right) => {
        const start = left % (bytes.length + 1);
        const end = start + (right % (bytes.length - start + 1));
        expect(crc32(bytes, start, end)).toBe(zlibCrc32(bytes.subarray(start, end)));
      }),
    );
  });

  it('hands long inputs, and only those, to the function it was given', () => {
    const lengths: number[] = [];
    accelerateCrc32((bytes) => {
      lengths.push(bytes.length);
      return zlibCrc32(bytes);
    });
    const bytes = new Uint8Array(1000).fill(7);
    expect(crc32(bytes, 0, 349)).toBe(zlibCrc32(bytes.subarray(0, 349)));
    expect(crc32(bytes, 100, 450)).toBe(zlibCrc32(bytes.subarray(100, 450)));
    expect(lengths).toEqual([350]);
  });
});
