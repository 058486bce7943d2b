import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align8, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MERGE_APPLIED, MERGE_STALE } from '../../../src/core/store/merging.js';
import { record } from '../record/records.js';
import { MIB, Shelf } from './harness.js';

interface Item {
  key: string;
  hlc: number;
  bytes: Buffer;
}

/** Lends a record as a reader does: in the middle of a larger window, at a multiple of 8. */
function lend(bytes: Buffer): Buffer {
  const window = Buffer.allocUnsafeSlow(64 + align8(bytes.length)).fill(0xee);
  window.set(bytes, 64);
  return window;
}

function load(shelf: Shelf, item: Item): number {
  return shelf.store.load(shelf.partition(item.key), shelf.hash(item.key), lend(item.bytes), 64);
}

function item(key: string, hlc: number, valueBytes: number, tombstone: boolean): Item {
  const fields = tombstone ? { hlc, type: TYPE_TOMBSTONE } : { hlc };
  return { key, hlc, bytes: record(fields, key, tombstone ? '' : 'v'.repeat(valueBytes)) };
}

/** In the order that images have. */
function inOrder(shelf: Shelf, items: Item[]): Item[] {
  return [...items].sort(
    (left, right) =>
      shelf.partition(left.key) - shelf.partition(right.key) || shelf.hash(left.key) - shelf.hash(right.key),
  );
}

const items = fc.array(
  fc.record({ key: fc.integer({ min: 0, max: 400 }), hlc: fc.integer({ min: 1, max: 50 }), kind: fc.nat(9) }),
  { maxLength: 500 },
);

describe('loading', () => {
  it('ends as merging the same records does, in the order of an image, in any other, and mixed', () => {
    fc.assert(
      fc.property(items, fc.nat(3), (drawn, disorder) => {
        const all = drawn.map(({ key, hlc, kind }) => item(`key:${key}`, hlc, kind * 20, kind === 0));
        const merged = new Shelf();
        const loaded = new Shelf();
        for (const { key, bytes } of all) merged.merge(key, bytes);
        const ordered = disorder === 3 ? all : inOrder(loaded, all);
        for (let at = 0; disorder > 0 && at + 7 < ordered.length; at += 10 * disorder) ordered.push(ordered[at]);
        for (const each of ordered) load(loaded, each);
        loaded.store.endLoad();
        expect(loaded.contents()).toEqual(merged.contents());
        expect(loaded.digests()).toEqual(merged.digests());
        expect(loaded.store.stats().keys).toBe(merged.store.stats().keys);
        for (const { key } of all) expect(loaded.value(key)).toBe(merged.value(key));
      }),
      { numRuns: 150 },
    );
  });

  it('links partitions of more records than one run holds, and what comes later finds them', () => {
    const shelf = new Shelf({ partitions: 1, memoryBytesMax: 64 * MIB });
    const all = inOrder(
      shelf,
      Array.from({ length: 70_000 }, (_unused, id) => item(`k${id}`, 5, 8, false)),
    );
    for (const each of all) load(shelf, each);
    shelf.store.endLoad();
    expect(shelf.store.stats()).toMatchObject({ keys: 70_000, evictions: 0, refused: 0 });
    for (const { key } of all) expect(shelf.find(key)).toBe(true);
    expect(load(shelf, item('k17', 4, 8, false))).toBe(MERGE_STALE);
    expect(load(shelf, item('k17', 6, 9, false))).toBe(MERGE_APPLIED);
    shelf.store.endLoad();
    expect(shelf.value('k17')).toBe('v'.repeat(9));
    for (let id = 0; id < 70_000; id += 2) shelf.remove(`k${id}`);
    expect(shelf.store.stats().keys).toBe(35_000);
    expect(shelf.find('k1')).toBe(true);
    expect(shelf.find('k2')).toBe(false);
  });

  it('keeps within memory when more is loaded than fits', () => {
    for (const memoryBytesMax of [MIB, 4 * MIB]) {
      const shelf = new Shelf({ memoryBytesMax, eviction: 's3-fifo' });
      const all = Array.from({ length: 40_000 }, (_unused, id) => item(`k${id}`, 5, 200, false));
      for (const each of inOrder(shelf, all)) {
        expect(load(shelf, each)).toBe(MERGE_APPLIED);
        expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(memoryBytesMax);
      }
      shelf.store.endLoad();
      const { keys, evictions } = shelf.store.stats();
      expect(keys + evictions).toBe(40_000);
      expect(shelf.contents()).toHaveLength(keys);
    }
  });
});
