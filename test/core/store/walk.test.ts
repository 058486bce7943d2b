import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { recordKeyEnd, recordKeyStart, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MIB, PARTITIONS, Shelf } from './harness.js';

describe('a scan', () => {
  it('meets every key that is there throughout exactly once, while others come and go and tables split', () => {
    const shelf = new Shelf({ memoryBytesMax: 8 * MIB, partitions: 1 });
    const random = new Random(5);
    for (let index = 0; index < 3000; index++) {
      shelf.put(`stays-${index}`, 'value');
      shelf.put(`goes-${index}`, 'value');
    }
    const seen = new Map<string, number>();
    let cursor = 0;
    let coming = 0;
    let pages = 0;
    while (cursor !== -1) {
      let visited = 0;
      cursor = shelf.store.scan(0, cursor, 10, (buffer, offset) => {
        visited++;
        const key = buffer.toString('latin1', recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset));
        seen.set(key, (seen.get(key) ?? 0) + 1);
      });
      expect(visited).toBeLessThan(15);
      pages++;
      for (let turn = 0; turn < 12; turn++) shelf.remove(`goes-${random.below(3000)}`);
      for (let turn = 0; turn < 30; turn++) shelf.put(`comes-${coming++}`, 'value');
      if (random.chance(0.5)) shelf.put(`stays-${random.below(3000)}`, 'a new value');
    }
    expect(pages).toBeGreaterThan(300);
    for (let index = 0; index < 3000; index++) expect(seen.get(`stays-${index}`)).toBe(1);
  });

  it('visits values and tombstones in the order of hashes, and leaves out what has expired', () => {
    const shelf = new Shelf({ partitions: 1 });
    shelf.store.wallMs = 1000;
    for (let index = 0; index < 300; index++) shelf.put(`key-${index}`, 'value', { expireAtMs: index % 3 ? 0 : 1000 });
    for (let index = 0; index < 100; index++) shelf.put(`gone-${index}`, '', { type: TYPE_TOMBSTONE });
    const hashes = shelf.records(0).map(({ hash }) => hash);
    expect(hashes).toHaveLength(300);
    expect(hashes).toEqual([...hashes].sort((left, right) => left - right));
    expect(shelf.store.scan(0, hashes[299] + 1, 10, () => undefined)).toBe(-1);
  });

  it('of an untouched partition is over at once', () => {
    const { store } = new Shelf();
    expect(store.scan(3, 0, 10, () => undefined)).toBe(-1);
    expect([store.keys(3), store.isLossy(3), store.leafSums(3).length]).toEqual([0, false, 512]);
  });
});

describe('the leaves of the hash trie', () => {
  it('visit, leaf by leaf, what a scan visits, and sum up to the digest', () => {
    const shelf = new Shelf({ partitions: 2, memoryBytesMax: 4 * MIB });
    for (let index = 0; index < 5000; index++) shelf.put(`key-${index}`, `${index}`);
    const byLeaf: number[] = [];
    for (let leaf = 0; leaf < 256; leaf++) {
      shelf.store.visitLeaf(1, leaf, (_buffer, _offset, hash) => {
        expect(hash >>> 24).toBe(leaf);
        byLeaf.push(hash);
      });
    }
    expect(byLeaf).toEqual(shelf.records(1).map(({ hash }) => hash));
    expect([...shelf.store.leafSums(1)]).toEqual([...shelf.recomputedSums(1)]);
  });

  it('differ in exactly the leaf of an entry that differs, and the roots differ with them', () => {
    const left = new Shelf();
    const right = new Shelf();
    for (let index = 0; index < 1000; index++) {
      left.put(`key-${index}`, 'value');
      right.put(`key-${999 - index}`, 'value');
    }
    expect(left.digests()).toEqual(right.digests());
    left.put('key-7', 'other', { hlc: 2 });
    const partition = left.partition('key-7');
    const differing = [...left.store.leafSums(partition)].flatMap((sum, at) =>
      sum === right.store.leafSums(partition)[at] ? [] : [at >> 1],
    );
    expect(new Set(differing)).toEqual(new Set([left.hash('key-7') >>> 24]));
    const roots = left.digests().map((root, at) => root === right.digests()[at]);
    expect(roots).toEqual(Array.from({ length: PARTITIONS }, (_, at) => at !== partition));
    right.put('key-7', 'other', { hlc: 2 });
    expect(left.digests()).toEqual(right.digests());
  });
});

describe('expiry', () => {
  it('leaves digests by the clock alone, swept or not', () => {
    const swept = new Shelf();
    const unswept = new Shelf();
    const never = new Shelf();
    for (let index = 0; index < 500; index++) {
      const expireAtMs = index % 5 === 0 ? 0 : 100 + index;
      for (const shelf of [swept, unswept]) shelf.put(`key-${index}`, 'value', { expireAtMs });
      if (expireAtMs === 0 || expireAtMs > 350) never.put(`key-${index}`, 'value', { expireAtMs });
    }
    for (let wallMs = 0; wallMs <= 350; wallMs += 10) {
      swept.store.wallMs = wallMs;
      swept.store.sweep(100);
    }
    unswept.store.wallMs = 350;
    expect(unswept.store.stats().expired).toBe(0);
    expect(unswept.digests()).toEqual(never.digests());
    expect(swept.digests()).toEqual(never.digests());
    expect(unswept.store.stats().keys).toBe(never.store.stats().keys);
  });

  it('is swept in slices that pass over partitions where nothing is due', () => {
    const shelf = new Shelf();
    for (let index = 0; index < 400; index++)
      shelf.put(`key-${index}`, 'value', { expireAtMs: 500 + (index % 2) * 500 });
    shelf.store.wallMs = 499;
    expect(shelf.store.sweep(1_000_000)).toBe(0);
    shelf.store.wallMs = 500;
    let dropped = 0;
    for (let slices = 0; dropped < 200; slices++) {
      expect(slices).toBeLessThan(100);
      const slice = shelf.store.sweep(30);
      expect(slice).toBeLessThan(35);
      dropped += slice;
    }
    expect(shelf.store.stats()).toMatchObject({ keys: 200, expired: 200 });
    shelf.store.wallMs = 1000;
    for (let slices = 0; shelf.store.stats().keys > 0; slices++) {
      expect(slices).toBeLessThan(100);
      shelf.store.sweep(30);
    }
    expect(shelf.store.stats()).toMatchObject({ keys: 0, expired: 400, liveBytes: 0 });
  });

  it('of what is met while cleaning counts as expiry, not as eviction', () => {
    const shelf = new Shelf({ eviction: 's3-fifo' });
    for (let index = 0; index < 2000; index++) shelf.put(`short-${index}`, 'v'.repeat(200), { expireAtMs: 10 });
    shelf.store.wallMs = 20;
    for (let index = 0; index < 2000; index++) shelf.put(`long-${index}`, 'v'.repeat(200));
    const { evictions, expired } = shelf.store.stats();
    expect(evictions).toBe(0);
    expect(expired).toBeGreaterThan(500);
    expect(shelf.store.isLossy(0)).toBe(false);
  });
});
