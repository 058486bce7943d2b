/**
 * Faults on real processes: a partition with writes on both sides, healed; and a short chaos run of each kind, by a named
 * seed. Longer runs are `hearsay chaos`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untilAgreed } from '../../cluster/agreement.js';
import { chooseScenarios } from '../../cluster/chaos/catalogue.js';
import { type Scenario, startAgain, tellFault } from '../../cluster/chaos/disturbance.js';
import { heal, separate } from '../../cluster/chaos/partition.js';
import { runScenario } from '../../cluster/chaos/run.js';
import { DirectReader } from '../../cluster/direct-reader.js';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, HOST, removeDirectory, SERVE, startCluster } from './harness.js';

const KEYS = 300;

describe('a partition of one node from two', () => {
  let cluster: TemporaryCluster;
  beforeAll(async () => {
    cluster = await startCluster(3, ['--enable-fault-injection']);
  }, 60_000);
  afterAll(() => cluster?.stop());

  test('both sides write at level one, and after it heals all nodes hold the same, the later write of each key', async () => {
    const [minority, majority] = [cluster.nodes[0].port, cluster.nodes[1].port];
    const keys = Array.from({ length: KEYS }, (_, index) => `k:${index}`);
    const write = (port: number, side: string, some: string[]) => ask(port, ...some.map((key) => ['SET', key, side]));
    await separate(cluster, [0], [1, 2]);
    await write(minority, 'minority', keys.slice(0, 200));
    // Versions are stamped in milliseconds and apart the nodes hear nothing of each other's: later is a later millisecond.
    const writtenAtMs = Date.now();
    await cluster.until('the next millisecond', 1000, () => Date.now() > writtenAtMs + 1);
    await write(majority, 'majority', keys.slice(100));
    expect(await ask(minority, ['GET', 'k:0'], ['GET', 'k:150'], ['GET', 'k:250'])).toEqual([
      'minority',
      'minority',
      null,
    ]);
    await cluster.until(
      'the majority misses the node',
      30_000,
      async () => (await cluster.status(1)).members_alive === 2,
    );
    await heal(cluster);
    await cluster.untilReady();
    await untilAgreed(cluster, 60_000);
    const expected = keys.map((_, index) => (index < 100 ? 'minority' : 'majority'));
    for (const { port } of cluster.nodes) {
      const reader = await DirectReader.open(HOST, port);
      expect(await reader.values(keys)).toEqual(expected);
      reader.close();
    }
  }, 120_000);
});

test.each(['kill', 'pause', 'partition-halves'])(
  'a short chaos run loses nothing: %s',
  async (name) => {
    const [scenario] = chooseScenarios(name) ?? [];
    const record = await runScenario({ scenario, nodes: 3, durationMs: 4000, seed: 20, command: SERVE }, () => {});
    expect(record.violations).toEqual([]);
    expect(record.verdict).toBe('right');
    expect(record.faults.length).toBeGreaterThan(0);
    expect(record.tally.acknowledged).toBeGreaterThan(100);
    expect(record.divergence.length).toBeGreaterThan(0);
  },
  150_000,
);

test('a chaos run finds what is lost when all nodes lose their disks', async () => {
  const scenario: Scenario = {
    name: 'all-wiped',
    does: 'empties every directory at once',
    expects: 'to be found out',
    mixes: false,
    script: () => ({
      lateEffectMs: 0,
      plan: () => [
        {
          beginsAtMs: 500,
          endsAtMs: 600,
          begins: 'kill all and empty their directories',
          ends: 'start all',
          begin: async ({ cluster }) => {
            await Promise.all(cluster.nodes.map((_, index) => cluster.kill(index)));
            for (const node of cluster.nodes) removeDirectory(node.dataDirectory);
          },
          end: async ({ cluster }) => {
            for (const index of cluster.nodes.keys()) cluster.start(index);
          },
        },
      ],
    }),
  };
  const record = await runScenario({ scenario, nodes: 3, durationMs: 700, seed: 1, command: SERVE }, () => {});
  expect(record.verdict).toBe('wrong');
  expect(record.violations.filter((line) => line.startsWith('lost on node-')).length).toBeGreaterThan(0);
}, 60_000);

test('a chaos run finds a node that died by itself before it was killed, a fault that was refused, and that nothing took effect', async () => {
  const step = { beginsAtMs: 100, endsAtMs: 200, begins: 'begin', ends: 'end' };
  const scenario: Scenario = {
    name: 'hidden',
    does: 'hides what happened',
    expects: 'to be found out',
    mixes: false,
    script: () => ({
      lateEffectMs: 0,
      plan: () => [
        {
          ...step,
          begin: async ({ cluster }) => {
            cluster.nodes[0].process?.kill('SIGKILL');
            await cluster.until('it is gone', 10_000, () => cluster.nodes[0].process === null);
            await cluster.kill(0);
            return false;
          },
          end: async (arena) => startAgain(arena, 0),
        },
        { ...step, lane: 1, begin: (arena) => tellFault(arena, 1, 'DISK', 'EMPTY'), end: () => Promise.resolve() },
      ],
    }),
  };
  const record = await runScenario({ scenario, nodes: 3, durationMs: 700, seed: 1, command: SERVE }, () => {});
  expect(record.violations).toHaveLength(3);
  expect(record.violations[0]).toMatch(/^begin: ERR /);
  expect(record.violations).toContain('node-1 ended by itself');
  expect(record.violations).toContain('nothing was disturbed: the run proves nothing');
}, 60_000);
