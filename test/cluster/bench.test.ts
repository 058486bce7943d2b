/**
 * The benchmark suite on real processes, small and short: that every case measures something, that the report has its parts, and
 * that nothing is left behind. No figure is asserted.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findProgram } from '../../cluster/bench/machine.js';
import type { BenchReport } from '../../cluster/bench/report.js';
import { removeDirectory, run } from './harness.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-bench-test-'));
afterAll(() => removeDirectory(place));
const hasRedis = findProgram('redis-server') !== null;

/** Folders of runs that were not removed, but for those that other runs use at this moment. */
function folders(): string[] {
  return readdirSync(tmpdir()).filter((name) => /^hearsay-bench-(?!test)/.test(name));
}

test('a quick run measures every case it was asked for, beside redis-server where that is present', async () => {
  const report = join(place, 'report');
  const cases = [
    'set-p16-c50-100b-off',
    'get-p1-c50-100b-off',
    'mixed-p16-c1-100b-off',
    'in-process',
    'replicated-waits-p1',
  ];
  const before = new Set(folders());
  const bench = run(['bench', '--quick', '--cases', cases.join(','), '--report', report]);
  expect(await bench.ended, bench.lines.join('\n')).toBe(0);
  const { rows, machine, setup, pinning } = JSON.parse(
    readFileSync(join(report, 'report.json'), 'utf8'),
  ) as BenchReport;
  expect(rows.map((row) => row.name)).toEqual([
    ...['set-p16-c50-100b-off', 'get-p1-c50-100b-off', 'mixed-p16-c1-100b-off'],
    ...['in-process-get', 'in-process-set', 'replicated-waits-p1'],
  ]);
  for (const row of rows) expect(row.hearsay, `${row.name}: ${row.notes.join('; ')}`).not.toBeNull();
  for (const row of rows.filter((one) => /^(?:set|get|mixed|replicated)/.test(one.name))) {
    expect(row.redis !== null, `${row.name}: ${row.notes.join('; ')}`).toBe(hasRedis);
  }
  expect(rows[0].details.map((detail) => detail.name)).toContain('server CPU per operation');
  expect(machine.redis !== null).toBe(hasRedis);
  expect(setup.join('\n')).toMatch(/N = 1/);
  expect(pinning).toMatch(/core|pinned/);
  expect(readFileSync(join(report, 'report.md'), 'utf8')).toContain('set-p16-c50-100b-off');
  expect(readFileSync(join(report, 'report.svg'), 'utf8')).toMatch(/^<svg /);
  expect(folders().filter((name) => !before.has(name))).toEqual([]);
}, 90_000);

test('a trace is replayed cache-aside: what fits is missed once', async () => {
  const trace = join(place, 'trace.txt');
  writeFileSync(trace, `${Array.from({ length: 4000 }, (_, index) => `key ${index % 500}`).join('\n')}\n`);
  const json = join(place, 'replay.json');
  const bench = run(['bench', '--trace', trace, '--memory', '16mb', '--peer', '--json', json]);
  expect(await bench.ended, bench.lines.join('\n')).toBe(0);
  const { lines } = JSON.parse(readFileSync(json, 'utf8'));
  expect(lines).toHaveLength(1);
  const servers = hasRedis ? ['hearsay', 'allkeys-lru', 'allkeys-lfu'] : ['hearsay'];
  expect(Object.keys(lines[0].results)).toEqual(servers);
  for (const server of servers) {
    expect(lines[0].results[server]).toMatchObject({
      requests: 4000,
      distinct: 500,
      hitRatio: 0.875,
      hitRatioSecondHalf: 1,
    });
  }
}, 60_000);

test('a run that is stopped ends its processes and says so', async () => {
  const before = new Set(folders());
  const bench = run(['bench', '--quick', '--cases', 'get-p1-c50-100b-off', '--rounds', '100']);
  await bench.line(/^ {2}hearsay: \d+ keys/);
  expect(await bench.kill('SIGINT')).toBe(1);
  expect(bench.lines.join('\n')).toContain('bench: stopped');
  expect(folders().filter((name) => !before.has(name))).toEqual([]);
}, 60_000);

test.each([
  [['--cases', 'gat'], 'no case is named gat'],
  [['--rounds', '0'], '--rounds: 0 is not from 1 to 100'],
  [['--trace', 'x'], '--memory: say at which memory'],
  [['--zipf', 'much', '--memory', '1kb'], 'holds what is no size from 8mb'],
])('refuses %j as wrong usage', async (words, complaint) => {
  const bench = run(['bench', ...words]);
  expect(await bench.ended).toBe(2);
  expect(bench.lines.join('\n')).toContain(complaint);
});
