import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../cluster/bench/histogram.js';
import { percentileOf } from '../../../cluster/bench/statistics.js';

describe('the latency histogram', () => {
  it('is never below the true percentile, and at most 1.6 % and a microsecond above it', () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 2_000_000_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.5, 0.9, 0.99, 0.999, 1), (values, share) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const truth = percentileOf(
          [...values].sort((left, right) => left - right),
          share,
        );
        const told = histogram.percentileUs(share);
        expect(told).toBeGreaterThanOrEqual(truth);
        expect(told).toBeLessThanOrEqual(truth * (1 + 1 / 64) + 1);
      }),
    );
  });

  it('counts a latency for each request that had it, and keeps the greatest exactly', () => {
    const histogram = new LatencyHistogram();
    histogram.record(10, 99);
    histogram.record(1_234_567);
    expect(histogram.count).toBe(100);
    expect(histogram.percentileUs(0.99)).toBe(10);
    expect(histogram.summary()).toMatchObject({ p50Ms: 0.01, maxMs: 1234.567 });
  });

  it('says nothing of nothing', () => {
    expect(new LatencyHistogram().percentileUs(0.5)).toBeNaN();
  });
});
