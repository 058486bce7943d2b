import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MIB, Shelf } from './harness.js';

const VALUE = 'v'.repeat(200);

/** Reads as a cache-aside client does: a hit is a use, a miss is written. True for a hit. */
function use(shelf: Shelf, key: string): boolean {
  if (shelf.find(key)) {
    shelf.store.touch();
    return true;
  }
  if (!shelf.put(key, VALUE)) throw new Error(`no room for ${key}`);
  return false;
}

function hits(shelf: Shelf, prefix: string, count: number): number {
  let found = 0;
  for (let index = 0; index < count; index++) if (shelf.find(`${prefix}-${index}`)) found++;
  return found;
}

function full(): Shelf {
  const shelf = new Shelf({ eviction: 's3-fifo' });
  for (let index = 0; index < 5000; index++) use(shelf, `filler-${index}`);
  return shelf;
}

describe('s3-fifo', () => {
  it('keeps what is used while keys that are seen once stream by, ten memories of them', () => {
    const shelf = full();
    for (let round = 0; round < 3; round++) for (let index = 0; index < 1000; index++) use(shelf, `hot-${index}`);
    for (let index = 0; index < 40_000; index++) {
      use(shelf, `once-${index}`);
      if (index % 10 === 0) use(shelf, `hot-${(index / 10) % 1000}`);
    }
    expect(hits(shelf, 'hot', 1000)).toBe(1000);
  });

  it('lets a key that was never used again leave before one that was', () => {
    const shelf = full();
    for (let index = 0; index < 200; index++) {
      use(shelf, `once-${index}`);
      use(shelf, `twice-${index}`);
      expect(use(shelf, `twice-${index}`)).toBe(true);
    }
    for (let index = 0; index < 6000; index++) use(shelf, `later-${index}`);
    expect(hits(shelf, 'once', 200)).toBe(0);
    expect(hits(shelf, 'twice', 200)).toBe(200);
  });

  it('counts finding alone as no use', () => {
    const shelf = full();
    for (let index = 0; index < 200; index++) {
      use(shelf, `found-${index}`);
      shelf.find(`found-${index}`);
    }
    for (let index = 0; index < 6000; index++) use(shelf, `later-${index}`);
    expect(hits(shelf, 'found', 200)).toBe(0);
  });

  it('takes a key that comes back soon after it left to the main pool, where ones seen once do not drive it out', () => {
    const shelf = full();
    for (let index = 0; index < 200; index++) use(shelf, `back-${index}`);
    for (let index = 0; index < 4500; index++) use(shelf, `between-${index}`);
    expect(hits(shelf, 'back', 200)).toBe(0);
    for (let index = 0; index < 200; index++) expect(use(shelf, `back-${index}`)).toBe(false);
    for (let index = 0; index < 6000; index++) use(shelf, `later-${index}`);
    expect(hits(shelf, 'back', 200)).toBeGreaterThan(150);
    expect(hits(shelf, 'later', 200)).toBe(0);
  });

  it('lets what is used no more leave the main pool in the end', () => {
    const shelf = full();
    for (const prefix of ['old', 'new']) {
      for (let round = 0; round < 12; round++) {
        for (let index = 0; index < 3200; index++) use(shelf, `${prefix}-${index}`);
      }
    }
    expect(hits(shelf, 'old', 3200)).toBeLessThan(1000);
    expect(hits(shelf, 'new', 3200)).toBeGreaterThan(2000);
  });

  it('counts an overwrite as a use and leaves the key in its pool', () => {
    const shelf = full();
    for (let index = 0; index < 200; index++) {
      shelf.put(`written-${index}`, VALUE);
      shelf.put(`written-${index}`, VALUE, { hlc: 2 });
    }
    for (let index = 0; index < 6000; index++) use(shelf, `later-${index}`);
    for (let index = 0; index < 200; index++) shelf.put(`written-${index}`, VALUE, { hlc: 3 });
    for (let index = 0; index < 6000; index++) use(shelf, `last-${index}`);
    expect(hits(shelf, 'written', 200)).toBe(200);
  });

  it('finds room when everything in memory is in use all the time', () => {
    const shelf = full();
    const random = new Random(3);
    for (let index = 0; index < 60_000; index++) use(shelf, `key-${random.below(5000)}`);
    for (let index = 0; index < 3000; index++) {
      for (let uses = 0; uses < 4; uses++) use(shelf, `key-${random.below(5000)}`);
      use(shelf, `new-${index}`);
    }
    expect(shelf.store.stats()).toMatchObject({ refused: 0 });
    expect(shelf.store.stats().memoryBytes).toBeLessThanOrEqual(MIB);
  });

  it('spares large values that were used, without copying them', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 4 * MIB });
    const large = Buffer.alloc(200_000);
    for (let index = 0; index < 6; index++) {
      shelf.put(`used-${index}`, large);
      shelf.find(`used-${index}`);
      shelf.store.touch();
    }
    for (let index = 0; index < 18; index++) shelf.put(`once-${index}`, large);
    expect(hits(shelf, 'used', 6)).toBe(6);
    expect(hits(shelf, 'once', 18)).toBeLessThan(18);
    expect(shelf.store.stats().cleanedBytes).toBe(0);
  });

  it('holds nothing of a map wrong, within its bound, whatever is used, put, deleted, expired and evicted', () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = new Random(seed);
      const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: MIB / 2 });
      const latest = new Map<string, { value: string | null; expireAtMs: number }>();
      for (let hlc = 1; hlc < 12_000; hlc++) {
        const key = `key-${Math.floor(6000 * random.below(1000) * random.below(1000) * 1e-6)}`;
        const dice = random.below(100);
        const { wallMs } = shelf.store;
        if (dice < 45) {
          if (shelf.find(key)) shelf.store.touch();
        } else if (dice < 90) {
          const value = `${hlc}`.repeat(1 + random.below(random.chance(0.02) ? 800 : 100));
          const expireAtMs = random.chance(0.3) ? wallMs + 2 ** random.below(24) : 0;
          if (shelf.put(key, value, { hlc, expireAtMs })) latest.set(key, { value, expireAtMs });
        } else if (dice < 95) {
          if (shelf.put(key, '', { hlc, type: TYPE_TOMBSTONE })) latest.set(key, { value: null, expireAtMs: 0 });
        } else {
          shelf.store.wallMs += random.below(2000);
          shelf.store.sweep(20);
          shelf.store.dropTombstones(hlc - 2000, 50);
          shelf.store.prepare();
        }
        if (shelf.store.stats().memoryBytes > MIB / 2) throw new Error('over the bound');
      }
      for (const [key, { value, expireAtMs }] of latest) {
        const held = shelf.value(key);
        const ended = expireAtMs !== 0 && expireAtMs <= shelf.store.wallMs;
        if (value === null || !ended) expect(held === null || held === value).toBe(true);
      }
      const fresh = new Shelf({ memoryBytesMax: 16 * MIB });
      fresh.store.wallMs = shelf.store.wallMs;
      const digests = shelf.digests();
      for (let partition = 0; partition < 8; partition++) {
        for (const { hash, bytes } of shelf.records(partition)) fresh.store.merge(partition, hash, bytes, 0);
        expect([...shelf.store.leafSums(partition)]).toEqual([...shelf.recomputedSums(partition)]);
      }
      expect(digests).toEqual(fresh.digests());
      expect(shelf.store.stats().evictions).toBeGreaterThan(100);
      expect(shelf.store.stats().expired).toBeGreaterThan(100);
    }
  });
});

