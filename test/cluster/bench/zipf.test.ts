import { describe, expect, it } from 'vitest';
import { Zipf } from '../../../cluster/bench/zipf.js';
import { Draws } from '../../../cluster/chaos/draws.js';

const DRAWN = 200_000;

function countsOf(alpha: number, keys: number): number[] {
  const zipf = new Zipf(alpha, keys, new Draws(7));
  const counts = new Array<number>(keys).fill(0);
  for (let draw = 0; draw < DRAWN; draw++) counts[zipf.rank()]++;
  return counts;
}

describe("Zipf's law", () => {
  it.each([0, 0.5, 0.99, 1, 1.2, 2])('draws ranks in proportion to 1 / r^%s', (alpha) => {
    const keys = 100;
    const counts = countsOf(alpha, keys);
    const weights = counts.map((_, rank) => 1 / (rank + 1) ** alpha);
    const sum = weights.reduce((left, right) => left + right, 0);
    for (let rank = 0; rank < keys; rank++) {
      const expected = (DRAWN * weights[rank]) / sum;
      // Five standard deviations of a binomial count: fixed by the seed, so this holds or fails for good.
      expect(Math.abs(counts[rank] - expected), `rank ${rank}`).toBeLessThan(5 * Math.sqrt(expected) + 5);
    }
  });

  it('permutes ranks, so that a popular key is no small number', () => {
    const zipf = new Zipf(1.2, 1000, new Draws(3));
    const counts = new Array<number>(1000).fill(0);
    for (let draw = 0; draw < 20_000; draw++) counts[zipf.key()]++;
    const popular = [...counts.keys()].sort((left, right) => counts[right] - counts[left]).slice(0, 10);
    expect(popular.filter((key) => key < 10).length).toBeLessThan(5);
    expect(new Set(popular).size).toBe(10);
  });

  it('draws the same from the same seed, and else from another', () => {
    const first = (seed: number): number[] => {
      const zipf = new Zipf(1, 1000, new Draws(seed));
      return Array.from({ length: 50 }, () => zipf.key());
    };
    expect(first(5)).toEqual(first(5));
    expect(first(5)).not.toEqual(first(6));
  });
});
