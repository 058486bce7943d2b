import { describe, expect, it } from 'vitest';
import { allCaseNames, chooseCases } from '../../../cluster/bench/cases.js';
import { ratioChart } from '../../../cluster/bench/chart.js';
import type { Row, Target } from '../../../cluster/bench/context.js';
import { type HitLine, hitTable, pointsAbove, valueBytesFor } from '../../../cluster/bench/hit-ratio.js';
import type { ReplayResult } from '../../../cluster/bench/replay.js';
import { figureText, rangeText, tableLines, verdictOf } from '../../../cluster/bench/report.js';
import { rowFrom } from '../../../cluster/bench/rows.js';
import { sampleOf } from '../../../cluster/bench/statistics.js';

function row(
  name: string,
  hearsay: number[],
  redis: number[],
  target: Target | null,
  better: Row['better'] = 'higher',
) {
  const figures = { hearsay, redis };
  return rowFrom({ name, title: name, unit: 'op/s', better, target, figures, notes: [] });
}

const RATIO = { kind: 'ratio', limit: 0.9 } as const;

describe('a verdict', () => {
  it.each([
    ['reached', row('a', [95], [100], RATIO)],
    ['missed', row('a', [80], [100], RATIO)],
    ['reached', row('a', [80], [100], RATIO, 'lower')],
    ['not measured', row('a', [95], [], RATIO)],
    ['not measured', row('a', [], [100], null)],
    ['no target', row('a', [95], [100], null)],
    ['reached', row('a', [2e6], [], { kind: 'figure', limit: 1.5e6 })],
    ['reached', row('a', [14], [5], { kind: 'excess', limit: 10 }, 'lower')],
    ['missed', row('a', [16], [5], { kind: 'excess', limit: 10 }, 'lower')],
    ['not measured', row('a', [16], [], { kind: 'excess', limit: 10 }, 'lower')],
  ] as const)('is %s by median and direction', (verdict, one) => {
    expect(verdictOf(one)).toBe(verdict);
  });
});

describe('the table', () => {
  it('puts ratios first, and a dash where nothing was measured', () => {
    const lines = tableLines([
      row('get-p16', [90e3, 110e3, 100e3], [100e3, 100e3, 100e3], RATIO),
      row('set', [], [], RATIO),
    ]);
    expect(lines[0]).toMatch(/^CASE +RATIO +TARGET/);
    expect(lines[1]).toMatch(
      /^get-p16 +1\.00 \(0\.900\.\.1\.10\) x +>= 0\.900 x +reached +100 k \(90\.0 k\.\.110 k\) op\/s +100 k op\/s$/,
    );
    expect(lines[2]).toMatch(/^set +- +>= 0\.900 x +not measured +- +-$/);
  });

  it('writes figures with three digits that count', () => {
    expect([0, 0.0471, 1.234, 45.67, 4567, 45_678, 1_530_000, 2.5e9].map(figureText)).toEqual([
      '0.00',
      '0.047',
      '1.23',
      '45.7',
      '4567',
      '45.7 k',
      '1.53 M',
      '2.50 G',
    ]);
    expect(rangeText(sampleOf([1, 1]) as NonNullable<ReturnType<typeof sampleOf>>)).toBe('1.00');
  });
});

describe('the chart', () => {
  it('has a bar for each ratio, the line at 1.0 and escaped text, and is well-formed', () => {
    const svg = ratioChart(
      [row('a<b', [90], [100], RATIO), row('none', [90], [], RATIO), row('c', [300], [100], null)],
      'x & "y"',
    );
    expect(svg).toContain('x &amp; &quot;y&quot;');
    expect(svg).toContain('a&lt;b');
    expect(svg).not.toContain('none');
    expect(svg).toMatch(/stroke-dasharray[^>]*\/>\n<text[^>]*>1\.0<\/text>/);
    expect(svg.match(/height="14"/g)).toHaveLength(2);
    const opened = svg.match(/<(svg|title|text)\b/g)?.length;
    expect(svg.match(/<\/(svg|title|text)>/g)).toHaveLength(opened ?? 0);
    expect(svg).not.toContain('NaN');
  });
});

describe('the catalogue', () => {
  it('names every case once, by a name that a shell takes', () => {
    const names = allCaseNames();
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it('is chosen from by whole names and by how they begin', () => {
    expect(chooseCases(['in-process'], 'default').names).toEqual(['in-process-get', 'in-process-set']);
    expect(chooseCases(['fairness', 'get-p1-c50-100b-off'], 'default').names).toEqual([
      'get-p1-c50-100b-off',
      'fairness',
    ]);
    expect(chooseCases(['get-p1'], 'default').names.every((name) => name.startsWith('get-p1-'))).toBe(true);
    expect(chooseCases(['gat', 'in'], 'default').unknown).toEqual(['gat']);
  });

  it('measures by default what has a target, and with all everything', () => {
    const usual = chooseCases([], 'default').names;
    expect(usual).toContain('set-p16-c50-100b-always');
    expect(usual).not.toContain('set-p16-c1-1kib-interval');
    expect(chooseCases([], 'all').names).toEqual(allCaseNames());
    expect(chooseCases([], 'quick').names).toHaveLength(16);
  });
});

describe('hit ratios', () => {
  const result = (hitRatio: number): ReplayResult => ({
    requests: 10,
    distinct: 5,
    hitRatio,
    hitRatioSecondHalf: hitRatio,
    requestsPerSecond: 1,
    p50Ms: 1,
    p99Ms: 1,
    p999Ms: 1,
    maxMs: 1,
  });
  const line = (results: HitLine['results']): HitLine => ({
    trace: 't',
    requests: 10,
    distinct: 5,
    valueBytes: 100,
    memoryBytes: 2 ** 23,
    share: 0.1,
    results,
    note: '',
  });

  it('are judged against the better of both policies', () => {
    const both = { hearsay: result(0.8), 'allkeys-lru': result(0.79), 'allkeys-lfu': result(0.805) };
    expect(pointsAbove(line(both))).toBeCloseTo(-0.5);
    expect(pointsAbove(line({ hearsay: result(0.8) }))).toBeNull();
    expect(hitTable([line(both)])[1]).toMatch(/^t +8\.0 MiB \(10 %\) +hearsay +80\.00 +80\.00 +-0\.50/);
  });

  it('take values of a size at which the least share is some MiB', () => {
    expect(valueBytesFor(186_880)).toBe(1122);
    expect(valueBytesFor(1000)).toBe(4000);
    expect(valueBytesFor(100_000_000)).toBe(100);
  });
});
