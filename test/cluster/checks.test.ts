/** The checkers themselves: what judges chaos runs and demonstrations must find each violation it is there for. */
import { describe, expect, test } from 'vitest';
import { compareDigests } from '../../cluster/agreement.js';
import { KeyHistory } from '../../cluster/chaos/history.js';
import { loadCities } from '../../cluster/demo/cities.js';
import { grouped, Screen } from '../../cluster/demo/screen.js';
import { BrokenPromise, workThrough } from '../../cluster/demo/workers.js';

function historyOf(): KeyHistory {
  return new KeyHistory('k', 1000);
}

describe('the history of a key', () => {
  test('takes the last acknowledged write, and nothing earlier', () => {
    const history = historyOf();
    const [first, second] = [history.nextValue(), history.nextValue()];
    history.acknowledge(first, 0);
    history.acknowledge(second, 10);
    expect(history.judge(second)).toBe('right');
    expect(history.judge(first)).toBe('lost');
    expect(history.judge(null)).toBe('lost');
  });

  test('finds a deleted key that is back', () => {
    const history = historyOf();
    const value = history.nextValue();
    history.acknowledge(value, 0);
    history.acknowledge(null, 10);
    expect(history.judge(null)).toBe('right');
    expect(history.judge(value)).toBe('resurrected');
  });

  test('finds a value that was never written to this key', () => {
    const history = historyOf();
    history.acknowledge(history.nextValue(), 0);
    expect(history.judge('k=2')).toBe('garbage');
    expect(history.judge('other=1')).toBe('garbage');
    expect(history.judge('')).toBe('garbage');
  });

  test('lets a doubtful write count only while it may still take effect', () => {
    const history = historyOf();
    const [doubtful, next, last] = [history.nextValue(), history.nextValue(), history.nextValue()];
    history.doubt(doubtful, 0, 100);
    history.acknowledge(next, 500);
    expect(history.judge(doubtful)).toBe('right');
    history.acknowledge(last, 1101);
    expect(history.judge(doubtful)).toBe('lost');
    expect(history.judge(last)).toBe('right');
  });

  test('lets a doubtful write count for longer when a node stood still', () => {
    const history = historyOf();
    const [doubtful, last] = [history.nextValue(), history.nextValue()];
    history.doubt(doubtful, 0, 100);
    history.acknowledge(last, 1600);
    expect(history.judge(doubtful)).toBe('lost');
    history.stretch(499);
    expect(history.judge(doubtful)).toBe('lost');
    history.stretch(500);
    expect(history.judge(doubtful)).toBe('right');
  });
});

describe('the comparison of digests', () => {
  const digests = (...values: string[]): Map<number, string> => new Map(values.entries());

  test('agrees when all owners hold equal digests', () => {
    expect(compareDigests([digests('a', 'b'), digests('a', 'b')], 2, 2)).toMatchObject({ agreed: true, digests: 4 });
  });

  test('names the partitions that differ or miss an owner', () => {
    expect(compareDigests([digests('a', 'b'), digests('a', 'c')], 2, 2).differing).toEqual([1]);
    expect(compareDigests([digests('a', 'b'), digests('a')], 2, 2).differing).toEqual([1]);
  });

  test('is no agreement when nobody holds anything', () => {
    expect(compareDigests([digests(), digests()], 0, 2).agreed).toBe(false);
  });
});

describe('the demonstration', () => {
  test('has 138,398 cities, each with a key of its own', () => {
    const records = loadCities() ?? [];
    expect(new Set(records.map((record) => record.key)).size).toBe(138_398);
    expect(grouped(records.length)).toBe('138,398');
  });

  test('tries an operation again until it is acknowledged, and counts that', async () => {
    const failuresLeft = [0, 2, 1];
    const options = { concurrency: 2, patienceMs: 10_000, signal: new AbortController().signal };
    const tally = await workThrough(3, options, async (index) => {
      if (failuresLeft[index]-- > 0) throw new Error('not now');
    });
    expect(tally.retries).toBe(3);
  });

  test('does not try again what broke a promise', async () => {
    const options = { concurrency: 1, patienceMs: 10_000, signal: new AbortController().signal };
    let attempts = 0;
    const work = workThrough(5, options, async () => {
      attempts++;
      throw new BrokenPromise('gone');
    });
    await expect(work).rejects.toThrow('gone');
    expect(attempts).toBe(1);
  });

  test('draws a moving line on a terminal and a line per quarter in a pipe', () => {
    const shown = (interactive: boolean): string => {
      let text = '';
      let now = 0;
      const screen = new Screen({ out: (part) => (text += part), interactive });
      const progress = screen.progress('load', 8, () => (now += 500));
      for (let step = 0; step < 8; step++) progress.advance();
      progress.end();
      return text;
    };
    expect(
      shown(false)
        .split('\n')
        .filter((line) => line.includes('%')),
    ).toHaveLength(3);
    expect(shown(false)).not.toContain('\x1b');
    expect(shown(true)).toContain('\r');
  });
});
