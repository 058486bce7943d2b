/** Virtual time runs in order, and what is scheduled for one instant in the order in which it was scheduled. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NodeClock, SimClock, START_MS } from '../../src/sim/clock.js';

describe('virtual time', () => {
  it('runs events by time, then by the order in which they were scheduled', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (delays) => {
        const clock = new SimClock();
        const ran: [number, number][] = [];
        for (const [number, delay] of delays.entries()) clock.schedule(delay, () => ran.push([clock.nowMs, number]));
        while (clock.step(Number.POSITIVE_INFINITY));
        const expected = delays
          .map((delay, number): [number, number] => [START_MS + delay, number])
          .sort((left, right) => left[0] - right[0] || left[1] - right[1]);
        expect(ran).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps order for one instant that is reached by different sums of fractions', () => {
    const clock = new SimClock();
    const targetMs = START_MS + 0.7;
    const ran: number[] = [];
    clock.scheduleAt(targetMs, () => ran.push(0));
    for (let step = 1; step <= 6; step++) {
      clock.scheduleAt(START_MS + step * 0.1, () => clock.scheduleAt(targetMs, () => ran.push(step)));
    }
    while (clock.step(START_MS + 1));
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(clock.nowMs).toBe(START_MS + 1);
  });

  it('shows each node a wall clock with its own offset, drift, grain and steps, and a monotonic one without', () => {
    const clock = new SimClock();
    const exact = new NodeClock(clock, { offsetMs: 0, driftPpm: 0, grainMs: 1 });
    const other = new NodeClock(clock, { offsetMs: 120, driftPpm: 500, grainMs: 50 });
    const before = other.monotonicMs();
    clock.step(START_MS + 100_000);
    expect(other.wallMs() % 50).toBe(0);
    expect(other.wallMs() - exact.wallMs()).toBeGreaterThan(120);
    expect(other.wallMs() - exact.wallMs()).toBeLessThanOrEqual(170);
    other.step(-1_000);
    expect(other.wallMs()).toBeLessThan(exact.wallMs());
    expect(other.monotonicMs() - before).toBeCloseTo(100_050, 3);
  });
});
