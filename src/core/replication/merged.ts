/**
 * What the log is told of a merge: the record as it came, or, where the merge made one of both, that. The replicator and the loader
 * call it. Guarded: room for what a merge may make is asked for before anything changes.
 */
import { RECORD_BYTES_MAX, recordBytes, recordKeyEnd, recordKeyStart } from '../record/record.js';
import { MERGE_DERIVED, type MergeOutcome } from '../store/merging.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';

/**
 * Logs what a merge left in the store. Where there is no room for that, as when a SET meets a counter that is larger, the record as it
 * came does: with what is in the log already it makes the same. False if the log has no room for either.
 */
export function logMerged(store: Store, wal: Wal, outcome: MergeOutcome, bytes: Buffer, offset: number): boolean {
  const isLogged =
    outcome === MERGE_DERIVED && wal.append(store.buffer, store.offset, recordBytes(store.buffer, store.offset));
  return isLogged || wal.append(bytes, offset, recordBytes(bytes, offset));
}

/** Bytes of log that a value of a merge type may take with what stands for its key: what no record could hold, the merge lets go. */
export function mergedBytesMax(store: Store, partition: number, hash: number, bytes: Buffer, offset: number): number {
  const length = recordBytes(bytes, offset);
  const known = store.find(partition, hash, bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset));
  return known ? Math.min(length + recordBytes(store.buffer, store.offset), RECORD_BYTES_MAX) : length;
}
