/** Who left or was forgotten is remembered over the restart of everybody who met it: what comes late from it makes nobody a member. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Host } from '../../src/sim/events.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { completePlan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

const PLANTED: ReadonlySet<string> = new Set(['ended-met-again']);
const DETECTED_MS = 30_000;

/** Three nodes, and all datagrams that the last of them sent at first. */
class Ended {
  readonly scenario: Scenario;
  private readonly kept: { from: Host; to: Host; bytes: Buffer }[] = [];

  constructor(mutations: ReadonlySet<string> = new Set()) {
    this.scenario = new Scenario({ nodes: 3, started: 2, seed: 61, mutations });
    const { network, nodes } = this.scenario.cluster;
    network.sent = (from, to, bytes) => {
      if (from === nodes[2]) this.kept.push({ from, to, bytes: Buffer.from(bytes) });
    };
    this.scenario.start(2);
    this.scenario.untilReady();
    this.scenario.rest(2_000);
    network.sent = null;
  }

  untilDead(): void {
    const { scenario } = this;
    scenario.kill(2);
    scenario.until(DETECTED_MS, () => {
      const { state } = scenario.members(0)['node-2'];
      return state === 'dead' ? null : `it is ${state}`;
    });
  }

  forget(): void {
    const { scenario } = this;
    this.untilDead();
    expect(scenario.text(0, 'HEARSAY.FORGET', 'node-2')).toBe('OK');
    scenario.rest(1_000);
  }

  leave(): void {
    const { scenario } = this;
    expect(scenario.text(2, 'HEARSAY.LEAVE')).toBe('OK');
    scenario.until(60_000, () => (scenario.cluster.nodes[2].up ? 'it has not left' : null));
  }

  startOthersAnew(): void {
    const { scenario } = this;
    for (const node of [0, 1]) scenario.kill(node);
    for (const node of [0, 1]) scenario.start(node);
    scenario.until(DETECTED_MS, () => (scenario.fact(0, 'members_alive') === '2' ? null : 'they have not met'));
    scenario.rest(2_000);
  }

  /** How the one that is gone was held where all that it had sent arrived once more. */
  heldByEchoes(): string[] {
    const { cluster } = this.scenario;
    const states = new Set<string>();
    for (const { from, to, bytes } of this.kept) cluster.network.repeatTo(from, to, bytes, 1);
    for (let turn = 0; turn < 20; turn++) {
      this.scenario.rest(50);
      for (const node of [0, 1]) states.add(this.scenario.members(node)['node-2']?.state ?? 'unknown');
    }
    return [...states];
  }
}

describe.each(['forget', 'leave'] as const)('a member gone by %s, whom nobody who runs has met', (way) => {
  it('is not met again by what comes late', () => {
    const ended = new Ended();
    ended[way]();
    ended.startOthersAnew();
    expect(ended.heldByEchoes()).toEqual(['unknown']);
  });

  it('is met again where that bug is planted', () => {
    const ended = new Ended(PLANTED);
    ended[way]();
    ended.startOthersAnew();
    expect(ended.heldByEchoes()).toContain('alive');
  });

  it('comes back with an empty disk as a later life, and counts on from there', () => {
    const ended = new Ended();
    const { scenario } = ended;
    ended[way]();
    ended.startOthersAnew();
    scenario.cluster.wipe(2);
    scenario.start(2);
    scenario.untilReady();
    expect(scenario.fact(2, 'boot')).toBe('65537');
    scenario.kill(2);
    scenario.start(2);
    scenario.untilReady();
    expect(scenario.fact(2, 'boot')).toBe('65538');
    expect(scenario.fact(0, 'ring_members')).toBe('3');
    // Its life before that is over all the same.
    ended.untilDead();
    ended.startOthersAnew();
    expect(ended.heldByEchoes()).toEqual(['unknown']);
  });
});

it('a member that left comes back with its own disk as a later life, though it meets nobody: its own ring knows', () => {
  const ended = new Ended();
  const { scenario } = ended;
  ended.leave();
  for (const node of [0, 1]) scenario.kill(node);
  scenario.start(2);
  scenario.rest(1_000);
  expect(scenario.fact(2, 'boot')).toBe('65537');
});

it('the plan that showed it shows it again where the bug is planted', () => {
  const file = new URL('../fixtures/plans/forgotten-life-met-again.json', import.meta.url);
  const { plan } = JSON.parse(readFileSync(file, 'utf8'));
  const { violations } = runPlan(hearsayFactories(PLANTED), completePlan(plan));
  expect(violations.map(({ kind }) => kind)).toContain('member');
});
