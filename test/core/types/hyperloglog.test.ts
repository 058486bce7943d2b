import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import {
  EMPTY_SKETCH,
  entryOf,
  estimate,
  includes,
  isSketch,
  RANK_MAX,
  REGISTERS,
  rankAt,
  SPARSE_MAX,
  sketchOf,
  unite,
} from '../../../src/core/types/hyperloglog.js';

function entry(element: string): number {
  const bytes = Buffer.from(element);
  return entryOf(bytes, 0, bytes.length);
}

function sketch(from: number, to: number): Buffer {
  return sketchOf(Array.from({ length: to - from }, (_, index) => entry(`element:${from + index}`)));
}

function union(left: Buffer, right: Buffer): Buffer {
  return unite(left, 0, left.length, right, 0, right.length);
}

function count(bytes: Buffer): number {
  return estimate(bytes, 0, bytes.length);
}

/** Sketches of any size, dense ones included. */
const sketches = fc
  .tuple(fc.nat({ max: 0xffff }), fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 900, max: 3000 })))
  .map(([seed, size]) => {
    const random = new Random(seed, 0x5ce7);
    return sketchOf(Array.from({ length: size }, () => (random.below(REGISTERS) << 6) | random.between(1, RANK_MAX)));
  });

describe('a HyperLogLog sketch', () => {
  it('estimates 1 to 1,000,000 distinct elements within three standard errors, wherever one looks', () => {
    const sigma = 1.04 / Math.sqrt(REGISTERS);
    const ranks = new Uint8Array(REGISTERS);
    let checked = 0;
    for (const seed of [1, 2, 3]) {
      ranks.fill(0);
      let next = 1;
      for (let size = 1; size <= 1_000_000; size++) {
        const place = entry(`${seed}/${size}`);
        if (ranks[place >>> 6] < (place & 63)) ranks[place >>> 6] = place & 63;
        if (size < next) continue;
        next = Math.ceil(size * 1.2);
        const entries = Array.from(ranks, (rank, index) => (index << 6) | rank).filter((one) => (one & 63) !== 0);
        const seen = count(sketchOf(entries));
        checked++;
        expect(Math.abs(seen - size), `${seen} for ${size}`).toBeLessThanOrEqual(Math.max(0.5, size * 3 * sigma));
      }
    }
    expect(checked).toBeGreaterThan(150);
  });

  it('counts nothing as 0 and one element, the empty one too, as 1', () => {
    expect(count(EMPTY_SKETCH)).toBe(0);
    expect(count(sketchOf([entry('')]))).toBe(1);
    expect(count(sketchOf([entry('a'), entry('a')]))).toBe(1);
  });

  it('unites in any order, any number of times, to the same bytes', () => {
    fc.assert(
      fc.property(sketches, sketches, sketches, (a, b, c) => {
        expect(union(a, b).equals(union(b, a))).toBe(true);
        expect(union(union(a, b), c).equals(union(a, union(b, c)))).toBe(true);
        expect(union(a, a).equals(a)).toBe(true);
        expect(isSketch(union(a, b), 0, union(a, b).length)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('is the union of the sketches of its parts, and includes them', () => {
    const whole = sketch(0, 20_000);
    const left = sketch(0, 9000);
    expect(union(left, sketch(5000, 20_000)).equals(whole)).toBe(true);
    expect(includes(whole, 0, whole.length, left, 0, left.length)).toBe(true);
    expect(includes(left, 0, left.length, whole, 0, whole.length)).toBe(false);
  });

  it('reads each register in place, in both forms', () => {
    for (const size of [50, 5000]) {
      const bytes = Buffer.concat([Buffer.from([9, 9]), sketch(0, size), Buffer.from([9])]);
      const known = new Map<number, number>();
      for (let element = 0; element < size; element++) {
        const one = entry(`element:${element}`);
        known.set(one >>> 6, Math.max(known.get(one >>> 6) ?? 0, one & 63));
      }
      for (let index = 0; index < REGISTERS; index++) {
        expect(rankAt(bytes, 2, bytes.length - 1, index)).toBe(known.get(index) ?? 0);
      }
    }
  });

  it('has one form: sparse up to a bound, and then dense', () => {
    const few = sketchOf(Array.from({ length: SPARSE_MAX }, (_, index) => (index << 6) | 1));
    const many = sketchOf(Array.from({ length: SPARSE_MAX + 1 }, (_, index) => (index << 6) | 1));
    expect(few.length).toBe(1 + SPARSE_MAX * 3);
    expect(many.length).toBe(1 + (REGISTERS * 6) / 8);
    expect(union(few, many).equals(many)).toBe(true);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['an unknown form', Buffer.from([3])],
    ['half an entry', Buffer.from([1, 0x41])],
    ['a register at 0', Buffer.from([1, 0x40, 0, 0])],
    ['a rank that no hash has', Buffer.from([1, 0x7f, 0, 0])],
    ['a register that there is not', Buffer.from([1, 1, 0, 0x10])],
    ['registers out of order', Buffer.from([1, 0x81, 0, 0, 0x41, 0, 0])],
    ['a dense form of nothing', Buffer.concat([Buffer.from([2]), Buffer.alloc(12_288)])],
    ['a dense form cut short', Buffer.concat([Buffer.from([2]), Buffer.alloc(12_287, 0x41)])],
    ['dense ranks that no hash has', Buffer.concat([Buffer.from([2]), Buffer.alloc(12_288, 0xff)])],
  ])('refuses %s', (_what, bytes) => {
    expect(isSketch(bytes, 0, bytes.length)).toBe(false);
  });

  it('takes every sketch that it makes', () => {
    fc.assert(
      fc.property(sketches, (bytes) => {
        expect(isSketch(bytes, 0, bytes.length)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
