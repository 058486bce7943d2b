/**
 * A key that one owner has given up, or forgotten as deleted, and another has not: what is written there to what looks new must
 * stand against what the other still holds. And what an owner that gives values up may not take for known to all.
 */
import { describe, expect, it } from 'vitest';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { CounterChange } from '../../../src/core/types/counter-change.js';
import { type Cover, EMPTY_COVER } from '../../../src/core/types/cover.js';
import { sketchOf } from '../../../src/core/types/hyperloglog.js';
import { SketchChange } from '../../../src/core/types/hyperloglog-record.js';
import { made } from '../../../src/core/types/made.js';
import type { StateChange } from '../../../src/core/types/merge-type.js';
import { SiblingsChange } from '../../../src/core/types/siblings-change.js';
import { takeSet } from '../../../src/core/types/siblings-record.js';
import { record } from '../record/records.js';
import { at, KEY, merged, takeMade, textOf } from './counted.js';

const LIMITS = {
  flushedHlc: 0,
  flushedActor: 0,
  floorHlc: 0,
  isPartial: false,
  endHlcOf: () => Number.POSITIVE_INFINITY,
  continues: (_sequence: number) => true,
};

function changed(stored: Buffer | null, change: StateChange, actor: number, ms: number, limits = LIMITS): Buffer {
  const stamp = { hlc: at(ms), actor, sequence: ms };
  if (!change.apply(stored, 0, KEY, 0, KEY.length, stamp, limits, made)) throw change.refusal;
  return takeMade();
}

function cput(
  stored: Buffer | null,
  actor: number,
  ms: number,
  value: string,
  seen: Cover = EMPTY_COVER,
  limits = LIMITS,
) {
  return changed(stored, new SiblingsChange().put(seen, Buffer.from(value), 0, ms), actor, ms, limits);
}

function cdel(stored: Buffer, actor: number, ms: number) {
  return changed(stored, new SiblingsChange().remove(takeSet(stored, 0), ms), actor, ms);
}

function pfadd(stored: Buffer | null, actor: number, ms: number, entry: number, limits = LIMITS) {
  return changed(stored, new SketchChange().add(sketchOf([entry])), actor, ms, limits);
}

function incr(stored: Buffer | null, actor: number, ms: number, amount: number, limits = LIMITS) {
  return changed(stored, new CounterChange().add(amount), actor, ms, limits);
}

function values(bytes: Buffer | null): string[] {
  return bytes === null ? [] : takeSet(bytes, 0).siblings.map(({ value }) => value.toString());
}

const tombstone = record({ type: TYPE_TOMBSTONE, hlc: at(10), actor: 9, sequence: 1 }, KEY);
const set = record({ hlc: at(10), actor: 9, sequence: 1 }, KEY, 'set');

describe('what is written where a key has been forgotten', () => {
  it('stands against a tombstone that another owner still holds', () => {
    expect(values(merged(cput(null, 1, 20, 'new'), tombstone))).toEqual(['new']);
    expect(textOf(merged(incr(null, 1, 20, 5), tombstone) as Buffer, 30)).toBe('5');
  });

  it('stands beside the SET that another owner still holds, and beside what was written upon that', () => {
    const upon = cput(set, 2, 15, 'upon');
    expect(values(merged(cput(null, 1, 20, 'new'), set))).toEqual(['new', 'set']);
    expect(values(merged(cput(null, 1, 20, 'new'), upon))).toEqual(['new', 'upon', 'set']);
  });

  it('is not joined by a former life that a backup or a late owner brings back', () => {
    const old = incr(null, 3, 10, 1000);
    const counter = incr(null, 1, 200, 1, { ...LIMITS, floorHlc: at(100) });
    expect(textOf(merged(counter, old) as Buffer, 300)).toBe('1');
    expect(textOf(merged(counter, incr(null, 2, 150, 5)) as Buffer, 300)).toBe('6');
    const value = cput(null, 3, 10, 'old');
    const again = cput(null, 1, 200, 'new', EMPTY_COVER, { ...LIMITS, floorHlc: at(100) });
    expect(values(merged(again, value))).toEqual(['new']);
    expect(values(merged(again, cput(null, 2, 150, 'beside')))).toEqual(['new', 'beside']);
  });

  it('is gone where the SET or DEL came later', () => {
    expect(merged(cput(null, 1, 5, 'old'), tombstone)).toEqual(tombstone);
    expect(merged(cput(null, 1, 5, 'old'), set)).toEqual(set);
    expect(merged(pfadd(null, 1, 5, 65), tombstone)).toEqual(tombstone);
  });
});

