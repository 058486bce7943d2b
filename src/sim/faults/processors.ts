/** The family of troubles with processors: a node that is slow for a while, nodes that stand still again and again, or all at once. */
import type { Family } from '../families.js';
import { drawer } from './paths.js';

export const PROCESSORS: Family = {
  name: 'processors',
  stream: 0x5ced0103,
  draw(plan, random) {
    const some = drawer(random, plan.lengthMs, plan.steps);
    const node = (): number => random.below(plan.nodes);
    some(0.1, 2, (atMs) => ({
      atMs,
      kind: 'slow',
      node: node(),
      turnCostMs: random.between(5, 20),
      forMs: random.between(500, 4_000),
    }));
    some(0.1, 1, (atMs) => ({
      atMs,
      kind: 'stalls',
      nodes: [node()],
      forMs: random.between(300, 900),
      everyMs: random.between(950, 1_500),
      times: random.between(2, 5),
    }));
    some(0.08, 2, (atMs) => ({
      atMs,
      kind: 'stalls',
      nodes: Array.from({ length: plan.nodes }, (_, index) => index),
      forMs: random.between(100, 2_000),
      everyMs: 0,
      times: 1,
    }));
  },
};
