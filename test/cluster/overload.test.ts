/** A flood beyond what may wait for other nodes, with real processes: BUSY by name, memory within bounds, and all is well afterwards. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TemporaryCluster } from '../../cluster/temporary.js';
import { createClient } from '../../src/index.js';
import { ask, SERVE, statusOf, until } from './harness.js';

const PENDING_PER_PEER_MAX = 500;
const PENDING_MAX = 800;
const FLOOD = 20_000;
const VALUE = 'v'.repeat(1000);
const MIB = 1024 * 1024;
const LEVELS = ['HEARSAY.CONSISTENCY', 'READ', 'ALL', 'WRITE', 'ALL'];

let cluster: TemporaryCluster;

beforeAll(async () => {
  const settings = { pendingMax: PENDING_MAX, pendingPerPeerMax: PENDING_PER_PEER_MAX, operationTimeoutMs: 2000 };
  cluster = await TemporaryCluster.start({ nodes: 3, command: SERVE, settings }, () => {});
}, 60_000);

afterAll(() => cluster?.stop());

test('a flood of writes at level all, while the other nodes stand still, is BUSY past the bound and leaves nothing behind', async () => {
  const { port } = cluster.nodes[0];
  await ask(port, LEVELS, ...Array.from({ length: 100 }, (_, at) => ['SET', `warm:${at}`, VALUE]));
  const before = await statusOf(port);
  for (const node of [1, 2]) cluster.nodes[node].process?.kill('SIGSTOP');
  const replies = await ask(
    port,
    LEVELS,
    ...Array.from({ length: FLOOD }, (_, at) => ['SET', `k:${at % 1000}`, VALUE]),
  ).finally(() => {
    for (const node of [1, 2]) cluster.nodes[node].process?.kill('SIGCONT');
  });
  const errors = replies.filter((reply) => reply instanceof Error).map(({ message }) => message);
  const busy = errors.filter((text) => text.startsWith('BUSY'));
  expect(busy.length).toBeGreaterThan(PENDING_MAX);
  // Those that could wait ran out of time, as do later ones once the others are suspected.
  expect(errors.filter((text) => !/^(?:BUSY|NOQUORUM) /.test(text))).toEqual([]);
  expect(busy[0]).toMatch(/operations wait for .*try again later, or at level one/);

  const after = await statusOf(port);
  expect(after.pending_most).toBeLessThanOrEqual(PENDING_MAX);
  expect(Number(after.rss_bytes) - Number(before.rss_bytes)).toBeLessThan(64 * MIB);
  await until('nothing waits any more', 20_000, async () => (await statusOf(port)).pending === 0);

  // Level all refuses at once while anybody is suspected, as those that stood still may be.
  for (const node of cluster.nodes) {
    await until('all reach each other', 20_000, async () => (await statusOf(node.port)).members_alive === 3);
  }

  // The client waits for its turn instead of failing.
  const client = createClient({ servers: cluster.servers, consistency: 'all', requestTimeout: '20s' });
  const keys = Array.from({ length: 1500 }, (_, at) => `again:${at}`);
  await Promise.all(keys.map((key) => client.set(key, key)));
  expect(await client.getMany(keys)).toEqual(keys);
  await client.close();
}, 90_000);
