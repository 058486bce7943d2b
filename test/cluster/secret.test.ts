/**
 * Real nodes with a secret file: they form a cluster, a rotation under load costs no write, and whoever has another secret, or none,
 * never joins and says why.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePorts } from '../../cluster/free-ports.js';
import { TemporaryCluster } from '../../cluster/temporary.js';
import { runVerb } from '../cli/run.js';
import {
  ask,
  type CommandProcess,
  HOST,
  removeDirectory,
  SERVE,
  startNode,
  statusOf,
  temporaryDirectory,
  until,
} from './harness.js';

const LIMIT_MS = 20_000;
const NODES = 3;

const ending: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** A folder with a secret file for each name, all the same. */
async function secretsFor(names: readonly string[]): Promise<string[]> {
  const folder = temporaryDirectory();
  ending.push(() => removeDirectory(folder));
  const paths = names.map((name) => join(folder, name));
  await runVerb(['secret', 'new', paths[0]]);
  for (const path of paths.slice(1)) copyFileSync(paths[0], path);
  return paths;
}

async function secured(paths: readonly string[]): Promise<TemporaryCluster> {
  const flagsOf = (index: number) => ['--secret-file', paths[index]];
  const cluster = await TemporaryCluster.start({ nodes: NODES, command: SERVE, flagsOf }, () => {});
  ending.push(() => cluster.stop());
  return cluster;
}

async function idsIn(path: string): Promise<string[]> {
  return (await runVerb(['secret', 'list', path])).out
    .trim()
    .split('\n')
    .map((line) => line.slice(0, 8));
}

/** The keys that every node has met last from every other. */
async function keysSeen(ports: readonly number[]): Promise<Set<unknown>> {
  const seen = new Set<unknown>();
  for (const port of ports) {
    const { members } = await statusOf(port);
    for (const member of Array.isArray(members) ? members : []) {
      const fields = Array.isArray(member) ? member : [];
      seen.add(fields[fields.indexOf('secret_key') + 1]);
    }
  }
  return seen;
}

test('the keys of three nodes are rotated under load, and no write fails', async () => {
  const paths = await secretsFor(['a', 'b', 'c']);
  const cluster = await secured(paths);
  const ports = cluster.nodes.map((node) => node.port);
  const [oldId] = await idsIn(paths[0]);

  let writing = true;
  let writes = 0;
  const failures: unknown[] = [];
  const load = ports.map(async (port, node) => {
    for (let round = 0; writing; round++) {
      const commands = Array.from({ length: 20 }, (_, at) => ['SET', `key-${node}-${at}`, `round ${round}`]);
      const [, ...replies] = await ask(port, ['HEARSAY.CONSISTENCY', 'WRITE', 'ALL'], ...commands);
      writes += replies.length;
      failures.push(...replies.filter((reply) => reply !== 'OK'));
    }
  });
  try {
    await runVerb(['secret', 'add', paths[0]]);
    const newId = (await idsIn(paths[0]))[1];
    const bring = async (command: readonly string[], lines: readonly string[]): Promise<void> => {
      if (command.length > 0) expect((await runVerb(['secret', ...command])).code).toBe(0);
      for (const path of paths.slice(1)) copyFileSync(paths[0], path);
      for (const port of ports) expect(await ask(port, ['HEARSAY.SECRET', 'RELOAD'])).toEqual([[...lines]]);
    };
    await bring([], [`${oldId} used`, `${newId} accepted`]);
    await bring(['use', paths[0], newId], [`${newId} used`, `${oldId} accepted`]);
    await until('every member is met with the new key', LIMIT_MS, async () => {
      const seen = await keysSeen(ports);
      return seen.size === 1 && seen.has(newId);
    });
    await bring(['remove', paths[0], oldId], [`${newId} used`]);
    const before = writes;
    await until('writes go on', LIMIT_MS, () => writes > before + 200);
  } finally {
    writing = false;
    await Promise.all(load);
  }
  expect(failures).toEqual([]);
  for (const port of ports) {
    const status = await statusOf(port);
    expect([status.refused_wrong_key, status.refused_forged, status.refused_unsealed]).toEqual([0, 0, 0]);
    expect(status.members_alive).toBe(NODES);
  }
}, 90_000);

test('a changed file is taken up without being told', async () => {
  const paths = await secretsFor(['a', 'b', 'c']);
  const cluster = await secured(paths);
  await runVerb(['secret', 'add', paths[1]]);
  const lines = (await idsIn(paths[1])).length;
  await until('the node has both keys', LIMIT_MS, async () => {
    return (await statusOf(cluster.nodes[1].port)).secret_keys === lines;
  });
}, 60_000);

test('a node with another secret, or with none, never joins, and both sides say why in one line', async () => {
  const paths = await secretsFor(['a', 'b', 'c', 'other']);
  const heard: string[] = [];
  const flagsOf = (index: number) => ['--secret-file', paths[index]];
  const onLine = (_node: unknown, line: string): void => void heard.push(line);
  const cluster = await TemporaryCluster.start({ nodes: NODES, command: SERVE, flagsOf, onLine }, () => {});
  ending.push(() => cluster.stop());
  const folder = temporaryDirectory();
  ending.push(() => removeDirectory(folder));
  const other = join(folder, 'other');
  await runVerb(['secret', 'new', other]);
  const join_ = `${HOST}:${cluster.nodes[0].gossipPort}`;
  const outsiders: [string, string[], RegExp][] = [
    ['wrong', ['--secret-file', other], /is sealed with another key: the same secret-file on all nodes\?/],
    ['none', [], /is not sealed: the same secret-file on all nodes\?/],
  ];
  for (const [name, flags, complaint] of outsiders) {
    const port = await freePorts(HOST, 2);
    const node: CommandProcess = await startNode(port, join(folder, name), ['--join', join_, ...flags]);
    ending.push(() => node.kill('SIGKILL'));
    await node.line(/closes our streams without a word: the same secret-file here and there\?/);
    await until('a member says so', LIMIT_MS, () => heard.some((line) => complaint.test(line)));
    expect((await statusOf(port)).joined).toBe(0);
  }
  for (const { port } of cluster.nodes) expect((await statusOf(port)).members_known).toBe(NODES);
}, 90_000);
