import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MERGE_APPLIED, MERGE_REFUSED } from '../../../src/core/store/merging.js';
import { segmentBytesFor, tombstoneBytesMax } from '../../../src/core/store/sizes.js';
import { record } from '../record/records.js';
import { MIB, PARTITIONS, Shelf } from './harness.js';

const VALUE = 'v'.repeat(200);

function fill(shelf: Shelf, prefix: string, count: number): void {
  for (let index = 0; index < count; index++) {
    if (!shelf.put(`${prefix}-${index}`, VALUE)) throw new Error(`no room for ${prefix}-${index}`);
  }
}

function found(shelf: Shelf, prefix: string, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index).filter((index) => shelf.find(`${prefix}-${index}`));
}

describe('segment sizes', () => {
  it('are 1/512 of memory as a power of two between 4 KiB and 4 MiB', () => {
    const sizes = [MIB, 2 * MIB, 4 * MIB, 256 * MIB, 300 * MIB, 2048 * MIB, 65_536 * MIB].map(segmentBytesFor);
    expect(sizes).toEqual([4096, 4096, 8192, 524_288, 524_288, 4_194_304, 4_194_304]);
  });
});

describe('eviction', () => {
  it('takes the oldest first, silently, and marks the partition lossy until it is cleared', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    const { store } = shelf;
    expect(store.isLossy(0)).toBe(false);
    fill(shelf, 'key', 20_000);
    const kept = found(shelf, 'key', 20_000);
    expect(kept.length).toBeGreaterThan(2000);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 20_000 - kept.length + index));
    expect(store.stats()).toMatchObject({
      keys: kept.length,
      evictions: 20_000 - kept.length,
      tombstones: 0,
      refused: 0,
    });
    expect(store.stats().memoryBytes).toBeLessThanOrEqual(MIB);
    expect(store.stats().liveBytes).toBeGreaterThan(0.75 * MIB);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(store.isLossy(partition)).toBe(true);
      expect([...store.leafSums(partition)]).toEqual([...shelf.recomputedSums(partition)]);
      store.clearPartition(partition);
      expect(store.isLossy(partition)).toBe(false);
    }
    expect(store.stats()).toMatchObject({ keys: 0, liveBytes: 0 });
  });

  it('spares a key that is never written again while another is overwritten without end', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    fill(shelf, 'old', 2700);
    const liveBytes = shelf.store.stats().liveBytes;
    expect(liveBytes).toBeGreaterThan(0.6 * MIB);
    for (let round = 0; round < 150_000; round++) shelf.put('hot', VALUE, { hlc: round + 2 });
    expect(shelf.store.stats()).toMatchObject({ evictions: 0, keys: 2701, refused: 0 });
    expect(found(shelf, 'old', 2700)).toHaveLength(2700);
    expect(shelf.store.isLossy(0)).toBe(false);
  });

  it('never takes tombstones, which move on instead', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    for (let index = 0; index < 400; index++) shelf.put(`gone-${index}`, '', { type: TYPE_TOMBSTONE });
    fill(shelf, 'key', 30_000);
    expect(found(shelf, 'gone', 400)).toHaveLength(400);
    expect(shelf.store.stats()).toMatchObject({ tombstones: 400 });
    expect(shelf.store.stats().evictions).toBeGreaterThan(20_000);
    expect(shelf.store.stats().cleanedBytes).toBeGreaterThan(0);
  });

  it('takes large values too, each as a whole', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 4 * MIB });
    for (let index = 0; index < 100; index++) expect(shelf.put(`key-${index}`, Buffer.alloc(300_000))).toBe(true);
    const kept = found(shelf, 'key', 100);
    expect(kept.length).toBeGreaterThan(8);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 100 - kept.length + index));
    expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(4 * MIB);
  });

  it('leaves the record found last where it is', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    fill(shelf, 'key', 10_000);
    const oldest = `key-${found(shelf, 'key', 10_000)[0]}`;
    const before = shelf.read(oldest);
    if (before === null) throw new Error('there is a record to find');
    const { buffer, offset } = shelf.store;
    const { evictions } = shelf.store.stats();
    for (let index = 0; shelf.store.stats().evictions === evictions; index++) {
      expect(index).toBeLessThan(1000);
      expect(shelf.find(oldest)).toBe(true);
      shelf.put(`more-${index}`, VALUE);
    }
    expect(before.equals(buffer.subarray(offset, offset + before.length))).toBe(true);
    expect(shelf.find(oldest)).toBe(true);
    expect(shelf.store.buffer === buffer && shelf.store.offset === offset).toBe(true);
  });

  it('and cleaning together keep every bound under mixed writes, with counts and digests that agree', () => {
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: MIB / 2 });
      const latest = new Map<string, string>();
      for (let round = 1; round < 15_000; round++) {
        const key = random.chance(0.3) ? `hot-${random.below(20)}` : `key-${random.below(5000)}`;
        const value = `${round}`.repeat(1 + random.below(random.chance(0.01) ? 800 : 60));
        if (!shelf.put(key, value, { hlc: round })) throw new Error('eviction makes room');
        latest.set(key, value);
        if (round % 16 === 0) shelf.store.prepare();
        if (shelf.store.stats().memoryBytes > MIB / 2) throw new Error('over the bound');
      }
      let keys = 0;
      for (const [key, value] of latest) {
        const held = shelf.value(key);
        if (held !== null) keys++;
        expect(held === null || held === value).toBe(true);
      }
      expect(shelf.store.stats()).toMatchObject({ keys, refused: 0 });
      expect(keys + shelf.store.stats().evictions).toBeGreaterThanOrEqual(latest.size);
      expect(shelf.contents()).toHaveLength(keys);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        expect([...shelf.store.leafSums(partition)]).toEqual([...shelf.recomputedSums(partition)]);
      }
    }
  });
});

