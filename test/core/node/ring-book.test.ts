import { beforeEach, describe, expect, it } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import { encodeControl } from '../../../src/core/gossip/codec.js';
import type { Member } from '../../../src/core/membership/member.js';
import type { Membership } from '../../../src/core/membership/membership.js';
import { RingBook } from '../../../src/core/node/ring-book.js';
import {
  ENDED_BOOT_MAX,
  encodeRingRecord,
  type RingRecord,
  type RingState,
} from '../../../src/core/partitions/ring.js';
import type { Wal } from '../../../src/core/wal/wal.js';

let logged: Buffer[] = [];
let manifests: (readonly string[])[] = [];
let isDiskFull = false;
const wal = {
  append: (bytes: Buffer, start: number, end: number) => logged.push(Buffer.from(bytes.subarray(start, end))) > 0,
  setState: ({ withSay }: { withSay: readonly string[] }) => {
    if (isDiskFull) throw new HearsayError('NOSPACE', 'full');
    manifests.push(withSay);
  },
} as unknown as Wal;
let outlived: number[] = [];
const nobody = {
  members: () => [],
  get: () => undefined,
  outlive: (endedBoot: number) => void outlived.push(endedBoot),
} as unknown as Membership;

const record = (id: string, state: RingState, version: number, endedBoot = 0): RingRecord => ({
  id,
  zone: 'z',
  weight: 1,
  state,
  version,
  endedBoot,
});
const frame = (...records: RingRecord[]) => encodeControl(records.map(encodeRingRecord));
const bookFrom = (recovered: readonly Buffer[], nowMs = 0, weight = 1) =>
  new RingBook(wal, { id: 'self', zone: 'z', weight }, recovered, nowMs);

