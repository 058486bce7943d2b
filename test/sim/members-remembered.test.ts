/**
 * Two of three members lose the power, and with it logs that were never synced, while the third, which holds all, is away. They still know that it is
 * there: what they have not had from it they do not claim to have seen, and they forget no delete that it may have missed.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { completePlan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

const KEYS = 60;
const SEEDS = [1, 2, 3, 4];

interface Outcome {
  /** What the two took from the third by comparing what is held: their frontiers had covered it. */
  found: number;
  lost: string[];
}

function lossOf(seed: number, mutations?: ReadonlySet<string>): Outcome {
  const settings = { floorMarginMs: 200, maxClockDriftMs: 500 };
  const scenario = new Scenario({ seed, mutations, settings, plan: { durability: 'off' } });
  const keys = Array.from({ length: KEYS }, (_, each) => `k${each}`);
  for (const key of keys) scenario.text(0, 'SET', key, 'kept');
  scenario.rest(1_000);
  scenario.kill(1);
  for (const node of [0, 2]) scenario.cluster.cutPower(node);
  scenario.rest(500);
  for (const node of [0, 2]) scenario.start(node);
  scenario.untilReady();
  expect(Number(scenario.fact(0, 'keys'))).toBe(0);
  // In every partition something that the two delete, and would forget.
  for (const key of keys) scenario.text(0, 'SET', `other-${key}`, 'deleted');
  for (const key of keys) scenario.text(2, 'DEL', `other-${key}`);
  scenario.rest(8_000);
  scenario.start(1);
  scenario.untilReady();
  scenario.untilEqual(10_000);
  let found = 0;
  for (let node = 0; node < scenario.nodes; node++) {
    found +=
      Number(scenario.fact(node, 'repair_records_wanted')) + Number(scenario.fact(node, 'repair_records_pushed'));
  }
  return { found, lost: keys.filter((key) => scenario.text(0, 'GET', key) !== 'kept') };
}

it.each(SEEDS)('what one member alone still has comes back to those who lost it (seed %i)', (seed) => {
  expect(lossOf(seed)).toEqual({ found: 0, lost: [] });
});

it('a member that never comes back is waited for until an operator has it forgotten, by any node that remembers it', () => {
  const scenario = new Scenario({ seed: 1, plan: { durability: 'off' } });
  scenario.kill(1);
  for (const node of [0, 2]) scenario.cluster.cutPower(node);
  for (const node of [0, 2]) scenario.start(node);
  scenario.untilReady();
  const unmet = () => [0, 2].map((node) => scenario.fact(node, 'ring_members_unmet'));
  expect(unmet()).toEqual(['1', '1']);
  scenario.rest(30_000);
  expect(scenario.text(0, 'HEARSAY.FORGET', 'node-1')).toBe('OK');
  scenario.rest(2_000);
  expect(unmet()).toEqual(['0', '0']);
  expect(scenario.fact(2, 'ring_members_unremembered')).toBe('0');
});

it('is dropped everywhere where the members are lost with the log', () => {
  const losses = SEEDS.map((seed) => lossOf(seed, new Set(['members-forgotten-with-the-log'])));
  expect(losses.some(({ lost }) => lost.length > 0)).toBe(true);
  expect(losses.some(({ found }) => found > 0)).toBe(true);
});

it('the checkers find that two took for seen what the third alone held', () => {
  const file = new URL('../fixtures/plans/members-forgotten-with-the-log.json', import.meta.url);
  const plan = completePlan(JSON.parse(readFileSync(file, 'utf8')).plan);
  const { violations } = runPlan(hearsayFactories(new Set(['members-forgotten-with-the-log'])), plan);
  expect(violations.map(({ kind }) => kind)).toContain('frontier');
});
