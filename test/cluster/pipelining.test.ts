/** Commands of one connection take effect in the order they were sent, wherever each of them runs. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, startCluster } from './harness.js';

let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 60_000);

afterAll(() => cluster?.stop());

const port = (index: number): number => cluster.nodes[index].port;
const keysOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}:${at}`);

test('a lock taken and released in one pipeline is free, whoever owns its key', async () => {
  const keys = keysOf('lock', 200);
  const replies = await ask(
    port(0),
    ...keys.flatMap((key) => [
      ['SET', key, 'mine', 'NX'],
      ['DEL', key],
    ]),
  );
  expect(replies).toEqual(keys.flatMap(() => ['OK', 1]));
  for (const index of [0, 1, 2]) {
    const left = await ask(port(index), ['HEARSAY.CONSISTENCY', 'READ', 'all'], ...keys.map((key) => ['EXISTS', key]));
    expect(left.slice(1)).toEqual(keys.map(() => 0));
  }
});

test('a counter counts without a gap, and a read behind it sees what it counted', async () => {
  for (const [index, key] of keysOf('counter', 6).entries()) {
    const node = port(index % 3);
    const replies = await ask(
      node,
      ...Array.from({ length: 50 }, () => [
        ['INCR', key],
        ['GET', key],
      ]).flat(),
    );
    expect(replies).toEqual(Array.from({ length: 50 }, (_, at) => [at + 1, `${at + 1}`]).flat());
  }
});

test('a flush takes what came before it and leaves what came after', async () => {
  const keys = keysOf('around', 100);
  const replies = await ask(
    port(1),
    ...keys.map((key) => ['SET', key, 'before', 'NX']),
    ['FLUSHALL'],
    ...keys.map((key) => ['SET', `${key}.after`, 'after', 'NX']),
    ['HEARSAY.CONSISTENCY', 'READ', 'all'],
    ...keys.map((key) => ['EXISTS', key]),
    ...keys.map((key) => ['EXISTS', `${key}.after`]),
  );
  expect(replies.slice(0, 201)).toEqual(Array.from({ length: 201 }, () => 'OK'));
  expect(replies.slice(202)).toEqual([...keys.map(() => 0), ...keys.map(() => 1)]);
});

test('WAIT counts the peers that have what was written before it, through whichever node it went', async () => {
  for (const key of keysOf('waited', 6)) {
    const replies = await ask(
      port(2),
      ['SET', key, 'v', 'NX'],
      ['WAIT', '2', '2000'],
      ['SET', key, 'w'],
      ['WAIT', '2', '2000'],
    );
    expect(replies).toEqual(['OK', 2, 'OK', 2]);
  }
});

test('a command that changes nothing answers at once at level quorum', async () => {
  const replies = await ask(
    port(0),
    ['HEARSAY.CONSISTENCY', 'WRITE', 'quorum'],
    ['DEL', 'nobody'],
    ['SET', 'nobody', 'v', 'XX'],
  );
  expect(replies.slice(1)).toEqual([0, null]);
});
