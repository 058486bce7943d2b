import { describe, expect, it } from 'vitest';
import { percentileOf, ratioOf, sampleOf } from '../../../cluster/bench/statistics.js';

describe('a sample', () => {
  it('has its median and range, with the values in the order of the rounds', () => {
    expect(sampleOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, values: [3, 1, 2] });
    expect(sampleOf([4, 1, 2, 3])?.median).toBe(2.5);
  });

  it('is none when nothing was measured, or something that is no number', () => {
    expect(sampleOf([])).toBeNull();
    expect(sampleOf([1, Number.NaN])).toBeNull();
    expect(sampleOf([Number.POSITIVE_INFINITY])).toBeNull();
  });
});

describe('a ratio', () => {
  it('is taken round by round, so that drift of the machine cancels out', () => {
    const ratio = ratioOf(sampleOf([10, 40, 90]), sampleOf([10, 20, 30]));
    expect(ratio).toEqual({ median: 2, min: 1, max: 3, values: [1, 2, 3] });
  });

  it('does not exist for a side that lacks a round, or was 0', () => {
    expect(ratioOf(sampleOf([1, 2]), sampleOf([1]))).toBeNull();
    expect(ratioOf(sampleOf([1]), null)).toBeNull();
    expect(ratioOf(sampleOf([1]), sampleOf([0]))).toBeNull();
  });
});

describe('a percentile', () => {
  it('is the nearest rank', () => {
    const sorted = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0.5, 0.99, 1].map((share) => percentileOf(sorted, share))).toEqual([50, 99, 100]);
    expect(percentileOf([], 0.5)).toBeNaN();
  });
});
