import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareRingRecords,
  decodeRingRecord,
  ENDED_BOOT_MAX,
  encodeRingRecord,
  Ring,
  type RingRecord,
  type RingState,
} from '../../../src/core/partitions/ring.js';

const record: fc.Arbitrary<RingRecord> = fc.record({
  id: fc.constantFrom('a', 'b', 'c'),
  zone: fc.constantFrom('', 'x', 'y'),
  weight: fc.constantFrom(1, 2),
  state: fc.constantFrom('in', 'out', 'left', 'forgotten'),
  version: fc.integer({ min: 0, max: 3 }),
  endedBoot: fc.constantFrom(0, 65_536, ENDED_BOOT_MAX),
});

function ringOf(records: readonly RingRecord[], max?: number): Ring {
  const ring = new Ring(max);
  for (const one of records) ring.join(one);
  return ring;
}

const member = (id: string, version = 1, state: RingState = 'in'): RingRecord => ({
  id,
  zone: '',
  weight: 1,
  state,
  version,
  endedBoot: 0,
});

describe('Ring', () => {
  it('comes to the same records and hash whatever the order and however often they are joined', () => {
    fc.assert(
      fc.property(fc.array(record), fc.array(record), (some, others) => {
        const one = ringOf([...some, ...others]);
        const two = ringOf([...others, ...others, ...some, ...some]);
        expect(two.records()).toEqual(one.records());
        expect(two.hash()).toBe(one.hash());
      }),
    );
  });

  it('orders records totally: equal only if the same', () => {
    fc.assert(
      fc.property(record, record, (left, right) => {
        const other = { ...right, id: left.id };
        expect(Math.sign(compareRingRecords(left, other))).toBe(-Math.sign(compareRingRecords(other, left)) + 0);
        if (compareRingRecords(left, other) === 0) expect(other).toEqual(left);
      }),
    );
  });

  it('gives a say to who has a place or lost it by silence, not to who left or was forgotten', () => {
    const ring = ringOf([member('a'), member('b', 2, 'out'), member('c', 2, 'left'), member('d', 2, 'forgotten')]);
    expect(ring.idsWithSay()).toEqual(['a', 'b']);
    expect(ring.members().map(({ id }) => id)).toEqual(['a']);
    ring.join(member('b', 2, 'forgotten'));
    expect(ring.idsWithSay()).toEqual(['a']);
  });

  it('lets the higher version win, and out over in at equal versions', () => {
    const ring = ringOf([member('a', 2)]);
    expect(ring.join(member('a', 1, 'out'))).toBe(false);
    expect(ring.join(member('a', 2, 'out'))).toBe(true);
    expect(ring.join(member('a', 2))).toBe(false);
    expect(ring.members()).toEqual([]);
    expect(ring.join(member('a', 3))).toBe(true);
    expect(ring.members()).toEqual([{ id: 'a', zone: '', weight: 1 }]);
  });

  it('hashes what placement depends on, and nothing else', () => {
    const plain = ringOf([member('a'), member('b')]).hash();
    expect(ringOf([member('b', 7), member('a', 9), member('c', 1, 'out')]).hash()).toBe(plain);
    expect(ringOf([member('a'), { ...member('b'), weight: 2 }]).hash()).not.toBe(plain);
    expect(ringOf([member('a'), { ...member('b'), zone: 'z' }]).hash()).not.toBe(plain);
    const changing = ringOf([member('a')]);
    const before = changing.hash();
    changing.join(member('b'));
    expect(changing.hash()).toBe(plain);
    expect(before).not.toBe(plain);
  });

  it('places as many members as can be placed, the same ones whatever the order in which they came', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: 5 }), (order) => {
        const ring = new Ring(10, 3);
        for (const id of order) ring.join(member(id));
        expect(ring.members().map(({ id }) => id)).toEqual(['a', 'b', 'c']);
        expect([ring.records().length, ring.unplaced]).toEqual([5, 2]);
        expect(ring.hash()).toBe(ringOf([member('c'), member('b'), member('a')]).hash());
        ring.join(member('b', 2, 'left'));
        expect(ring.members().map(({ id }) => id)).toEqual(['a', 'c', 'd']);
        expect(ring.unplaced).toBe(1);
      }),
    );
  });

  it('keeps its bound: forgets the oldest that is out, then refuses', () => {
    const ring = ringOf([member('a', 5, 'out'), member('b', 3, 'out'), member('c')], 3);
    expect(ring.join(member('d'))).toBe(true);
    expect(ring.get('b')).toBeUndefined();
    expect(ring.join(member('e'))).toBe(true);
    expect(ring.join(member('f'))).toBe(false);
    expect([ring.forgotten, ring.refused]).toEqual([2, 1]);
    expect(ring.records().map(({ id }) => id)).toEqual(['c', 'd', 'e']);
  });

  it('reads back what it writes, and refuses everything malformed', () => {
    fc.assert(
      fc.property(record, (one) => {
        expect(decodeRingRecord(encodeRingRecord(one))).toEqual(one);
      }),
    );
    const good = ['a', '', 1, 0, 1, 0];
    for (const [at, bad] of [
      [0, ''],
      [0, 'x'.repeat(129)],
      [0, 7],
      [1, null],
      [2, 0],
      [2, Number.NaN],
      [2, 1025],
      [3, 4],
      [4, -1],
      [4, 0.5],
      [4, 2 ** 40],
      [4, Number.MAX_SAFE_INTEGER],
      [4, '1'],
      [5, -1],
      [5, 0.5],
      [5, ENDED_BOOT_MAX + 1],
      [5, '1'],
      [5, undefined],
    ] as const) {
      expect(decodeRingRecord(good.with(at, bad as never))).toBeNull();
    }
    for (const other of [null, 1, 'x', {}, [], good.slice(0, 5)]) expect(decodeRingRecord(other)).toBeNull();
  });
});
