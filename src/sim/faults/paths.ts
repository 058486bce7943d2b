/** The family of troubles with paths and streams between nodes, each off in most seeds. families.ts lists it; around.ts carries it out. */
import type { Random } from '../../core/base/random.js';
import type { Family } from '../families.js';
import type { Plan, Step } from '../schedule.js';

/** Half of the paths of a plan lag this much in one direction at most, for as long as it lasts. */
const LOPSIDED_MS_MAX = 60;

export const PATHS: Family = {
  name: 'paths',
  stream: 0x5ced0101,
  draw(plan, random) {
    const { steps, lengthMs } = plan;
    const some = drawer(random, lengthMs, steps);
    const node = (): number => random.below(plan.nodes);
    const pairs = (): [number, number][] => drawPairs(random, plan.nodes);
    if (random.chance(0.08)) {
      for (const pair of allPairs(plan.nodes)) {
        if (random.chance(0.5)) continue;
        steps.push({ atMs: 0, kind: 'lag', pairs: [pair], byMs: random.between(1, LOPSIDED_MS_MAX), forMs: lengthMs });
      }
    }
    some(0.1, 4, (atMs) => ({
      atMs,
      kind: 'lag',
      pairs: pairs(),
      byMs: random.between(100, 400),
      forMs: random.between(50, 1_500),
    }));
    some(0.1, 3, (atMs) => ({
      atMs,
      kind: 'shuffle',
      node: node(),
      spreadMs: random.between(10, 300),
      forMs: random.between(100, 2_000),
    }));
    some(0.08, 2, (atMs) => ({
      atMs,
      kind: 'narrow',
      pairs: pairs(),
      bytesPerMs: random.between(1, 50),
      forMs: random.between(500, 4_000),
    }));
    some(0.06, 2, (atMs) => ({ atMs, kind: 'mute', pairs: pairs(), forMs: random.between(500, 6_000) }));
  },
};

export const STREAMS: Family = {
  name: 'streams',
  stream: 0x5ced0102,
  draw(plan, random) {
    const some = drawer(random, plan.lengthMs, plan.steps);
    const node = (): number => random.below(plan.nodes);
    some(0.12, 3, (atMs) => {
      const [left, right] = random.shuffle(Array.from({ length: plan.nodes }, (_, index) => index));
      return { atMs, kind: 'halve', nodes: [left, right], closed: random.chance(0.4) };
    });
    some(0.1, 2, (atMs) => ({ atMs, kind: 'deaf', node: node(), forMs: random.between(200, 3_000) }));
    some(0.1, 2, (atMs) => ({
      atMs,
      kind: 'unwelcome',
      node: node(),
      delayMs: random.chance(0.5) ? null : random.between(100, 3_000),
      forMs: random.between(300, 4_000),
    }));
  },
};

/** Draws, in some share of the plans, up to so many steps. */
export function drawer(random: Random, lengthMs: number, steps: Step[]) {
  return (share: number, most: number, draw: (atMs: number) => Step): void => {
    if (!random.chance(share)) return;
    for (let left = random.between(1, most); left > 0; left--) steps.push(draw(random.below(lengthMs)));
  };
}

function allPairs(nodes: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let from = 0; from < nodes; from++) {
    for (let to = 0; to < nodes; to++) if (from !== to) pairs.push([from, to]);
  }
  return pairs;
}

/** One way, both ways, or all ways to and from one node. */
function drawPairs(random: Random, nodes: Plan['nodes']): [number, number][] {
  const pairs = allPairs(nodes);
  const [left, right] = pairs[random.below(pairs.length)];
  const kind = random.below(3);
  if (kind === 0) return [[left, right]];
  if (kind === 1) {
    return [
      [left, right],
      [right, left],
    ];
  }
  return pairs.filter(([from, to]) => from === left || to === left);
}
