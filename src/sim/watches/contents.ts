/**
 * What a node holds, key by key: which value stands, in which version. Checks that compare a node with itself at another time call this.
 * Guarded: nothing of the store changes by it, so tombstones, which go when all have passed them, are left out where time has passed in
 * between, and so is what has expired.
 */

import {
  readWord,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_TOMBSTONE,
} from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';

/** Per key a text that is another for another value, version or end of life. */
export type Contents = ReadonlyMap<string, string>;

/** What stands in one partition. */
export function contentsOf(store: Store, partition: number): Contents {
  const contents = new Map<string, string>();
  store.scan(partition, 0, Number.POSITIVE_INFINITY, (bytes, at) => {
    if (recordType(bytes, at) === TYPE_TOMBSTONE) return;
    const key = bytes.latin1Slice(recordKeyStart(bytes, at), recordKeyEnd(bytes, at));
    const sum = readWord(bytes, at).toString(16);
    contents.set(key, `${recordHlc(bytes, at)}/${recordExpiryHlc(bytes, at)} ${sum}`);
  });
  return contents;
}

/** The first key of which two contents say different things, but for those that may differ; null if there is none. */
export function differenceOf(before: Contents, after: Contents, mayDiffer: (key: string) => boolean): string | null {
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key) ?? 'nothing', after.get(key) ?? 'nothing'];
    if (was !== is && !mayDiffer(key)) return `${key} was ${was}, and is ${is}`;
  }
  return null;
}
