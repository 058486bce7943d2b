import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareStandings,
  dismissedBoot,
  endedWithBoot,
  isGone,
  judge,
  MEMBER_STATES,
  type MemberState,
  refutingIncarnation,
  type Standing,
} from '../../../src/core/membership/precedence.js';

const standing: fc.Arbitrary<Standing> = fc.record({
  boot: fc.integer({ min: 0, max: 2 }),
  incarnation: fc.integer({ min: 0, max: 3 }),
  state: fc.constantFrom(...MEMBER_STATES),
});

type Tombstone = Standing & { actor: number };

const join = (left: Standing, right: Standing) => (compareStandings(left, right) >= 0 ? left : right);

describe('precedence', () => {
  /** For each pair of states, at which incarnations an offer stands over alive@1 and so on: lower, equal, higher. */
  const table: [held: MemberState, offered: MemberState, lower: string, equal: string, higher: string][] = [
    ['alive', 'alive', 'older', 'same', 'newer'],
    ['alive', 'suspect', 'older', 'newer', 'newer'],
    ['alive', 'dead', 'older', 'newer', 'newer'],
    ['alive', 'left', 'older', 'newer', 'newer'],
    ['suspect', 'alive', 'older', 'older', 'newer'],
    ['suspect', 'suspect', 'older', 'same', 'newer'],
    ['suspect', 'dead', 'older', 'newer', 'newer'],
    ['suspect', 'left', 'older', 'newer', 'newer'],
    ['dead', 'alive', 'older', 'older', 'newer'],
    ['dead', 'suspect', 'older', 'older', 'newer'],
    ['dead', 'dead', 'older', 'same', 'newer'],
    ['dead', 'left', 'older', 'newer', 'newer'],
    ['left', 'alive', 'older', 'older', 'newer'],
    ['left', 'suspect', 'older', 'older', 'newer'],
    ['left', 'dead', 'older', 'older', 'newer'],
    ['left', 'left', 'older', 'same', 'newer'],
  ];

  it.each(table)('held %s, offered %s: lower %s, equal %s, higher %s', (heldState, offeredState, ...verdicts) => {
    const held = { actor: 7, boot: 1, incarnation: 1, state: heldState };
    const given = [0, 1, 2].map((incarnation) => judge(held, { actor: 7, boot: 1, incarnation, state: offeredState }));
    expect(given).toEqual(verdicts);
  });

  it('covers every pair of states in its table', () => {
    expect(new Set(table.map(([held, offered]) => `${held} ${offered}`)).size).toBe(16);
  });

  it('lets a higher boot stand over anything, whatever its actor', () => {
    fc.assert(
      fc.property(standing, standing, (held, offered) => {
        const later = { ...offered, boot: held.boot + 1, actor: 8 };
        expect(judge({ ...held, actor: 7 }, later)).toBe('newer');
        expect(judge(later, { ...held, actor: 7 })).toBe('older');
      }),
    );
  });

  it('keeps the first of two lives of one boot while it is there, and no other one comes in its place when it is gone', () => {
    for (const held of MEMBER_STATES) {
      for (const offered of MEMBER_STATES) {
        const first = { actor: 7, boot: 1, incarnation: 0, state: held };
        const verdict = judge(first, { actor: 8, boot: 1, incarnation: 9, state: offered });
        const bothGone = isGone(held) && isGone(offered);
        expect(verdict).toBe(!isGone(held) ? 'duplicate' : bothGone ? 'newer' : 'older');
      }
    }
  });

  it('keeps the same one of two tombstones of one boot, in whatever order they come', () => {
    const tombstone = fc.record({
      boot: fc.constant(1),
      incarnation: fc.integer({ min: 0, max: 3 }),
      state: fc.constantFrom<MemberState>('dead', 'left'),
      actor: fc.integer({ min: 1, max: 3 }),
    });
    const kept = (held: Tombstone, offered: Tombstone) => (judge(held, offered) === 'newer' ? offered : held);
    fc.assert(
      fc.property(tombstone, tombstone, tombstone, (one, two, three) => {
        expect(kept(one, two)).toEqual(kept(two, one));
        expect(kept(kept(one, two), three)).toEqual(kept(one, kept(two, three)));
      }),
    );
  });

  it('lets a dismissal stand over all that the member said before it knew of it, and is the same whoever dismisses', () => {
    fc.assert(
      fc.property(standing, standing, fc.nat(1_000), (held, said, starts) => {
        const dismissal = { ...held, boot: dismissedBoot(held.boot), state: 'left' as const };
        expect(compareStandings({ ...said, boot: held.boot + starts }, dismissal)).toBeLessThan(0);
        expect(dismissedBoot(held.boot + starts)).toBe(dismissal.boot);
        expect(dismissedBoot(dismissal.boot + 1)).toBeGreaterThan(dismissal.boot + 1);
      }),
    );
  });

  it('joins commutatively, associatively and idempotently', () => {
    fc.assert(
      fc.property(standing, standing, standing, (one, two, three) => {
        expect(join(one, two)).toEqual(join(two, one));
        expect(join(join(one, two), three)).toEqual(join(one, join(two, three)));
        expect(join(one, one)).toEqual(one);
      }),
    );
  });

  it('agrees with its verdicts', () => {
    fc.assert(
      fc.property(standing, standing, (held, offered) => {
        const same = { ...offered, boot: held.boot };
        const verdict = judge({ ...held, actor: 7 }, { ...same, actor: 7 });
        expect(join(held, same)).toEqual(verdict === 'newer' ? same : held);
      }),
    );
  });

  it('ends the lives of who is gone where its dismissal stands, and where that stands already', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 - 2 ** 17 }), (boot) => {
        fc.pre(boot % 65_536 !== 0);
        expect(endedWithBoot(boot)).toBe(dismissedBoot(boot));
        expect(endedWithBoot(dismissedBoot(boot))).toBe(dismissedBoot(boot));
      }),
    );
  });

  it('refutes above the accusation and above itself', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), (own, accused) => {
        const refuted = { boot: 0, incarnation: refutingIncarnation(own, accused), state: 'alive' as const };
        expect(compareStandings(refuted, { boot: 0, incarnation: accused, state: 'dead' })).toBeGreaterThan(0);
        expect(refuted.incarnation).toBeGreaterThan(own);
      }),
    );
  });

  it('is dismissed below the bound of the wire, whatever boot was made up', () => {
    for (const boot of [2 ** 40 - 65_537, 2 ** 40 - 65_536, 2 ** 40 - 1])
      expect(dismissedBoot(boot)).toBeLessThan(2 ** 40);
  });
});
