/** Nodes restarted one after the other, moved, replaced, and run as a build of another wire version, in plans and step by step. */
import { describe, expect, it } from 'vitest';
import { WIRE, type WireRange } from '../../../src/core/gossip/packet.js';
import type { RenewalStep } from '../../../src/sim/faults/renewals.js';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import { runPlan } from '../../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../../src/sim/schedule.js';
import { Scenario } from '../scenario.js';

function planWith(seed: number, step: RenewalStep, late?: number): Plan {
  const plan = drawPlan(seed, { ...PLAN_LIMITS, lengthMs: 4_000, families: [] });
  const steps = [...plan.steps.filter(({ kind }) => kind === 'command'), step];
  steps.sort((left, right) => left.atMs - right.atMs);
  return { ...plan, steps, late };
}

const roll = (nodes: number[]): RenewalStep => ({ atMs: 200, kind: 'roll', nodes, everyMs: 900, downMs: 400 });
const BEFORE: WireRange = { oldest: WIRE.oldest - 1, newest: WIRE.oldest - 1 };
const AFTER: WireRange = { oldest: WIRE.newest + 1, newest: WIRE.newest + 1 };
/** It reads what this build writes, and writes what this build does not read. */
const BOTH: WireRange = { oldest: WIRE.newest, newest: WIRE.newest + 1 };

const skewTo = (wire: WireRange): RenewalStep => ({
  atMs: 400,
  kind: 'skew',
  node: 1,
  wire,
  downMs: 200,
  forMs: 2_500,
});

describe('a run keeps every promise', () => {
  it.each<[string, Plan]>([
    ['while all nodes restart one after the other', planWith(5, roll([2, 0, 1]))],
    ['when a node stops and comes back at another address', planWith(6, move(true))],
    ['when a killed node comes back at another address', planWith(6, move(false))],
    [
      'when a new node takes the place of one that died, which is forgotten',
      planWith(7, { atMs: 900, kind: 'replace', node: 0, by: drawPlan(7).nodes }, 1),
    ],
    ['when a node is installed with a build that is too new, and then as before', planWith(8, skewTo(AFTER))],
    ['when a node is installed with a build that is too old, and then as before', planWith(8, skewTo(BEFORE))],
    ['when a node is installed with a build that reads the others and is not read', planWith(8, skewTo(BOTH))],
  ])('%s', (_, plan) => {
    const { violations, marks } = runPlan(hearsayFactories(), plan);
    expect(violations).toEqual([]);
    const { kind } = plan.steps.find((step) => step.kind !== 'command') ?? { kind: '' };
    expect(marks[kind]).toBe(1);
    if (kind !== 'skew') return;
    expect(marks['versions refused by this build']).toBeGreaterThan(0);
    expect(marks['versions refused by the other build']).toBeGreaterThan(0);
  });

  function move(graceful: boolean): RenewalStep {
    return { atMs: 500, kind: 'move', node: 0, downMs: 300, graceful };
  }
});

it('says so when a node takes in what another version wrote', () => {
  const plan = planWith(8, skewTo(AFTER));
  const { violations } = runPlan(hearsayFactories(new Set(['versions-believed'])), plan);
  expect(violations.map(({ kind }) => kind)).toContain('version');
});

describe('a node whose build speaks another wire version', () => {
  it.each([
    ['older', BEFORE, `${BEFORE.newest}`],
    ['newer', AFTER, `${AFTER.newest}`],
    ['newer, and reads the others', BOTH, `${BOTH.oldest} to ${BOTH.newest}`],
  ])('is refused by name on both sides, serves nothing, and is taken back as it was: it is %s', (_, wire, versions) => {
    const scenario = new Scenario({ nodes: 3, seed: 4 });
    expect(scenario.text(0, 'SET', 'key', 'before')).toBe('OK');
    scenario.untilEqual(5_000);
    scenario.kill(1);
    scenario.cluster.nodes[1].wire = wire;
    scenario.start(1);
    const own = WIRE.newest;
    const [here, there] = [
      `wire version ${own} here, ${versions} there`,
      `wire version ${versions} here, ${own} there`,
    ];
    const said = (line: string) =>
      scenario.cluster.log.some(({ level, event }) => level === 'warn' && event.includes(line));
    scenario.until(15_000, () => (said(here) && said(there) ? null : 'the refusal is not said on both sides'));
    scenario.until(15_000, () =>
      scenario.fact(1, 'join_refusal') === '' ? 'it does not know that it is refused' : null,
    );
    expect(scenario.fact(1, 'join_refusal')).toMatch(/wire version/);
    for (const node of [0, 1]) expect(Number(scenario.fact(node, 'refused_version'))).toBeGreaterThan(0);
    for (const words of [
      ['GET', 'key'],
      ['SET', 'key', 'elsewhere'],
    ]) {
      expect(scenario.ask(1, ...words).reply).toMatchObject({ type: 'error' });
    }
    expect(scenario.text(0, 'SET', 'key', 'after')).toBe('OK');
    scenario.kill(1);
    scenario.cluster.nodes[1].wire = undefined;
    scenario.start(1);
    scenario.untilReady();
    scenario.untilEqual(10_000);
    expect(scenario.text(1, 'GET', 'key')).toBe('after');
  });
});

it('a moved node is known by its new address to all, and those keep it over a restart of everybody', () => {
  const scenario = new Scenario({ nodes: 3, seed: 4 });
  scenario.kill(0);
  scenario.cluster.move(0);
  scenario.start(0);
  scenario.untilReady();
  for (const node of [0, 1, 2]) scenario.kill(node);
  for (const node of [1, 2, 0]) scenario.start(node);
  scenario.untilReady();
  expect(scenario.text(2, 'CLUSTER', 'NODES')).toContain(`${scenario.cluster.nodes[0].address}:`);
});
