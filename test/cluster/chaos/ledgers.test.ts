/** The books of a chaos run, and the judgement of what nodes answer by them: each wrong answer must be found, and no right one. */
import { describe, expect, test } from 'vitest';
import { KeyHistory, type Span } from '../../../cluster/chaos/history.js';
import { CounterLedger, MortalLedger, padded, unpadded } from '../../../cluster/chaos/ledgers.js';
import type { Book, Lane } from '../../../cluster/chaos/load.js';
import { type Judgement, judgeBook, keysOf } from '../../../cluster/chaos/verdicts.js';

const STRICT = { levelOne: false, evicts: false };

describe('a counter', () => {
  const counter = new CounterLedger('c');
  counter.definite = 10;
  counter.doubtful = 2;

  test.each(['10', '11', '12'])('is right with %s of 10 certain and 2 doubtful increments', (found) => {
    expect(counter.judge(found, 0)).toBeNull();
  });

  test('is lost below, and counted too much above', () => {
    expect(counter.judge('9', 0)).toMatch(/^lost c: expected 10 to 12, found 9/);
    expect(counter.judge(null, 0)).toMatch(/^lost/);
    expect(counter.judge('13', 0)).toMatch(/^counted too much/);
    expect(counter.judge('ten', 0)).toMatch(/^garbage/);
  });

  test('may be less where increments may be gone, and never more', () => {
    expect(counter.judge('3', 7)).toBeNull();
    expect(counter.judge('2', 7)).toMatch(/^lost/);
    expect(counter.judge('13', 7)).toMatch(/^counted too much/);
    expect(counter.judge('-1e9', 7)).toMatch(/^garbage/);
  });
});

describe('a value with its padding', () => {
  test('is what was written, whatever its length', () => {
    for (let number = 1; number < 50; number++) expect(unpadded(padded(`k=${number}`))).toBe(`k=${number}`);
  });

  test('is unknown to its history when it was cut or has the end of another', () => {
    const history = new KeyHistory('k', 0);
    const value = history.nextValue();
    for (const found of [padded(value).slice(0, -1), `${padded(value)}x`, `${value}|${padded('k=2').split('|')[1]}`]) {
      expect(history.judge(unpadded(found))).toBe('garbage');
    }
  });

  test('is nothing where nothing was found', () => {
    expect(unpadded(undefined)).toBeNull();
    expect(unpadded(null)).toBeNull();
  });
});

describe('the judgement of a book', () => {
  const open = (lane: Lane) => {
    const history = new KeyHistory('k', 0);
    const first = history.nextValue();
    history.acknowledge(first, 0);
    history.acknowledge(history.nextValue(), 10, 20);
    const counter = new CounterLedger('c');
    for (const atMs of [5, 6, 20]) counter.acknowledge(atMs);
    const mortals = new MortalLedger('m');
    mortals.acknowledge('m:1', 1000);
    const book: Book = { lane, histories: [history], counters: [counter], mortals };
    return { book, right: [padded('k=2'), '3', null] };
  };
  const judge = (
    lane: Lane,
    found: (string | null)[],
    askedAtMs = 2000,
    budget = STRICT,
    losses: readonly Span[] = [],
  ): Judgement => {
    const judgement: Judgement = { violations: [], excused: 0, keys: 0 };
    judgeBook('node-1', open(lane).book, found, askedAtMs, { budget, losses }, judgement);
    return judgement;
  };
  const one: Lane = { door: 'resp', level: 'one' };
  const quorum: Lane = { door: 'client', level: 'quorum' };

  test('takes every key of it, in one order', () => {
    expect(keysOf(open(one).book)).toEqual(['k', 'c', 'm:1']);
  });

  test('finds nothing in what is right', () => {
    expect(judge(one, open(one).right)).toMatchObject({ violations: [], excused: 0 });
  });

  test('finds an old value, a missing increment and a key past its end', () => {
    const { violations } = judge(one, [padded('k=1'), '2', 'mortal']);
    expect(violations.map((line) => line.split(' ')[0])).toEqual(['lost', 'lost', 'expired']);
  });

  test('lets a key live until its end', () => {
    expect(judge(one, [padded('k=2'), '3', 'mortal'], 1000).violations).toEqual([]);
  });

  test('excuses at level one alone what was acknowledged shortly before a disk was lost', () => {
    const budget = { levelOne: true, evicts: false };
    const found = [padded('k=1'), '2', null];
    const shortlyBefore = [{ fromMs: 15, untilMs: 30 }];
    expect(judge(one, found, 2000, budget, shortlyBefore)).toMatchObject({ violations: [], excused: 2 });
    expect(judge(quorum, found, 2000, budget, shortlyBefore).violations).toHaveLength(2);
    expect(judge(one, found, 2000, STRICT, shortlyBefore).violations).toHaveLength(2);
    expect(judge(one, [padded('k=1'), '1', null], 2000, budget, shortlyBefore).violations).toHaveLength(1);
  });

  test('does not excuse at level one what was acknowledged long before a disk was lost, or after it', () => {
    const budget = { levelOne: true, evicts: false };
    const found = [padded('k=1'), '2', null];
    expect(judge(one, found, 2000, budget, []).violations).toHaveLength(2);
    expect(judge(one, found, 2000, budget, [{ fromMs: 21, untilMs: 90 }]).violations).toHaveLength(2);
    expect(judge(one, found, 2000, budget, [{ fromMs: 8, untilMs: 19 }]).violations).toHaveLength(2);
  });

  test('excuses absence where memory is too small, and no old value', () => {
    const budget = { levelOne: false, evicts: true };
    expect(judge(quorum, [null, null, null], 2000, budget)).toMatchObject({ violations: [], excused: 2 });
    expect(judge(quorum, [padded('k=1'), '3', null], 2000, budget).violations).toHaveLength(1);
  });

  test('excuses garbage and late reads in no case', () => {
    const budget = { levelOne: true, evicts: true };
    expect(judge(one, ['k=99|', '4', 'mortal'], 2000, budget).violations).toHaveLength(3);
  });
});
