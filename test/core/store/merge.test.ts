import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  recordExpireAtMs,
  recordExpiryHlc,
  recordFlags,
  recordHlc,
  recordType,
  TYPE_EXPIRY,
  TYPE_FLUSH,
  TYPE_HINT,
  TYPE_TOMBSTONE,
} from '../../../src/core/record/record.js';
import {
  MERGE_APPLIED,
  MERGE_EQUAL,
  MERGE_MISSING,
  MERGE_REFUSED,
  MERGE_STALE,
} from '../../../src/core/store/merging.js';
import { expiryRecord, record } from '../record/records.js';
import { PARTITIONS, Shelf } from './harness.js';

/** A record of some key; its bytes are a function of its version, as they are of a dot. */
interface Message {
  key: string;
  bytes: Buffer;
}

const KEYS = ['one', 'two', 'three'];
const key = fc.constantFrom(...KEYS);
const stamp = fc.integer({ min: 1, max: 12 });
const actor = fc.integer({ min: 1, max: 3 });

const state = fc.record({ key, stamp, actor }).map(({ key, stamp, actor }): Message => {
  const version = { hlc: stamp * 10, actor, sequence: stamp };
  if ((stamp + actor) % 4 === 0) return { key, bytes: record({ ...version, type: TYPE_TOMBSTONE }, key) };
  const expireAtMs = stamp % 3 === 0 ? 1000 + stamp : 0;
  return { key, bytes: record({ ...version, expireAtMs }, key, `${key}@${stamp}.${actor}`.repeat(stamp)) };
});

const change = fc
  .record({ key, stamp, actor, after: fc.integer({ min: 1, max: 60 }), by: actor })
  .map((drawn): Message => {
    const hlc = drawn.stamp * 10 + drawn.after;
    // Odd actors of changes keep their versions apart from those of values.
    const version = { hlc, actor: drawn.by + 100 * drawn.stamp + 10 * drawn.actor, sequence: hlc };
    const expireAtMs = drawn.after % 3 === 0 ? 0 : 2000 + hlc;
    return {
      key: drawn.key,
      bytes: expiryRecord({ ...version, expireAtMs }, drawn.key, drawn.stamp * 10, drawn.actor),
    };
  });

const messages = fc.array(fc.oneof(state, state, change), { maxLength: 40 });

/** Delivers again what named a value not yet there, as its sender does, until nothing more applies. */
function deliver(shelf: Shelf, list: Message[]): void {
  let waiting = list;
  for (let applied = true; applied; ) {
    applied = false;
    const missing: Message[] = [];
    for (const message of waiting) {
      const outcome = shelf.merge(message.key, message.bytes);
      if (outcome === MERGE_APPLIED) applied = true;
      else if (outcome === MERGE_MISSING) missing.push(message);
      else expect([MERGE_STALE, MERGE_EQUAL]).toContain(outcome);
    }
    waiting = missing;
  }
}

function states(shelf: Shelf): Message[] {
  return KEYS.flatMap((name) => {
    const bytes = shelf.read(name);
    return bytes === null ? [] : [{ key: name, bytes }];
  });
}

function shuffled(list: Message[]): fc.Arbitrary<Message[]> {
  return fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length });
}

