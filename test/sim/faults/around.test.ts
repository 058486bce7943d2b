/** What goes wrong around nodes does what its step says and is over when it is said to be; and every family is drawn in some plan. */
import { describe, expect, it } from 'vitest';
import { NodeClock, SimClock, START_MS } from '../../../src/sim/clock.js';
import { PathTroubles } from '../../../src/sim/faults/path-troubles.js';
import { drawPlan, hasClockTrouble, PLAN_LIMITS } from '../../../src/sim/schedule.js';

const AROUND = ['paths', 'streams', 'processors', 'clocks', 'live-core', 'limits', 'members'];
const EXACT = { offsetMs: 0, driftPpm: 0, grainMs: 1 };

describe('troubles of a path', () => {
  it('add up where they overlap, and leave nothing behind', () => {
    const troubles = new PathTroubles();
    troubles.lag(0, 1, 100);
    troubles.lag(0, 1, 50);
    expect([troubles.lagMs(0, 1), troubles.lagMs(1, 0)]).toEqual([150, 0]);
    troubles.lag(0, 1, -100);
    expect(troubles.lagMs(0, 1)).toBe(50);
    troubles.deaf.begin(2);
    troubles.deaf.begin(2);
    expect([troubles.deaf.end(2), troubles.deaf.has(2), troubles.deaf.end(2), troubles.deaf.has(2)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('let segments of all streams of a narrow path wait for each other', () => {
    const troubles = new PathTroubles();
    troubles.narrow(0, 1, 1 / 10);
    expect(troubles.queueMs(0, 1, 100, 1_000)).toBe(10);
    expect(troubles.queueMs(0, 1, 100, 1_000)).toBe(20);
    expect(troubles.queueMs(1, 0, 100, 1_000)).toBe(0);
    expect(troubles.queueMs(0, 1, 100, 2_000)).toBe(10);
  });
});

describe('a wall clock', () => {
  it('stands still, runs off, and keeps its distance afterwards, while the monotonic one goes on', () => {
    const clock = new SimClock();
    const node = new NodeClock(clock, EXACT);
    const startMs = node.wallMs();
    node.slew(-1_000_000);
    clock.step(START_MS + 500);
    expect(node.wallMs()).toBe(startMs);
    expect(node.monotonicMs()).toBe(START_MS + 500);
    node.endSlew();
    clock.step(START_MS + 600);
    expect(node.wallMs()).toBe(startMs + 100);
    node.slew(10_000);
    clock.step(START_MS + 1_600);
    expect(node.wallMs()).toBe(startMs + 1_110);
    node.coarsen(50);
    expect(node.wallMs() % 50).toBe(0);
  });
});

describe('plans', () => {
  it('have every kind of trouble in some seed, and without families none', () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= 300; seed++) for (const { kind } of drawPlan(seed).steps) kinds.add(kind);
    for (const kind of [
      'lag',
      'shuffle',
      'narrow',
      'mute',
      'halve',
      'deaf',
      'unwelcome',
      'slow',
      'stalls',
      'rate',
      'grain',
    ]) {
      expect([kind, kinds.has(kind)]).toEqual([kind, true]);
    }
    const bare = drawPlan(7, { ...PLAN_LIMITS, families: [] });
    const full = drawPlan(7, { ...PLAN_LIMITS, families: AROUND });
    expect(full.steps.filter(({ kind }) => kind === 'command')).toEqual(
      bare.steps.filter(({ kind }) => kind === 'command'),
    );
  });

  it('know that a clock which stands still for seconds is too far from the others, and a moment is not', () => {
    const plan = drawPlan(1, { ...PLAN_LIMITS, families: [] });
    const calm = { ...plan, clocks: plan.clocks.map(() => EXACT), steps: [] };
    const still = (forMs: number) => ({
      ...calm,
      steps: [{ atMs: 0, kind: 'rate' as const, node: 0, ppm: -1_000_000, forMs }],
    });
    expect(hasClockTrouble(still(50))).toBe(false);
    expect(hasClockTrouble(still(2_000))).toBe(true);
  });
});
