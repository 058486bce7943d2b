/** Two nodes with one id, as a copied data directory or a copied configuration makes them, while clients write at level quorum. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const TWIN = 3;
const KEYS = 60;

/** Three nodes; a fourth is kept apart that calls itself `node-1`. */
function cluster(seed: number): { scenario: Scenario; join: () => void } {
  const settings = (node: number) => (node === TWIN ? { id: 'node-1' } : {});
  const scenario = new Scenario({ nodes: 4, started: 3, seed, settings });
  const join = scenario.cutOff(TWIN);
  return { scenario, join };
}

/** Runs until some process has ended by itself, and gives back why; nothing if none does. */
function untilOneEnds(scenario: Scenario, boundMs: number): string | null {
  for (let waitedMs = 0; waitedMs < boundMs; waitedMs += 100) {
    try {
      scenario.rest(100);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return null;
}

describe('two nodes with one id', () => {
  it.each([
    ['the second started from a copy of the first one', 1, true],
    ['the second started from a copy of the first one', 2, true],
    ['the second started empty', 1, false],
    ['the second started empty', 2, false],
  ])('%s (seed %i): one ends and says why, and what a quorum acknowledged is there', (_, seed, copied) => {
    const { scenario, join } = cluster(seed);
    for (const node of [0, 2]) scenario.text(node, 'HEARSAY.CONSISTENCY', 'READ', 'quorum', 'WRITE', 'quorum');
    const sent = new Map<number, number>();
    const write = (from: number, to: number) => {
      for (let key = from; key < to; key++) {
        sent.set(scenario.send(key % 2 === 0 ? 0 : 2, 'SET', `key:${key}`, `v${key}`), key);
        scenario.rest(5);
      }
    };
    write(0, KEYS / 3);
    if (copied) {
      const copy = scenario.cluster.copyDisk(1);
      scenario.start(TWIN);
      scenario.cluster.rollBack(TWIN, copy);
    }
    scenario.start(TWIN);
    write(KEYS / 3, (KEYS * 2) / 3);
    join();
    const why = untilOneEnds(scenario, 20_000);
    expect(why).toBe('another node with the id node-1 is a member of this cluster');
    write((KEYS * 2) / 3, KEYS);
    scenario.rest(2_500);
    expect([1, TWIN].filter((node) => scenario.cluster.nodes[node].up)).toHaveLength(1);
    scenario.untilReady();
    scenario.untilEqual(20_000);
    const kept = scenario.acknowledged(sent);
    expect(kept.length).toBeGreaterThan(KEYS / 2);
    const lost = kept.filter((key) => scenario.text(0, 'GET', `key:${key}`) !== `v${key}`);
    expect(lost).toEqual([]);
  });
});