describe('a sketch that is begun where a flush is known', () => {
  const flushed = { ...LIMITS, flushedHlc: at(50), flushedActor: 7 };
  const old = pfadd(null, 3, 10, 65);

  it('stands for itself where nobody has heard of the flush yet: of what that took nothing joins it', () => {
    const ended = changed(old, new SketchChange().add(sketchOf([129])), 3, 20, { ...LIMITS });
    const lives = [null, old, tombstone, deadline(25)];
    for (const stored of lives) {
      const sketch = pfadd(stored, 1, 60, 65, flushed);
      for (const former of [old, ended, tombstone, set]) expect(merged(sketch, former)).toEqual(sketch);
      expect(sketch).toEqual(pfadd(null, 1, 60, 65, flushed));
    }
  });

  it('stands upon a DEL or an end that came after the flush', () => {
    const deletedAt = record({ type: TYPE_TOMBSTONE, hlc: at(55), actor: 9, sequence: 1 }, KEY);
    const between = pfadd(null, 2, 52, 129, flushed);
    for (const stored of [deletedAt, deadline(56, 52)]) {
      const sketch = pfadd(stored, 1, 60, 65, flushed);
      expect(merged(sketch, between)).toEqual(sketch);
    }
  });

  /** A value that ends on its own. */
  function deadline(expireAtMs: number, ms = 12): Buffer {
    return record({ hlc: at(ms), actor: 9, sequence: 1, expireAtMs }, KEY, 'mortal');
  }
});

describe('an owner that gives values up', () => {
  const forgot = { ...LIMITS, continues: () => false };

  it('adds to no part of its own that came back older than it was', () => {
    const first = incr(null, 1, 10, 7);
    const second = incr(first, 1, 20, 3);
    const again = incr(first, 1, 30, 1, forgot);
    expect(textOf(merged(again, second) as Buffer, 40)).toBe('11');
  });

  it('begins only so many parts for that', () => {
    let counter = incr(null, 1, 10, 1);
    for (let ms = 11; ms < 400; ms++) counter = incr(counter, 1, ms, 1, forgot);
    expect(textOf(counter, 500)).toBe('390');
    expect(counter.length).toBeLessThan(1024);
  });

  it('folds nothing as known to all while there is room: its copy may lack what all others have', () => {
    const floor = { ...LIMITS, floorHlc: at(100), isPartial: true, endHlcOf: () => at(50) };
    const kept = incr(null, 3, 10, 4);
    const folded = incr(incr(null, 1, 20, 1), 2, 200, 1, floor);
    expect(textOf(merged(folded, kept) as Buffer, 300)).toBe('6');
    const value = cput(null, 3, 10, 'kept');
    const beside = cput(cput(null, 1, 20, 'one'), 2, 200, 'two', EMPTY_COVER, floor);
    expect(values(merged(beside, value))).toEqual(['two', 'one', 'kept']);
  });
});

describe('a command on what has ended', () => {
  const deleted = cdel(cput(set, 1, 20, 'value'), 1, 30);
  const expired = changed(null, new SiblingsChange().put(EMPTY_COVER, Buffer.from('v'), 25, 20), 1, 20);

  it('begins anew whatever type it was, above all that it was', () => {
    for (const ended of [deleted, expired]) {
      const counter = incr(ended, 1, 40, 5);
      expect(textOf(counter, 50)).toBe('5');
      expect(merged(counter, ended)).toEqual(counter);
      const sketch = pfadd(ended, 1, 40, 65);
      expect(merged(sketch, ended)).toEqual(sketch);
      expect(merged(sketch, set)).toEqual(sketch);
    }
    const mortal = record({ hlc: at(10), actor: 9, sequence: 1, expireAtMs: 25 }, KEY, '7');
    const counter = incr(mortal, 1, 20, 1);
    expect(values(cput(counter, 1, 40, 'after'))).toEqual(['after']);
  });

  it('is refused while it lives', () => {
    expect(() => incr(cput(null, 1, 20, 'value'), 1, 40, 5)).toThrow('wrong kind');
    expect(() => cput(incr(null, 1, 20, 5), 1, 40, 'value')).toThrow('wrong kind');
    expect(() => pfadd(incr(null, 1, 20, 5), 1, 40, 65)).toThrow('wrong kind');
  });

  it('counts from nothing upon a value that ended before the stamp of its own write, as a clock behind makes it', () => {
    const early = record({ hlc: at(100), actor: 9, sequence: 1, expireAtMs: 60 }, KEY, '7');
    let counter = incr(early, 1, 110, 1);
    expect(textOf(counter, 70)).toBe('1');
    counter = incr(counter, 1, 120, 1);
    expect(textOf(merged(counter, early) as Buffer, 130)).toBe('2');
    expect(counter.length).toBe(incr(null, 1, 120, 1).length);
  });
});
