/** The client's sessions and receipts against real nodes: what was written is read through the others when its node is killed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { createClient } from '../../src/index.js';
import { startCluster } from './harness.js';

const KEYS = 50;
let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(4);
}, 60_000);

afterAll(() => cluster?.stop());

test('a receipt says how many owners a write at quorum rests on', async () => {
  const client = createClient({ servers: cluster.servers, requestTimeout: '5s' });
  const { receipt } = await client.set('a', 1, { receipt: true, consistency: 'quorum' });
  expect(receipt).toMatchObject({ level: 'quorum', met: true, fallbacks: 0 });
  expect(receipt.owners).toBeGreaterThanOrEqual(2);
  const read = await client.get('a', { receipt: true, consistency: 'all' });
  expect(read).toMatchObject({ value: 1, receipt: { level: 'all', met: true, owners: 3, version: receipt.version } });
  await client.close();
});

test('a session reads what it wrote through the nodes that are left, in another client, after its node was killed', async () => {
  const writer = createClient({ servers: cluster.servers, requestTimeout: '5s' });
  const session = writer.session();
  const keys = Array.from({ length: KEYS }, (_, index) => `k:${index}`);
  for (const key of keys) await session.set(key, `${key}=1`);
  await Promise.all(keys.map((key) => session.set(key, `${key}=2`)));
  const { token } = session;
  await writer.close({ drain: false });
  const reader = createClient({ servers: cluster.servers, requestTimeout: '10s' });
  const later = reader.session(token);
  const killed = cluster.kill(0);
  const values = await Promise.all(keys.map((key) => later.get(key)));
  expect(values).toEqual(keys.map((key) => `${key}=2`));
  await killed;
  expect(await later.increment('n')).toBe(1);
  expect(await later.get('n')).toBe(1);
  await reader.close();
}, 60_000);
