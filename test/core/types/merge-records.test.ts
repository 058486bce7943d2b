/** Whole records of siblings and HyperLogLogs that meet, as the store lets them: the laws over bytes, and what wins over what. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { recordBytes, recordType, TYPE_TOMBSTONE, verifyRecord } from '../../../src/core/record/record.js';
import type { Cover } from '../../../src/core/types/cover.js';
import { EMPTY_COVER } from '../../../src/core/types/cover.js';
import { sketchOf } from '../../../src/core/types/hyperloglog.js';
import { SketchChange } from '../../../src/core/types/hyperloglog-record.js';
import { Made } from '../../../src/core/types/made.js';
import {
  BOTH_STAND,
  GONE,
  LEFT_STANDS,
  MADE,
  RIGHT_STANDS,
  type Stamp,
  type StateChange,
} from '../../../src/core/types/merge-type.js';
import { SiblingsChange } from '../../../src/core/types/siblings-change.js';
import { takeSet } from '../../../src/core/types/siblings-record.js';
import { isMergeable, mergeRecords } from '../../../src/core/types/types.js';
import { record } from '../record/records.js';
import { at, Replica } from './counted.js';

const KEY = Buffer.from('key');
const NEVER = { flushedHlc: 0, flushedActor: 0 };
const LIMITS = { ...NEVER, floorHlc: 0, isPartial: false, endHlcOf: () => Number.POSITIVE_INFINITY };

function changed(stored: Buffer | null, change: StateChange, stamp: Stamp, continues = (_sequence: number) => true) {
  const made = new Made();
  if (!change.apply(stored, 0, KEY, 0, 3, stamp, { ...LIMITS, continues }, made))
    throw change.refusal ?? new Error('refused');
  return Buffer.from(made.bytes.subarray(0, made.length));
}

/** What stands where two states meet; null for nothing. */
function meet(left: Buffer, right: Buffer, flushed = NEVER): Buffer | null {
  const made = new Made();
  const verdict = mergeRecords(left, 0, right, 0, flushed, made);
  if (verdict === GONE) return null;
  if (verdict === MADE) return Buffer.from(made.bytes.subarray(0, made.length));
  return verdict === RIGHT_STANDS ? right : left;
}

/** Three owners that write, exchange states and forget. */
function play(seed: number, steps: number, change: (random: Random, stored: Buffer | null) => StateChange) {
  const random = new Random(seed, 0x3e7);
  const states: (Buffer | null)[] = [null, null, null];
  const last = [0, 0, 0];
  for (let step = 1; step <= steps; step++) {
    const owner = random.below(3);
    const mine = states[owner];
    const other = states[random.below(3)];
    const what = random.below(12);
    const stamp = { hlc: step * 4096, actor: 7 + owner, sequence: step };
    if (what < 6) {
      states[owner] = changed(mine, change(random, mine), stamp, (sequence) => sequence === last[owner]);
      last[owner] = step;
    } else if (what < 10) states[owner] = mine === null ? other : other === null ? mine : meet(mine, other);
    else if (what === 10) states[owner] = record({ ...stamp, type: TYPE_TOMBSTONE }, 'key');
    else states[owner] = null;
  }
  return states.map((state) => state ?? record({ hlc: 1, actor: 1, sequence: 1, type: TYPE_TOMBSTONE }, 'key'));
}

const kinds = {
  siblings: (): ((random: Random, stored: Buffer | null) => StateChange) => {
    const contexts: Cover[] = [EMPTY_COVER];
    let values = 0;
    return (random, stored) => {
      if (stored !== null) contexts.push(takeSet(stored, 0));
      const seen = contexts[random.below(contexts.length)];
      const change = new SiblingsChange();
      return random.chance(0.2) ? change.remove(seen, 0) : change.put(seen, Buffer.from(`v${++values}`), 0, 0);
    };
  },
  HyperLogLogs: () => (random: Random) =>
    new SketchChange().add(
      sketchOf(Array.from({ length: random.below(5) }, () => (random.below(40) << 6) | random.between(1, 9))),
    ),
};

