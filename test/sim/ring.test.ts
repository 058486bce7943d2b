/** The ring changes under writes: weights, joins, leaves, kills. No acknowledged write is lost, and every node answers it. */
import { describe, expect, it } from 'vitest';
import { Scenario, textOf } from './scenario.js';

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

/** Of these keys, those that a node answers otherwise than written: an error is no answer. */
function wrong(scenario: Scenario, node: number, keys: readonly number[], round = ''): number[] {
  return keys.filter((key) => {
    const { reply } = scenario.ask(node, 'GET', `key:${key}`);
    return reply !== null && reply.type !== 'error' && textOf(reply) !== `v${key}${round}`;
  });
}

describe('a weight that changes with a restart', () => {
  it('moves partitions to the heavier node, which answers for what it had not before as soon as it runs', () => {
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
    scenario.rest(200);
    expect(missing(scenario, 4, keys)).toEqual([]);
    scenario.untilReady();
    expect(Number(scenario.fact(4, 'partitions_owned'))).toBeGreaterThan(before);
    scenario.until(10_000, () =>
      Number(scenario.fact(0, 'partitions_owned')) < other ? null : 'node 0 gave nothing up',
    );
    scenario.untilReady();
    for (let node = 0; node < 5; node++) expect(missing(scenario, node, keys)).toEqual([]);
    expect(scenario.text(0, 'HEARSAY.STATUS')).toMatch(/id node-4 .*?weight 4 /);
  });
});

describe('members that go by different rings', () => {
  /**
   * Three nodes, and three that join through two of them: node 2 hears nothing of it before it asks. Every partition that has moved
   * wholly has been given up by all of its former owners but node 2.
   */
  function afterJoins(...mutations: string[]): Scenario {
    const scenario = new Scenario({
      nodes: 6,
      started: 3,
      seed: 22,
      mutations: new Set(['ring-kept-to-itself', ...mutations]),
    });
    write(scenario, 0, 0, 200);
    scenario.untilEqual(10_000);
    for (const joiner of [3, 4, 5]) scenario.cut(2, joiner);
    for (const joiner of [3, 4, 5]) scenario.start(joiner);
    // Rings are told where streams are made, and nowhere else: these two hear of all that way.
    scenario.until(30_000, () => {
      for (const node of [0, 1, 3, 4, 5]) {
        const held = scenario.fact(node, 'ring_members');
        if (held !== '6') return `node ${node} has ${held} in its ring`;
      }
      return null;
    });
    expect(scenario.fact(2, 'ring_members')).toBe('3');
    return scenario;
  }

  it('agree before a read at quorum is answered: it finds what owners it did not know of have acknowledged', () => {
    const scenario = afterJoins();
    scenario.text(3, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    const keys = write(scenario, 3, 0, 200, 'b');
    expect(keys.length).toBe(200);
    expect(wrong(scenario, 2, keys, 'b')).toEqual([]);
    expect(
      Number(scenario.fact(2, 'reads_ring_differed')) + Number(scenario.fact(2, 'commands_ring_differed')),
    ).toBeGreaterThan(0);
    expect(scenario.fact(2, 'ring_members')).toBe('6');
    scenario.heal();
    scenario.untilReady();
    expect(missing(scenario, 2, keys, 'b')).toEqual([]);
  });

  it('would miss it if they answered each other all the same', () => {
    const scenario = afterJoins('ring-mismatch-ignored');
    scenario.text(3, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    const keys = write(scenario, 3, 0, 200, 'b');
    expect(wrong(scenario, 2, keys, 'b').length).toBeGreaterThan(0);
  });
});