describe('the ring book', () => {
  beforeEach(() => {
    logged = [];
    manifests = [];
    isDiskFull = false;
    outlived = [];
  });

  it('takes its place again after others had given it up', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.arrived(frame(record('self', 'out', 4)), nobody, 500_000);
    expect(book.ring.get('self')).toMatchObject({ state: 'in', version: 5 });
  });

  it('tells another weight after a restart by a record of its own with a higher version, and the same weight by none', () => {
    bookFrom([]).joinSelf(0);
    const same = bookFrom(logged);
    same.joinSelf(0);
    expect(same.ring.get('self')).toMatchObject({ weight: 1, version: 1 });
    const heavier = bookFrom(logged, 0, 2.5);
    heavier.joinSelf(0);
    expect(heavier.ring.get('self')).toMatchObject({ state: 'in', weight: 2.5, version: 2 });
    heavier.arrived(frame(record('self', 'in', 1)), nobody, 0);
    expect(heavier.ring.get('self')).toMatchObject({ weight: 2.5, version: 2 });
    heavier.leaveSelf();
    expect(heavier.ring.get('self')).toMatchObject({ state: 'left', weight: 2.5, version: 3 });
  });

  it('does not take its place again once it leaves', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.leaveSelf();
    book.leaveSelf();
    book.arrived(frame(record('a', 'in', 1)), nobody, 1_000);
    expect(book.ring.get('self')).toMatchObject({ state: 'left', version: 2 });
    expect(book.idsWithSay()).toEqual(['a']);
  });

  it('takes the place back that it was giving up, and may give it up again', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.leaveSelf();
    expect(book.hasOthers).toBe(false);
    book.stay(1_000);
    expect(book.isLeaving).toBe(false);
    expect(book.ring.get('self')).toMatchObject({ state: 'in', version: 3 });
    book.leaveSelf();
    expect(book.ring.get('self')).toMatchObject({ state: 'left', version: 4 });
  });

  it('comes back after a leave as one without a place, and takes one', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.leaveSelf();
    const again = bookFrom(logged);
    expect(again.hadPlace).toBe(false);
    again.joinSelf(0);
    expect(again.ring.get('self')).toMatchObject({ state: 'in', version: 3 });
    expect(bookFrom(logged).hadPlace).toBe(true);
  });

  it('counts an absence from its beginning, not from one that ended when the member lost its place', () => {
    const book = bookFrom([]);
    book.arrived(frame(record('a', 'in', 1), record('b', 'in', 1)), nobody, 0);
    book.tick(nobody, 0, 600_000);
    book.arrived(frame(record('b', 'out', 2)), nobody, 1_000);
    book.tick(nobody, 600_000, 600_000);
    expect(book.ring.get('a')).toMatchObject({ state: 'out', version: 2 });
    // Both come back; membership has not met them when their word arrives.
    book.arrived(frame(record('a', 'in', 3), record('b', 'in', 3)), nobody, 9_000_000);
    book.tick(nobody, 9_000_000, 600_000);
    expect(book.ring.members().map(({ id }) => id)).toEqual(['a', 'b', 'self']);
    book.tick(nobody, 9_600_000, 600_000);
    expect(book.ring.members().map(({ id }) => id)).toEqual(['self']);
  });

  it('keeps addresses of those in the ring alone, however many members come and go', () => {
    const book = bookFrom([]);
    const at = (id: string) => ({ id, host: '10.0.0.1', port: 1 }) as unknown as Member;
    for (let number = 0; number < 100; number++) book.remember(at(`passing-${number}`));
    book.arrived(frame(record('a', 'in', 1)), nobody, 0);
    book.remember(at('a'));
    expect(book.addresses()).toEqual(['10.0.0.1:1']);
    book.arrived(frame(record('passing-7', 'in', 1)), nobody, 0);
    expect(book.addresses()).toEqual(['10.0.0.1:1']);
    // A full ring lets go of who is out of it, and of the address with it.
    const others = Array.from({ length: 4_093 }, (_, number) => record(`b${number}`, 'in', 1));
    book.arrived(frame(record('a', 'out', 2), ...others), nobody, 0);
    book.arrived(frame(record('c', 'in', 1)), nobody, 0);
    expect(book.ring.forgotten).toBe(1);
    book.arrived(frame(record('b0', 'out', 2)), nobody, 0);
    book.arrived(frame(record('a', 'in', 1)), nobody, 0);
    expect(book.ring.get('a')).toMatchObject({ state: 'in' });
    expect(book.addresses()).toEqual([]);
  });

  it('forgets a member once, with its place and its say, and tells by the ring', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.arrived(frame(record('a', 'in', 3), record('b', 'out', 2)), nobody, 0);
    expect(book.idsWithSay()).toEqual(['a', 'b', 'self']);
    expect(book.forget('b', '', 1)).toBe(true);
    expect(book.forget('b', '', 1)).toBe(false);
    expect(book.forget('a', '', 1)).toBe(true);
    expect(book.idsWithSay()).toEqual(['self']);
    expect(bookFrom(logged).ring.get('a')).toMatchObject({ state: 'forgotten', version: 4 });
  });

  it('has the manifest remember who has a say, when that changes and then alone; what it does not take is told again', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.rememberSay();
    book.rememberSay();
    expect(manifests).toEqual([['self']]);
    isDiskFull = true;
    book.arrived(frame(record('a', 'in', 1), record('b', 'out', 2)), nobody, 0);
    expect(() => book.rememberSay()).toThrow('full');
    isDiskFull = false;
    book.rememberSay();
    // Another weight is no other member.
    book.arrived(frame({ ...record('a', 'in', 2), weight: 2 }), nobody, 0);
    book.rememberSay();
    expect(manifests.slice(1)).toEqual([['a', 'b', 'self']]);
    book.forget('b', '', 1);
    book.rememberSay();
    expect(manifests.slice(2)).toEqual([['a', 'self']]);
  });

  it('leaves a say to members that the log has lost, until somebody tells of them or they are forgotten', () => {
    const withSay = ['a', 'b', 'c', 'self'];
    const book = new RingBook(wal, { id: 'self', zone: 'z', weight: 1 }, [], 0, { withSay });
    book.joinSelf(0);
    expect(book.idsWithSay()).toEqual(withSay);
    expect(book.unmetIds()).toEqual(['a', 'b', 'c']);
    expect(book.hasOthers).toBe(false);
    book.rememberSay();
    expect(manifests).toEqual([]);
    book.arrived(frame(record('a', 'left', 2), record('b', 'in', 1)), nobody, 0);
    expect(book.idsWithSay()).toEqual(['b', 'c', 'self']);
    book.forget('c', '', 1);
    expect(book.idsWithSay()).toEqual(['b', 'self']);
    expect(book.unmetIds()).toEqual([]);
    book.rememberSay();
    expect(manifests).toEqual([['b', 'self']]);
  });

  it('remembers as many members as the manifest has room for, and counts the others', () => {
    const book = bookFrom([]);
    const names = Array.from({ length: 1_100 }, (_, number) => record(`n${number}`, 'in', 1));
    book.arrived(frame(...names), nobody, 0);
    book.rememberSay();
    expect(manifests[0]).toHaveLength(1024);
    expect(book.unremembered).toBe(1_101 - 1024);
  });

  it('does not go on, nor start again, once it was forgotten itself', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.arrived(frame(record('self', 'forgotten', 9)), nobody, 120_000);
    expect(book.isForgotten).toBe(true);
    const again = bookFrom(logged, 0);
    again.joinSelf(0);
    expect(again.isForgotten).toBe(true);
  });

  it('lets a node with an empty directory join under the name of a forgotten one', () => {
    const book = bookFrom([], 1_000);
    book.joinSelf(1_000);
    book.arrived(frame(record('self', 'forgotten', 9)), nobody, 4_000);
    expect(book.isForgotten).toBe(false);
    expect(book.ring.get('self')).toMatchObject({ state: 'in', version: 10 });
  });

  it('keeps for the next start which lives of a forgotten member have ended, whoever forgot it', () => {
    const book = bookFrom([]);
    book.arrived(frame(record('a', 'in', 3), record('b', 'in', 1), record('c', 'out', 4, 65_536)), nobody, 0);
    book.forget('a', '', 7);
    // Of these two nobody knows which life it was: above all those that can have followed the last one that ended.
    book.forget('b', '', 0);
    book.forget('c', '', 0);
    const again = bookFrom(logged);
    expect(['a', 'b', 'c', 'd'].map((id) => again.ring.endedBootOf(id))).toEqual([65_536, 65_536, 131_072, 0]);
    const elsewhere = bookFrom([]);
    elsewhere.arrived(frame(record('a', 'in', 3)), nobody, 0);
    elsewhere.forget('a', '', 8);
    expect(elsewhere.ring.get('a')).toEqual(book.ring.get('a'));
  });

  it('notes the end of a life under the version that is: what its member says of its place afterwards stands', () => {
    const book = bookFrom([]);
    book.arrived(frame(record('a', 'left', 5)), nobody, 0);
    book.noteEnd('a', 3);
    expect(book.ring.get('a')).toMatchObject({ state: 'left', version: 5, endedBoot: 65_536 });
    const { length } = logged;
    for (const boot of [3, 65_536]) book.noteEnd('a', boot);
    book.noteEnd('nobody', 3);
    expect(logged.length).toBe(length);
    expect(bookFrom(logged).ring.endedBootOf('a')).toBe(65_536);
    book.arrived(frame(record('a', 'in', 6, 65_536)), nobody, 0);
    expect(book.ring.get('a')).toMatchObject({ state: 'in', version: 6, endedBoot: 65_536 });
  });

  it('takes its place as a life above those of its name that have ended, and tells so with its place', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.arrived(frame(record('self', 'left', 4, 65_536)), nobody, 1_000);
    expect(book.ring.get('self')).toMatchObject({ state: 'in', version: 5, endedBoot: 65_536 });
    expect(outlived.at(-1)).toBe(65_536);
    book.leaveSelf();
    expect(book.ring.get('self')).toMatchObject({ state: 'left', version: 6, endedBoot: 65_536 });
  });

  it('says nothing more of itself once it was forgotten: it is about to end', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    book.arrived(frame(record('self', 'forgotten', 9, 65_536)), nobody, 120_000);
    expect(book.isForgotten).toBe(true);
    expect(outlived).toEqual([]);
  });

  it('stays within what others understand, however often a member is forgotten', () => {
    const book = bookFrom([]);
    book.arrived(frame(record('a', 'out', 1, ENDED_BOOT_MAX), record('b', 'left', 1)), nobody, 0);
    book.forget('a', '', 0);
    book.noteEnd('b', ENDED_BOOT_MAX + 1);
    const other = bookFrom(logged);
    expect(['a', 'b'].map((id) => other.ring.endedBootOf(id))).toEqual([ENDED_BOOT_MAX, ENDED_BOOT_MAX]);
  });

  it('refuses states it does not know', () => {
    const book = bookFrom([]);
    const strange = [[...encodeRingRecord(record('a', 'in', 1)).slice(0, 3), 4, 1, 0]];
    book.arrived(encodeControl(strange), nobody, 0);
    expect(book.ring.get('a')).toBeUndefined();
    expect(book.ring.refused).toBe(1);
  });

  it('answers what others say of it by a record that all of them understand, whatever version they sent', () => {
    const book = bookFrom([]);
    book.joinSelf(0);
    for (const version of [7, Number.MAX_SAFE_INTEGER]) book.arrived(frame(record('self', 'out', version)), nobody, 0);
    const mine = book.ring.get('self');
    expect(mine).toMatchObject({ state: 'in', version: 8 });
    const other = bookFrom([]);
    other.arrived(frame(record('self', 'in', mine?.version ?? 0)), nobody, 0);
    expect(other.ring.get('self')).toMatchObject({ state: 'in', version: 8 });
  });
});
