import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTrace, readTrace, traceName } from '../../../cluster/bench/trace.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-trace-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

function fileWith(name: string, bytes: string | Buffer): string {
  const path = join(place, name);
  writeFileSync(path, bytes);
  return path;
}

describe('a trace', () => {
  it('is one key a line, numbered by first appearance, with empty lines left out', async () => {
    const path = fileWith('plain.txt', 'b\na\r\n\nb\nc c\n');
    const { requests, distinct } = await readTrace(path, 100);
    expect([...requests]).toEqual([0, 1, 0, 2]);
    expect(distinct).toBe(3);
  });

  it('may be gzipped, and is the same then', async () => {
    const text = Array.from({ length: 5000 }, (_, index) => `key-${(index * 7) % 1234}`).join('\n');
    const plain = await readTrace(fileWith('same.txt', text), 1e6);
    const zipped = await readTrace(fileWith('same.txt.gz', gzipSync(text)), 1e6);
    expect(zipped).toEqual(plain);
    expect(plain.distinct).toBe(1234);
  });

  it('ends where it is told to', async () => {
    const { requests } = await readTrace(fileWith('long.txt', 'x\n'.repeat(50)), 20);
    expect(requests).toHaveLength(20);
  });

  it.each([
    ['missing', () => join(place, 'nowhere.txt')],
    ['empty', () => fileWith('empty.txt', '')],
    ['cut gzip', () => fileWith('cut.txt.gz', gzipSync('a\nb\n'.repeat(1000)).subarray(0, 20))],
    ['no gzip', () => fileWith('not.txt.gz', 'plain text')],
  ])('that is %s is refused by its name', async (_what, make) => {
    const path = make();
    await expect(readTrace(path, 100)).rejects.toThrow(path);
  });

  it('drawn by Zipf is the same for the same seed', async () => {
    const source = { kind: 'zipf', alpha: 1, keys: 100, requests: 1000, seed: 1 } as const;
    const trace = await loadTrace(source);
    expect(trace).toEqual(await loadTrace(source));
    expect(trace.requests).toHaveLength(1000);
    expect(Math.max(...trace.requests)).toBe(trace.distinct - 1);
  });

  it('is named after its file or its law', () => {
    expect(traceName({ kind: 'file', path: '/a/arc-oltp.txt.gz', requestsMax: null })).toBe('arc-oltp');
    expect(traceName({ kind: 'zipf', alpha: 0.9, keys: 1, requests: 1, seed: 1 })).toBe('zipf 0.9');
  });
});