describe('lanes', () => {
  it('let what expires together leave together, without a byte copied, while what stays is not evicted', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', memoryBytesMax: 2 * MIB });
    const { store } = shelf;
    for (let index = 0; index < 2000; index++) shelf.put(`stays-${index}`, VALUE);
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 1000; index++) {
        const expireAtMs = store.wallMs + (index % 2 ? 10_000 : 3_000_000);
        shelf.put(`${round}-${index}`, VALUE, { expireAtMs: round < 19 || index % 2 ? expireAtMs : 0 });
        if (index % 16 === 0) store.prepare();
      }
      store.wallMs += 3_000_000;
    }
    expect(store.stats()).toMatchObject({ evictions: 0, cleanedBytes: 0, refused: 0 });
    expect(hits(shelf, 'stays', 2000)).toBe(2000);
  });
});

describe('the hottest keys', () => {
  it('are visited in the order of their uses, with their records, and leave when their keys do', () => {
    const shelf = new Shelf();
    for (let index = 0; index < 300; index++) shelf.put(`key-${index}`, `value-${index}`);
    const random = new Random(7);
    for (let round = 0; round < 200_000; round++) {
      const dice = random.below(10);
      shelf.find(dice < 5 ? 'key-7' : dice < 8 ? 'key-8' : `key-${random.below(300)}`);
      shelf.store.touch();
    }
    const seen: [string, number][] = [];
    const visit = () => {
      seen.length = 0;
      shelf.store.visitHot((buffer, offset, uses) => {
        const keyLength = buffer[offset + 10];
        seen.push([buffer.toString('latin1', offset + 32, offset + 32 + keyLength), uses]);
      });
    };
    visit();
    expect(seen.slice(0, 2).map(([key]) => key)).toEqual(['key-7', 'key-8']);
    expect(seen.length).toBeLessThanOrEqual(128);
    expect(seen[0][1]).toBeGreaterThan(90_000);
    expect(seen[0][1]).toBeLessThan(110_000);
    shelf.remove('key-7');
    visit();
    expect(seen[0][0]).toBe('key-8');
  });
});
