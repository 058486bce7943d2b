import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Bench } from '../core/wal/harness.js';
import { runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-wal-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const run = (...words: string[]) => runVerb(words);

/** A directory with three durable batches, as a node leaves it that was killed. */
function directory(name: string): string {
  const bench = new Bench().start();
  for (const id of [1, 2, 3]) {
    bench.turn([id]);
    bench.pass(20);
  }
  bench.disk.kill();
  const path = join(place, name);
  mkdirSync(path);
  for (const file of bench.disk.list()) writeFileSync(join(path, file), bench.disk.contents(file));
  return path;
}

function logOf(path: string): string {
  return join(path, readdirSync(path).find((name) => name.startsWith('log-')) as string);
}

const WANTED = 'give the data directory of one node, which holds a file named manifest';

describe('hearsay wal', () => {
  it('verifies a sound directory, and leaves it as it was', async () => {
    const path = directory('sound');
    const before = readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'latin1')]);
    const { code, out } = await run('wal', 'verify', path);
    expect(code).toBe(0);
    expect(out).toMatch(/3 records: 0 in the image, the rest in 3 batches; last batch 3\nnot closed in order/);
    expect(out).toMatch(/a start would take 3 records and write batch 4 next\nsound\n$/);
    const json = JSON.parse((await run('wal', 'verify', path, '--json')).out);
    expect(json).toMatchObject({ sound: true, records: 3, rotFrames: 0, torn: null, holder: 0 });
    expect(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'latin1')])).toEqual(before);
  });

  it('tells rot from a torn tail by its place, and fails for both', async () => {
    const path = directory('damaged');
    const lines = (await run('wal', 'inspect', path, '--frames', '--json')).out.trim().split('\n');
    const frames = lines.map((line) => JSON.parse(line)).filter((line) => line.frame === 'batch');
    const log = readFileSync(logOf(path));
    log[frames[1].offset + 60] ^= 1;
    writeFileSync(logOf(path), log);
    const rotten = await run('wal', 'verify', path);
    expect(rotten.code).toBe(3);
    const lost = `between \\d+ and ${frames[2].offset}: 1 frame that was durable is lost\\n`;
    expect(rotten.out).toMatch(new RegExp(`damage: log-\\d+ is damaged ${lost}`));
    expect(rotten.out).toMatch(/a start would copy the damaged bytes aside\na start would go on without what is lost/);
    const from = JSON.parse((await run('wal', 'verify', path, '--json')).out).rot[0].from;
    writeFileSync(join(path, `rot-${logOf(path).slice(-8)}-${from}`), 'as a start copies it');
    const again = await run('wal', 'verify', path);
    expect(again.out).toMatch(/rot-\d+-\d+ was set aside by an earlier start/);
    expect(again.out).not.toMatch(/would copy/);
    log[frames[1].offset + 60] ^= 1;
    log[frames[2].offset + 60] ^= 1;
    writeFileSync(logOf(path), log);
    const torn = await run('wal', 'verify', path);
    expect(torn.code).toBe(3);
    expect(torn.out).toMatch(/damage: log-\d+ ends torn at \d+: its tail was not written whole/);
    expect(torn.out).toMatch(/a start would copy \d+ bytes of a torn tail aside and cut/);
  });

  it('calls a log damaged that was cut short, and says what it was', async () => {
    const path = directory('short');
    truncateSync(logOf(path), 4096);
    const { code, out } = await run('wal', 'verify', path);
    expect(code).toBe(3);
    expect(out).toMatch(/damage: log-\d+ is cut short: it has 4096 bytes and was made with 8192\n/);
    expect(out).toMatch(/damage: what log-\d+ held behind \d+ is lost: how much can not be known\n/);
    expect(out).toMatch(/damaged\n$/);
  });

  it('prints records one a line, by key, batch and number', async () => {
    const path = directory('records');
    const { code, out } = await run('wal', 'inspect', path);
    expect(code).toBe(0);
    expect(out.trim().split('\n')).toHaveLength(3);
    expect(out).toMatch(/^log-\d{8}:\d+ batch 1 PUT "key-1" 40 B 1970-01-01T00:00:00\.000Z\+1 by 000000000007\n/);
    expect((await run('wal', 'inspect', path, '--key', '*-2')).out).toMatch(/^\S+ batch 2 PUT "key-2"[^\n]*\n$/);
    expect((await run('wal', 'inspect', path, '--from-batch', '2', '--limit', '1')).out).toMatch(
      /^[^\n]*"key-2"[^\n]*\n$/,
    );
    const [first] = (await run('wal', 'inspect', path, '--json')).out.split('\n');
    expect(JSON.parse(first)).toMatchObject({ batch: 1, type: 'PUT', key: 'key-1', valueBytes: 40, expires: null });
    expect((await run('wal', 'inspect', path, '--image')).out).toBe('');
  });

  it('names the data directories in the directory of a cluster', async () => {
    const cluster = join(place, 'cluster');
    mkdirSync(join(cluster, 'node-1'), { recursive: true });
    writeFileSync(join(cluster, 'node-1', 'manifest'), '');
    const { code, error } = await run('wal', 'inspect', cluster);
    const found = `holds the data directories of nodes, as ${join(cluster, 'node-1')}`;
    expect([code, error]).toEqual([1, `hearsay: ${cluster} ${found}: ${WANTED}\n`]);
  });

  it('says in one line what is no data directory, and what is no number', async () => {
    const missing = join(place, 'missing');
    expect(await run('wal', 'verify', missing)).toEqual({
      code: 1,
      out: '',
      error: `hearsay: ${missing} is not there: ${WANTED}\n`,
    });
    const empty = join(place, 'empty');
    mkdirSync(empty);
    for (const verb of ['verify', 'inspect']) {
      const { code, error } = await run('wal', verb, empty);
      expect([code, error]).toEqual([1, `hearsay: ${empty} is empty: no node has run there: ${WANTED}\n`]);
    }
    writeFileSync(join(empty, 'manifest'), '{}\n00000000\n');
    expect((await run('wal', 'verify', empty)).error).toContain(`${empty}: the file manifest is damaged`);
    expect((await run('wal', 'inspect', empty, '--limit', 'few')).code).toBe(2);
    expect((await run('wal', 'verify')).code).toBe(2);
  });
});
