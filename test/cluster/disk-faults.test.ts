/**
 * Faults of the disk on a real process, by HEARSAY.FAULT DISK: what a node refuses, what it keeps doing, and how it goes on.
 * Guarded: whatever was acknowledged is there after a kill and a start without faults.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { freePorts } from '../../cluster/free-ports.js';
import { recordOf } from '../../cluster/probe.js';
import {
  ask,
  type CommandProcess,
  HOST,
  removeDirectory,
  startNode,
  statusOf,
  temporaryDirectory,
  until,
} from './harness.js';

interface Stage {
  port: number;
  node: CommandProcess;
  fault(words: string): Promise<unknown>;
  /** Kills the node and starts it again on the same directory, without faults. */
  again(): Promise<void>;
}

const directories: string[] = [];
const nodes: CommandProcess[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill('SIGKILL');
  for (const directory of directories.splice(0)) removeDirectory(directory);
});

async function begin(durability: 'interval' | 'always'): Promise<Stage> {
  const port = await freePorts(HOST, 2);
  const directory = temporaryDirectory();
  directories.push(directory);
  const flags = ['--durability', durability];
  const start = async (more: string[]): Promise<CommandProcess> => {
    const node = await startNode(port, directory, [...flags, ...more]);
    nodes.push(node);
    await until('it answers', 15_000, async () => (await ask(port, ['GET', 'nothing']))[0] === null);
    return node;
  };
  const node = await start(['--enable-fault-injection']);
  return {
    port,
    node,
    fault: async (words) => (await ask(port, ['HEARSAY.FAULT', ...words.split(' ')]))[0],
    again: async () => {
      await node.kill('SIGKILL');
      await start([]);
    },
  };
}

async function logOf(port: number): Promise<Record<string, unknown>> {
  const { log } = await statusOf(port);
  return recordOf((log as unknown[])[0] as never) ?? {};
}

test.each(['interval', 'always'] as const)(
  'under %s a disk without room refuses writes by name, keeps reads, and goes on by itself when there is room',
  async (durability) => {
    const { port, fault, again } = await begin(durability);
    expect(await ask(port, ['SET', 'before', 'v'])).toEqual(['OK']);
    expect(await fault('DISK FULL')).toEqual(['OK']);
    expect(await fault('LIST')).toEqual(['DISK FULL']);
    // The first write is already applied when the disk refuses its batch: its outcome is open until there is room, and so it is told.
    const open = ask(port, ['SET', 'open', 'v'], ['PING'], ['EXISTS', 'open'], ['GET']);
    await until('refused', 10_000, async () => (await statusOf(port)).log_refusal === 'NOSPACE');
    const [refusal, value] = await ask(port, ['SET', 'refused', 'v'], ['GET', 'before']);
    expect(String(refusal)).toMatch(/NOSPACE/);
    expect(value).toBe('v');
    const outcome =
      /UNAVAILABLE the log does not take this write \(NOSPACE\): it may or may not be there after a restart/;
    const told = (await open).map(String);
    for (const answer of told.slice(0, 3)) expect(answer).toMatch(outcome);
    expect(told[3]).toMatch(/wrong number of arguments/);
    expect((await ask(port, ['INFO']))[0]).toMatch(/hearsay_stuck_log_refusals:3\b/);
    expect(await fault('CLEAR')).toEqual(['OK']);
    expect(await fault('LIST')).toEqual([]);
    await until('a write is taken again', 15_000, async () => (await ask(port, ['SET', 'after', 'v']))[0] === 'OK');
    await again();
    expect(await ask(port, ['MGET', 'before', 'open', 'refused', 'after'])).toEqual([['v', 'v', null, 'v']]);
  },
  60_000,
);

describe('a disk that fails', () => {
  test('once is survived: what it may have lost is written elsewhere, and nobody notices', async () => {
    const { port, fault, again } = await begin('always');
    await fault('DISK EIO ON 1');
    expect(await ask(port, ['SET', 'k', 'v'])).toEqual(['OK']);
    expect(await logOf(port)).toMatchObject({ syncsFailed: 1 });
    expect((await statusOf(port)).log_refusal).toBe('');
    await again();
    expect(await ask(port, ['GET', 'k'])).toEqual(['v']);
  }, 60_000);

  test('for good ends the log by name: who waits is let go, writes are refused, reads go on, and a start takes writes', async () => {
    const { port, fault, node, again } = await begin('always');
    expect(await ask(port, ['SET', 'before', 'v'])).toEqual(['OK']);
    await fault('DISK EIO');
    expect(String((await ask(port, ['SET', 'open', 'v']))[0])).toMatch(/UNAVAILABLE the log does not take.*DISKFAILED/);
    expect((await ask(port, ['INFO']))[0]).toMatch(/hearsay_stuck_log_refusals:1\b/);
    expect((await statusOf(port)).log_refusal).toBe('DISKFAILED');
    expect(node.lines.some((line) => line.includes('log failed'))).toBe(true);
    await fault('DISK CLEAR');
    const [refusal, value] = await ask(port, ['SET', 'refused', 'v'], ['GET', 'before']);
    expect(String(refusal)).toMatch(/DISKFAILED/);
    expect(value).toBe('v');
    await again();
    expect(await ask(port, ['MGET', 'before', 'refused'], ['SET', 'refused', 'w'])).toEqual([['v', null], 'OK']);
  }, 60_000);
});

test('a slow disk shows in the status, and holds up what waits for it and nothing else', async () => {
  const { port, fault } = await begin('always');
  await fault('DISK SLOW 1500');
  let answered = false;
  const write = ask(port, ['SET', 'k', 'v']).then((replies) => {
    answered = true;
    return replies;
  });
  await until('the sync is seen to wait', 10_000, async () => Number((await logOf(port)).syncWaitedMs) > 0);
  expect(await ask(port, ['GET', 'k'])).toEqual(['v']);
  expect(answered).toBe(false);
  expect(await write).toEqual(['OK']);
  await fault('DISK CLEAR');
  const hasShown = async (): Promise<boolean> => Number((await logOf(port)).syncTookMsMax) >= 1_400;
  await until('the status tells how long it took', 10_000, hasShown);
}, 60_000);
