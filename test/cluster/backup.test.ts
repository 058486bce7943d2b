/**
 * Backup and restore with real processes: three nodes that are written to while they are backed up, restored into one node and
 * into five; a backup that is killed and goes on; damage that is found.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProbeReply } from '../../cluster/probe.js';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, removeDirectory, run, startCluster, temporaryDirectory, until } from './harness.js';

const SMALL = ['--max-memory', '64mb'];
const directory = temporaryDirectory();
const file = join(directory, 'backup');
let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3, SMALL);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  removeDirectory(directory);
});

const portOf = (of: TemporaryCluster, at = 0): number => of.nodes[at].port;
const keysOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}:${at}`);

/** Runs a verb to its end: exit code and what it said. */
async function verb(...words: string[]): Promise<{ code: number | NodeJS.Signals; text: string }> {
  const process = run(words);
  const code = await process.ended;
  return { code, text: process.lines.join('\n') };
}

async function summaryOf(...words: string[]): Promise<Record<string, number>> {
  const { code, text } = await verb(...words, '--json');
  expect(code, text).toBe(0);
  return JSON.parse(text.split('\n').find((line) => line.startsWith('{')) ?? '{}');
}

/** Value and absolute expiry of every key, as one node answers. */
async function contents(port: number, keys: readonly string[]): Promise<ProbeReply[]> {
  return ask(
    port,
    ...keys.flatMap((key) => [
      ['GET', key],
      ['PEXPIRETIME', key],
    ]),
  );
}

test('a cluster under writes is backed up, and restored into one node and into five with every value, expiry and delete', async () => {
  const port = portOf(cluster);
  const kept = keysOf('kept', 1500);
  const lasting = keysOf('lasting', 300);
  const deleted = keysOf('deleted', 300);
  const counters = keysOf('counter', 50);
  await ask(port, ...kept.map((key, at) => ['SET', key, `value ${at} ${'x'.repeat(at % 300)}`]));
  await ask(port, ...lasting.map((key, at) => ['SET', key, 'v', 'EX', String(3600 + at)]));
  await ask(port, ...lasting.slice(0, 50).map((key) => ['PERSIST', key]));
  await ask(port, ...deleted.map((key) => ['SET', key, 'to be deleted']));
  await ask(port, ...deleted.map((key) => ['DEL', key]));
  const floor = new Map<string, number>();
  let number = 0;
  let writing = true;
  const writer = (async () => {
    while (writing) {
      number++;
      await ask(portOf(cluster, number % 3), ...counters.map((key) => ['SET', key, String(number)]));
    }
  })();
  await until('the writer is at work', 20_000, () => number > 2);
  for (const key of counters) floor.set(key, number - 2);
  const summary = await summaryOf('backup', file, '--port', String(portOf(cluster, 1)), '--rate', '0').finally(() => {
    writing = false;
  });
  await writer;
  expect(summary.keys).toBeGreaterThanOrEqual(kept.length + lasting.length + counters.length);
  expect(summary.tombstones).toBeGreaterThanOrEqual(deleted.length);
  expect(await summaryOf('backup', '--verify', file)).toMatchObject({ keys: summary.keys, changes: summary.changes });
  const steady = [...kept, ...lasting, ...deleted];
  const expected = await contents(port, steady);
  expect(expected.filter((reply) => reply === null)).toHaveLength(deleted.length);

  for (const nodes of [1, 5]) {
    const flags = nodes === 1 ? ['--partitions', '16', '--replicas', '1'] : ['--replicas', '2'];
    const target = await startCluster(nodes, [...SMALL, ...flags]);
    try {
      const targetPort = portOf(target);
      const words = ['restore', file, '--port', String(targetPort), '--rate', '0'];
      // What the cluster has newer stays.
      await ask(targetPort, ['SET', kept[0], 'written after the backup']);
      const restored = await summaryOf(...words);
      expect(restored).toMatchObject({ refused: 0, expired: 0, flushedBefore: 0 });
      expect(restored.applied + restored.present).toBe(restored.records);
      expect(await ask(targetPort, ['GET', kept[0]])).toEqual(['written after the backup']);
      for (let at = 0; at < nodes; at++) {
        await until(`node ${at} of ${nodes} answers as the source does`, 20_000, async () => {
          const found = await contents(portOf(target, at), steady);
          return JSON.stringify(found.slice(2)) === JSON.stringify(expected.slice(2));
        });
      }
      const counted = await ask(targetPort, ...counters.map((key) => ['GET', key]));
      for (const [at, key] of counters.entries()) {
        expect(Number(counted[at]), key).toBeGreaterThanOrEqual(floor.get(key) ?? 0);
        expect(Number(counted[at]), key).toBeLessThanOrEqual(number);
      }
      expect(await summaryOf(...words)).toMatchObject({ applied: 0, refused: 0, present: restored.records });
    } finally {
      await target.stop();
    }
  }
}, 120_000);

