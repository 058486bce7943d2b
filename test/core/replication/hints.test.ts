import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HintPace } from '../../../src/core/replication/hint-pace.js';
import { HintRoom, Hints } from '../../../src/core/replication/hints.js';

const PARTITIONS = 4;

function hintsOf(bytesMax: number, room?: HintRoom): Hints {
  return new Hints(bytesMax, PARTITIONS, room);
}

describe('hints', () => {
  it('say what of a partition there was no room for, until a comparison that began later has passed', () => {
    const hints = hintsOf(200);
    hints.add('a', 1, 1, 50);
    expect(hints.hasMissed(1, 1, 0)).toBe(false);
    hints.add('b', 1, 2, 60, 9);
    expect(hints.hasMissed(1, 9, 0)).toBe(true);
    expect(hints.hasMissed(1, 10, 0)).toBe(false);
    expect(hints.hasMissed(2, 1, 0)).toBe(false);
    expect(hints.hasMissed(1, 1, 60)).toBe(false);
    // What was evicted here was nobody's to keep.
    hints.drop('a', 70);
    expect(hints.hasMissed(1, 10, 60)).toBe(false);
  });

  it('stand once for any number of writes to a key, and account for every one', () => {
    const hints = hintsOf(10_000);
    expect(hints.add('a', 1, 1, 0)).toBe(true);
    expect(hints.add('a', 1, 2, 0)).toBe(false);
    expect(hints.add('b', 2, 3, 0)).toBe(true);
    expect(hints.first(10).map(([key]) => key)).toEqual(['a', 'b']);
    expect(hints).toMatchObject({ created: 3, superseded: 1, pending: 2, owedSince: 1 });
    hints.assertInvariants();
  });

  it('that the log had no room for are given to it again, oldest first, until each is in it or owed no more', () => {
    const hints = hintsOf(10_000);
    for (const key of ['a', 'b', 'c', 'd']) {
      hints.add(key, 2, 1, 0);
      if (key !== 'd') hints.notLogged(key);
    }
    hints.notLogged('nobody owes it');
    hints.underWay('a', 7);
    hints.supersede('b');
    expect(hints.unloggedCount).toBe(2);
    expect(['a', 'c', 'd'].map((key) => hints.isLogged(key))).toEqual([false, false, true]);
    hints.assertInvariants();
    const logged: string[] = [];
    let room = 0;
    const log = (key: string, partition: number): boolean => {
      if (room-- <= 0) return false;
      logged.push(`${key} of ${partition}`);
      return true;
    };
    hints.logLate(log);
    expect([logged, hints.unloggedCount]).toEqual([[], 2]);
    room = 1;
    hints.logLate(log);
    room = 9;
    hints.logLate(log);
    expect([logged, hints.unloggedCount, hints.pending]).toEqual([['a of 2', 'c of 2'], 0, 3]);
  });

  it('are delivered when the message that carries them is acknowledged, not when it leaves', () => {
    const hints = hintsOf(10_000);
    hints.add('a', 1, 1, 0);
    hints.underWay('a', 7);
    expect(hints).toMatchObject({ pending: 1, waiting: 0, delivered: 0 });
    expect(hints.acknowledged('a', 6)).toBe(false);
    expect(hints.acknowledged('a', 7)).toBe(true);
    expect(hints).toMatchObject({ pending: 0, delivered: 1, bytes: 0 });
  });

  it('are owed again when their message came to nothing', () => {
    const hints = hintsOf(10_000);
    hints.add('a', 1, 1, 0);
    hints.underWay('a', 7);
    hints.returned('a', 7);
    expect(hints).toMatchObject({ created: 1, pending: 1, waiting: 1 });
    expect(hints.acknowledged('a', 7)).toBe(false);
    hints.assertInvariants();
  });

  it('stay owed when a later write was noted while an earlier one was under way', () => {
    const hints = hintsOf(10_000);
    hints.add('a', 1, 1, 0);
    hints.underWay('a', 7);
    hints.add('a', 1, 2, 0);
    expect(hints.acknowledged('a', 7)).toBe(false);
    expect(hints).toMatchObject({ created: 2, superseded: 1, delivered: 0, pending: 1, waiting: 1 });
  });

  it('are dropped and counted past their bytes, and their partition owes a repair until a later comparison', () => {
    const hints = hintsOf(300);
    expect(hints.add('a', 0, 1, 10)).toBe(true);
    expect(hints.add('b', 1, 2, 11)).toBe(true);
    expect(hints.add('c', 2, 3, 12)).toBe(false);
    expect(hints.dropped).toBe(1);
    const passed = new Float64Array(PARTITIONS);
    expect(hints.partitionsToRepair(passed)).toBe(1);
    passed[2] = 12;
    expect(hints.partitionsToRepair(passed)).toBe(0);
    hints.drop('a', 13);
    expect(hints.add('c', 2, 4, 14)).toBe(true);
    hints.assertInvariants();
  });

  it('share the room of their node', () => {
    const room = new HintRoom(300);
    const [left, right] = [hintsOf(10_000, room), hintsOf(10_000, room)];
    expect(left.add('a', 0, 1, 0)).toBe(true);
    expect(right.add('a', 0, 1, 0)).toBe(true);
    expect(right.add('b', 0, 1, 0)).toBe(false);
    left.supersede('a');
    expect(right.add('b', 0, 1, 0)).toBe(true);
    expect(room.bytes).toBe(right.bytes);
  });

  it('that a log tells of are owed once, however often it does, and leave no trace when it tells of their end', () => {
    const hints = hintsOf(10_000);
    hints.recover('a', 0, true, 0);
    hints.recover('a', 0, true, 0);
    hints.recover('b', 0, true, 0);
    hints.recover('b', 0, false, 0);
    hints.recover('c', 0, false, 0);
    expect(hints).toMatchObject({ created: 1, pending: 1 });
    hints.assertInvariants();
  });

  it('balance whatever happens to them: created = delivered + superseded + expired + dropped + pending', () => {
    const key = fc.constantFrom('a', 'b', 'cccccccc', 'd');
    const step = fc.tuple(fc.constantFrom('add', 'send', 'ack', 'return', 'flush', 'expire', 'drop', 'recover'), key);
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(3)), { maxLength: 80 }), (steps) => {
        const hints = hintsOf(420);
        for (const [[what, name], message] of steps) {
          if (what === 'add') hints.add(name, message, 1, 5);
          else if (what === 'send') hints.underWay(name, message);
          else if (what === 'ack') hints.acknowledged(name, message);
          else if (what === 'return') hints.returned(name, message);
          else if (what === 'flush') hints.supersede(name);
          else if (what === 'expire') hints.expire(name);
          else if (what === 'drop') hints.drop(name, 5);
          else hints.recover(name, 0, message > 1, 5);
          hints.assertInvariants();
          expect([...hints.entries()]).toHaveLength(hints.pending);
        }
      }),
    );
  });
});

