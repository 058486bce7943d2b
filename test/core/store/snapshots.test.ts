import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import {
  recordEnd,
  recordExpireAtMs,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_PUT,
  TYPE_TOMBSTONE,
} from '../../../src/core/record/record.js';
import type { Snapshot } from '../../../src/core/store/snapshots.js';
import { record } from '../record/records.js';
import { MIB, PARTITIONS, Shelf } from './harness.js';

const KEYS = Array.from({ length: 400 }, (_, index) => `key-${index}`);
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** A snapshot and what a scan of the store itself saw when it was opened. */
interface Opened {
  snapshot: Snapshot;
  truth: Map<string, string>;
}

function entryOf(buffer: Buffer, offset: number): [string, string] {
  const keyEnd = recordKeyEnd(buffer, offset);
  const value = buffer.toString('latin1', keyEnd, recordEnd(buffer, offset));
  return [
    buffer.toString('latin1', recordKeyStart(buffer, offset), keyEnd),
    `${value}@${recordExpireAtMs(buffer, offset)}`,
  ];
}

function open(shelf: Shelf, monotonicMs = 0): Opened {
  const truth = new Map<string, string>();
  for (const partition of ALL) {
    shelf.store.scan(partition, 0, Number.POSITIVE_INFINITY, (buffer, offset) => {
      if (recordType(buffer, offset) === TYPE_PUT) truth.set(...entryOf(buffer, offset));
    });
  }
  return { snapshot: shelf.store.snapshots.open(shelf.store.wallMs, monotonicMs, ALL), truth };
}

/** Reads the whole snapshot in pages; `between` runs after each. Every key is met once. */
function scanned(
  shelf: Shelf,
  { snapshot }: Opened,
  count: number,
  between: () => void = () => undefined,
): Map<string, string> {
  const seen = new Map<string, string>();
  for (const partition of ALL) {
    for (let from = 0; from !== -1; ) {
      if (snapshot.closed) return seen;
      from = shelf.store.snapshots.scan(snapshot, partition, from, count, (buffer, offset) => {
        const [key, value] = entryOf(buffer, offset);
        expect(seen.has(key)).toBe(false);
        seen.set(key, value);
      });
      between();
    }
  }
  return seen;
}

function value(shelf: Shelf, snapshot: Snapshot, key: string): string | undefined {
  const { snapshots } = shelf.store;
  const bytes = Buffer.from(key);
  if (!snapshots.find(snapshot, shelf.partition(key), shelf.hash(key), bytes, 0, bytes.length)) return undefined;
  return entryOf(snapshots.buffer, snapshots.offset)[1];
}

function expectAsOpened(shelf: Shelf, opened: Opened): void {
  expect(sorted(scanned(shelf, opened, 5))).toEqual(sorted(opened.truth));
  for (const key of KEYS) expect(value(shelf, opened.snapshot, key)).toBe(opened.truth.get(key));
}

function sorted(entries: Map<string, string>): [string, string][] {
  return [...entries].sort(([left], [right]) => (left < right ? -1 : 1));
}

function change(shelf: Shelf, random: Random, hlc: number): void {
  const { store } = shelf;
  const key = KEYS[random.below(KEYS.length)];
  const dice = random.below(100);
  if (dice < 55) {
    const size = random.chance(0.01) ? random.below(3000) : random.below(60);
    const expireAtMs = random.chance(0.3) ? store.wallMs + random.between(1, 60) : 0;
    shelf.put(key, String.fromCharCode(97 + (hlc % 26)).repeat(size), { hlc, expireAtMs });
  } else if (dice < 65) {
    shelf.put(key, '', { hlc, type: TYPE_TOMBSTONE });
  } else if (dice < 75) {
    shelf.merge(key, record({ hlc: hlc - random.below(3), actor: 7 }, key, 'merged'));
  } else if (dice < 85) {
    shelf.remove(key);
  } else if (dice < 98) {
    store.wallMs += random.below(8);
    store.sweep(random.below(40));
    store.dropTombstones(hlc - 50, random.below(40));
    store.prepare();
  } else if (dice < 99) {
    store.flush(hlc - 20, 0);
  } else {
    store.clearPartition(random.below(PARTITIONS));
  }
}