describe('merge', () => {
  it('ends in equal bytes and equal digests, whatever the order and the repetitions of arrival', () => {
    const orders = messages.chain((list) => fc.tuple(shuffled(list), shuffled([...list, ...list])));
    fc.assert(
      fc.property(orders, ([first, second]) => {
        const [left, right] = [new Shelf(), new Shelf()];
        deliver(left, first);
        deliver(right, second);
        expect(left.contents()).toEqual(right.contents());
        expect(left.digests()).toEqual(right.digests());
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the latest value version, with the latest expiry that names it', () => {
    fc.assert(
      fc.property(messages, (list) => {
        const shelf = new Shelf();
        deliver(shelf, list);
        for (const name of KEYS) {
          const own = list.filter((message) => message.key === name).map(({ bytes }) => bytes);
          const order = (bytes: Buffer) => recordHlc(bytes, 0) * 1e6 + bytes.readUInt32LE(20);
          const latest = (some: Buffer[]) => some.sort((a, b) => order(b) - order(a)).at(0);
          const value = latest(own.filter((bytes) => recordType(bytes, 0) !== TYPE_EXPIRY));
          const stored = shelf.read(name);
          if (value === undefined || stored === null) {
            expect([value, stored]).toEqual([undefined, null]);
            continue;
          }
          expect(order(stored)).toBe(order(value));
          const named = (bytes: Buffer) =>
            bytes.readUInt32LE(bytes.length - 16) * 1e6 + bytes.readUInt32LE(bytes.length - 8);
          const changes = own.filter((bytes) => recordType(bytes, 0) === TYPE_EXPIRY && named(bytes) === order(value));
          const winner = recordType(value, 0) === TYPE_TOMBSTONE ? undefined : latest(changes);
          expect(recordExpireAtMs(stored, 0)).toBe(recordExpireAtMs(winner ?? value, 0));
          expect(recordExpiryHlc(stored, 0)).toBe(recordHlc(winner ?? value, 0));
          expect(recordFlags(stored, 0)).toBe(winner === undefined ? recordFlags(value, 0) : 3);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is associative: states merged pairwise in any grouping are the state of all messages', () => {
    fc.assert(
      fc.property(messages, messages, messages, (a, b, c) => {
        // A change travels with the value it names, or not at all: a state is closed.
        const shelves = [a, b, c].map((list) => {
          const shelf = new Shelf();
          deliver(shelf, list);
          return shelf;
        });
        const join = (...parts: Shelf[]) => {
          const joined = new Shelf();
          for (const part of parts) deliver(joined, states(part));
          return joined;
        };
        const [x, y, z] = shelves;
        const leftFirst = join(join(x, y), z);
        const rightFirst = join(x, join(y, z));
        const backwards = join(z, y, x, z);
        expect(leftFirst.contents()).toEqual(rightFirst.contents());
        expect(backwards.contents()).toEqual(rightFirst.contents());
        expect(backwards.digests()).toEqual(leftFirst.digests());
      }),
      { numRuns: 150 },
    );
  });

  it('names each outcome, and leaves the stored record at hand when it applied', () => {
    const shelf = new Shelf();
    const put = record({ hlc: 20 }, 'key', 'value');
    expect(shelf.merge('key', expiryRecord({ hlc: 30 }, 'key', 20, 1))).toBe(MERGE_MISSING);
    expect(shelf.merge('key', put)).toBe(MERGE_APPLIED);
    expect(shelf.store.buffer.subarray(shelf.store.offset, shelf.store.offset + put.length).equals(put)).toBe(true);
    expect(shelf.merge('key', put)).toBe(MERGE_EQUAL);
    expect(shelf.merge('key', record({ hlc: 19, actor: 9 }, 'key', 'older'))).toBe(MERGE_STALE);
    expect(shelf.merge('key', expiryRecord({ hlc: 30 }, 'key', 19, 1))).toBe(MERGE_STALE);
    expect(shelf.merge('key', expiryRecord({ hlc: 30 }, 'key', 21, 1))).toBe(MERGE_MISSING);
    expect(shelf.merge('key', expiryRecord({ hlc: 20, actor: 1 }, 'key', 20, 1))).toBe(MERGE_EQUAL);
    const change = expiryRecord({ hlc: 30, actor: 4, expireAtMs: 99 }, 'key', 20, 1);
    expect(shelf.merge('key', change)).toBe(MERGE_APPLIED);
    const folded = record({ hlc: 20, expireAtMs: 99, expiryHlc: 30, expiryActor: 4 }, 'key', 'value');
    expect(shelf.store.buffer.subarray(shelf.store.offset, shelf.store.offset + folded.length).equals(folded)).toBe(
      true,
    );
    expect(shelf.merge('key', change)).toBe(MERGE_EQUAL);
    expect(shelf.merge('key', put)).toBe(MERGE_STALE);
    expect(shelf.merge('key', record({ hlc: 40, type: TYPE_TOMBSTONE }, 'key'))).toBe(MERGE_APPLIED);
    expect(shelf.merge('key', expiryRecord({ hlc: 50 }, 'key', 40, 1))).toBe(MERGE_STALE);
    expect(shelf.store.stats().refused).toBe(0);
  });

  it('refuses and counts records that are no entries', () => {
    const shelf = new Shelf();
    for (const type of [TYPE_FLUSH, TYPE_HINT, 200]) {
      expect(shelf.merge('key', record({ type }, 'key', 'value'))).toBe(MERGE_REFUSED);
    }
    expect(shelf.merge('key', record({ type: TYPE_EXPIRY }, 'key', 'no version'))).toBe(MERGE_REFUSED);
    expect(shelf.store.stats()).toMatchObject({ refused: 4, keys: 0, tombstones: 0 });
  });

  it('takes records from any place in a buffer, short and long', () => {
    const shelf = new Shelf({ memoryBytesMax: 8 * 1024 * 1024 });
    for (const length of [0, 1, 100, 300, 5000, 200_000]) {
      const bytes = record({ hlc: 5 }, `key-${length}`, Buffer.alloc(length, length));
      const placed = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]);
      const name = `key-${length}`;
      expect(shelf.store.merge(shelf.partition(name), shelf.hash(name), placed, 3)).toBe(MERGE_APPLIED);
      expect(shelf.read(name)?.equals(bytes)).toBe(true);
    }
  });
});

describe('a flush', () => {
  it('of all there is clears the store at once, and refuses what it covers from then on', () => {
    const shelf = new Shelf();
    for (let index = 0; index < 500; index++) shelf.put(`key-${index}`, 'value', { hlc: 100, actor: 5 });
    shelf.store.flush(100, 5);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, liveBytes: 0 });
    expect(shelf.find('key-1')).toBe(false);
    expect(shelf.digests()).toEqual(new Shelf().digests());
    expect(shelf.merge('key-1', record({ hlc: 100, actor: 5 }, 'key-1', 'v'))).toBe(MERGE_REFUSED);
    expect(shelf.merge('key-1', expiryRecord({ hlc: 200 }, 'key-1', 100, 5))).toBe(MERGE_STALE);
    expect(shelf.merge('key-1', record({ hlc: 100, actor: 6 }, 'key-1', 'v'))).toBe(MERGE_APPLIED);
    shelf.store.flush(50, 1);
    expect([shelf.store.flushedHlc, shelf.store.flushedActor]).toEqual([100, 5]);
    expect(shelf.value('key-1')).toBe('v');
  });

  it('of a part hides it at once, and slices of the sweep drop it', () => {
    const shelf = new Shelf();
    const fresh = new Shelf();
    for (let index = 0; index < 600; index++) {
      shelf.put(`key-${index}`, 'value', { hlc: 100 + index });
      if (index > 300) fresh.put(`key-${index}`, 'value', { hlc: 100 + index });
    }
    shelf.store.sweep(50);
    shelf.store.flush(400, 1);
    for (const index of [0, 150, 300]) expect(shelf.find(`key-${index}`)).toBe(false);
    expect(shelf.find('key-301')).toBe(true);
    expect(shelf.contents()).toEqual(fresh.contents());
    expect(shelf.put('key-0', 'again', { hlc: 5000 })).toBe(true);
    expect(fresh.put('key-0', 'again', { hlc: 5000 })).toBe(true);
    let dropped = 0;
    let slices = 0;
    for (; shelf.store.stats().keys > 300; slices++) {
      expect(slices).toBeLessThan(100);
      dropped += shelf.store.sweep(20);
    }
    expect(dropped).toBe(300);
    expect(slices).toBeGreaterThan(10);
    expect(shelf.store.stats()).toMatchObject({ keys: 300, flushed: 300, expired: 0 });
    expect(shelf.contents()).toEqual(fresh.contents());
    expect(shelf.digests()).toEqual(fresh.digests());
  });

  it('is taken into account by digests before any sweep', () => {
    const shelf = new Shelf();
    const fresh = new Shelf();
    for (let index = 0; index < 200; index++) {
      shelf.put(`key-${index}`, 'value', { hlc: 1 + index });
      if (index >= 100) fresh.put(`key-${index}`, 'value', { hlc: 1 + index });
    }
    shelf.store.flush(100, 1);
    expect(shelf.digests()).toEqual(fresh.digests());
    expect(shelf.store.leafSums(PARTITIONS - 1)).toEqual(fresh.store.leafSums(PARTITIONS - 1));
  });
});
