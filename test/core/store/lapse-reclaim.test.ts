/** What reclaiming does to values that lapse under its hands: they keep their mark, and large ones stay where they lie. */
import { describe, expect, it } from 'vitest';
import { MERGE_STALE } from '../../../src/core/store/merging.js';
import { record } from '../record/records.js';
import { Shelf } from './harness.js';

function fill(shelf: Shelf, count: number, hlc: number): void {
  for (let index = 0; index < count; index++) shelf.put(`fill:${hlc}:${index}`, 'x'.repeat(200), { hlc });
}

describe('a value that lapses while its segment is emptied', () => {
  for (const bytes of [2000, 6000]) {
    it(`stays where it is when it has a segment of its own, of ${bytes} bytes`, () => {
      const shelf = new Shelf({ eviction: 'none' });
      shelf.store.wallMs = 500;
      shelf.put('large', 'v'.repeat(bytes), { hlc: 20, expireAtMs: 1000 });
      shelf.pass(15);
      shelf.store.wallMs = 1000;
      for (let round = 0; round < 300; round++) fill(shelf, 20, 30);
      expect(shelf.store.stats()).toMatchObject({ expired: 1, lapsed: 1 });
      expect(shelf.merge('large', record({ hlc: 10 }, 'large', 'old'))).toBe(MERGE_STALE);
      shelf.put('large', 'newer', { hlc: 40 });
      expect(shelf.value('large')).toBe('newer');
      expect(shelf.store.stats()).toMatchObject({ lapsed: 0 });
    });
  }

  it('keeps its mark when it is spared for its uses', () => {
    const shelf = new Shelf({ eviction: 's3-fifo', partitions: 1 });
    shelf.store.wallMs = 500;
    shelf.put('used', 'v', { hlc: 20, expireAtMs: 1000 });
    shelf.find('used');
    shelf.store.touch();
    // Of the same lane, so that the segment is evicted and not taken for one that is past.
    for (let index = 0; index < 100; index++) shelf.put(`young:${index}`, 'v', { hlc: 20, expireAtMs: 15_000 });
    shelf.pass(15);
    shelf.store.wallMs = 1000;
    fill(shelf, 4000, 30);
    const { evictions, expired } = shelf.store.stats();
    expect(evictions).toBeGreaterThan(0);
    expect(expired).toBe(1);
    shelf.put('used', 'newer', { hlc: 40 });
    const records = shelf.records(0);
    expect(shelf.store.stats().keys).toBe(records.length);
    expect([...shelf.store.leafSums(0)]).toEqual([...shelf.recomputedSums(0)]);
  });
});
