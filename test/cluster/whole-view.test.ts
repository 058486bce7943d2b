/** Two nodes, one owner a partition, topology `off`: each answers for the whole cluster though it holds half of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, startCluster } from './harness.js';

const KEYS = Array.from({ length: 300 }, (_, at) => `whole:${at}`);
let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(2, ['--replicas', '1', '--cluster-topology', 'off']);
}, 60_000);
afterAll(() => cluster?.stop());

const port = (index: number): number => cluster.nodes[index].port;

test('DBSIZE, KEYS and SCAN speak of all keys, through either node', async () => {
  await ask(port(0), ...KEYS.map((key) => ['SET', key, 'v']));
  for (const index of [0, 1]) {
    const [size, keys] = await ask(port(index), ['DBSIZE'], ['KEYS', 'whole:*']);
    expect(size).toBe(KEYS.length);
    expect((keys as string[]).sort()).toEqual([...KEYS].sort());
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [reply] = await ask(port(index), ['SCAN', cursor, 'COUNT', '50']);
      const [next, page] = reply as [string, string[]];
      for (const key of page) found.add(key);
      cursor = next;
    } while (cursor !== '0');
    expect(found.size).toBe(KEYS.length);
  }
});

test('WAIT counts nobody where a partition has one owner', async () => {
  for (const key of KEYS.slice(0, 10)) {
    expect(await ask(port(0), ['SET', key, 'w'], ['WAIT', '1', '50'])).toEqual(['OK', 0]);
  }
});
