/** An operator takes members out: `hearsay leave` and `hearsay forget` against real nodes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordOf } from '../../cluster/probe.js';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, run, startCluster, statusOf, until } from './harness.js';

let cluster: TemporaryCluster;
const portOf = (index: number): number => cluster.nodes[index].port;

beforeAll(async () => {
  cluster = await startCluster(4);
}, 60_000);
afterAll(() => cluster?.stop());

async function memberAt(index: number, id: string): Promise<Record<string, unknown>> {
  const { members } = await statusOf(portOf(index));
  const rows = Array.isArray(members) ? members.map((row) => recordOf(row) ?? {}) : [];
  return rows.find((row) => row.id === id) ?? {};
}

test('a node that leaves hands over what it holds, says how far it is, and ends with exit code 0', async () => {
  const keys = Array.from({ length: 200 }, (_, at) => `key:${at}`);
  await ask(portOf(3), ...keys.map((key) => ['SET', key, `value of ${key}`]));
  const { node } = await statusOf(portOf(3));
  const leave = run(['leave', '--port', String(portOf(3))]);
  expect(await leave.ended).toBe(0);
  expect(leave.lines.at(-1)).toBe('left for good: others hold what it held');
  expect(leave.lines[0]).toMatch(/ leaves: [\d,]+ partitions? to hand over$/);
  await until('the process has ended', 10_000, () => !cluster.running().includes(3));
  expect(await memberAt(0, String(node))).toMatchObject({ state: 'left', place: 'left' });
  const values = await ask(portOf(0), ...keys.map((key) => ['GET', key]));
  expect(values).toEqual(keys.map((key) => `value of ${key}`));
}, 90_000);

test('a member that lives is not forgotten, by name; a dead one is, as often as it is asked', async () => {
  const { node } = await statusOf(portOf(2));
  const id = String(node);
  const forget = () => run(['forget', id, '--port', String(portOf(0))]);
  const refused = forget();
  expect(await refused.ended).toBe(1);
  expect(refused.lines).toEqual([expect.stringContaining(`${id} is alive: only a dead member is forgotten`)]);
  await cluster.kill(2);
  await until('its death is known', 60_000, async () => (await memberAt(0, id)).state === 'dead');
  for (let time = 0; time < 2; time++) expect(await forget().ended).toBe(0);
  await until('the others know', 10_000, async () => (await memberAt(1, id)).place === 'forgotten');
  cluster.start(2);
  await until('it was told to end', 30_000, async () => !cluster.running().includes(2));
}, 120_000);

test('of nodes that are all asked to leave at once some stay, and whoever asked them is told so', async () => {
  const leaves = [0, 1].map((index) => run(['leave', '--port', String(portOf(index))]));
  const codes = await Promise.all(leaves.map((leave) => leave.ended));
  expect(codes).toContain(1);
  for (const [index, leave] of leaves.entries()) {
    if (codes[index] === 1) expect(leave.lines.at(-1)).toMatch(/keeps its place|is alive to take/);
    else await until('it has ended', 10_000, () => !cluster.running().includes(index));
  }
  expect(cluster.running().length).toBeGreaterThan(0);
  for (const index of cluster.running()) {
    await until('it answers', 20_000, async () => (await ask(portOf(index), ['GET', 'key:1']))[0] === 'value of key:1');
  }
}, 90_000);
