/** Floors as a machine: what members must have had before deletes are forgotten, and what of whom is refused afterwards. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hlcFromMs } from '../../../src/core/base/hlc.js';
import { ABSENT_DROP, ABSENT_LEAVE, ABSENT_OFFER, judgeAbsence } from '../../../src/core/replication/floor-desk.js';
import { BACKUP_HOLD_MS, Floors, type Voice } from '../../../src/core/replication/floors.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Peer } from '../../../src/core/replication/peers.js';

const NOW_MS = 1_700_000_000_000;
const PARTITIONS = 2;
const MARGIN_MS = 10_000;
const GRACE_MS = 86_400_000;
const OWNER = { owns: () => true, isReady: () => true };

function bench(mutations: string[] = []) {
  const floors = new Floors({
    partitions: PARTITIONS,
    marginMs: MARGIN_MS,
    graceMs: GRACE_MS,
    mutations: new Set(mutations),
  });
  floors.wallMs = NOW_MS;
  const room = new HintRoom(1000);
  const voices: Voice[] = ['b', 'c'].map((id) => ({ peer: new Peer(id, 1000, room, PARTITIONS), heard: true }));
  const [b, c] = voices.map(({ peer }) => peer);
  /** Goes on by so much, and surveys. */
  const pass = (ms: number, heard: readonly boolean[] = [true, true]): string[] => {
    floors.nowMs += ms;
    floors.wallMs += ms;
    return floors.survey(
      OWNER,
      voices.map(({ peer }, index) => ({ peer, heard: heard[index] })),
    );
  };
  const prove = (peer: Peer, wallMs: number): void => {
    peer.saidWallMs = wallMs;
    for (let partition = 0; partition < PARTITIONS; partition++) floors.proved(peer, partition, wallMs);
  };
  const passableMs = (): number => floors.passable[0] / hlcFromMs(1);
  return { floors, b, c, pass, prove, passableMs };
}

describe('what may be forgotten', () => {
  it('is what every member was proved to have, less the margin', () => {
    const { b, c, pass, prove, passableMs } = bench();
    prove(b, NOW_MS - 1000);
    pass(0);
    expect(passableMs()).toBe(0);
    prove(c, NOW_MS - 5000);
    pass(0);
    expect(passableMs()).toBe(NOW_MS - 5000 - MARGIN_MS);
  });

  it('waits for a silent member as long as the grace, and then no more; its name and how far behind it is are told', () => {
    const { floors, b, c, pass, prove, passableMs } = bench();
    prove(b, NOW_MS);
    prove(c, NOW_MS);
    pass(0);
    prove(b, NOW_MS + GRACE_MS);
    expect(pass(GRACE_MS, [true, false])).toEqual([]);
    expect(passableMs()).toBe(NOW_MS - MARGIN_MS);
    expect(floors.holder).toEqual({ id: 'c', behindMs: GRACE_MS });
    expect(pass(1, [true, false])).toEqual(['c']);
    expect(passableMs()).toBe(NOW_MS + GRACE_MS - MARGIN_MS);
    expect(pass(1, [true, false])).toEqual([]);
  });

  it('waits for a member again that was given up and is heard', () => {
    const { b, c, pass, prove, passableMs } = bench();
    prove(b, NOW_MS);
    prove(c, NOW_MS);
    pass(0);
    pass(GRACE_MS + 1, [true, false]);
    prove(b, NOW_MS + GRACE_MS);
    c.passedWallMs.fill(0);
    pass(1, [true, true]);
    // It has been known for longer than the grace: what is older than that is forgotten whoever lacks it.
    expect(passableMs()).toBe(NOW_MS + 2 - MARGIN_MS);
  });

  it('does not wait for who is no member any more', () => {
    const { floors, b, prove } = bench();
    prove(b, NOW_MS);
    floors.survey(OWNER, [{ peer: b, heard: true }]);
    expect(floors.passable[0]).toBe(hlcFromMs(NOW_MS - MARGIN_MS));
    floors.survey(OWNER, []);
    expect(floors.alone).toBe(true);
    expect(floors.holder).toBeNull();
  });

  it('is never ahead of the clock of any member, and nothing while this node knows its own clock to be wrong', () => {
    const { floors, b, c, pass, passableMs } = bench();
    floors.wallMs += 3_600_000;
    for (const peer of [b, c]) {
      peer.saidWallMs = NOW_MS;
      floors.proved(peer, 0, floors.wallMs);
    }
    pass(0);
    expect(passableMs()).toBe(NOW_MS - MARGIN_MS);
    floors.drifted = true;
    pass(0);
    expect(passableMs()).toBe(0);
  });

  it('is nothing in a partition that this node does not have whole', () => {
    const { floors, b, c, prove } = bench();
    prove(b, NOW_MS);
    prove(c, NOW_MS);
    const view = { owns: () => true, isReady: (partition: number) => partition === 1 };
    floors.survey(
      view,
      [b, c].map((peer) => ({ peer, heard: true })),
    );
    expect([...floors.passable]).toEqual([0, hlcFromMs(NOW_MS - MARGIN_MS)]);
  });

  it('is held for a backup that reads, until it has not for a while', () => {
    const { floors, b, c, pass, prove, passableMs } = bench();
    floors.hold(1000);
    prove(b, NOW_MS + 60_000);
    prove(c, NOW_MS + 60_000);
    pass(60_000);
    expect(passableMs()).toBe(NOW_MS - 1000);
    floors.adopt(0, hlcFromMs(NOW_MS));
    expect(floors.raise(new Float64Array(PARTITIONS))).toEqual([]);
    pass(BACKUP_HOLD_MS);
    expect(passableMs()).toBe(NOW_MS + 60_000 - MARGIN_MS);
  });

  it('is found by the planted bug that does not wait for who is silent', () => {
    const { pass } = bench(['floor-past-silent']);
    pass(0);
    expect(pass(1, [true, false])).toEqual(['c']);
  });
});

