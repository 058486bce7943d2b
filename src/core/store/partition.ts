/**
 * What one partition holds: its index, the sums of its hash trie's leaves and its counts. Entries keep all of them in step;
 * walks read the hints that let them pass a partition by. Plain state; created with the first record of its partition.
 */
import { LEAF_WORDS } from './digest.js';
import { Directory } from './directory.js';
import type { Slabs } from './slabs.js';

/** Memory of an empty partition beside its directory. */
export const PARTITION_BYTES = LEAF_WORDS * 4 + 128;

export class Partition {
  readonly number: number;
  readonly directory: Directory;
  readonly sums = new Uint32Array(LEAF_WORDS);
  /** Linked values, expired ones included until they are dropped. */
  keys = 0;
  /** Of these, with an expiry field. */
  expiring = 0;
  tombstones = 0;
  /** Expired values kept against older versions of their keys. */
  lapsed = 0;
  /** It has evicted: absence here is no proof of absence. */
  lossy = false;
  /** Records at or below the flush may still be linked. */
  flushing = false;
  /** No linked record expires before this. A lower bound: raised by a whole walk, lowered by each record. */
  soonestMs = Number.POSITIVE_INFINITY;
  /** The same bound as the walk under way will leave it. */
  walkedSoonestMs = Number.POSITIVE_INFINITY;

  constructor(number: number, slabs: Slabs) {
    this.number = number;
    this.directory = new Directory(slabs);
  }

  /** True if a walk would find something that has expired or was flushed. */
  mayHoldGone(wallMs: number): boolean {
    return this.flushing || this.soonestMs <= wallMs;
  }
}
