/**
 * The loss of most nodes, and of all: two of three are killed and the survivor answers at level one; then the third is
 * killed too, all start again with the flags they had, and everything that was acknowledged is back.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untilAgreed } from '../../cluster/agreement.js';
import { DirectReader } from '../../cluster/direct-reader.js';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { createClient } from '../../src/index.js';
import { ask, HOST, startCluster, until } from './harness.js';

const KEYS = 3000;
const QUORUM = ['HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM'];

describe.each(['interval', 'always'])('with durability %s', (durability) => {
  let cluster: TemporaryCluster;
  const expected = new Map<string, string>();

  beforeAll(async () => {
    cluster = await startCluster(3, ['--durability', durability]);
  }, 60_000);

  afterAll(() => cluster?.stop());

  test('two of three killed: the survivor reads and writes at level one, and says NOQUORUM at quorum', async () => {
    const client = createClient({ servers: cluster.servers, consistency: 'quorum', requestTimeout: '5s' });
    const keys = Array.from({ length: KEYS }, (_, index) => `k:${index}`);
    await client.setMany(keys.map((key) => ({ key, value: `${key}=1` })));
    for (const key of keys) expected.set(key, `${key}=1`);
    await client.close();
    await Promise.all([cluster.kill(0), cluster.kill(2)]);

    const { port } = cluster.nodes[1];
    // A write at level one is acknowledged at once, before anybody was found dead.
    expect(await ask(port, ['SET', 'k:0', 'k:0=2'], ['GET', 'k:0'])).toEqual(['OK', 'k:0=2']);
    const reader = await DirectReader.open(HOST, port);
    const values = await reader.values(keys);
    reader.close();
    expected.set('k:0', 'k:0=2');
    expect(values).toEqual([...expected.values()]);

    await until('a write at quorum is refused', 30_000, async () => {
      const [, reply] = await ask(port, QUORUM, ['SET', 'refused', 'v']);
      return reply instanceof Error && reply.message.startsWith('NOQUORUM');
    });
    const writes = keys.slice(1, 500).map((key) => ['SET', key, `${key}=2`]);
    expect(new Set(await ask(port, ...writes))).toEqual(new Set(['OK']));
    for (const key of keys.slice(1, 500)) expected.set(key, `${key}=2`);
  }, 60_000);

  test('all killed and started again: everything acknowledged is back on every node', async () => {
    await cluster.kill(1);
    for (const index of cluster.nodes.keys()) cluster.start(index);
    await cluster.untilReady();
    await untilAgreed(cluster, 60_000);
    for (const { port } of cluster.nodes) {
      const reader = await DirectReader.open(HOST, port);
      expect(await reader.values([...expected.keys()])).toEqual([...expected.values()]);
      reader.close();
    }
  }, 90_000);
});
