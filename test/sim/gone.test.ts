/**
 * What a member that was forgotten still had on its way arrives when the others have proved, without its say, that they lack nothing of that time:
 * nobody takes it, so that no frontier claims what one of them alone has.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Host } from '../../src/sim/events.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { completePlan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

const NAME = 'gone-still-heard';

interface Outcome {
  /** What the key is at nodes 0 and 1. */
  values: string[];
  /** Records that one of the two had though the frontier of the other covered them. */
  found: number;
  /** Messages that were not taken. */
  refused: number;
}

function echoForgotten(mutations: ReadonlySet<string>): Outcome {
  const scenario = new Scenario({ seed: 608, mutations, settings: { floorMarginMs: 200 } });
  const { network } = scenario.cluster;
  const kept: { from: Host; to: Host; bytes: Buffer }[] = [];
  network.sent = (from, to, bytes) => {
    if (bytes.includes('the-key')) kept.push({ from, to, bytes: Buffer.from(bytes) });
  };
  for (const node of [0, 1]) expect(scenario.text(node, 'SET', 'another-key', 'v')).toBe('OK');
  scenario.rest(2_000);
  const heal = scenario.cutOff(2);
  expect(scenario.text(2, 'SET', 'the-key', 'alone')).toBe('OK');
  scenario.rest(100);
  scenario.kill(2);
  heal();
  scenario.until(30_000, () => (scenario.members(0)['node-2'].state === 'dead' ? null : 'not dead'));
  expect(scenario.text(0, 'HEARSAY.FORGET', 'node-2')).toBe('OK');
  scenario.rest(10_000);
  const first = kept.find(({ to }) => to === network.hosts[0]);
  expect(first).toBeDefined();
  if (first !== undefined) network.repeatTo(first.from, first.to, first.bytes, 1);
  scenario.rest(10_000);
  const sum = (...names: string[]) =>
    names.flatMap((name) => [0, 1].map((node) => Number(scenario.fact(node, name)))).reduce((all, one) => all + one, 0);
  return {
    values: [0, 1].map((node) => scenario.text(node, 'GET', 'the-key')),
    found: sum('repair_records_wanted', 'repair_records_pushed'),
    refused: sum('messages_of_gone'),
  };
}

it('what a forgotten member alone had is given up: a datagram of it that comes late is counted, and taken by nobody', () => {
  expect(echoForgotten(new Set())).toEqual({ values: ['null', 'null'], found: 0, refused: 1 });
});

it('is taken by one and covered by the frontier of the other where the gone are still heard', () => {
  expect(echoForgotten(new Set([NAME]))).toMatchObject({ values: ['alone', 'alone'], found: 1, refused: 0 });
});

it('the checkers find that one took what the frontiers of the others had covered', () => {
  const file = new URL(`../fixtures/plans/${NAME}.json`, import.meta.url);
  const plan = completePlan(JSON.parse(readFileSync(file, 'utf8')).plan);
  expect(runPlan(hearsayFactories(), plan).violations).toEqual([]);
  const { violations } = runPlan(hearsayFactories(new Set([NAME])), plan);
  expect(violations.map(({ kind }) => kind)).toContain('frontier');
});
