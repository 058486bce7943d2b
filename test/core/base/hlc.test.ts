import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HLC_TICKS, HybridClock, hlcFromMs, hlcToMs } from '../../../src/core/base/hlc.js';

describe('the hybrid clock', () => {
  it('stamps above its floor, the wall clock, and all it stamped or observed, whatever the wall clock does', () => {
    const event = fc.record({ wallMs: fc.nat(2000), seenMs: fc.nat(4000), observes: fc.boolean() });
    fc.assert(
      fc.property(fc.nat(1000), fc.array(event), (floorMs, events) => {
        const clock = new HybridClock(hlcFromMs(floorMs), 500);
        let greatest = hlcFromMs(floorMs);
        for (const { wallMs, seenMs, observes } of events) {
          if (observes) {
            const taken = clock.observe(hlcFromMs(seenMs), wallMs);
            expect(taken).toBe(hlcFromMs(seenMs) <= greatest || seenMs <= wallMs + 500);
            if (taken) greatest = Math.max(greatest, hlcFromMs(seenMs));
          } else {
            const stamp = clock.stamp(wallMs);
            expect(stamp).toBeGreaterThan(greatest);
            expect(stamp).toBeGreaterThanOrEqual(hlcFromMs(wallMs));
            greatest = stamp;
          }
          expect(clock.last).toBe(greatest);
        }
      }),
    );
  });

  it('keeps stamps exact up to the year 2109', () => {
    const lastMs = Date.UTC(2109, 0, 1);
    const clock = new HybridClock(hlcFromMs(lastMs) + HLC_TICKS - 2, 500);
    expect(clock.stamp(lastMs)).toBe(hlcFromMs(lastMs) + HLC_TICKS - 1);
    expect(hlcToMs(clock.last)).toBe(lastMs);
    expect(Number.isSafeInteger(clock.last)).toBe(true);
  });
});
