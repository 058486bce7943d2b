import { describe, expect, it } from 'vitest';
import {
  STANDING_FETCHING,
  STANDING_NONE,
  STANDING_TORN,
  STANDING_WHOLE,
  Standings,
} from '../../../src/core/replication/standings.js';

describe('what the copies of partitions are', () => {
  it('is recovered from its last note; one for another number of partitions is none', () => {
    const standings = new Standings(9);
    standings.set(0, STANDING_WHOLE);
    standings.set(7, STANDING_FETCHING);
    standings.set(8, STANDING_WHOLE);
    const first = standings.encode();
    standings.set(8, STANDING_NONE);
    const last = standings.encode();
    const read = (...notes: Buffer[]): number[] => {
      const found = new Standings(9);
      for (const note of notes) found.recover(note, 0);
      return Array.from({ length: 9 }, (_unused, partition) => found.of(partition));
    };
    expect(read(first)).toEqual([2, 0, 0, 0, 0, 0, 0, 1, 2]);
    expect(read(first, last, new Standings(5).encode())).toEqual([2, 0, 0, 0, 0, 0, 0, 1, 0]);
  });

  it('stays torn over further starts where it was whole, until that is said anew; what was a part is no more than that', () => {
    const standings = new Standings(3);
    standings.set(0, STANDING_WHOLE);
    standings.set(1, STANDING_FETCHING);
    standings.tear();
    expect(standings.isDue(0, true)).toBe(true);
    const next = new Standings(3);
    next.recover(standings.encode(), 0);
    expect([0, 1, 2].map((partition) => next.of(partition))).toEqual([STANDING_TORN, STANDING_FETCHING, STANDING_NONE]);
    expect([next.isWhole(0), next.isTorn(0), next.isWhole(1), next.isTorn(1)]).toEqual([true, true, false, false]);
    next.set(0, STANDING_WHOLE);
    expect(next.isTorn(0)).toBe(false);
  });

  it('is noted at once when less is known than before, and otherwise once a second', () => {
    const standings = new Standings(4);
    expect(standings.isDue(0)).toBe(false);
    standings.set(1, STANDING_WHOLE);
    expect(standings.isDue(0)).toBe(true);
    standings.noted(0);
    standings.set(2, STANDING_WHOLE);
    expect([standings.isDue(999), standings.isDue(999, true), standings.isDue(1000)]).toEqual([false, true, true]);
    standings.set(1, STANDING_FETCHING);
    expect(standings.isDue(1)).toBe(true);
    standings.noted(1);
    standings.set(1, STANDING_FETCHING);
    expect(standings.isDue(5000, true)).toBe(false);
  });
});
