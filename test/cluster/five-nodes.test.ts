/**
 * Five nodes with three owners a partition: any key through any node, levels above one, who owns what, FLUSHALL everywhere,
 * and a sixth node that joins under load.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilAgreed } from '../../cluster/agreement.js';
import { withoutPadding } from '../../cluster/chaos/judgement.js';
import { CheckedLoad } from '../../cluster/chaos/load.js';
import type { ProbeReply } from '../../cluster/probe.js';
import { recordOf } from '../../cluster/probe.js';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { createClient } from '../../src/index.js';
import { ask, startCluster } from './harness.js';

const OWNERS = 3;
const ALL = ['HEARSAY.CONSISTENCY', 'READ', 'ALL', 'WRITE', 'ALL'];
const QUORUM = ['HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM'];

let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(6, [], 5);
}, 60_000);
afterAll(() => cluster?.stop());

const ports = (): number[] => cluster.running().map((index) => cluster.nodes[index].port);
const keysOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}:${at}`);

async function ownersOf(key: string, port: number): Promise<Record<string, ProbeReply>[]> {
  const [reply] = await ask(port, ['HEARSAY.EXPLAIN', key]);
  const owners = recordOf(reply)?.owners;
  return Array.isArray(owners) ? owners.map((row) => recordOf(row) ?? {}) : [];
}

test.each([
  ['all', ALL],
  ['quorum', QUORUM],
])('a key written through any node is read through any other, level %s', async (level, consistency) => {
  const keys = keysOf(`level-${level}`, 60);
  for (const [at, port] of ports().entries()) {
    const own = keys.filter((_, index) => index % ports().length === at);
    const replies = await ask(port, consistency, ...own.map((key) => ['SET', key, `value of ${key}`]));
    expect(replies.slice(1)).toEqual(own.map(() => 'OK'));
  }
  for (const port of ports()) {
    const replies = await ask(port, consistency, ...keys.map((key) => ['GET', key]), ['MGET', ...keys]);
    const values = keys.map((key) => `value of ${key}`);
    expect(replies.slice(1)).toEqual([...values, values]);
  }
});

test('EXPLAIN names three owners, the same through every node, and all hold what was written at level all', async () => {
  const [first] = ports();
  for (const key of keysOf('explained', 20)) {
    await ask(first, ALL, ['SET', key, 'v']);
    const views = await Promise.all(ports().map((port) => ownersOf(key, port)));
    const names = views.map((owners) => owners.filter(({ role }) => role === 'owner').map(({ node }) => node));
    expect(names[0]).toHaveLength(OWNERS);
    expect(new Set(names.map((view) => JSON.stringify([...view].sort())))).toHaveProperty('size', 1);
    const versions = views[0].filter(({ role }) => role === 'owner').map(({ version }) => version);
    expect(new Set(versions)).toHaveProperty('size', 1);
    expect(versions[0]).not.toBe('');
  }
});

test('FLUSHALL through one node empties all', async () => {
  const [first, second] = ports();
  const keys = keysOf('flushed', 200);
  await ask(first, QUORUM, ...keys.map((key) => ['SET', key, 'v']));
  expect(await ask(second, ['FLUSHALL'])).toEqual(['OK']);
  await cluster.until('every node is empty', 10_000, async () => {
    const states = await Promise.all(cluster.running().map((index) => cluster.status(index)));
    return states.every((status) => status.keys === 0);
  });
  expect((await ask(first, QUORUM, ['MGET', ...keys]))[1]).toEqual(keys.map(() => null));
});

test('a sixth node joins under load: nothing is lost, and it owns its share', async () => {
  const client = createClient({
    servers: cluster.servers.slice(0, 5),
    consistency: 'quorum',
    requestTimeout: '5s',
    onError: 'throw',
  });
  const keys = keysOf('before', 4000);
  await client.setMany(keys.map((key) => ({ key, value: `value of ${key}` })));
  const load = new CheckedLoad(cluster.servers.slice(0, 5), {
    workers: 4,
    keysPerWorker: 100,
    seed: 1,
    lateEffectMs: 5000,
  });

  cluster.start(5);
  await cluster.untilReady();
  await cluster.until('no partition is catching up', 60_000, async () => {
    const states = await Promise.all(cluster.running().map((index) => cluster.status(index)));
    return states.every((status) => status.partitions_catching_up === 0);
  });
  const tally = await load.stop();
  expect(tally.acknowledged).toBeGreaterThan(0);
  expect(load.garbage).toEqual([]);
  await untilAgreed(cluster, 60_000);

  const owned = await Promise.all(
    cluster.running().map(async (index) => (await cluster.status(index)).partitions_owned),
  );
  expect(owned.reduce<number>((sum, count) => sum + Number(count), 0)).toBe(256 * OWNERS);
  for (const count of owned) expect(Number(count)).toBeGreaterThan(256 / 4);

  expect(await client.getMany(keys)).toEqual(keys.map((key) => `value of ${key}`));
  const values = await client.getMany<string>(load.histories.map((history) => history.key));
  const wrong = load.histories.flatMap((history, index) => {
    const found = withoutPadding(values[index]);
    return history.judge(found) === 'right' ? [] : [history.describe(found)];
  });
  expect(wrong).toEqual([]);
  await client.close();
}, 120_000);
