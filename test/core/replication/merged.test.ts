/** What the log is told of a merge, where it has room for some of it only. */
import { expect, it } from 'vitest';
import { RECORD_BYTES_MAX, recordBytes } from '../../../src/core/record/record.js';
import { logMerged, mergedBytesMax } from '../../../src/core/replication/merged.js';
import { MERGE_DERIVED } from '../../../src/core/store/merging.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { record } from '../record/records.js';
import { Shelf } from '../store/harness.js';
import { at, Replica } from '../types/counted.js';

function counter(): Buffer {
  const replica = new Replica(11);
  replica.add(at(3), 1);
  return replica.stored as Buffer;
}

/** A log that takes records up to so many bytes; `taken` are their lengths. */
function logWith(bytesMax: number, taken: number[]): Wal {
  const append = (_bytes: Buffer, _offset: number, length: number): boolean => {
    if (length <= bytesMax) taken.push(length);
    return length <= bytesMax;
  };
  return { append } as unknown as Wal;
}

it('logs a SET as it came where there is no room for what it and a counter make: with that counter it makes the same again', () => {
  const shelf = new Shelf();
  const set = record({ hlc: at(2), actor: 3, sequence: 1 }, 'key', '100');
  shelf.merge('key', counter());
  expect(mergedBytesMax(shelf.store, shelf.partition('key'), shelf.hash('key'), set, 0)).toBe(
    set.length + counter().length,
  );
  expect(shelf.merge('key', set)).toBe(MERGE_DERIVED);
  const derived = recordBytes(shelf.store.buffer, shelf.store.offset);
  const taken: number[] = [];
  expect(logMerged(shelf.store, logWith(derived, taken), MERGE_DERIVED, set, 0)).toBe(true);
  expect(logMerged(shelf.store, logWith(set.length, taken), MERGE_DERIVED, set, 0)).toBe(true);
  expect(logMerged(shelf.store, logWith(0, taken), MERGE_DERIVED, set, 0)).toBe(false);
  expect(taken).toEqual([derived, set.length]);
  const again = new Shelf();
  again.merge('key', counter());
  again.merge('key', set);
  expect(again.value('key')).toBe('101');
});

it('asks the log for no more room than a record may take: what is more than that, the merge lets go', () => {
  const shelf = new Shelf({ memoryBytesMax: 64 << 20 });
  const value = 'v'.repeat(12 << 20);
  shelf.merge('key', record({ hlc: at(2), actor: 3, sequence: 1 }, 'key', value));
  const other = record({ hlc: at(3), actor: 4, sequence: 1 }, 'key', value);
  expect(mergedBytesMax(shelf.store, shelf.partition('key'), shelf.hash('key'), other, 0)).toBe(RECORD_BYTES_MAX);
});
