/** redis-cli and redis-benchmark, as Debian ships them, against three real nodes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { startCluster } from '../cluster/harness.js';

const execute = promisify(execFile);
let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 60_000);
afterAll(() => cluster?.stop());

async function cli(node: number, ...words: string[]): Promise<string> {
  const { stdout } = await execute('redis-cli', ['-p', String(cluster.nodes[node].port), ...words]);
  return stdout.trimEnd();
}

test('redis-cli reads on one node what it wrote on another', async () => {
  expect(await cli(0, 'set', 'k', 'v')).toBe('OK');
  await cluster.until('the write has spread', 5000, async () => (await cli(1, 'get', 'k')) === 'v');
  await cluster.until('the write has spread', 5000, async () => (await cli(2, 'get', 'k')) === 'v');
  expect(await cli(2, '-3', 'get', 'k')).toBe('v');
});

test('redis-cli -c never meets a redirection, and multi-key commands cross slots', async () => {
  expect(await cli(0, '-c', 'mset', 'a', '1', 'b', '2', 'c', '3')).toBe('OK');
  expect((await cli(0, '-c', 'mget', 'a', 'b', 'c')).split('\n')).toEqual(['1', '2', '3']);
  expect(await cli(0, '-c', 'del', 'a', 'b', 'c', 'none')).toBe('3');
});

test('redis-cli --scan lists every key once over all nodes', async () => {
  await cli(0, 'mset', ...Array.from({ length: 60 }, (_, index) => [`scan:${index}`, 'v']).flat());
  await cluster.until('all keys are listed once', 5000, async () => {
    const lists = await Promise.all(cluster.nodes.map((_, node) => cli(node, '--scan', '--pattern', 'scan:*')));
    const keys = lists.flatMap((list) => list.split('\n')).filter((key) => key !== '');
    return keys.length === 60 && new Set(keys).size === 60;
  });
  expect(await cli(0, 'cluster', 'info')).toContain('cluster_state:ok');
});

test.each(['1', '16'])('redis-benchmark runs without an error, pipeline %s', async (pipeline) => {
  const { port } = cluster.nodes[0];
  const words = ['-p', String(port), '-q', '-n', '5000', '-r', '1000', '-P', pipeline, '-t', 'ping,set,get,incr,mset'];
  const { stdout, stderr } = await execute('redis-benchmark', words);
  for (const name of ['PING_INLINE', 'SET', 'GET', 'INCR', 'MSET']) {
    expect(stdout).toMatch(new RegExp(`${name}[^:]*: [\\d.]+ requests per second`));
  }
  expect(`${stdout}${stderr}`).not.toMatch(/error/i);
});
