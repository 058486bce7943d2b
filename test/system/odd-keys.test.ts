/** Keys that are names of a prototype, numbers, or hold what ends a line, through the client library, its sessions, and an export, on a real node. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { completeConfig } from '../../src/core/config.js';
import { createClient } from '../../src/index.js';
import { type RunningNode, startNode } from '../../src/system/serve.js';
import { runVerb } from '../cli/run.js';
import { silent } from '../core/wal/harness.js';

const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '0',
  '4294967295',
  '-0',
  '\0',
  'a\r\nb',
  '{',
  '{}',
  'é\u2028',
];
const place = mkdtempSync(join(tmpdir(), 'hearsay-odd-'));
let node: RunningNode;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  const { config } = completeConfig({ port: 0, data: join(place, 'node'), maxMemory: '16mb', walFileBytes: '1mb' });
  if (config === null) throw new Error('the settings are wrong');
  node = await startNode(config, silent);
  client = createClient({ servers: [`127.0.0.1:${node.port}`], requestTimeout: '20s' });
});

afterAll(async () => {
  await client?.close();
  await node?.stop();
  rmSync(place, { recursive: true, force: true });
});

it('come back one by one and many at once, each with its own value, in a session too', async () => {
  const values = KEYS.map((key, index) => ({ [key]: index, of: key }));
  await client.setMany(KEYS.map((key, index) => ({ key, value: values[index] })));
  expect(await client.getMany([...KEYS, 'valueOf'])).toEqual([...values, undefined]);
  for (const [index, key] of KEYS.entries()) {
    expect(await client.get(key)).toEqual(values[index]);
    expect(await client.has(key)).toBe(true);
    const session = client.session();
    await session.set(key, values[index]);
    expect(await client.session(session.token).get(key)).toEqual(values[index]);
    const { values: beside, context } = await client.cget(`s${key}`);
    expect(beside).toEqual([]);
    await client.cput(`s${key}`, key, { context });
    expect((await client.cget(`s${key}`)).values).toEqual([key]);
  }
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  expect(await client.deleteMany([...KEYS, 'valueOf'])).toBe(KEYS.length);
  expect(await client.getMany(KEYS)).toEqual(KEYS.map(() => undefined));
});

it('are lines of their own in an export, under the name that they have', async () => {
  for (const key of KEYS) await client.command('SET', key, `of ${key}`);
  const { code, out, error } = await runVerb(['export', '--port', `${node.port}`]);
  expect({ code, error: code === 0 ? '' : error }).toEqual({ code: 0, error: '' });
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { key: string; value: string });
  const found = new Map(lines.map(({ key, value }) => [key, value]));
  for (const key of KEYS) expect(found.get(key)).toBe(`of ${key}`);
});
