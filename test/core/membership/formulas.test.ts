import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  confirmationsPossible,
  deathHoldMs,
  directTimeoutMs,
  median,
  medianBesideOwn,
  nackAfterMs,
  pushPullPeriodMs,
  retransmitLimit,
  scaledByHealth,
  stallThresholdMs,
  suspicionMinMs,
  suspicionTimeoutMs,
} from '../../../src/core/membership/formulas.js';

describe('formulas', () => {
  it('give a suspicion at least 5 s, and more with the logarithm of the members', () => {
    expect([1, 3, 8, 10].map((live) => suspicionMinMs(4, live, 1000, 5000))).toEqual([5000, 5000, 5000, 5000]);
    expect(suspicionMinMs(4, 100, 1000, 5000)).toBeCloseTo(8000);
    expect(suspicionMinMs(4, 1000, 1000, 5000)).toBeCloseTo(12000);
  });

  it('let a suspicion fall from the maximum to the minimum with confirmations', () => {
    expect([0, 1].map((confirmations) => suspicionTimeoutMs(5000, 30000, confirmations, 1))).toEqual([30000, 5000]);
    expect(suspicionTimeoutMs(5000, 30000, 0, 2)).toBe(30000);
    expect(suspicionTimeoutMs(5000, 30000, 1, 2)).toBeCloseTo(30000 - (25000 * Math.log(2)) / Math.log(3));
    expect(suspicionTimeoutMs(5000, 30000, 2, 2)).toBe(5000);
  });

  it('start a suspicion at the minimum when nobody can confirm it', () => {
    expect([-1, 0, 1, 2, 9].map(confirmationsPossible)).toEqual([0, 0, 1, 2, 2]);
    expect(suspicionTimeoutMs(5000, 30000, 0, 0)).toBe(5000);
  });

  it('never let one more confirmation prolong a suspicion, nor leave its bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 2 }), (confirmations, possible) => {
        const now = suspicionTimeoutMs(5000, 30000, confirmations, possible);
        expect(now).toBeGreaterThanOrEqual(suspicionTimeoutMs(5000, 30000, confirmations + 1, possible));
        expect(now).toBeGreaterThanOrEqual(5000);
        expect(now).toBeLessThanOrEqual(30000);
      }),
    );
  });

  it('retransmit four times the digits of the members', () => {
    expect([0, 1, 3, 9, 10, 99, 100, 1000].map(retransmitLimit)).toEqual([4, 4, 4, 4, 8, 8, 12, 16]);
  });

  it('stretch durations by the health score', () => {
    expect([0, 1, 7].map((score) => scaledByHealth(300, score))).toEqual([300, 600, 2400]);
  });

  it('wait for slow round trips before helpers are asked, within limits', () => {
    expect([0, 50, 100, 200, 5000].map((p99) => directTimeoutMs(300, p99, 1000))).toEqual([300, 300, 400, 800, 1000]);
    expect(nackAfterMs(700)).toBeCloseTo(560);
  });

  it('exchange whole lists more rarely above 32 members', () => {
    expect([2, 32, 33, 64, 65, 1000].map((live) => pushPullPeriodMs(30, live))).toEqual([30, 30, 60, 60, 90, 180]);
  });

  it('call a late tick a stall, but not ordinary jitter', () => {
    expect([25, 100, 200, 1000].map(stallThresholdMs)).toEqual([200, 200, 300, 1500]);
  });

  it('hold deaths for a round of probes, not longer than a suspicion', () => {
    expect(deathHoldMs(1, 1000, 0, 5000)).toBe(1000);
    expect(deathHoldMs(3, 1000, 0, 5000)).toBe(2000);
    expect(deathHoldMs(3, 1000, 3, 5000)).toBe(5000);
    expect(deathHoldMs(1000, 1000, 0, 12000)).toBe(12000);
  });

  it('give a finite, useful figure at every size of a cluster, the smallest first', () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 1_024 }));
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 7 }), fc.nat(1_024), (live, score, suspected) => {
        const minMs = suspicionMinMs(4, live, 1000, 5000);
        const possible = confirmationsPossible(Math.max(1, live - suspected) - 1);
        const confirmed = suspicionTimeoutMs(minMs, minMs * 6, possible, possible);
        // Whoever confirms, the longest wait is six times the shortest, and with all confirmations the shortest is reached.
        expect(minMs).toBeGreaterThanOrEqual(5_000);
        expect(minMs).toBeLessThanOrEqual(13_000);
        expect(confirmed).toBeCloseTo(minMs);
        expect(suspicionTimeoutMs(minMs, minMs * 6, 0, possible)).toBeLessThanOrEqual(minMs * 6);
        // A rumor reaches more than one member, and an update is not repeated for ever.
        expect(retransmitLimit(live)).toBeGreaterThanOrEqual(4);
        expect(retransmitLimit(live)).toBeLessThanOrEqual(16);
        // A probe that has to ask helpers leaves them time, and they answer before it ends.
        const directMs = scaledByHealth(directTimeoutMs(300, 0, 1000), score);
        const wholeMs = Math.max(scaledByHealth(1000, score), 2 * directMs);
        expect(nackAfterMs(wholeMs - directMs)).toBeGreaterThanOrEqual(0.5 * directMs);
        expect(nackAfterMs(wholeMs - directMs)).toBeLessThan(wholeMs - directMs);
        // A hold of deaths ends, and lasts a probe at least.
        const holdMs = deathHoldMs(live, 1000, score, minMs);
        expect(holdMs).toBeGreaterThanOrEqual(1_000);
        expect(holdMs).toBeLessThanOrEqual(minMs);
        expect(pushPullPeriodMs(30_000, live)).toBeGreaterThanOrEqual(30_000);
        expect(pushPullPeriodMs(30_000, live)).toBeLessThanOrEqual(180_000);
      }),
    );
  });

  it('take the lower median, of nothing null', () => {
    expect([median([]), median([3]), median([9, 1]), median([5, -1, 3])]).toEqual([null, 3, 1, 3]);
  });

  it('take what others say of a clock for what more than half of all say, its own word among them', () => {
    expect(
      [
        [4, 9],
        [-9, -4],
        [-9, 4],
        [0, -9],
      ].map(medianBesideOwn),
    ).toEqual([4, -4, 0, 0]);
    expect([[7], [-9, 0, 4], [-9, -9, 0, 0]].map(medianBesideOwn)).toEqual([7, 0, 0]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 9 }), (offsets) => {
        const found = medianBesideOwn(offsets) ?? Number.NaN;
        const mirrored = medianBesideOwn(offsets.map((offset) => -offset)) ?? Number.NaN;
        expect(found + mirrored).toBe(0);
        const all = offsets.length % 2 === 0 ? [...offsets, 0] : offsets;
        expect(all.filter((offset) => offset < found).length).toBeLessThanOrEqual(all.length / 2);
        expect(all.filter((offset) => offset > found).length).toBeLessThanOrEqual(all.length / 2);
      }),
    );
  });
});
