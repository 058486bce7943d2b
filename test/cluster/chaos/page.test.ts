/** The report of a chaos run: whole pages, drawn from data alone, in which nothing that came from a run is markup. */
import { describe, expect, test } from 'vitest';
import { niceTop } from '../../../cluster/chaos/charts.js';
import { fileOf, indexPage, runPage } from '../../../cluster/chaos/page.js';
import { describeRun, notRun, type RunRecord, summaryLines } from '../../../cluster/chaos/record.js';

const HOSTILE = `</title></svg><script>alert("1")</script><img src=x onerror='1'>&amp;`;

function recordWith(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    scenario: 'kill',
    does: 'kill -9',
    expects: 'nothing is lost',
    seed: 7,
    nodes: 5,
    durationMs: 2000,
    again: 'npx hearsay chaos run kill --nodes 5 --duration 2000ms --seed 7',
    verdict: 'right',
    reason: null,
    violations: [],
    excused: 0,
    tally: {
      acknowledged: 900,
      doubtful: 3,
      unsent: 1,
      reads: 300,
      readsFailed: 2,
      refusals: { NOSPACE: 41, BUSY: 77 },
    },
    keys: 960,
    faults: [{ what: 'kill -9 node-1', fromMs: 500, untilMs: 900 }],
    timeline: [{ atMs: 500, what: 'kill -9 node-1' }],
    sliceMs: 500,
    slices: [
      { atMs: 0, acknowledged: 400, failed: 0, p50Ms: 1, p99Ms: 4 },
      { atMs: 500, acknowledged: 0, failed: 9, p50Ms: null, p99Ms: null },
      { atMs: 1000, acknowledged: 500, failed: 1, p50Ms: 1, p99Ms: 40 },
    ],
    divergence: [{ atMs: 600, differing: 12 }],
    agreedMs: 800,
    silenceMs: 420,
    ...changes,
  };
}

describe('the page of a run', () => {
  test('has the verdict, the faults as bars, the figures and how to run it again', () => {
    const html = runPage(recordWith());
    expect(html.startsWith('<!doctype html>')).toBe(true);
    expect(html.trimEnd().endsWith('</html>')).toBe(true);
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(html.match(/class="bar"/g)).toHaveLength(1);
    expect(html).toContain('77 BUSY, 41 NOSPACE');
    expect(html).toContain('npx hearsay chaos run kill --nodes 5 --duration 2000ms --seed 7');
    expect(html).toContain('no acknowledged write lost');
  });

  test('needs nothing from elsewhere and runs no scripts', () => {
    const html = runPage(recordWith());
    expect(html).not.toMatch(/<script|<link|https?:|url\(|@import/i);
  });

  test('lets nothing of a run be markup, wherever it comes from', () => {
    const html = runPage(
      recordWith({
        scenario: HOSTILE,
        does: HOSTILE,
        expects: HOSTILE,
        verdict: 'wrong',
        violations: [`lost on node-1 ${HOSTILE}`],
        faults: [{ what: HOSTILE, fromMs: 0, untilMs: 100 }],
        timeline: [{ atMs: 0, what: HOSTILE }],
      }),
    );
    const index = indexPage([notRun(recordWith({ scenario: HOSTILE }), HOSTILE)]);
    for (const text of [html, index]) {
      expect(text).not.toContain('<script');
      expect(text).not.toContain('<img');
    }
    expect(html.match(/<\/svg>/g)).toHaveLength(4);
    expect(fileOf({ scenario: '../../etc/"x' })).toBe('______etc__x.html');
  });

  test('draws a gap where nothing was answered, and no figure that is none', () => {
    const html = runPage(recordWith());
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
    const [, p50] = /class="line good" d="([^"]*)"/.exec(html.slice(html.indexOf('How long'))) ?? [];
    expect(p50.match(/M/g)).toHaveLength(2);
  });

  test('stands without any figures', () => {
    const html = runPage(recordWith({ slices: [], divergence: [], faults: [], timeline: [] }));
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('bounds the violations it lists and says how many there are', () => {
    const violations = Array.from({ length: 5000 }, (_, index) => `lost ${index}`);
    const html = runPage(recordWith({ verdict: 'wrong', violations }));
    expect(html).toContain('5000 violations');
    expect(html).toContain('and 4800 more');
    expect(html).not.toContain('lost 4999');
  });
});

describe('the index', () => {
  test('has a row for each run, with a link to its page', () => {
    const html = indexPage([recordWith(), recordWith({ scenario: 'pause', verdict: 'wrong', violations: ['lost'] })]);
    expect(html).toContain('href="kill.html"');
    expect(html).toContain('href="pause.html"');
    expect(html).toContain('1 of 2 scenarios right');
  });
});

describe('the lines for a terminal', () => {
  test('end with the verdict', () => {
    expect(describeRun(recordWith()).at(-1)).toMatch(/^verdict: right/);
    expect(describeRun(recordWith({ verdict: 'wrong', violations: ['lost'] })).at(-1)).toMatch(
      /^verdict: WRONG.*--seed 7/,
    );
    expect(describeRun(notRun(recordWith(), 'no libfaketime'))).toEqual(['verdict: NOT RUN. no libfaketime']);
  });

  test('sum up several runs, one line each', () => {
    const lines = summaryLines([
      recordWith(),
      recordWith({ scenario: 'pause', verdict: 'wrong', violations: ['lost k'] }),
      notRun(recordWith({ scenario: 'clock-jump' }), 'no libfaketime'),
    ]);
    expect(lines).toEqual(['kill        right', 'pause       wrong: lost k', 'clock-jump  not run: no libfaketime']);
  });
});

test('the top of a scale is a round figure that holds all', () => {
  expect([0, 0.3, 1, 1.2, 7, 99, 101, Number.NaN].map(niceTop)).toEqual([1, 0.5, 1, 2, 10, 100, 200, 1]);
});