describe('a floor', () => {
  it('rises to what the store wants forgotten and no further, and counts once it was written', () => {
    const { floors, b, c, pass, prove } = bench();
    prove(b, NOW_MS);
    prove(c, NOW_MS);
    pass(2000);
    const wanted = Float64Array.of(hlcFromMs(NOW_MS - 60_000), hlcFromMs(NOW_MS));
    const raised = floors.raise(wanted);
    expect(raised).toEqual([[0, hlcFromMs(NOW_MS - 60_000)]]);
    expect([...wanted]).toEqual([0, 0]);
    expect(floors.floor[0]).toBe(0);
    for (const [partition, hlc] of raised) floors.set(partition, hlc);
    expect(floors.raise(Float64Array.of(hlcFromMs(NOW_MS - 60_001), 0))).toEqual([]);
  });

  it('takes over that of an equal owner at once, but none that lies ahead of the clock', () => {
    const { floors } = bench();
    floors.raise(new Float64Array(PARTITIONS));
    expect(floors.raisesNow).toBe(false);
    floors.adopt(0, hlcFromMs(NOW_MS + 1));
    expect(floors.raisesNow).toBe(false);
    floors.adopt(0, hlcFromMs(NOW_MS - 1));
    expect(floors.raisesNow).toBe(true);
    expect(floors.raise(new Float64Array(PARTITIONS))).toEqual([[0, hlcFromMs(NOW_MS - 1)]]);
    expect(floors.raisesNow).toBe(false);
  });

  it('is taken over whatever the clock says by a node that knows its own to be wrong: it would keep for ever what all have forgotten', () => {
    const { floors } = bench();
    floors.drifted = true;
    floors.adopt(0, hlcFromMs(NOW_MS + 3_600_000));
    expect(floors.raise(new Float64Array(PARTITIONS))).toEqual([[0, hlcFromMs(NOW_MS + 3_600_000)]]);
  });

  it('binds the sender: only one with a floor as high may bring what lies at or below', () => {
    const { floors, b } = bench();
    floors.set(0, 100);
    expect(floors.refuses(b, 0, 100)).toBe(true);
    expect(floors.refuses(b, 0, 101)).toBe(false);
    b.floors[0] = 99;
    expect(floors.refuses(b, 0, 50)).toBe(true);
    b.floors[0] = 100;
    expect(floors.refuses(b, 0, 50)).toBe(false);
  });
});

describe('a record that one has and the other lacks', () => {
  const stamp = fc.integer({ min: 1, max: 50 });

  it('goes only if it is a value at or below the floor of one who would know, and its holder has missed that floor', () => {
    fc.assert(
      fc.property(stamp, fc.boolean(), stamp, stamp, fc.boolean(), (hlc, isTombstone, holder, lacker, proves) => {
        const verdict = judgeAbsence(hlc, isTombstone, holder, lacker, proves);
        const goes = !isTombstone && proves && hlc <= lacker && holder < lacker;
        expect(verdict === ABSENT_DROP).toBe(goes);
        if (hlc > lacker) expect(verdict).toBe(ABSENT_OFFER);
      }),
    );
  });

  it('is never dropped by both, whoever of two owners asks', () => {
    fc.assert(
      fc.property(stamp, stamp, stamp, stamp, (hlcHere, hlcThere, here, there) => {
        const dropHere = judgeAbsence(hlcHere, false, here, there, true) === ABSENT_DROP;
        const dropThere = judgeAbsence(hlcThere, false, there, here, true) === ABSENT_DROP;
        expect(dropHere && dropThere).toBe(false);
      }),
    );
  });

  it('is left alone as a tombstone below the floor: nobody needs it, and its holder forgets it by itself', () => {
    expect(judgeAbsence(5, true, 1, 5, true)).toBe(ABSENT_LEAVE);
    expect(judgeAbsence(6, true, 1, 5, true)).toBe(ABSENT_OFFER);
  });
});