describe('snapshots', () => {
  it('show what a scan saw when each was opened, whatever is put, merged, deleted, expired, flushed or cleared since', () => {
    let compared = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const random = new Random(seed, 2, 3);
      const shelf = new Shelf({ memoryBytesMax: 8 * MIB });
      shelf.store.wallMs = 1_000_000;
      if (seed % 2 === 0) shelf.pass(0);
      let open_: Opened[] = [];
      for (let step = 1; step <= 1500; step++) {
        change(shelf, random, 1000 + step);
        if (random.chance(0.01) && shelf.store.snapshots.size < 5) open_.push(open(shelf));
        if (random.chance(0.008) && open_.length > 0) {
          const [gone] = open_.splice(random.below(open_.length), 1);
          shelf.store.snapshots.close(gone.snapshot);
        }
        open_ = open_.filter(({ snapshot }) => !snapshot.closed);
        if (step % 150 !== 0) continue;
        for (const opened of open_) {
          expectAsOpened(shelf, opened);
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  it('are scanned whole while the store changes between pages', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed, 5, 6);
      const shelf = new Shelf({ memoryBytesMax: 8 * MIB });
      shelf.store.wallMs = 1_000_000;
      let hlc = 1000;
      for (let step = 0; step < 600; step++) change(shelf, random, hlc++);
      const opened = open(shelf);
      const seen = scanned(shelf, opened, random.between(1, 9), () => {
        for (let step = 0; step < 4; step++) change(shelf, random, hlc++);
      });
      if (!opened.snapshot.closed) expect(sorted(seen)).toEqual(sorted(opened.truth));
    }
  });

  it('outlive eviction: what leaves the store stays readable', () => {
    const shelf = new Shelf({ memoryBytesMax: 4 * MIB, eviction: 's3-fifo' });
    for (let index = 0; index < 300; index++) shelf.put(`key-${index}`, 'v'.repeat(200), { hlc: 10 + index });
    const opened = open(shelf);
    expect(opened.truth.size).toBe(300);
    for (let index = 0; index < 4000; index++) shelf.put(`new-${index}`, 'w'.repeat(1500), { hlc: 1000 + index });
    expect(shelf.store.stats().evictions).toBeGreaterThan(0);
    expect([...opened.truth.keys()].some((key) => !shelf.find(key))).toBe(true);
    expectAsOpened(shelf, opened);
  });

  it('judge expiry by the time they were opened at', () => {
    const shelf = new Shelf();
    shelf.store.wallMs = 1000;
    shelf.put('gone', 'x', { hlc: 1, expireAtMs: 1000 });
    shelf.put('soon', 'x', { hlc: 2, expireAtMs: 1001 });
    const opened = open(shelf);
    shelf.store.wallMs = 5000;
    shelf.store.sweep(1000);
    expect(shelf.store.stats().expired).toBe(2);
    expect(value(shelf, opened.snapshot, 'soon')).toBe('x@1001');
    expect(value(shelf, opened.snapshot, 'gone')).toBe(undefined);
    expect([...scanned(shelf, opened, 10).keys()]).toEqual(['soon']);
  });

  it('tell a key that was overwritten from one born since, in an order of closing that leaves an older one reading through', () => {
    const shelf = new Shelf();
    shelf.put('a', '1', { hlc: 1 });
    const first = open(shelf);
    shelf.put('a', '2', { hlc: 2 });
    const second = open(shelf);
    shelf.put('a', '3', { hlc: 3 });
    shelf.put('b', '1', { hlc: 4 });
    shelf.store.snapshots.close(second.snapshot);
    shelf.put('b', '2', { hlc: 5 });
    expect(value(shelf, first.snapshot, 'a')).toBe('1@0');
    expect(value(shelf, first.snapshot, 'b')).toBe(undefined);
    expect(shelf.value('a')).toBe('3');
  });

  it('are refused past eight, and keep nothing once they are closed', () => {
    const shelf = new Shelf();
    const { snapshots } = shelf.store;
    for (let index = 0; index < 8; index++) snapshots.open(0, 0, ALL);
    expect(() => snapshots.open(0, 0, ALL)).toThrow('8 snapshots are open');
    for (const snapshot of snapshots.list()) snapshots.close(snapshot);
    shelf.put('a', '1', { hlc: 1 });
    expect(shelf.store.stats()).toMatchObject({ snapshots: 0, snapshotBytes: 0, snapshotsTooOld: 0 });
    expect(snapshots.open(0, 0, ALL).id).toBe(9);
  });

  it('keep within a tenth of memory by giving up the oldest, which then says that it is too old', () => {
    const shelf = new Shelf({ memoryBytesMax: 4 * MIB });
    const { snapshots } = shelf.store;
    for (let index = 0; index < 5000; index++) shelf.put(`key-${index}`, 'v'.repeat(200), { hlc: 10 + index });
    const first = open(shelf);
    for (let index = 0; index < 1000; index++) shelf.put(`key-${index}`, 'w', { hlc: 10_000 + index });
    const second = open(shelf);
    let bytes = 0;
    for (let index = 1000; index < 2000; index++) {
      shelf.put(`key-${index}`, 'x', { hlc: 20_000 + index });
      bytes = Math.max(bytes, shelf.store.stats().snapshotBytes);
    }
    expect(bytes).toBeLessThanOrEqual((4 * MIB) / 10);
    expect(bytes).toBeGreaterThan((4 * MIB) / 20);
    expect(() => snapshots.named(first.snapshot.id)).toThrow('snapshot too old');
    expect(snapshots.named(second.snapshot.id)).toBe(second.snapshot);
    expect(sorted(scanned(shelf, second, 50))).toEqual(sorted(second.truth));
    for (let index = 2000; index < 5000; index++) shelf.put(`key-${index}`, 'x', { hlc: 20_000 + index });
    expect(shelf.store.stats()).toMatchObject({ snapshots: 0, snapshotBytes: 0, snapshotsTooOld: 2 });
  });

  it('are given up at once for a value larger than they all may keep', () => {
    const shelf = new Shelf({ memoryBytesMax: 4 * MIB });
    shelf.put('large', Buffer.alloc(MIB), { hlc: 1 });
    open(shelf);
    shelf.put('large', 'small', { hlc: 2 });
    expect(shelf.store.stats()).toMatchObject({ snapshots: 0, snapshotBytes: 0, snapshotsTooOld: 1 });
  });

  it('end after thirty seconds, and with a flush of everything', () => {
    const shelf = new Shelf();
    const { snapshots } = shelf.store;
    const old = open(shelf, 1000).snapshot;
    const young = open(shelf, 20_000).snapshot;
    snapshots.tick(31_000);
    expect(old.closed).toBe(false);
    snapshots.tick(31_001);
    expect(old.closed).toBe(true);
    shelf.put('a', '1', { hlc: 1 });
    expect(young.closed).toBe(false);
    shelf.store.flush(5, 0);
    expect(young.closed).toBe(true);
    expect(shelf.store.stats()).toMatchObject({ snapshots: 0, snapshotBytes: 0, snapshotsTooOld: 2 });
  });

  it('fold a closed one into the one before it without exceeding what they hold together', () => {
    const shelf = new Shelf({ memoryBytesMax: 4 * MIB });
    for (let index = 0; index < 300; index++) shelf.put(`key-${index}`, '1', { hlc: 10 + index });
    const first = open(shelf);
    for (let round = 0; round < 200; round++) {
      const next = open(shelf);
      for (let index = 0; index < 300; index += 7) shelf.put(`key-${index}`, `${round}`, { hlc: 1000 + round });
      shelf.store.snapshots.close(next.snapshot);
    }
    expect(shelf.store.stats().snapshots).toBe(1);
    expect(shelf.store.stats().snapshotBytes).toBeLessThan(64 * 1024);
    expectAsOpened(shelf, first);
  });
});
