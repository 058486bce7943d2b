/** Nodes that were told whom to join and have met nobody: refused by all that answer, answered by nobody, with or without data of their own. */
import { describe, expect, it } from 'vitest';
import type { NodeConfig } from '../../src/core/config.js';
import { addressOf } from '../../src/sim/cluster.js';
import { Scenario } from './scenario.js';

const SETTINGS = { partitions: 16, replicas: 3 };
const OTHER = { partitions: 16, replicas: 2 };
const CONTACTS = [0, 1].map((node) => `${addressOf(node)}:17379`);
const [GOSSIP] = CONTACTS;

/** Two nodes of a cluster, and a third that is started later; what is in `own` takes the place of a node's settings at its next start. */
function twoAndA(third: Partial<NodeConfig>, options: { seed: number; mutations?: string[] }) {
  const own: Partial<NodeConfig>[] = [{}, {}, third];
  const scenario = new Scenario({
    nodes: 3,
    started: 2,
    seed: options.seed,
    mutations: new Set(options.mutations ?? []),
    settings: (node) => ({ ...SETTINGS, ...own[node] }),
  });
  return { scenario, own };
}

const lines = (scenario: Scenario, node: number, event: RegExp) =>
  scenario.cluster.log.filter((line) => line.node === node && event.test(line.event));

/** What an error reply says. */
function refusedWith(scenario: Scenario, node: number, ...words: string[]): string {
  const { reply } = scenario.ask(node, ...words);
  return reply?.type === 'error' ? reply.text : `no error but ${JSON.stringify(reply)}`;
}

describe('a node that is refused by all that answer', () => {
  it('acknowledges nothing and knows of nothing, says what is other here and there, and joins when it is had', () => {
    const { scenario, own } = twoAndA(OTHER, { seed: 31 });
    scenario.text(0, 'SET', 'k', 'theirs');
    scenario.start(2);
    scenario.rest(10_000);
    const reason =
      /^LOADING refused by 10\.0\.0\.\d:17379: cluster settings are partitions 16, replicas 2 here, partitions 16, replicas 3 there; start this node/;
    for (const words of ['SET k mine', 'GET k', 'DEL k', 'INCR n', 'MGET k l', 'FLUSHALL', 'SCAN 0', 'DBSIZE']) {
      expect(refusedWith(scenario, 2, ...words.split(' '))).toMatch(reason);
    }
    expect(scenario.text(2, 'PING')).toBe('PONG');
    expect(scenario.fact(2, 'ready')).toBe('0');
    expect(scenario.fact(2, 'serves_alone')).toBe('0');
    expect(scenario.fact(2, 'join_refusal')).toMatch(/replicas 2 here, .*replicas 3 there/);
    expect(Number(scenario.fact(2, 'joins_refused'))).toBeGreaterThan(0);
    // At once, and again after a minute.
    expect(lines(scenario, 2, /refused by/)).toHaveLength(1);
    scenario.rest(70_000);
    expect(lines(scenario, 2, /refused by|will not have us/)).toHaveLength(2);
    expect(lines(scenario, 2, /refused by/)[0].level).toBe('warn');

    scenario.kill(2);
    own[2] = {};
    scenario.cluster.wipe(2);
    scenario.start(2);
    scenario.untilReady();
    expect(scenario.text(2, 'GET', 'k')).toBe('theirs');
    expect(scenario.fact(2, 'join_refusal')).toBe('');
  });

  it('is not ready with data of its own either, nor when they fall silent, and says that it was accepted once it is', () => {
    const { scenario, own } = twoAndA({ clusterName: 'mine', join: [] }, { seed: 32 });
    scenario.start(2);
    scenario.until(10_000, () => (scenario.fact(2, 'ready') === '1' ? null : 'node 2 is not ready'));
    expect(scenario.text(2, 'SET', 'k', 'mine')).toBe('OK');
    scenario.kill(2);
    own[2] = { clusterName: 'mine', join: [GOSSIP] };
    scenario.start(2);
    scenario.rest(5_000);
    const reason = /^LOADING refused by .*cluster name is "mine" here, "hearsay" there/;
    expect(refusedWith(scenario, 2, 'GET', 'k')).toMatch(reason);
    expect(refusedWith(scenario, 2, 'SET', 'k', 'again')).toMatch(reason);
    expect(scenario.fact(2, 'ready')).toBe('0');
    for (const node of [0, 1]) scenario.kill(node);
    scenario.rest(30_000);
    expect(refusedWith(scenario, 2, 'GET', 'k')).toMatch(reason);
    // Where one of them was, a node of its own cluster is now.
    scenario.cluster.wipe(0);
    own[0] = { clusterName: 'mine' };
    scenario.start(0);
    scenario.untilReady();
    expect(scenario.fact(2, 'joined')).toBe('1');
    expect(scenario.text(2, 'GET', 'k')).toBe('mine');
    expect(lines(scenario, 2, /^accepted:/)).toHaveLength(1);
  });

  it('joins as usual when one contact point refuses it and another has it', () => {
    const { scenario, own } = twoAndA({ join: CONTACTS }, { seed: 33 });
    scenario.kill(0);
    scenario.cluster.wipe(0);
    own[0] = { clusterName: 'strange', join: [] };
    scenario.start(0);
    scenario.text(1, 'SET', 'k', 'v');
    scenario.start(2);
    scenario.until(30_000, () => (scenario.fact(2, 'ready') === '1' ? null : 'node 2 is not ready'));
    expect(scenario.fact(2, 'joined')).toBe('1');
    expect(scenario.text(2, 'GET', 'k')).toBe('v');
  });

  it('is caught by these tests if it serves all the same: the planted bug refusal-ignored', () => {
    const { scenario } = twoAndA(OTHER, { seed: 31, mutations: ['refusal-ignored'] });
    scenario.start(2);
    scenario.rest(10_000);
    expect(scenario.text(2, 'SET', 'k', 'mine')).toBe('OK');
  });
});

