/**
 * Records that come in the order of an image, by partition and hash, on their way into the index: their slots collect here and are
 * inserted a run at a time, which takes neither a search nor a growing table. `Store.load` fills a run, and settles it before
 * anything else looks at the index. Guarded: a run holds one partition's slots in strictly rising order of hashes, above every
 * hash that partition has in the index, so no key in it can have a slot already; and no more than RUN_SLOTS_MAX of them.
 */

import type { Entries } from './entries.js';
import type { Partition } from './partition.js';

const RUN_SLOTS_MAX = 32 * 1024;
/** Memory that a run may come to take in the index: a slot is 8 bytes, and a table is at least three eighths full. */
export const RUN_BYTES_MAX = RUN_SLOTS_MAX * 32;

export class BulkRun {
  private home: Partition | null = null;
  private count = 0;
  /** Per partition the greatest hash it has or had in the index, once that was asked for; NaN before. */
  private readonly greatest: Float64Array;
  private readonly slots = new Uint32Array(RUN_SLOTS_MAX * 2);
  private readonly entries: Entries;

  constructor(entries: Entries) {
    this.entries = entries;
    this.greatest = new Float64Array(entries.partitions.length).fill(Number.NaN);
  }

  /** The partition to admit a record of this hash to, if it can go on the run; else null, and the run wants to be settled. */
  takes(partition: number, hash: number): Partition | null {
    if (hash <= this.greatest[partition]) return null;
    if (this.count > 0) return this.home?.number === partition && this.count < RUN_SLOTS_MAX ? this.home : null;
    const home = this.entries.partitionOf(partition);
    if (Number.isNaN(this.greatest[partition])) this.greatest[partition] = home.directory.greatestHash();
    this.home = home;
    return hash > this.greatest[partition] ? home : null;
  }

  /** The record was admitted to the partition that `takes` gave. */
  add(partition: number, hash: number, location: number): void {
    this.slots[this.count << 1] = hash;
    this.slots[(this.count << 1) + 1] = location;
    this.count++;
    this.greatest[partition] = hash;
  }

  /** Inserts what has collected; the run may go on behind it. */
  settle(): void {
    if (this.home !== null && this.count > 0) this.entries.linkSorted(this.home, this.slots, this.count);
    this.count = 0;
  }

  /** A record went into the index by itself. */
  note(partition: number, hash: number): void {
    if (hash > this.greatest[partition]) this.greatest[partition] = hash;
  }
}
