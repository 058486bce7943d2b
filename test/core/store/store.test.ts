import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { footprint } from '../../../src/core/store/sizes.js';
import { record } from '../record/records.js';
import { MIB, PARTITIONS, Shelf } from './harness.js';

interface Held {
  value: string | null;
  expireAtMs: number;
  bytes: number;
}

/** What each key holds by the rules of a map: values, tombstones (null), and the moment they end. */
class Oracle {
  readonly held = new Map<string, Held>();

  live(wallMs: number): [string, Held][] {
    return [...this.held].filter(([, { expireAtMs }]) => expireAtMs === 0 || expireAtMs > wallMs);
  }
}

const KEYS = Array.from({ length: 300 }, (_, index) => `key-${index}`);
function expectAgreement(shelf: Shelf, oracle: Oracle): void {
  const { store } = shelf;
  for (const name of KEYS) {
    const held = oracle.held.get(name);
    const ended = held !== undefined && held.expireAtMs !== 0 && held.expireAtMs <= store.wallMs;
    if (!ended) expect(shelf.value(name)).toBe(held?.value ?? null);
  }
  const seen = shelf.contents().length;
  expect(seen).toBe(oracle.live(store.wallMs).length);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    store.digest(partition);
    expect([...store.leafSums(partition)]).toEqual([...shelf.recomputedSums(partition)]);
  }
  const live = oracle.live(store.wallMs);
  const stats = store.stats();
  expect(stats.keys).toBe(live.filter(([, { value }]) => value !== null).length);
  expect(stats.tombstones).toBe(live.filter(([, { value }]) => value === null).length);
  expect(stats.liveBytes).toBe(live.reduce((sum, [, { bytes }]) => sum + bytes, 0));
  let keys = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) keys += store.keys(partition);
  expect(keys).toBe(stats.keys);
}

/** One random operation on both. */
function step(shelf: Shelf, oracle: Oracle, random: Random, hlc: number): void {
  const { store } = shelf;
  const name = KEYS[random.below(KEYS.length)];
  const dice = random.below(100);
  if (dice < 70) {
    const size = random.chance(0.02) ? random.below(9000) : random.below(700);
    const value = String.fromCharCode(97 + (hlc % 26)).repeat(size);
    const expireAtMs = random.chance(0.3) ? store.wallMs + random.between(1, 40) : 0;
    const bytes = footprint(record({ expireAtMs }, name, value).length);
    if (shelf.put(name, value, { hlc, expireAtMs })) oracle.held.set(name, { value, expireAtMs, bytes });
  } else if (dice < 80) {
    const bytes = footprint(record({}, name).length);
    const buried = shelf.put(name, '', { hlc, type: TYPE_TOMBSTONE });
    if (buried) oracle.held.set(name, { value: null, expireAtMs: 0, bytes });
  } else if (dice < 87) {
    shelf.remove(name);
    oracle.held.delete(name);
  } else if (dice < 90) {
    store.allocate(40 + random.below(5000));
  } else if (dice < 99) {
    store.wallMs += random.below(10);
    store.sweep(random.below(30));
    store.prepare();
  } else if (random.chance(0.2)) {
    const partition = random.below(PARTITIONS);
    store.clearPartition(partition);
    for (const other of KEYS) if (shelf.partition(other) === partition) oracle.held.delete(other);
  }
}