describe('a node that nobody answers', () => {
  it('is loading for a bounded time, then serves alone and says so now and then, and hands on what it took when it joins', () => {
    const { scenario } = twoAndA({ join: ['nowhere:17379', GOSSIP] }, { seed: 35 });
    const heal = scenario.cutOff(2);
    scenario.start(2);
    scenario.rest(1_000);
    expect(refusedWith(scenario, 2, 'SET', 'k', 'v')).toBe('LOADING this node is joining its cluster');
    expect(scenario.fact(2, 'ready')).toBe('0');
    expect(lines(scenario, 2, /serves alone/)).toHaveLength(0);
    scenario.rest(4_000);
    expect(scenario.text(2, 'SET', 'k', 'v')).toBe('OK');
    expect(scenario.fact(2, 'ready')).toBe('1');
    expect(scenario.fact(2, 'joined')).toBe('0');
    expect(scenario.fact(2, 'serves_alone')).toBe('1');
    expect(scenario.fact(2, 'lookup_failures')).toBe('nowhere ENOTFOUND');
    expect(Number(scenario.fact(2, 'lookups_failed'))).toBeGreaterThan(1);
    const [line, ...more] = lines(scenario, 2, /serves alone/);
    expect(more).toEqual([]);
    expect(line).toMatchObject({ level: 'warn', fields: { lookupFailed: 'nowhere ENOTFOUND' } });
    expect(line.event).toBe(`serves alone: none of its contact points answered: nowhere:17379, ${GOSSIP}`);
    scenario.rest(70_000);
    expect(lines(scenario, 2, /serves alone/)).toHaveLength(2);
    expect(lines(scenario, 2, /does not resolve/)).toHaveLength(2);
    heal();
    scenario.untilReady();
    expect(scenario.fact(2, 'joined')).toBe('1');
    expect(scenario.fact(2, 'serves_alone')).toBe('0');
    expect(lines(scenario, 2, /^met its cluster/)).toHaveLength(1);
    scenario.untilEqual(30_000);
    expect(scenario.text(0, 'GET', 'k')).toBe('v');
  });

  it('is not ready any more when it is refused after all', () => {
    const { scenario } = twoAndA(OTHER, { seed: 36 });
    const heal = scenario.cutOff(2);
    scenario.start(2);
    scenario.rest(5_000);
    expect(scenario.text(2, 'SET', 'k', 'v')).toBe('OK');
    heal();
    scenario.rest(5_000);
    expect(refusedWith(scenario, 2, 'GET', 'k')).toMatch(/^LOADING refused by/);
    expect(scenario.fact(2, 'serves_alone')).toBe('0');
  });
});

it('a node that catches up lists what it has yet to get, and from whom', () => {
  const scenario = new Scenario({ nodes: 3, started: 2, seed: 37, settings: SETTINGS });
  for (let key = 0; key < 50; key++) scenario.text(0, 'SET', `key:${key}`, 'v');
  scenario.untilEqual(10_000);
  scenario.start(2);
  scenario.until(10_000, () => (scenario.fact(2, 'members_alive') === '3' ? null : 'not met'));
  // Neither gets through to it any more: what it owns it cannot have.
  const heal = scenario.cutOff(2);
  const unready = Number(scenario.fact(2, 'partitions_catching_up'));
  expect(unready).toBeGreaterThan(0);
  const rows = scenario.text(2, 'HEARSAY.STATUS').match(/partitions_coming \[(.*?)\] log /)?.[1] ?? '';
  expect(rows.match(/partition \d+ source \S*node-[01]/g)).toHaveLength(unready);
  heal();
  scenario.untilReady();
  expect(scenario.text(2, 'HEARSAY.STATUS')).toContain('partitions_coming [] ');
});
