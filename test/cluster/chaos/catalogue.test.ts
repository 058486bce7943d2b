/** The scenarios of `hearsay chaos`: their plans come from the seed, and the catalogue names each once. */
import { describe, expect, test } from 'vitest';
import { chooseScenarios, SCENARIOS } from '../../../cluster/chaos/catalogue.js';
import type { Arena, Disturbance, Scenario } from '../../../cluster/chaos/disturbance.js';
import { Draws } from '../../../cluster/chaos/draws.js';

const NAMES = SCENARIOS.map((scenario): [string, Scenario] => [scenario.name, scenario]);

function planOf(scenario: Scenario, seed: number, nodes: number, durationMs: number): Disturbance[] {
  return scenario.script().plan(new Draws(seed), nodes, durationMs);
}

describe('the catalogue', () => {
  test('names every scenario once, with what it does and what is expected', () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
    for (const { does, expects } of SCENARIOS) expect(Math.min(does.length, expects.length)).toBeGreaterThan(10);
  });

  test('gives one scenario by its name, all by that word, and none for another', () => {
    expect(chooseScenarios('kill')?.map(({ name }) => name)).toEqual(['kill']);
    expect(chooseScenarios('all')).toHaveLength(SCENARIOS.length);
    expect(chooseScenarios('constructor')).toBeNull();
  });
});

describe('what finds nobody to disturb', () => {
  test.each(['kill', 'rolling-restart', 'pause'])('is without effect: %s', async (name) => {
    const [scenario] = chooseScenarios(name) ?? [];
    const cluster = { nodes: [{ process: null }, { process: null }, { process: null }], running: () => [] };
    const arena = { cluster, retired: new Set() } as unknown as Arena;
    for (const { begin } of planOf(scenario, 1, 3, 5000)) expect(await begin(arena)).toBe(false);
  });
});

describe('a plan of disturbances', () => {
  test.each(NAMES)('is decided by the seed alone: %s', (_name, scenario) => {
    const words = (seed: number): string => JSON.stringify(planOf(scenario, seed, 5, 60_000));
    for (let seed = 0; seed < 20; seed++) expect(words(seed)).toBe(words(seed));
  });

  test.each(NAMES)('is never empty, and what follows in a lane never overlaps: %s', (_name, scenario) => {
    for (let seed = 0; seed < 50; seed++) {
      const plan = planOf(scenario, seed, 3, 5000);
      expect(plan.length).toBeGreaterThan(0);
      const endOf = new Map<number, number>();
      for (const { lane = 0, beginsAtMs, endsAtMs } of plan) {
        expect(endsAtMs).toBeGreaterThan(beginsAtMs);
        expect(beginsAtMs).toBeGreaterThan(endOf.get(lane) ?? 0);
        endOf.set(lane, endsAtMs);
      }
    }
  });

  test.each(['partition-halves', 'kill', 'pause', 'loss'])('differs from seed to seed: %s', (name) => {
    const [scenario] = chooseScenarios(name) ?? [];
    const plans = [1, 2, 3, 4, 5].map((seed) => JSON.stringify(planOf(scenario, seed, 5, 60_000)));
    expect(new Set(plans).size).toBe(5);
  });
});
