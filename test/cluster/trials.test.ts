/**
 * The acceptance trials: their judges with bad figures, what they read from logs and reports, and the quickest of them on real
 * processes, honest and spoilt. All of them, at full length, are `hearsay trials`.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseTrials, TRIALS } from '../../cluster/trials/catalogue.js';
import {
  atLeast,
  atMost,
  exactly,
  holds,
  isReached,
  none,
  quantile,
  type TrialResult,
} from '../../cluster/trials/finding.js';
import { markdownReport, succeeded, type TrialsReport, tableLines, verdictLine } from '../../cluster/trials/report.js';
import { type Earlier, earlierResults } from '../../cluster/trials/resume.js';
import { runTrial } from '../../cluster/trials/run.js';
import { Transitions } from '../../cluster/trials/transitions.js';
import { ask, removeDirectory, run, SERVE, startCluster } from './harness.js';

const RESULT: TrialResult = {
  name: 'kill',
  title: 'all know in time',
  shortened: false,
  sabotage: null,
  findings: [atMost('known', 9, 10, 's')],
  notes: ['a note'],
  failure: null,
  seconds: 1,
};
const MISSED: TrialResult = { ...RESULT, findings: [atMost('known', 9, 10), atMost('known', 11, 10)] };
const BROKEN: TrialResult = { ...RESULT, failure: 'no node answers' };

function reportOf(trials: TrialResult[], sabotage = false): TrialsReport {
  const machine = { cpu: 'a cpu', cores: 2, memoryGib: 4, kernel: '6', node: 'v20', redis: null, hearsay: '0.1.0' };
  return {
    machine: { ...machine, commit: null, date: '2026-01-01T00:00:00Z' },
    quick: true,
    sabotage,
    seed: 1,
    loadAverage: 0.5,
    trials,
    unrun: [],
  };
}

describe('the judges of a trial', () => {
  test('reach a bound at the bound, and miss it past the bound', () => {
    expect([atMost('a', 10, 10).reached, atMost('a', 10.01, 10).reached]).toEqual([true, false]);
    expect([atLeast('a', 10, 10).reached, atLeast('a', 9.99, 10).reached]).toEqual([true, false]);
    expect([exactly('a', 10, 10).reached, exactly('a', 11, 10).reached]).toEqual([true, false]);
    expect([none('a', []).reached, none('a', ['x']).reached]).toEqual([true, false]);
    expect([holds('a', true).reached, holds('a', false).reached]).toEqual([true, false]);
  });

  test.each([
    ['no figure', null],
    ['nothing', undefined],
    ['what is no number', Number.NaN],
    ['what has no end', Number.NEGATIVE_INFINITY],
    ['the quantile of nothing', quantile([], 0.99)],
  ])('miss every bound by %s', (_name, figure) => {
    for (const finding of [atMost('a', figure, 1), atLeast('a', figure, -1), exactly('a', figure, 0)]) {
      expect(finding).toMatchObject({ reached: false, measured: 'not measured', figure: null });
    }
  });

  test('take the nearest rank', () => {
    const figures = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.5, 0.95, 0.99, 1].map((share) => quantile(figures, share))).toEqual([50, 95, 99, 100]);
  });

  test('miss a trial that found nothing or broke off', () => {
    expect(isReached(RESULT)).toBe(true);
    expect([MISSED, BROKEN, { ...RESULT, findings: [] }].map(isReached)).toEqual([false, false, false]);
  });
});

describe('the report of trials', () => {
  test('fails when one trial missed, broke off, or when there was none', () => {
    expect(succeeded(reportOf([RESULT, RESULT]))).toBe(true);
    for (const trials of [[RESULT, MISSED], [BROKEN], []]) expect(succeeded(reportOf(trials))).toBe(false);
    expect(verdictLine(reportOf([RESULT, MISSED]))).toBe('1 of 2 trials reached every bound; missed: kill');
  });

  test('of spoilt trials fails unless a bound missed each of them', () => {
    expect(succeeded(reportOf([MISSED], true))).toBe(true);
    for (const trials of [[RESULT], [MISSED, RESULT], [BROKEN]]) expect(succeeded(reportOf(trials, true))).toBe(false);
    expect(verdictLine(reportOf([MISSED, RESULT], true))).toContain('not missed by a bound: kill');
  });

  test('says why a trial broke off, and that a run was shortened', () => {
    expect(tableLines([BROKEN]).at(-1)).toMatch(/kill +goes to its end +no node answers +yes +missed/);
    expect(tableLines([{ ...RESULT, findings: [] }]).at(-1)).toMatch(/has findings +none +yes +missed/);
    const text = markdownReport(reportOf([RESULT]));
    expect(text).toContain('Shortened');
    expect(text).toContain('| kill | known | 9 s | at most 10 s | reached |');
    expect(text).toContain('- a note');
  });
});

describe('the table of all trials', () => {
  const rowOf = (line: string): string[] => line.split(/ {2,}/);

  test('has a row for each behaviour with its figure, its bound and the verdict, and goes on behind what missed or broke off', () => {
    const kinds = [RESULT, { ...BROKEN, name: 'udp', findings: [] }, { ...MISSED, name: 'idle' }];
    expect(tableLines(kinds).map(rowOf)).toEqual([
      ['TRIAL', 'BEHAVIOUR', 'MEASURED', 'BOUND'],
      ['kill', 'known', '9 s', 'at most 10 s', 'reached'],
      ['udp', 'goes to its end', 'no node answers', 'yes', 'missed'],
      ['idle', 'known', '9', 'at most 10', 'reached'],
      ['idle', 'known', '11', 'at most 10', 'missed'],
    ]);
  });

  test('is cut to the width of a terminal there, and whole in Markdown, where bars and line ends break no row', () => {
    const long = { ...BROKEN, findings: [], failure: `a | b\n${'x'.repeat(100)}` };
    expect(rowOf(tableLines([long])[1])[2]).toMatch(/^.{61}\.\.\.$/s);
    expect(markdownReport(reportOf([long]))).toContain(
      `| kill | goes to its end | a \\| b ${'x'.repeat(100)} | yes | missed |`,
    );
  });

  test('names the trials that were chosen and have no result', () => {
    const report = { ...reportOf([RESULT]), unrun: ['udp', 'idle'] };
    expect(markdownReport(report)).toContain('no result of: udp, idle');
    expect(markdownReport(reportOf([RESULT]))).not.toContain('no result of');
  });
});

describe('going on with an interrupted run', () => {
  const kind = { quick: true, sabotage: false };
  const text = (change: object = {}): string => JSON.stringify({ ...reportOf([MISSED, BROKEN]), ...change });

  test('takes the results over that it passes over, misses and all, in the order of the trials', () => {
    const stall = { ...RESULT, name: 'stall' };
    const report = text({ seed: 9, trials: [stall, MISSED, { ...BROKEN, name: 'udp' }] });
    const earlier = earlierResults(report, kind, ['kill', 'stall']) as Earlier;
    expect(earlier.seed).toBe(9);
    expect(earlier.trials.map(({ name }) => name)).toEqual(['kill', 'stall']);
    expect(earlier.trials[0].findings).toEqual(MISSED.findings);
    expect(succeeded(reportOf([...earlier.trials, RESULT]))).toBe(false);
  });

  test('says of each result which run it is from, the first that it was taken over from', () => {
    const once = earlierResults(text(), kind, ['kill']) as Earlier;
    const origin = 'taken over from the run of 2026-01-01T00:00:00Z, commit unknown, seed 1';
    expect(once.trials[0].notes).toEqual(['a note', origin]);
    const again = earlierResults(text({ seed: 2, trials: once.trials }), kind, ['kill']) as Earlier;
    expect(again.trials[0].notes).toEqual(['a note', origin]);
  });

  test('refuses a report of another kind of run', () => {
    expect(earlierResults(text(), { ...kind, quick: false }, [])).toBe('is of a run with --quick');
    expect(earlierResults(text(), { ...kind, sabotage: true }, [])).toBe('is of a run without --sabotage');
  });

  test.each([
    ['nothing', ''],
    ['a torn file', text().slice(0, -40)],
    ['a list', '[]'],
    ['no machine', text({ machine: null })],
    ['no seed', text({ seed: null })],
    ['no trials', text({ trials: {} })],
    ['a trial that is none', text({ trials: [null] })],
    ['a trial without a name', text({ trials: [{ ...RESULT, name: 1 }] })],
    ['notes that are no lines', text({ trials: [{ ...RESULT, notes: [1] }] })],
    [
      'a finding without a verdict',
      text({ trials: [{ ...RESULT, findings: [{ ...RESULT.findings[0], reached: 1 }] }] }),
    ],
    ['a failure that is no text', text({ trials: [{ ...RESULT, failure: 1 }] })],
  ])('refuses %s whole', (_name, bytes) => {
    expect(earlierResults(bytes, kind, ['kill'])).toBe('is no report of trials');
  });
});

test('transitions are read from log lines, and other lines change nothing', () => {
  const transitions = new Transitions();
  const line = (time: string, id: string, to: string): string =>
    JSON.stringify({ level: 'info', time, id, to, msg: 'member' });
  for (const text of ['', 'no JSON "msg":"member"', '{"msg":"member"}', '{"msg":"listening","to":"dead"}']) {
    transitions.line('node-1', text);
  }
  expect(transitions.seen).toEqual([]);
  transitions.line('node-1', line('2026-01-01T00:00:01Z', 'node-2', 'suspect'));
  transitions.line('node-1', line('2026-01-01T00:00:02Z', 'node-2', 'dead'));
  transitions.line('node-3', line('2026-01-01T00:00:03Z', 'node-4', 'dead'));
  const secondMs = Date.parse('2026-01-01T00:00:02Z');
  expect(transitions.since(secondMs).map(({ id }) => id)).toEqual(['node-2', 'node-4']);
  expect(transitions.deathsSince(secondMs, ['node-2'])).toEqual(['node-3 saw node-4 dead']);
});

test('each trial has a name of its own, says what it shows and how it is spoilt', () => {
  expect(new Set(TRIALS.map(({ name }) => name)).size).toBe(TRIALS.length);
  for (const { name, title, sabotage } of TRIALS) {
    expect(name).toMatch(/^[a-z]+(?:-[a-z]+)?$/);
    expect(title.length * sabotage.length).toBeGreaterThan(0);
  }
  for (const words of [[], ['all'], ['touch', 'all']]) {
    expect(chooseTrials(words)).toMatchObject({ trials: TRIALS, unknown: [] });
  }
  expect(TRIALS.map(({ name }) => name)).not.toContain('all');
  expect(chooseTrials(['touch', 'tuch'])).toMatchObject({ trials: [{ name: 'touch' }], unknown: ['tuch'] });
});

describe('on real processes', () => {
  const signal = new AbortController().signal;
  const quick = { quick: true, seed: 1, command: SERVE, signal } as const;
  const trial = (name: string) => chooseTrials([name]).trials[0];

  test('a trial that is spoilt misses by a bound', async () => {
    const spoilt = await runTrial(trial('touch'), { ...quick, sabotage: true }, () => {});
    expect(spoilt.failure).toBeNull();
    expect(isReached(spoilt)).toBe(false);
  }, 120_000);

  test('a key that one owner lost without a trace is put back', async () => {
    const honest = await runTrial(trial('lost-key'), { ...quick, sabotage: false }, () => {});
    expect(honest.failure).toBeNull();
    expect(honest.findings.filter(({ reached }) => !reached)).toEqual([]);
    expect(isReached(honest)).toBe(true);
  }, 120_000);

  test('a trial that is stopped breaks off, and its cluster is gone', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const stopped = await runTrial(trial('stall'), { ...quick, sabotage: false, signal: stop.signal }, (line) => {
      lines.push(line);
      if (line.includes('is busy')) stop.abort(new Error('stopped'));
    });
    expect(stopped.failure).toBe('stopped');
    expect(lines.at(-1)).toContain('broke off: stopped');
  }, 60_000);

  test('LOSE is refused for a key that the node does not hold, and where faults are off', async () => {
    const cluster = await startCluster(1, ['--enable-fault-injection']);
    const plain = await startCluster(1);
    try {
      const { port } = cluster.nodes[0];
      const replies = await ask(
        port,
        ['SET', 'k', 'v'],
        ['HEARSAY.FAULT', 'LOSE', 'k'],
        ['GET', 'k'],
        ['HEARSAY.FAULT', 'LOSE', 'k'],
      );
      expect(replies.slice(0, 3)).toEqual(['OK', ['OK'], null]);
      expect(String(replies[3])).toContain('this node does not hold the key');
      const refused = await ask(plain.nodes[0].port, ['SET', 'k', 'v'], ['HEARSAY.FAULT', 'LOSE', 'k'], ['GET', 'k']);
      expect(String(refused[1])).toContain('fault injection is off');
      expect(refused[2]).toBe('v');
    } finally {
      await cluster.stop();
      await plain.stop();
    }
  });
});

test('the command line names unknown trials, lists all, and writes the report of one: a touch undoes no SET', async () => {
  const place = mkdtempSync(join(tmpdir(), 'hearsay-trials-test-'));
  try {
    const wrong = run(['trials', 'tuch', '--seed', 'x', '--from', 'touch']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.lines).toEqual([
      'hearsay: trials: no trial is named tuch; --list prints them',
      'hearsay: --from: touch is none of the trials chosen; --list prints their names',
      'hearsay: --seed: x is not from 0 to 2147483647',
    ]);
    const file = join(place, 'trials.json');
    writeFileSync(file, '{}');
    const torn = run(['trials', 'all', '--from', 'stall', '--report', place]);
    expect(await torn.ended).toBe(2);
    expect(torn.lines).toEqual([`hearsay: --from: ${file} is no report of trials`]);
    const list = run(['trials', '--list']);
    expect(await list.ended).toBe(0);
    expect(list.lines.map((line) => line.split(' ')[0])).toEqual(TRIALS.map(({ name }) => name));
    // A run that was interrupted in its last trial: what missed before is missed still.
    const before = { ...reportOf([MISSED, { ...BROKEN, name: 'touch' }]), seed: 7 };
    writeFileSync(file, JSON.stringify(before));
    const touch = run(['trials', 'all', '--from', 'touch', '--quick', '--report', place]);
    expect(await touch.ended, touch.lines.join('\n')).toBe(1);
    const report = JSON.parse(readFileSync(file, 'utf8')) as TrialsReport;
    expect(report).toMatchObject({
      quick: true,
      seed: 7,
      trials: [{ name: 'kill' }, { name: 'touch', failure: null }],
    });
    expect(report.unrun).toEqual(TRIALS.map(({ name }) => name).filter((name) => !/^(?:kill|touch)$/.test(name)));
    expect(readFileSync(join(place, 'trials.md'), 'utf8')).toContain('1 of 2 trials reached every bound; missed: kill');
  } finally {
    removeDirectory(place);
  }
}, 60_000);
