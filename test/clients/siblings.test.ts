/** Siblings and HyperLogLogs through everyday clients against three real nodes: commands they have no method for go through `call`. */
import { Redis } from 'ioredis';
import { createClient as createRedis } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { createClient } from '../../src/index.js';
import { HOST, startCluster } from '../cluster/harness.js';

let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 60_000);
afterAll(() => cluster?.stop());

test('ioredis reads and writes siblings by call, and counts with its own methods', async () => {
  const client = new Redis({ host: HOST, port: cluster.nodes[0].port });
  expect(await client.call('CGET', 'io')).toEqual(['']);
  expect(await client.call('CPUT', 'io', '', 'one')).toEqual(expect.stringMatching(/^[\w-]+$/));
  expect(await client.call('CPUT', 'io', '', 'two')).toBeNull();
  const [context, ...values] = (await client.call('CGET', 'io')) as string[];
  expect(values.sort()).toEqual(['one', 'two']);
  await client.call('CPUT', 'io', context, 'both', 'EX', '100');
  expect(await client.get('io')).toBe('both');
  expect(await client.type('io')).toBe('siblings');
  await expect(client.call('CPUT', 'other', context, 'v')).rejects.toThrow(
    /^CONTEXT this context belongs to another key/,
  );
  expect(await client.pfadd('io:h', 'a', 'b', 'c')).toBe(1);
  expect(await client.pfadd('io:g', 'c', 'd')).toBe(1);
  expect(await client.pfcount('io:h', 'io:g')).toBe(4);
  expect(await client.pfmerge('io:all', 'io:h', 'io:g')).toBe('OK');
  expect(await client.pfcount('io:all')).toBe(4);
  client.disconnect();
});

test('node-redis reads and writes siblings by sendCommand, and counts with its own methods', async () => {
  const client = createRedis({ url: `redis://${HOST}:${cluster.nodes[1].port}`, RESP: 3 });
  await client.connect();
  const context = await client.sendCommand(['CPUT', 'node', '', 'one']);
  expect(await client.sendCommand(['CDEL', 'node', String(context)])).toBe(1);
  expect(await client.sendCommand(['CGET', 'node'])).toEqual(['']);
  expect(await client.pfAdd('node:h', ['a', 'b'])).toBe(1);
  expect(await client.pfMerge('node:all', ['node:h', 'io:h'])).toBe('OK');
  expect(await client.pfCount(['node:all', 'node:h'])).toBe(3);
  expect(Number(await client.sendCommand(['HEARSAY.DISTINCT']))).toBeGreaterThan(3);
  await client.close();
});

test('the client of its own settles what two writers wrote without seeing each other', async () => {
  const servers = cluster.nodes.map(({ port }) => `${HOST}:${port}`);
  const [left, right] = [createClient({ servers }), createClient({ servers })];
  await Promise.all([left.cput('cart', ['apple']), right.cput('cart', ['pear'])]);
  const { values, context } = await left.cget<string[]>('cart', { consistency: 'quorum' });
  expect(values.flat().sort()).toEqual(['apple', 'pear']);
  expect(await left.cput('cart', values.flat(), { context })).toBeDefined();
  const settled = await right.cget<string[]>('cart', { consistency: 'all' });
  expect(settled.values.length).toBe(1);
  expect(await right.cdel('cart', settled.context)).toBe(1);
  expect((await left.cget('cart')).values).toEqual([]);
  await Promise.all([left.close(), right.close()]);
});
