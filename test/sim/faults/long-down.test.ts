/** A death that lasts: it is drawn, all others are seen to know of it, and a failure detector that never ends a suspicion is found. */
import { describe, expect, it } from 'vitest';
import { Suspicions } from '../../../src/core/membership/suspicions.js';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import { type RunResult, runPlan } from '../../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../../src/sim/schedule.js';

function longDown(seed: number, isSilent: boolean, node = 1): Plan {
  const plan = drawPlan(seed, { ...PLAN_LIMITS, families: [] });
  return { ...plan, turnCostMs: 0.1, longDown: { node, isSilent } };
}

/** Plays a plan while no node ever declares a suspect dead. */
function playUndecided(plan: Plan): RunResult {
  const { candidates } = Suspicions.prototype;
  Suspicions.prototype.candidates = () => [];
  try {
    return runPlan(hearsayFactories(), plan);
  } finally {
    Suspicions.prototype.candidates = candidates;
  }
}

describe('a long death', () => {
  it('is drawn in a few plans, silent in some of them', () => {
    const drawn = Array.from({ length: 200 }, (_, place) => drawPlan(place + 1).longDown).filter(
      (each) => each !== undefined,
    );
    expect(drawn.length).toBeGreaterThan(4);
    expect(drawn.length).toBeLessThan(25);
    expect(new Set(drawn.map(({ isSilent }) => isSilent)).size).toBe(2);
  });

  it.each([
    [2, false],
    [2, true],
    [7, true],
  ])('after the faults of seed %i, silent: %s, is known to all, and nothing is lost', (seed, isSilent) => {
    const plan = longDown(seed, isSilent);
    const { violations, marks } = runPlan(hearsayFactories(), plan);
    expect(violations).toEqual([]);
    expect(marks['long deaths known']).toBeGreaterThanOrEqual(plan.nodes - 1);
  });

  it('is found where nobody ever ends a suspicion', () => {
    const lines = playUndecided(longDown(2, true)).violations.map(({ kind, message }) => `${kind}: ${message}`);
    expect(lines.join()).toMatch(/member: node 0 holds node-1 suspect, which has been down for \d+ ms/);
  });

  it('strikes nobody that is gone', () => {
    const plan = longDown(5, false, 1);
    plan.late = 1;
    plan.steps.push({ atMs: 100, kind: 'join', node: plan.nodes }, { atMs: 3_000, kind: 'forget', node: 1 });
    plan.steps.sort((left, right) => left.atMs - right.atMs);
    const { violations, marks } = runPlan(hearsayFactories(), plan);
    expect(violations).toEqual([]);
    expect(marks['long deaths known']).toBeUndefined();
  });
});
