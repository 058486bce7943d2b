/** Late nodes behind partitions and live cores as small as they may be: what is drawn, and that it is played and survived. */
import { describe, expect, it } from 'vitest';
import { nodesOf } from '../../../src/sim/faults/members.js';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import { runPlan } from '../../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../../src/sim/schedule.js';

const SEEDS = Array.from({ length: 300 }, (_, place) => place + 1);

const cutsLate = (plan: Plan): boolean =>
  plan.steps.some((step) => step.kind === 'partition' && step.pairs.flat().some((node) => node >= plan.nodes));
const isSmall = ({ core, nodes }: Plan): boolean => core !== undefined && core.nodes.length < nodes - 1;

describe('the edge of a cluster', () => {
  it('is drawn in some plans, and only where there is one', () => {
    const plans = SEEDS.map((seed) => drawPlan(seed));
    expect(plans.some(cutsLate)).toBe(true);
    expect(plans.some(isSmall)).toBe(true);
    for (const plan of plans) {
      if (isSmall(plan)) expect(plan.core?.nodes.length).toBe(plan.replicas);
      for (const step of plan.steps) {
        if (step.kind === 'partition') expect(Math.max(...step.pairs.flat())).toBeLessThan(nodesOf(plan));
      }
    }
  });

  it.each(['down', 'apart'] as const)('gets on with three nodes of five while the rest is %s', (rest) => {
    const drawn = drawPlan(3, { ...PLAN_LIMITS, nodesMin: 5, lengthMs: 2_000, families: [] });
    const steps = drawn.steps.filter(({ kind }) => kind === 'command');
    const { violations, marks } = runPlan(hearsayFactories(), { ...drawn, steps, core: { nodes: [0, 2, 4], rest } });
    expect(violations).toEqual([]);
    expect(marks['live cores']).toBe(1);
  });
});