describe('the store', () => {
  it('holds what a map would hold, whatever is put, deleted, expired, removed, cleared and cleaned', () => {
    let cleanedBytes = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const shelf = new Shelf({ memoryBytesMax: MIB / 4 });
        const oracle = new Oracle();
        for (let hlc = 1; hlc <= 2000; hlc++) {
          step(shelf, oracle, random, hlc);
          if (shelf.store.stats().memoryBytes > MIB / 4) throw new Error(`over the bound at step ${hlc}`);
        }
        expectAgreement(shelf, oracle);
        cleanedBytes += shelf.store.stats().cleanedBytes;
      }),
      { numRuns: 30 },
    );
    expect(cleanedBytes).toBeGreaterThan(0);
  });

  it('keeps 60,000 keys apart while its tables double and split', () => {
    const shelf = new Shelf({ memoryBytesMax: 64 * MIB, partitions: 2 });
    const count = 60_000;
    for (let index = 0; index < count; index++) {
      if (!shelf.put(`key-${index}`, `${index}`)) throw new Error('there is room');
    }
    let wrong = 0;
    for (let index = 0; index < count; index++) if (shelf.value(`key-${index}`) !== `${index}`) wrong++;
    expect(wrong).toBe(0);
    expect(shelf.find('key-none')).toBe(false);
    expect(shelf.store.stats().keys).toBe(count);
    expect(shelf.store.keys(0) + shelf.store.keys(1)).toBe(count);
  });

  it('tells keys apart by every byte and by length', () => {
    const shelf = new Shelf({ partitions: 1 });
    const long = 'x'.repeat(100);
    for (const name of ['', 'a', 'b', 'aa', long, `${long}a`, `${long}b`]) shelf.put(name, `<${name}>`);
    for (const name of ['', 'a', 'b', 'aa', long, `${long}a`, `${long}b`]) expect(shelf.value(name)).toBe(`<${name}>`);
    expect(shelf.find('c')).toBe(false);
    expect(shelf.find(`${long}c`)).toBe(false);
  });

  it('finds records whose keys share one hash, each by its own bytes', () => {
    const { store } = new Shelf();
    const names = Array.from({ length: 40 }, (_, index) => Buffer.from(`same-${index}`));
    for (const [index, name] of names.entries()) {
      const bytes = record({}, name, `${index}`);
      expect(store.merge(3, 0xffffffff, bytes, 0)).toBe(0);
    }
    for (let index = 0; index < names.length; index += 2) {
      store.remove(3, 0xffffffff, names[index], 0, names[index].length);
    }
    for (const [index, name] of names.entries()) {
      expect(store.find(3, 0xffffffff, name, 0, name.length)).toBe(index % 2 === 1);
    }
    let seen = 0;
    expect(store.scan(3, 0xffffffff, 1, () => seen++)).toBe(-1);
    expect(seen).toBe(20);
  });

  it('gives a large value memory of its own, and gives it back when the value goes', () => {
    const shelf = new Shelf({ memoryBytesMax: 48 * MIB });
    const value = Buffer.alloc(16 * MIB, 'v');
    expect(shelf.put('small', 's')).toBe(true);
    expect(shelf.put('large', 'tiny')).toBe(true);
    const before = shelf.store.stats().memoryBytes;
    expect(shelf.put('large', value)).toBe(true);
    expect(shelf.store.stats().memoryBytes).toBeGreaterThan(before + 16 * MIB);
    expect(shelf.value('large')?.length).toBe(16 * MIB);
    expect(shelf.put('large', value.fill('w'))).toBe(true);
    expect(shelf.value('large')).toBe(value.toString('latin1'));
    expect(shelf.put('large', 'tiny')).toBe(true);
    expect(shelf.store.stats().memoryBytes).toBe(before);
    expect(shelf.put('too large', Buffer.alloc(25 * MIB))).toBe(false);
    expect(shelf.value('small')).toBe('s');
    expect(shelf.store.stats().refused).toBe(1);
  });

  it('gives room back that was made and never published', () => {
    const shelf = new Shelf({ memoryBytesMax: 8 * MIB });
    shelf.put('key', 'value');
    const before = shelf.store.stats();
    for (let round = 0; round < 1000; round++) expect(shelf.store.allocate(round % 2 ? 100 : MIB)).toBe(true);
    shelf.put('key', 'other');
    expect(shelf.store.stats()).toEqual(before);
    expect(shelf.value('key')).toBe('other');
  });
});
