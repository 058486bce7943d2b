/** The ring changes under writes: weights, joins, leaves, kills. No acknowledged write is lost, and every node answers it. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

/** Writes through a node and waits for every reply; the numbers of those that were acknowledged. */
function write(scenario: Scenario, node: number, from: number, to: number, round = ''): number[] {
  const sent = new Map<number, number>();
  for (let key = from; key < to; key++) {
    sent.set(scenario.send(node, 'SET', `key:${key}`, `v${key}${round}`), key);
  }
  return scenario.acknowledged(sent);
}

/** Of these keys, those that a node does not answer as written. */
function missing(scenario: Scenario, node: number, keys: readonly number[], round = ''): number[] {
  return keys.filter((key) => scenario.text(node, 'GET', `key:${key}`) !== `v${key}${round}`);
}

describe('a weight that changes with a restart', () => {
  it('moves partitions to the heavier node, which comes to hold what it had not before', () => {
    let weight = 1;
    const scenario = new Scenario({ nodes: 5, seed: 21, settings: (node) => (node === 4 ? { weight } : {}) });
    const keys = write(scenario, 0, 0, 300);
    expect(keys.length).toBe(300);
    scenario.untilEqual(10_000);
    const before = Number(scenario.fact(4, 'partitions_owned'));
    const other = Number(scenario.fact(0, 'partitions_owned'));
    weight = 4;
    scenario.kill(4);
    scenario.start(4);
    scenario.untilReady();
    scenario.rest(1_000);
    expect(Number(scenario.fact(4, 'partitions_owned'))).toBeGreaterThan(before);
    scenario.until(10_000, () =>
      Number(scenario.fact(0, 'partitions_owned')) < other ? null : 'node 0 gave nothing up',
    );
    scenario.untilReady();
    for (let node = 0; node < 5; node++) expect(missing(scenario, node, keys)).toEqual([]);
    expect(scenario.text(0, 'HEARSAY.STATUS')).toMatch(/id node-4 .*?weight 4 /);
  });
});