describe('a full store that does not evict', () => {
  it('refuses what does not fit, keeps what it has, and takes writes again once there is room', () => {
    const shelf = new Shelf();
    let count = 0;
    while (shelf.put(`key-${count}`, VALUE)) count++;
    const full = shelf.store.stats();
    expect(full).toMatchObject({ keys: count, evictions: 0, refused: 1 });
    expect(full.liveBytes).toBeGreaterThan(0.75 * MIB);
    expect(shelf.merge('other', record({}, 'other', VALUE.repeat(100)))).toBe(MERGE_REFUSED);
    for (let index = 0; index < count; index += 2) shelf.remove(`key-${index}`);
    for (let index = 0; index < count / 3; index++) expect(shelf.put(`new-${index}`, VALUE)).toBe(true);
    expect(found(shelf, 'key', count)).toHaveLength(Math.floor(count / 2));
    expect(shelf.store.stats().cleanedBytes).toBeGreaterThan(0);
    expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(MIB);
  });

  it('overwrites the same keys for ever', () => {
    const shelf = new Shelf();
    for (let round = 0; round < 30_000; round++) {
      if (!shelf.put(`key-${round % 2500}`, VALUE, { hlc: round + 1 })) throw new Error(`refused at ${round}`);
    }
    expect(shelf.store.stats()).toMatchObject({ keys: 2500, refused: 0, evictions: 0 });
  });
});

describe('tombstones', () => {
  it('are refused past a twentieth of memory, and taken again when old ones are forgotten', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    let count = 0;
    while (shelf.put(`gone-${count}`, '', { type: TYPE_TOMBSTONE, hlc: count + 1 })) count++;
    const { tombstoneBytes } = shelf.store.stats();
    expect(tombstoneBytes).toBeLessThanOrEqual(tombstoneBytesMax(MIB));
    expect(tombstoneBytes).toBeGreaterThan(tombstoneBytesMax(MIB) - 100);
    const late = record({ type: TYPE_TOMBSTONE, hlc: 9999 }, 'late');
    expect(shelf.merge('late', late)).toBe(MERGE_REFUSED);
    expect(shelf.put('value', VALUE)).toBe(true);
    let dropped = 0;
    for (let slices = 0; dropped < 500; slices++) {
      expect(slices).toBeLessThan(100);
      dropped += shelf.store.dropTombstones(501, 40);
    }
    expect(dropped).toBe(500);
    expect(found(shelf, 'gone', count)).toEqual(Array.from({ length: count - 500 }, (_, index) => 500 + index));
    expect(shelf.store.stats()).toMatchObject({ tombstones: count - 500, keys: 1 });
    expect(shelf.merge('late', late)).toBe(MERGE_APPLIED);
  });
});
