import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MIB, Shelf } from './harness.js';

const VALUE = 'v'.repeat(200);

function hits(shelf: Shelf, prefix: string, count: number): number {
  let found = 0;
  for (let index = 0; index < count; index++) if (shelf.find(`${prefix}-${index}`)) found++;
  return found;
}

/** Values evicted by one call: each was looked at. */
function evictedBy(shelf: Shelf, call: () => void): number {
  const { evictions } = shelf.store.stats();
  call();
  return shelf.store.stats().evictions - evictions;
}

describe('emptying in slices', () => {
  it('keeps segments free ahead of writes, so that a write never empties one, and no turn looks at much', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 16 * MIB, segmentBytes: MIB / 4 });
    for (let index = 0; index < 80_000; index++) {
      shelf.put(`fill-${index}`, VALUE);
      if (index % 20 === 0) shelf.store.prepare();
    }
    let inline = 0;
    let turnMost = 0;
    for (let turn = 0; turn < 2000; turn++) {
      for (let write = 0; write < 20; write++)
        inline += evictedBy(shelf, () => shelf.put(`key-${turn}-${write}`, VALUE));
      turnMost = Math.max(
        turnMost,
        evictedBy(shelf, () => shelf.store.prepare()),
      );
    }
    expect(inline).toBe(0);
    expect(turnMost).toBeGreaterThan(0);
    expect(turnMost).toBeLessThanOrEqual(800);
  });

  it('takes no more memory for the same keys overwritten without end than twice what lives, and a slack', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 64 * MIB });
    for (let round = 0; round < 60; round++) {
      for (let index = 0; index < 8000; index++) {
        shelf.put(`key-${index}`, VALUE);
        if (index % 50 === 0) shelf.store.prepare();
      }
    }
    const { evictions, liveBytes, memoryBytes } = shelf.store.stats();
    expect(hits(shelf, 'key', 8000)).toBe(8000);
    expect(evictions).toBe(0);
    expect(liveBytes).toBeLessThan(3 * MIB);
    // Twice what lives, an eighth of memory, a sixteenth touched ahead, heads and the index.
    expect(memoryBytes).toBeLessThan(24 * MIB);
  });

  it('lets a write finish the segment under way when no turn ended in between', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 16 * MIB, segmentBytes: MIB / 4 });
    for (let index = 0; index < 120_000; index++) expect(shelf.put(`key-${index}`, VALUE)).toBe(true);
    expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(16 * MIB);
    expect(shelf.store.stats().refused).toBe(0);
  });

  it('neither loses nor moves the record in hand, though its segment is being emptied', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 16 * MIB, segmentBytes: MIB / 4 });
    for (let index = 0; index < 60_000; index++) {
      shelf.put(`key-${index}`, VALUE);
      if (index % 40 !== 0) continue;
      shelf.store.prepare();
      for (let back = index - 58_000; back < index; back += 500) {
        if (back < 0 || !shelf.find(`key-${back}`)) continue;
        const { buffer, offset } = shelf.store;
        const before = Buffer.from(buffer.subarray(offset, offset + 240));
        shelf.store.allocate(240);
        expect(before.equals(buffer.subarray(offset, offset + 240))).toBe(true);
      }
    }
  });

  it('has a segment for the survivors of another when the one left half empty is in hand', () => {
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const shelf = new Shelf({ memoryBytesMax: MIB, segmentBytes: MIB / 16, eviction: 's3-fifo', partitions: 1 });
      shelf.store.wallMs = 1000;
      for (let turn = 0; turn < 8000; turn++) {
        for (let write = random.below(10); write >= 0; write--) {
          const expireAtMs = random.below(3) === 0 ? 1000 + 4 ** random.below(12) * 3000 : 0;
          shelf.put(`key:${random.below(12_000)}`, 'v'.repeat(random.below(60)), { expireAtMs });
          if (random.below(2) === 0 && shelf.find(`key:${random.below(12_000)}`)) shelf.store.touch();
        }
        shelf.store.prepare();
      }
      expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(MIB);
      expect(shelf.store.stats().refused).toBe(0);
    }
  });

  it('touches memory ahead a slice a turn until it has what a burst may need', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 64 * MIB, segmentBytes: MIB });
    const steps: number[] = [];
    for (let turn = 0; turn < 40; turn++) {
      const before = shelf.store.stats().memoryBytes;
      shelf.store.prepare();
      steps.push(shelf.store.stats().memoryBytes - before);
    }
    expect(Math.max(...steps)).toBe(MIB);
    expect(steps.filter((bytes) => bytes > 0)).toHaveLength(4);
    expect(steps.slice(-10)).toEqual(Array(10).fill(0));
  });

  it('cleans ahead where nothing is evicted, and loses nothing', () => {
    const shelf = new Shelf({ memoryBytesMax: 8 * MIB });
    const random = new Random(9);
    for (let index = 0; index < 20_000; index++) shelf.put(`key-${index}`, VALUE);
    for (let round = 0; round < 60_000; round++) {
      if (!shelf.put(`key-${random.below(20_000)}`, `${round}${VALUE}`, { hlc: round + 2 })) {
        throw new Error(`refused at ${round}`);
      }
      if (round % 10 === 0) shelf.store.prepare();
    }
    expect(hits(shelf, 'key', 20_000)).toBe(20_000);
    expect(shelf.store.stats()).toMatchObject({ evictions: 0, refused: 0 });
    expect(shelf.store.stats().cleanedBytes).toBeGreaterThan(0);
  });
});

describe('a store that may not evict', () => {
  it('refuses before making room would be little but copying, deletes a little later', () => {
    const shelf = new Shelf({ memoryBytesMax: 8 * MIB });
    let count = 0;
    while (shelf.put(`key-${count}`, VALUE)) count++;
    const { liveBytes, memoryBytes } = shelf.store.stats();
    expect(liveBytes / memoryBytes).toBeGreaterThan(0.75);
    expect(liveBytes / memoryBytes).toBeLessThan(0.9);
    expect(shelf.put('key-0', '', { type: TYPE_TOMBSTONE, hlc: 2 })).toBe(true);
    const { cleanedBytes } = shelf.store.stats();
    for (let round = 0; round < 1000; round++) shelf.put('one more', VALUE);
    expect(shelf.store.stats().cleanedBytes - cleanedBytes).toBeLessThan(MIB / 2);
  });
});
