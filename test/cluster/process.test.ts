/** One process, as its operator sees it: how it stops, what it refuses to start with, and what it says then. */

import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePorts } from '../../cluster/free-ports.js';
import {
  ask,
  type CommandProcess,
  HOST,
  removeDirectory,
  run,
  startNode,
  statusOf,
  temporaryDirectory,
} from './harness.js';

const started: CommandProcess[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((node) => (node.child.exitCode === null ? node.kill('SIGKILL') : null)));
  for (const directory of directories.splice(0)) removeDirectory(directory);
});

async function node(port: number, data: string, flags: readonly string[] = []): Promise<CommandProcess> {
  const process = await startNode(port, data, flags);
  started.push(process);
  return process;
}

function directory(): string {
  const path = temporaryDirectory();
  directories.push(path);
  return path;
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s stops a node in order: exit code 0, and its data is back',
  async (signal) => {
    const port = await freePorts(HOST, 2);
    const data = directory();
    const first = await node(port, data);
    expect(await ask(port, ['SET', 'k', 'v'])).toEqual(['OK']);
    expect(await first.kill(signal)).toBe(0);
    await node(port, data);
    expect(await ask(port, ['GET', 'k'])).toEqual(['v']);
    expect((await statusOf(port)).boot).toBe(2);
  },
);

test('a node whose standard input ends stops in order when asked to', async () => {
  const first = await node(await freePorts(HOST, 2), directory());
  first.child.stdin?.end();
  expect(await first.ended).toBe(0);
});

test('a second process on one data directory is refused with one line', async () => {
  const port = await freePorts(HOST, 4);
  const data = directory();
  await node(port, data);
  const second = run(['serve', '--port', String(port + 2), '--gossip-port', String(port + 3), '--data', data]);
  expect(await second.ended).toBe(1);
  expect(second.lines).toHaveLength(1);
  expect(second.lines[0]).toMatch(/data directory .* is in use by another process \(pid \d+\)/);
  expect(await ask(port, ['PING'])).toEqual(['PONG']);
});

test.each([
  ['RESP', 0],
  ['gossip', 1],
])('a taken %s port is refused with one line, and the directory is free again', async (_kind, offset) => {
  const port = await freePorts(HOST, 2);
  const taker = createServer().listen({ host: HOST, port: port + offset });
  const data = directory();
  const refused = run(['serve', '--port', String(port), '--gossip-port', String(port + 1), '--data', data]);
  expect(await refused.ended).toBe(1);
  expect(refused.lines).toHaveLength(1);
  expect(refused.lines[0]).toContain(String(port + offset));
  await new Promise((resolve) => taker.close(resolve));
  await node(port, data);
});

test('wrong settings are refused all at once, with exit code 2', async () => {
  const refused = run(['serve', '--port', '70000', '--durability', 'sometimes', '--replicas', '0']);
  expect(await refused.ended).toBe(2);
  for (const name of ['port', 'durability', 'replicas']) expect(refused.lines.join('\n')).toContain(name);
});

test('a local cluster takes --nodes, --port, --data and --fresh, and stops by SIGINT', async () => {
  const port = await freePorts(HOST, 2);
  const data = directory();
  const words = ['cluster', '--nodes', '2', '--port', String(port), '--data', data];
  const start = async (flags: readonly string[]): Promise<CommandProcess> => {
    const cluster = run([...words, ...flags]);
    started.push(cluster);
    await cluster.line(/^cluster ready: 2 nodes$/);
    return cluster;
  };
  const first = await start([]);
  expect(await ask(port, ['SET', 'k', 'v'])).toEqual(['OK']);
  expect(await first.kill('SIGINT')).toBe(0);
  const second = await start([]);
  expect(await ask(port + 1, ['GET', 'k'])).toEqual(['v']);
  const third = run(words);
  expect(await third.ended).toBe(1);
  expect(third.lines).toHaveLength(1);
  expect(third.lines[0]).toContain(`port ${port} is in use`);
  expect(await second.kill('SIGTERM')).toBe(0);
  const fresh = await start(['--fresh']);
  expect(await ask(port, ['GET', 'k'])).toEqual([null]);
  expect(await fresh.kill('SIGINT')).toBe(0);
  expect(existsSync(join(data, 'node-1'))).toBe(true);
}, 60_000);

test('a node that is refused, and one whose contact point has no address, say so and do not claim to have joined', async () => {
  const first = await freePorts(HOST, 2);
  await node(first, directory());
  const second = await freePorts(HOST, 2);
  const refused = await node(second, directory(), ['--replicas', '2', '--join', `${HOST}:${first + 1}`]);
  await refused.line(/refused by .*replicas 2 here, .*replicas 3 there/);
  const [reply] = await ask(second, ['SET', 'k', 'v']);
  expect(String(reply)).toMatch(/LOADING refused by .*replicas 2 here/);
  expect(await statusOf(second)).toMatchObject({ ready: 0, joined: 0, serves_alone: 0 });

  const third = await freePorts(HOST, 2);
  const alone = await node(third, directory(), ['--join', 'no-such-host.invalid:17379']);
  await alone.line(/no-such-host\.invalid.*the name of a contact point does not resolve/);
  await alone.line(/serves alone: none of its contact points answered: no-such-host\.invalid:17379/);
  expect(await ask(third, ['SET', 'k', 'v'])).toEqual(['OK']);
  expect(await statusOf(third)).toMatchObject({ ready: 1, joined: 0, serves_alone: 1 });
}, 60_000);
