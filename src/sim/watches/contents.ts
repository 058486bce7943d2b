/**
 * What a node holds, as one line per partition: which values stand for which keys, in which versions. Checks that compare a node with itself
 * at another time, or with what its disk gives back, call this. Guarded: nothing of the store changes by it, so tombstones, which go when all
 * have passed them, are left out where time has passed in between.
 */

import { mix32 } from '../../core/base/hash.js';
import { readWord, recordExpiryHlc, recordHlc, recordType, TYPE_TOMBSTONE } from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';

/** One sum per partition: equal if and only if the same is held, up to chance. */
export function contentsOf(store: Store, partitions: number): string[] {
  return Array.from({ length: partitions }, (_, partition) => {
    let low = 0;
    let high = 0;
    let records = 0;
    const visit = (bytes: Buffer, at: number, hash: number): void => {
      if (recordType(bytes, at) === TYPE_TOMBSTONE) return;
      const element = mix32(mix32(readWord(bytes, at), hash), recordHlc(bytes, at) | 0);
      low = (low + element) >>> 0;
      high = (high + mix32(element, recordExpiryHlc(bytes, at) | 0)) >>> 0;
      records++;
    };
    store.scan(partition, 0, Number.POSITIVE_INFINITY, visit);
    return `${records} records ${low.toString(16)}${high.toString(16)}`;
  });
}

/** Where two lists of sums differ, in words; null if they do not. */
export function differenceOf(before: readonly string[], after: readonly string[]): string | null {
  const partition = before.findIndex((sum, index) => sum !== after[index]);
  return partition < 0 ? null : `partition ${partition}: ${before[partition]}, then ${after[partition]}`;
}
