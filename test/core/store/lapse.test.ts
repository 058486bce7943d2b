import { describe, expect, it } from 'vitest';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { MERGE_APPLIED, MERGE_REFUSED, MERGE_STALE } from '../../../src/core/store/merging.js';
import { record } from '../record/records.js';
import { Shelf } from './harness.js';

/** A value of version 20 that expires at 1,000 ms, over one of version 10 that never does. */
function expiring(): Shelf {
  const shelf = new Shelf();
  shelf.store.wallMs = 500;
  shelf.put('k', 'old', { hlc: 10 });
  shelf.put('k', 'new', { hlc: 20, expireAtMs: 1000 });
  shelf.put('other', 'stays', { hlc: 21 });
  return shelf;
}

describe('an expired value', () => {
  it('keeps an older version of its key from coming back while an owner may have missed it', () => {
    const shelf = expiring();
    shelf.pass(15);
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 1, expired: 1, lapsed: 1 });
    expect(shelf.merge('k', record({ hlc: 10 }, 'k', 'old'))).toBe(MERGE_STALE);
    expect(shelf.merge('k', record({ hlc: 30 }, 'k', 'newer'))).toBe(MERGE_APPLIED);
    expect(shelf.store.stats()).toMatchObject({ keys: 2, lapsed: 0 });
  });

  it('is kept by a store that nobody has told yet what the owners have, as right after a start', () => {
    const shelf = new Shelf({}, false);
    shelf.put('k', 'new', { hlc: 20, expireAtMs: 1000 });
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, lapsed: 1 });
    expect(shelf.merge('k', record({ hlc: 10 }, 'k', 'old'))).toBe(MERGE_STALE);
  });

  it('is forgotten once every owner has passed it', () => {
    const shelf = expiring();
    shelf.pass(15);
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    shelf.pass(20);
    shelf.store.wallMs = 2500;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 1, expired: 1, lapsed: 0 });
    expect(shelf.find('k')).toBe(false);
  });

  it('is kept until every owner has passed the change of its expiry, too: who missed that has the value without an end', () => {
    const shelf = new Shelf();
    shelf.store.wallMs = 500;
    shelf.put('k', 'value', { hlc: 20, expireAtMs: 1000, expiryHlc: 30, expiryActor: 4 });
    shelf.pass(29);
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, lapsed: 1 });
    expect(shelf.merge('k', record({ hlc: 20 }, 'k', 'value'))).toBe(MERGE_STALE);
    shelf.pass(30);
    shelf.store.wallMs = 2500;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, lapsed: 0 });
  });

  it('counts for nothing in digests, keys and visits, kept or forgotten', () => {
    const kept = expiring();
    const forgotten = expiring();
    kept.pass(15);
    for (const shelf of [kept, forgotten]) {
      shelf.store.wallMs = 1000;
      const partition = shelf.partition('k');
      shelf.store.digest(partition);
      expect(shelf.store.keys(partition)).toBe(shelf.partition('other') === partition ? 1 : 0);
      const seen: number[] = [];
      shelf.store.scan(partition, 0, 100, (_bytes, _offset, hash) => seen.push(hash));
      expect(seen).not.toContain(shelf.hash('k'));
    }
    kept.store.digest(kept.partition('k'));
    forgotten.store.digest(forgotten.partition('k'));
    expect([kept.store.digestLow, kept.store.digestHigh]).toEqual([
      forgotten.store.digestLow,
      forgotten.store.digestHigh,
    ]);
  });

  it('is in an image of everything as long as it is kept', () => {
    const shelf = expiring();
    shelf.pass(15);
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    const seen: number[] = [];
    shelf.store.scanAll(shelf.partition('k'), 0, 100, (_bytes, _offset, hash) => seen.push(hash));
    expect(seen).toContain(shelf.hash('k'));
  });

  it('stays kept through cleaning, and its counts come out even when all is dropped', () => {
    const shelf = new Shelf({ memoryBytesMax: 512 * 1024, segmentBytes: 4096 });
    shelf.pass(0);
    shelf.store.wallMs = 500;
    for (let index = 0; index < 50; index++) {
      shelf.put(`ttl${index}`, 'x'.repeat(40), { hlc: 20, expireAtMs: 1000 });
      for (let round = 0; round < 7; round++) shelf.put('busy', 'y'.repeat(500), { hlc: 30 + index * 7 + round });
    }
    shelf.store.wallMs = 1000;
    shelf.store.sweep(10_000);
    expect(shelf.store.stats().lapsed).toBe(50);
    for (let round = 0; round < 3000; round++) shelf.put('busy', 'y'.repeat(500), { hlc: 1000 + round });
    expect(shelf.store.stats().cleanedBytes).toBeGreaterThan(0);
    expect(shelf.store.stats().lapsed).toBe(50);
    expect(shelf.merge('ttl7', record({ hlc: 10 }, 'ttl7', 'old'))).toBe(MERGE_STALE);
    for (let partition = 0; partition < 8; partition++) shelf.store.clearPartition(partition);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, lapsed: 0, liveBytes: 0 });
  });

  it('is a value: a tombstone that says it expires is refused, and nothing is counted for it', () => {
    const shelf = expiring();
    shelf.pass(15);
    const { keys, tombstones } = shelf.store.stats();
    const odd = record({ hlc: 30, type: TYPE_TOMBSTONE, expireAtMs: 900 }, 'k');
    expect(shelf.merge('k', odd)).toBe(MERGE_REFUSED);
    shelf.store.wallMs = 950;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys, tombstones, lapsed: 0 });
  });
});
