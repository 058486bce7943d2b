/** `hearsay export` and HEARSAY.SNAPSHOT on three nodes with two owners a partition, as an operator gives them. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';
import { ask, HOST, removeDirectory, run, startCluster, temporaryDirectory, until } from './harness.js';

const KEYS = Array.from({ length: 2000 }, (_, at) => `key:${at}`);
const EXPIRES_AT_MS = 4_000_000_000_000;
const place = temporaryDirectory();
let cluster: TemporaryCluster;

beforeAll(async () => {
  cluster = await startCluster(3, ['--replicas', '2']);
  const port = cluster.nodes[0].port;
  await ask(port, ...KEYS.map((key, at) => ['SET', key, `value ${at} \u{1f980}`]));
  await ask(port, ['PEXPIREAT', 'key:7', `${EXPIRES_AT_MS}`], ['DEL', 'key:8']);
  await ask(port, ['SET', 'quote"\n', '']);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  removeDirectory(place);
});

interface Line {
  key: string | { base64: string };
  value: string | { base64: string };
  expireAtMs?: number;
  version: string;
}

function linesIn(text: string): Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

describe('hearsay export', () => {
  it('writes every live key of the cluster once, with value, expiry and version', async () => {
    const path = join(place, 'all.jsonl');
    const port = String(cluster.nodes[1].port);
    await until('an export has all', 30_000, async () => {
      const verb = run(['export', '--port', port, '--output', path, '--strict']);
      if ((await verb.ended) !== 0) throw new Error(verb.lines.join('\n'));
      return linesIn(readFileSync(path, 'utf8')).length === KEYS.length;
    });
    const lines = linesIn(readFileSync(path, 'utf8'));
    const found = new Map(lines.map((line) => [String(line.key), line]));
    expect(found.size).toBe(lines.length);
    expect([...found.keys()].sort()).toEqual([...KEYS.filter((key) => key !== 'key:8'), 'quote"\n'].sort());
    expect(found.get('key:9')?.value).toBe('value 9 \u{1f980}');
    expect(found.get('key:9')?.expireAtMs).toBe(undefined);
    expect(found.get('key:7')?.expireAtMs).toBe(EXPIRES_AT_MS);
    expect(found.get('quote"\n')?.value).toBe('');
    expect(found.get('key:9')?.version).toMatch(/^\d+\.\d+@[0-9a-f]{12}$/);
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  it('writes to standard output, by pattern', async () => {
    const verb = run(['export', '--port', String(cluster.nodes[2].port), '--match', 'key:12?']);
    expect(await verb.ended).toBe(0);
    const keys = verb.lines.map((line) => (JSON.parse(line) as Line).key);
    expect(keys.sort()).toEqual(KEYS.filter((key) => /^key:12.$/.test(key)).sort());
  });

  it('ends without a word and with exit code 1 when nobody reads on', async () => {
    const verb = run(['export', '--port', String(cluster.nodes[0].port)]);
    verb.child.stdout?.destroy();
    expect(await verb.ended).toBe(1);
    expect(verb.lines).toEqual([]);
  });

  it('leaves no file behind when it is stopped or cannot go on', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, HOST, resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const path = join(place, 'stopped.jsonl');
    const verb = run(['export', '--port', String(port), '--output', path]);
    await until('the file is begun', 20_000, () => existsSync(`${path}.part`));
    expect(await verb.kill('SIGINT')).toBe(3);
    expect(verb.lines.join('\n')).toContain('stopped');
    silent.close();
    const refused = run(['export', '--port', String(port), '--output', path]);
    expect(await refused.ended).toBe(1);
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, false]);
    expect(await run(['export', '--format', 'csv']).ended).toBe(2);
  });
});

describe('HEARSAY.SNAPSHOT on a real node', () => {
  it('ends with the connection that opened it', async () => {
    const port = cluster.nodes[0].port;
    const [id] = await ask(port, ['HEARSAY.SNAPSHOT', 'OPEN']);
    await until('it ends with its connection', 10_000, async () => {
      const [reply] = await ask(port, ['HEARSAY.SNAPSHOT', 'INFO', String(id)]);
      return reply instanceof Error && /snapshot too old/.test(reply.message);
    });
  });
});
