/** Seeds that found a bug, with the families of their day, and shrunk plans that did: none of it comes back. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { completePlan, drawPlan, PLAN_LIMITS, type Plan } from '../../src/sim/schedule.js';

/** Each `{ found, plan }`: what it was, and what `simulate --shrink --plan` wrote. */
const PLANS = fileURLToPath(new URL('../fixtures/plans/', import.meta.url));

it.each([
  [1, 'a start forgot what had expired before it knew who might lack it, and an older value came back'],
  [16, 'a node that was catching up passed a read on and missed what had been written through it'],
  [30, 'a forwarded write was tried again, and refused, after the first owner had carried it out'],
  [31, 'a node that had just started forgot what had expired before it knew who might have missed it'],
  [50, 'a forwarded write ran twice, the second time late: its time to live began anew'],
  [62, 'an empty cluster passed reads on while it formed'],
  [67, 'a flush came late to a node that had counted on: what it took of the counter stayed, there alone'],
  [73, 'an answer meant for an earlier run of the node was taken for that of a new request'],
  [130, 'a copy of a forwarded write waited in a cut stream and ran above later writes'],
  [177, 'a node waited for ever for somebody who was ready'],
  [264, 'a read behind a forwarded command went along with it and missed a write made here'],
  [290, 'a deleted value came back from a forwarded copy that was late'],
  [299, 'nodes waited for a founder to hand over partitions in which it had nothing'],
  [368, 'a node whose clock was ahead took what was on its way for settled, and repaired it'],
  [501, 'a node whose clock was behind a flush offered what the flush had taken, again and again'],
  [522, 'a wiped node never heard of the ring: it was told before it knew who spoke'],
  [1227, 'MSET answered that nothing had changed when some of its keys had been written'],
  [1854, 'MSET answered with the refusal of one key when another, whose outcome was open, had been written'],
])('seed %i: %s', (seed) => {
  const result = runPlan(hearsayFactories(), drawPlan(seed, { ...PLAN_LIMITS, families: [] }));
  expect(result.violations).toEqual([]);
});

it.each(plansThatFound())('plan $name: $found', ({ plan }) => {
  expect(runPlan(hearsayFactories(), completePlan(plan)).violations).toEqual([]);
});

function plansThatFound(): { name: string; found: string; plan: Plan }[] {
  const names = readdirSync(PLANS).filter((name) => name.endsWith('.json'));
  return names.map((name) => ({ name, ...JSON.parse(readFileSync(PLANS + name, 'utf8')) }));
}