describe('the pace of hints', () => {
  const TICK_MS = 25;

  function paceAfter(ticks: number, rttMs: (tick: number) => number): HintPace {
    const pace = new HintPace();
    for (let tick = 0; tick < ticks; tick++) pace.allow(tick * TICK_MS, rttMs(tick));
    return pace;
  }

  it('rises while the round trip is as usual', () => {
    const first = paceAfter(1, () => 3).bytesPerSecond;
    expect(paceAfter(100, () => 3).bytesPerSecond).toBeGreaterThan(4 * first);
  });

  it('halves at every tick while the round trip is slow, down to a floor above nothing', () => {
    const calm = paceAfter(4, () => 3).bytesPerSecond;
    expect(paceAfter(5, (tick) => (tick < 4 ? 3 : 30)).bytesPerSecond).toBe(calm / 2);
    const slowed = paceAfter(200, (tick) => (tick < 4 ? 3 : 30));
    expect(slowed.bytesPerSecond).toBe(64 * 1024);
    expect(slowed.allow(200 * TICK_MS, 30)).toBeGreaterThan(0);
  });

  it('takes a link that has become slow for good as it is, in the course of minutes', () => {
    const pace = paceAfter(6 * 60 * 40, (tick) => (tick < 4 ? 5 : 20));
    expect(pace.bytesPerSecond).toBeGreaterThan(1024 * 1024);
  });

  it('lets through what it allows and makes up for a record that was longer', () => {
    const pace = paceAfter(1, () => 3);
    const allowed = pace.allow(TICK_MS, 3);
    pace.spent(allowed * 3);
    expect(pace.allow(2 * TICK_MS, 3)).toBeLessThanOrEqual(0);
  });

  it('leaves a peer that refused alone for a second, then for twice as long, until it takes one', () => {
    const pace = new HintPace();
    pace.refused(0);
    expect(pace.allow(999, 3)).toBe(0);
    expect(pace.allow(1000, 3)).toBeGreaterThan(0);
    pace.refused(1000);
    expect(pace.allow(2999, 3)).toBe(0);
    expect(pace.allow(3000, 3)).toBeGreaterThan(0);
    pace.taken();
    pace.refused(3000);
    expect(pace.allow(4000, 3)).toBeGreaterThan(0);
  });
});
