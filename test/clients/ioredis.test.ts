/** ioredis, single and Cluster, against three real nodes: thousands of mixed operations without an error. */
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { HOST, startCluster } from '../cluster/harness.js';
import { type EverydayClient, everyday, writesByNode } from './scenario.js';

let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 60_000);
afterAll(() => cluster?.stop());

function adapt(client: Redis | Cluster): EverydayClient {
  return {
    set: (key, value) => client.set(key, value),
    setFor: (key, value, seconds) => client.set(key, value, 'EX', seconds),
    get: (key) => client.get(key),
    ttl: (key) => client.ttl(key),
    del: (keys) => client.del(...keys),
    incr: (key) => client.incr(key),
    mset: (entries) => client.mset(...entries.flat()),
    mget: (keys) => client.mget(...keys),
    exists: (keys) => client.exists(...keys),
  };
}

test('Redis serves mixed operations through each node alone', async () => {
  for (const { name, port } of cluster.nodes) {
    const client = new Redis({ host: HOST, port });
    await everyday(adapt(client), `ioredis:${name}`);
    client.disconnect();
  }
});

test('Cluster at its defaults serves mixed operations, spread over all nodes', async () => {
  const before = await writesByNode(cluster);
  const client = new Cluster([{ host: HOST, port: cluster.nodes[0].port }]);
  await everyday(adapt(client), 'ioredis:cluster');
  expect(
    client
      .nodes('master')
      .map((node) => node.options.port)
      .sort(),
  ).toEqual(cluster.nodes.map(({ port }) => port));
  client.disconnect();
  const after = await writesByNode(cluster);
  for (const [index, count] of after.entries()) expect(count - before[index]).toBeGreaterThan(100);
});

test('a pipeline of many commands keeps the order of its replies', async () => {
  const client = new Redis({ host: HOST, port: cluster.nodes[1].port });
  const pipeline = client.pipeline();
  for (let index = 0; index < 2000; index++) pipeline.set(`pipeline:${index}`, index).get(`pipeline:${index}`);
  const replies = (await pipeline.exec()) ?? [];
  client.disconnect();
  expect(replies).toEqual(Array.from({ length: 4000 }, (_, at) => [null, at % 2 === 0 ? 'OK' : String((at - 1) / 2)]));
});

test('what one node took the others give', async () => {
  const [first, ...others] = cluster.nodes.map(({ port }) => new Redis({ host: HOST, port }));
  await first.call('HEARSAY.CONSISTENCY', 'WRITE', 'ALL');
  for (let index = 0; index < 100; index++) await first.set(`shared:${index}`, index);
  const keys = Array.from({ length: 100 }, (_, index) => `shared:${index}`);
  for (const other of others) expect(await other.mget(...keys)).toEqual(keys.map((_, index) => String(index)));
  for (const client of [first, ...others]) client.disconnect();
});
