/** Since when nodes, and the ways between them, had no trouble: keys that a node can not open are as good as a cut. */
import { expect, it } from 'vitest';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import { CALM_NETWORK } from '../../../src/sim/network.js';
import { runPlan } from '../../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Step } from '../../../src/sim/schedule.js';
import { SimSecrets } from '../../../src/sim/secrets.js';
import { Calm } from '../../../src/sim/watches/calm.js';

/** Two nodes that run, of which each has a secret file; nothing else is wrong. */
function pair(left: string[], right: string[]) {
  const secrets = [left, right].map((words, seed) => new SimSecrets(words, seed));
  const nodes = secrets.map((own, index) => {
    const process = { paused: false, droppedDatagrams: 0 };
    return { index, up: true, process, slowMs: 0, secrets: own, droppedDatagrams: 0, wire: undefined };
  });
  const troubles = {
    deaf: { has: () => false },
    refuses: () => false,
    acceptMs: () => 0,
    spreadMs: () => 0,
    lagMs: () => 0,
  };
  const network = { options: CALM_NETWORK, troubles, swallows: () => false, isBlockedForDatagrams: () => false };
  const clock = { nowMs: 0 };
  const calm = new Calm({ clock, nodes, network } as never, 0);
  const lookFor = (forMs: number) => {
    for (const end = clock.nowMs + forMs; clock.nowMs < end; clock.nowMs += 50) calm.look();
    calm.look();
  };
  return { calm, secrets, lookFor };
}

it('counts two nodes as apart while one seals with a key that the other does not have, and as together from when it does', () => {
  const { calm, secrets, lookFor } = pair(['second', 'first'], ['first']);
  lookFor(1_000);
  expect([calm.between(0, 1), calm.between(1, 0)]).toEqual([0, 0]);
  secrets[1].place(['first', 'second']);
  lookFor(500);
  // It lies there, and was not read.
  expect(calm.between(0, 1)).toBe(0);
  secrets[1].reload();
  lookFor(500);
  expect([calm.between(0, 1), calm.ofNode(0), calm.ofNode(1)]).toEqual([500, 2_000, 500]);
});

it('passes a node that joins with a secret which the cluster has given up, and is there for the others once it has theirs', () => {
  const plan = drawPlan(830, { ...PLAN_LIMITS, nodesMax: 3, lengthMs: 10_000, families: [] });
  const steps: Step[] = [['first', 'second'], ['second', 'first'], ['second']].flatMap((words, phase) =>
    [0, 1, 2].map((node): Step => ({ atMs: 100 + phase * 1_800, kind: 'secret', node, words })),
  );
  steps.push({ atMs: 1_400, kind: 'join', node: 3 });
  const { violations, marks } = runPlan(hearsayFactories(), {
    ...plan,
    nodes: 3,
    late: 1,
    network: CALM_NETWORK,
    secrets: ['first'],
    turnCostMs: 0.1,
    steps: steps.sort((left, right) => left.atMs - right.atMs),
  });
  expect(violations).toEqual([]);
  expect(marks['members taken for dead']).toBeGreaterThan(0);
});
