import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decayedPenalty, Flaps, reentryDelayMs } from '../../../src/core/membership/flaps.js';

/** Lets a member go and come back, and says how long it is held back then. */
function flap(flaps: Flaps, atMs: number): number {
  flaps.wentOut('a', atMs);
  flaps.cameBack('a', atMs + 100);
  return flaps.reentryInMs('a', atMs + 100);
}

describe('flaps', () => {
  it('hold a member back for 5 s after its first, and twice as long after each that follows soon', () => {
    const flaps = new Flaps();
    const delays = [0, 1, 2, 3].map((round) => flap(flaps, round * 1_000));
    expect(delays).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(flap(flaps, 4_000)).toBe(60_000);
  });

  it('hold a member back for minutes once it was away five times, until half of it is forgotten', () => {
    const flaps = new Flaps();
    for (let round = 0; round < 6; round++) flap(flaps, round);
    expect(flaps.isOut('a')).toBe(true);
    const delayMs = flaps.reentryInMs('a', 105);
    expect(delayMs).toBeGreaterThan(300_000);
    flaps.tick(105 + delayMs - 1);
    expect(flaps.isOut('a')).toBe(true);
    flaps.tick(105 + delayMs);
    expect(flaps.isOut('a')).toBe(false);
    expect(flaps.penaltyOf('a', 105 + delayMs)).toBeCloseTo(2.5, 1);
  });

  it('are forgotten with time', () => {
    const flaps = new Flaps();
    for (let round = 0; round < 4; round++) flap(flaps, round);
    expect(flap(flaps, 3_600_000)).toBe(5_000);
  });

  it('keep a member out that is not there, and count one absence once', () => {
    const flaps = new Flaps();
    flaps.wentOut('a', 0);
    flaps.wentOut('a', 5);
    expect(flaps.penaltyOf('a', 5)).toBeCloseTo(1);
    flaps.tick(9_999_999);
    expect(flaps.isOut('a')).toBe(true);
    expect(flaps.reentryInMs('a', 0)).toBe(-1);
    expect(flaps.heldBack).toBe(0);
    flaps.cameBack('a', 10_000_000);
    expect(flaps.heldBack).toBe(1);
    flaps.forget('a');
    expect([flaps.isOut('a'), flaps.heldBack, flaps.reentryInMs('a', 0)]).toEqual([false, 0, 0]);
  });

  it('raise the version whenever somebody goes out or counts again', () => {
    const flaps = new Flaps();
    const versions = [flaps.version];
    flaps.cameBack('a', 0);
    flaps.wentOut('a', 1);
    versions.push(flaps.version);
    flaps.cameBack('a', 2);
    flaps.tick(4_000);
    versions.push(flaps.version);
    flaps.tick(5_002);
    versions.push(flaps.version);
    expect(versions).toEqual([0, 1, 1, 2]);
  });

  it('never shorten a delay by one more penalty, and never hold back for more than ten minutes', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 10, noNaN: true }),
        fc.double({ min: 0, max: 10, noNaN: true }),
        (one, two) => {
          const [less, more] = one < two ? [one, two] : [two, one];
          expect(reentryDelayMs(less)).toBeLessThanOrEqual(reentryDelayMs(more));
          expect(reentryDelayMs(more)).toBeLessThanOrEqual(600_000);
          expect(reentryDelayMs(less)).toBeGreaterThanOrEqual(5_000);
          expect(decayedPenalty(more, 300_000)).toBeCloseTo(more / 2);
        },
      ),
    );
  });
});
