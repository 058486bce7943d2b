/**
 * The family of what befalls the edge of a cluster: partitions that cut late nodes off, and live cores that have lost more than one
 * node. families.ts lists it; the nemesis and live-core.ts play it. Guarded: only a plan that has late nodes gets such partitions, and
 * a smaller core is drawn only where none was, with as many nodes as a key has owners.
 */
import type { Family } from '../families.js';
import { nodesOf } from './members.js';

export const OUTSKIRTS: Family = {
  name: 'outskirts',
  stream: 0x5ced0109,
  draw(plan, random) {
    const { steps, lengthMs, nodes, replicas } = plan;
    if (plan.core === undefined && nodes > replicas + 1 && random.chance(0.5)) {
      const order = random.shuffle(Array.from({ length: nodes }, (_, index) => index));
      plan.core = { nodes: order.slice(0, replicas).sort(), rest: random.chance(0.5) ? 'down' : 'apart' };
    }
    const all = nodesOf(plan);
    for (let late = nodes; late < all; late++) {
      if (!random.chance(0.5)) continue;
      const others = random.shuffle(Array.from({ length: all }, (_, index) => index)).filter((node) => node !== late);
      const kind = random.below(3);
      // With one other, with all but a few, or with all.
      const cut = others.slice(0, kind === 0 ? 1 : kind === 1 ? Math.ceil(others.length / 2) : others.length);
      const pairs = cut.flatMap((node): [number, number][] => {
        const [there, back]: [number, number][] = [
          [late, node],
          [node, late],
        ];
        return random.chance(0.7) ? [there, back] : [there];
      });
      steps.push({ atMs: random.below(lengthMs), kind: 'partition', pairs, forMs: random.between(300, 4_000) });
    }
  },
};
