/** node-redis, client and cluster, RESP2 and RESP3, against three real nodes: thousands of mixed operations without an error. */
import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { HOST, startCluster } from '../cluster/harness.js';
import { type EverydayClient, everyday, writesByNode } from './scenario.js';

let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 60_000);
afterAll(() => cluster?.stop());

/** The commands that client and cluster have in common. */
interface RedisCommands {
  set(key: string, value: string, options?: { expiration: { type: 'EX'; value: number } }): Promise<unknown>;
  get(key: string): Promise<unknown>;
  ttl(key: string): Promise<unknown>;
  del(keys: string[]): Promise<unknown>;
  incr(key: string): Promise<unknown>;
  mSet(entries: [string, string][]): Promise<unknown>;
  mGet(keys: string[]): Promise<unknown>;
  exists(keys: string[]): Promise<unknown>;
}

function adapt(client: RedisCommands): EverydayClient {
  return {
    set: (key, value) => client.set(key, value),
    setFor: (key, value, seconds) => client.set(key, value, { expiration: { type: 'EX', value: seconds } }),
    get: (key) => client.get(key) as Promise<string | null>,
    ttl: (key) => client.ttl(key) as Promise<number>,
    del: (keys) => client.del(keys) as Promise<number>,
    incr: (key) => client.incr(key) as Promise<number>,
    mset: (entries) => client.mSet(entries),
    mget: (keys) => client.mGet(keys) as Promise<(string | null)[]>,
    exists: (keys) => client.exists(keys) as Promise<number>,
  };
}

test.each([2, 3] as const)('the client serves mixed operations through each node alone, RESP%i', async (RESP) => {
  for (const { name, port } of cluster.nodes) {
    const client = createClient({ socket: { host: HOST, port }, RESP });
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    await client.connect();
    await everyday(adapt(client as unknown as RedisCommands), `node-redis:${RESP}:${name}`);
    client.destroy();
    expect(errors).toEqual([]);
  }
});

test('the cluster client serves mixed operations, spread over all nodes', async () => {
  const before = await writesByNode(cluster);
  const client = createCluster({ rootNodes: [{ socket: { host: HOST, port: cluster.nodes[2].port } }] });
  const errors: Error[] = [];
  client.on('error', (error) => errors.push(error));
  await client.connect();
  await everyday(adapt(client as unknown as RedisCommands), 'node-redis:cluster');
  client.destroy();
  expect(errors).toEqual([]);
  const after = await writesByNode(cluster);
  for (const [index, count] of after.entries()) expect(count - before[index]).toBeGreaterThan(100);
});