test('a restore over older data deletes what the backup knows as deleted', async () => {
  const port = portOf(cluster);
  const target = await startCluster(1, [...SMALL, '--replicas', '1']);
  try {
    await ask(portOf(target), ['SET', 'stale', 'old']);
    await ask(port, ['SET', 'stale', 'newer'], ['DEL', 'stale']);
    await summaryOf('backup', join(directory, 'deletes'), '--port', String(port), '--rate', '0');
    await summaryOf('restore', join(directory, 'deletes'), '--port', String(portOf(target)));
    expect(await ask(portOf(target), ['GET', 'stale'])).toEqual([null]);
    await ask(portOf(target), ['FLUSHALL']);
    const refused = await verb('restore', join(directory, 'deletes'), '--port', String(portOf(target)));
    expect(refused.code).toBe(3);
    expect(refused.text).toContain('older than a FLUSHALL of this cluster');
  } finally {
    await target.stop();
  }
}, 60_000);

test('a backup that is killed goes on where it was, and a node that dies is replaced by another owner', async () => {
  const path = join(directory, 'killed');
  const port = portOf(cluster);
  const keys = keysOf('bulk', 400);
  await ask(port, ...keys.map((key) => ['SET', key, key.repeat(400)]));
  const slow = run(['backup', path, '--port', String(port), '--rate', '200kb']);
  await until('some of the file is there', 20_000, () => sizeOf(`${path}.part`) > 100_000);
  expect(await slow.kill('SIGKILL')).toBe('SIGKILL');
  const before = sizeOf(`${path}.part`);
  expect(sizeOf(path)).toBe(0);
  await ask(port, ['SET', 'written-between', 'yes'], ['DEL', keys[0]]);
  await cluster.kill(2);
  const { code, text } = await verb('backup', path, '--port', String(port), '--rate', '0');
  expect(code, text).toBe(0);
  expect(text).toContain(`going on with ${path}.part`);
  // What the first run has copied is not copied again, though it was written moments before: one was written since, one deleted.
  expect(Number(/, (\d[\d,]*) later change/.exec(text)?.[1].replaceAll(',', ''))).toBeLessThanOrEqual(2);
  expect(sizeOf(path)).toBeGreaterThan(before);
  const target = await startCluster(1, [...SMALL, '--replicas', '1']);
  try {
    const targetPort = portOf(target);
    await summaryOf('restore', path, '--port', String(targetPort));
    const found = await ask(targetPort, ['GET', 'written-between'], ...keys.map((key) => ['GET', key]));
    expect(found).toEqual(['yes', null, ...keys.slice(1).map((key) => key.repeat(400))]);
  } finally {
    await target.stop();
    cluster.start(2);
  }
}, 120_000);

test('a damaged file is refused by its byte before anything is sent, and so is one that is cut or newer', async () => {
  const whole = readFileSync(file);
  const path = join(directory, 'damaged');
  const port = String(portOf(cluster));
  const cases: [Buffer, RegExp, number][] = [
    [
      Buffer.concat([whole.subarray(0, -200), Buffer.from([whole[whole.length - 200] ^ 4]), whole.subarray(-199)]),
      /damaged at byte \d+/,
      3,
    ],
    [whole.subarray(0, -1), /ends at byte \d+/, 3],
    [Buffer.concat([whole, Buffer.alloc(8)]), /8 bytes too many, from byte \d+/, 3],
    [Buffer.concat([whole.subarray(0, 4), Buffer.from([9]), whole.subarray(5)]), /format 9 is not known here/, 1],
  ];
  for (const [bytes, why, verified] of cases) {
    writeFileSync(path, bytes);
    for (const [words, expected] of [
      [['backup', '--verify', path], verified],
      [['restore', path, '--port', port], 1],
    ] as const) {
      const { code, text } = await verb(...words);
      expect(code).toBe(expected);
      expect(text).toMatch(why);
    }
  }
  const { code, text } = await verb('restore', join(directory, 'nowhere'), '--port', port);
  expect(code).toBe(1);
  expect(text).toContain('there is no such file');
}, 60_000);

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