describe.each(Object.entries(kinds))('%s that meet', (_name, kind) => {
  it('come to the same bytes in any order, any number of times', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 50 }), (seed, steps) => {
        const [a, b, c] = play(seed, steps, kind());
        const both = meet(a, b) as Buffer;
        expect(both.equals(meet(b, a) as Buffer)).toBe(true);
        expect((meet(both, c) as Buffer).equals(meet(a, meet(b, c) as Buffer) as Buffer)).toBe(true);
        expect((meet(both, a) as Buffer).equals(both)).toBe(true);
        expect(mergeRecords(both, 0, a, 0, NEVER, new Made())).not.toBe(MADE);
      }),
      { numRuns: 200 },
    );
  });

  it('make records that are verified, and no others', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 50 }), (seed, steps) => {
        const [a, b] = play(seed, steps, kind());
        const both = meet(a, b) as Buffer;
        expect(verifyRecord(both, 0, both.length)).toBe(both.length);
        if (recordType(both, 0) !== TYPE_TOMBSTONE) expect(isMergeable(both, 0)).toBe(true);
        for (const at of [12, 20, 24]) {
          const forged = Buffer.from(both);
          forged[at] ^= 1;
          if (recordType(both, 0) !== TYPE_TOMBSTONE) expect(isMergeable(forged, 0), `byte ${at}`).toBe(false);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('lose to a SET or DEL that came after them, and stand upon one that was there', () => {
    const make = kind();
    const random = new Random(1, 2);
    const before = changed(null, make(random, null), { hlc: 100, actor: 7, sequence: 1 });
    const later = changed(before, make(random, before), { hlc: 150, actor: 7, sequence: 3 });
    for (const type of [1, TYPE_TOMBSTONE]) {
      const set = record({ hlc: 200, actor: 8, sequence: 2, type }, 'key', type === 1 ? 'value' : '');
      expect(mergeRecords(later, 0, set, 0, NEVER, new Made())).toBe(RIGHT_STANDS);
      expect(mergeRecords(set, 0, later, 0, NEVER, new Made())).toBe(LEFT_STANDS);
    }
    const tombstone = record({ hlc: 200, actor: 8, sequence: 2, type: TYPE_TOMBSTONE }, 'key');
    const upon = changed(tombstone, make(random, null), { hlc: 250, actor: 9, sequence: 1 });
    expect(mergeRecords(upon, 0, tombstone, 0, NEVER, new Made())).toBe(LEFT_STANDS);
    expect((meet(later, upon) as Buffer).equals(upon)).toBe(true);
  });

  it('are gone where a flush is later than all of them', () => {
    const make = kind();
    const state = changed(null, make(new Random(1, 2), null), { hlc: 100, actor: 7, sequence: 1 });
    expect(meet(state, state, { flushedHlc: 99, flushedActor: 1 })).not.toBeNull();
    expect(meet(state, state, { flushedHlc: 101, flushedActor: 1 })).toBeNull();
    expect(recordBytes(state, 0)).toBe(state.length);
  });
});

describe('two states of a key that no record could hold together', () => {
  const MIB = 1024 * 1024;
  const blind = (bytes: number, fill: string) => new SiblingsChange().put(EMPTY_COVER, Buffer.alloc(bytes, fill), 0, 0);

  it('of siblings: the last written stay, as many as there is room for; the others are covered and do not come back', () => {
    const states = [7, 8, 9].map((actor) =>
      changed(null, blind(7 * MIB, `${actor}`), { hlc: actor * 100, actor, sequence: 1 }),
    );
    const [oldest, older, newest] = states;
    const made = new Made();
    const two = meet(oldest, older) as Buffer;
    expect(takeSet(two, 0).siblings.length).toBe(2);
    expect(mergeRecords(two, 0, newest, 0, NEVER, made)).toBe(MADE);
    expect(made.valuesLost).toBe(1);
    const all = Buffer.from(made.bytes.subarray(0, made.length));
    expect(takeSet(all, 0).siblings.map(({ actor }) => actor)).toEqual([9, 8]);
    expect(isMergeable(all, 0)).toBe(true);
    expect(all.equals(meet(newest, two) as Buffer)).toBe(true);
    expect(all.equals(meet(meet(newest, oldest) as Buffer, older) as Buffer)).toBe(true);
    for (const state of states) {
      expect(mergeRecords(all, 0, state, 0, NEVER, made)).toBe(LEFT_STANDS);
      expect(made.valuesLost).toBe(0);
    }
  });

  it('of any other type: the later stands whole, whichever side it comes from', () => {
    const halves = [0, 1].map((half) => {
      let state: Buffer | null = null;
      for (let actor = 1; actor <= 600; actor++) {
        const replica = new Replica(half * 10_000 + actor);
        replica.add(at(half * 1000 + actor), 1);
        const part = replica.stored as Buffer;
        state = state === null ? part : meet(state, part);
      }
      return state as Buffer;
    });
    const [earlier, later] = halves;
    const made = new Made();
    expect(mergeRecords(earlier, 0, later, 0, NEVER, made)).toBe(RIGHT_STANDS);
    expect(made.valuesLost).toBe(1);
    expect(mergeRecords(later, 0, earlier, 0, NEVER, made)).toBe(LEFT_STANDS);
    expect(mergeRecords(later, 0, later, 0, NEVER, made)).toBe(BOTH_STAND);
  });
});
