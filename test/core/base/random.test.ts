import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';

describe('the seeded generator', () => {
  it('repeats its numbers for a seed and gives others for another', () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 20 },
        (
          (random) => () =>
            random.uint32()
        )(new Random(seed)),
      );
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('keeps every draw within its bounds', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 2 ** 32 }),
        fc.integer(),
        fc.nat(),
        (seed, bound, low, span) => {
          const random = new Random(seed);
          const below = random.below(bound);
          expect(below >= 0 && below < bound && Number.isInteger(below)).toBe(true);
          const between = random.between(low, low + span);
          expect(between >= low && between <= low + span).toBe(true);
          const actor = random.actor();
          expect(actor >= 1 && actor < 2 ** 48 && Number.isInteger(actor)).toBe(true);
          expect(random.chance(1)).toBe(true);
          expect(random.chance(0)).toBe(false);
        },
      ),
    );
  });

  it('spreads draws evenly and shuffles without loss', () => {
    const random = new Random(3);
    const counts = new Array<number>(8).fill(0);
    for (let draw = 0; draw < 8000; draw++) counts[random.below(8)]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const list = Array.from({ length: 100 }, (_, index) => index);
    const shuffled = random.shuffle([...list]);
    expect(shuffled).not.toEqual(list);
    expect([...shuffled].sort((left, right) => left - right)).toEqual(list);
  });
});
