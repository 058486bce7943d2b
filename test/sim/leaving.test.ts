/** Nodes that leave for good while much is still on its way, on whole nodes: a full cache, everybody at once. */
import { describe, expect, it } from 'vitest';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario } from './scenario.js';

/** Writes keys through a node, a few at a time, so that none waits for long. */
function fill(scenario: Scenario, node: number, to: number, bytes: number): void {
  const value = 'v'.repeat(bytes);
  for (let key = 0; key < to; ) {
    const sent = new Map<number, number>();
    for (let step = 0; step < 50 && key < to; step++, key++) {
      sent.set(scenario.send(node, 'SET', `key:${key}`, value), key);
    }
    scenario.acknowledged(sent);
  }
}

describe('a node that leaves with a full cache', () => {
  it('stays until the new owners have fetched what they are to have, however long that takes', () => {
    const scenario = new Scenario({
      nodes: 3,
      seed: 41,
      plan: { replicas: 2, network: { ...CALM_NETWORK, lagMinMs: 40, lagMeanMs: 40 } },
      settings: { maxMemory: 512 * 1024, segmentBytes: 4096 },
    });
    fill(scenario, 0, 3000, 400);
    scenario.untilReady();
    for (let node = 0; node < 3; node++) expect(Number(scenario.fact(node, 'evictions'))).toBeGreaterThan(0);
    scenario.text(1, 'HEARSAY.LEAVE');
    const fetching = () => [0, 2].map((node) => Number(scenario.fact(node, 'partitions_catching_up')));
    scenario.until(10_000, () => (Math.max(...fetching()) > 0 ? null : 'nobody fetches'));
    const began = scenario.cluster.clock.nowMs;
    let endedAtMs = 0;
    let said = '';
    scenario.until(120_000, () => {
      if (!scenario.cluster.nodes[1].up) return null;
      said = scenario.fact(1, 'partitions_to_hand_over') ?? said;
      if (Math.max(...fetching()) > 0) endedAtMs = scenario.cluster.clock.nowMs;
      return 'it has not ended';
    });
    expect(fetching()).toEqual([0, 0]);
    // Longer than it waits for what cannot be compared to the end.
    expect(endedAtMs - began).toBeGreaterThan(6_000);
    // Who waits for it to end takes this for its having left in order.
    expect(said).toBe('0');
    expect(scenario.cluster.log.filter(({ event }) => event.startsWith('left for good'))).toHaveLength(1);
  });
});

describe('a node that leaves while the new owners are away', () => {
  it('stays, full or not, until they are back and have fetched: nobody holds what it held', () => {
    const scenario = new Scenario({
      nodes: 3,
      seed: 44,
      plan: { replicas: 1 },
      settings: { maxMemory: 512 * 1024, segmentBytes: 4096 },
    });
    fill(scenario, 0, 4500, 400);
    scenario.untilReady();
    expect(Number(scenario.fact(1, 'evictions'))).toBeGreaterThan(0);
    scenario.kill(0);
    scenario.kill(2);
    const heal = scenario.cutOff(1);
    scenario.start(0);
    scenario.start(2);
    // It has not noticed yet.
    scenario.text(1, 'HEARSAY.LEAVE');
    scenario.rest(30_000);
    expect(scenario.fact(1, 'leaving')).toBe('1');
    expect(scenario.fact(1, 'partitions_to_hand_over')).not.toBe('0');
    heal();
    scenario.until(120_000, () => (scenario.cluster.nodes[1].up ? 'it has not ended' : null));
    scenario.untilReady();
  });
});

describe('nodes that are all asked to leave at once', () => {
  const keys = Array.from({ length: 100 }, (_, key) => key);
  const missing = (scenario: Scenario, node: number) =>
    keys.filter((key) => scenario.text(node, 'GET', `key:${key}`) !== 'v'.repeat(10));

  it('find nobody who is to take what they hold: who notices first takes its place back, and nothing is lost', () => {
    const scenario = new Scenario({ nodes: 3, seed: 42 });
    fill(scenario, 0, 100, 10);
    scenario.untilEqual(10_000);
    for (let node = 0; node < 3; node++) scenario.send(node, 'HEARSAY.LEAVE');
    const up = () => [0, 1, 2].filter((node) => scenario.cluster.nodes[node].up);
    scenario.rest(1_000);
    scenario.until(60_000, () => {
      const leaving = up().filter((node) => scenario.fact(node, 'leaving') !== '0');
      return leaving.length === 0 ? null : `nodes ${leaving} are leaving still`;
    });
    expect(up().length).toBeGreaterThan(0);
    scenario.untilReady();
    scenario.until(10_000, () => {
      const away = up().filter((node) => scenario.fact(node, 'ring_members') !== String(up().length));
      return away.length === 0 ? null : `nodes ${away} go by another ring`;
    });
    for (const node of up()) expect(missing(scenario, node)).toEqual([]);
  });

  it('are refused one by one: the last one that keeps its place is told that nobody else does', () => {
    const scenario = new Scenario({ nodes: 3, seed: 43 });
    fill(scenario, 0, 100, 10);
    scenario.text(0, 'HEARSAY.LEAVE');
    scenario.text(1, 'HEARSAY.LEAVE');
    scenario.until(5_000, () => (scenario.fact(2, 'ring_members') === '1' ? null : 'it has not heard'));
    expect(() => scenario.text(2, 'HEARSAY.LEAVE')).toThrow(/no other member (keeps its place|is alive)/);
    scenario.until(60_000, () =>
      [0, 1].some((node) => scenario.cluster.nodes[node].up) ? 'some have not ended' : null,
    );
    expect(missing(scenario, 2)).toEqual([]);
  });
});
