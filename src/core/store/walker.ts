/**
 * Walks over entries in the order of hashes: the sliced sweeps that drop what has expired, was flushed or is a tombstone all
 * have passed, and the visits of SCAN and of a trie leaf. The store calls it; sweeps go on from where they stood. Guarded:
 * a walk from one hash to another meets every record linked throughout it, whatever is inserted, deleted or moved
 * meanwhile, because tables are sorted by hash and a cursor is a hash.
 */
import {
  FLAG_MERGE,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import type { Entries } from './entries.js';
import type { Partition } from './partition.js';
import type { Segments } from './segments.js';

export const HASH_MAX = 0xffffffff;

/** Lent a record: it must not write to the store, and keeps nothing of the buffer. */
export type RecordVisitor = (buffer: Buffer, offset: number, hash: number) => void;

/** A partition with lapsed records is walked again after this time. */
const LAPSED_RETRY_MS = 1000;

/** What a dropping walk takes. */
const GONE = 0;
const TOMBSTONES = 1;
const ALL = 2;
type Taking = typeof GONE | typeof TOMBSTONES | typeof ALL;

/** A value of a merge type that a flush may take a part of. */
export interface Mixed {
  readonly partition: number;
  readonly hash: number;
  readonly key: Buffer;
}

export class Walker {
  /** What the last dropping walk left of merge types while a flush was being applied: no more than it looked at. The store empties it. */
  mixed: Mixed[] = [];
  private sweepPartition = 0;
  private sweepHash = 0;
  private burialPartition = 0;
  private burialHash = 0;
  private examined = 0;
  private dropped = 0;
  private readonly entries: Entries;
  private readonly segments: Segments;

  constructor(entries: Entries, segments: Segments) {
    this.entries = entries;
    this.segments = segments;
  }

  /** Drops expired and flushed records; looks at about `budget` of them and returns how many were dropped. */
  sweep(budget: number, wallMs: number): number {
    const { partitions } = this.entries;
    this.begin();
    for (let passed = 0; passed < partitions.length && this.examined < budget; passed++) {
      const home = partitions[this.sweepPartition];
      if (home?.mayHoldGone(wallMs)) {
        this.sweepHash = this.dropFrom(home, this.sweepHash, budget, GONE, wallMs, 0);
        if (this.sweepHash !== -1) break;
      }
      this.sweepHash = 0;
      this.sweepPartition = (this.sweepPartition + 1) % partitions.length;
    }
    return this.dropped;
  }

  /** Drops tombstones stamped before `beforeHlc` or at most at their partition's floor; looks at about `budget` records and returns how many were dropped. */
  dropTombstones(beforeHlc: number, budget: number): number {
    const { partitions } = this.entries;
    this.begin();
    for (let passed = 0; passed < partitions.length && this.examined < budget; passed++) {
      const home = partitions[this.burialPartition];
      if (home !== null && home.tombstones > 0) {
        this.burialHash = this.dropFrom(home, this.burialHash, budget, TOMBSTONES, 0, beforeHlc);
        if (this.burialHash !== -1) break;
      }
      this.burialHash = 0;
      this.burialPartition = (this.burialPartition + 1) % partitions.length;
    }
    return this.dropped;
  }

  /** A flush covers records behind the cursor too: the partition under way is walked from its start. */
  restart(): void {
    this.sweepHash = 0;
  }

  /** Drops what has expired or was flushed in one partition, as far as `budget` slots reach; returns what is left of it. */
  dropGone(home: Partition, wallMs: number, budget: number): number {
    if (!home.mayHoldGone(wallMs) || budget <= 0) return budget;
    this.begin();
    const soonest = home.walkedSoonestMs;
    // Cut short, it must not take from the sweep under way what that has seen behind the cut.
    const cutShort = this.dropFrom(home, 0, budget, GONE, wallMs, 0) !== -1;
    if (cutShort) home.walkedSoonestMs = Math.min(soonest, home.walkedSoonestMs);
    return budget - this.examined;
  }

  /** Drops every record of one partition. */
  dropAll(home: Partition): void {
    this.begin();
    this.dropFrom(home, 0, Number.POSITIVE_INFINITY, ALL, 0, 0);
  }

  /**
   * Visits records of one partition with a hash in [fromHash, toHash] that are neither expired nor flushed, looking at
   * `count` or a few more, all with an equal hash together. Returns the hash to go on from, or -1 at the end. With a clock
   * of 0 nothing has expired.
   */
  visit(
    partition: number,
    fromHash: number,
    toHash: number,
    count: number,
    wallMs: number,
    visitor: RecordVisitor,
  ): number {
    const home = this.entries.partitions[partition];
    if (home === null) return -1;
    let seen = 0;
    let previous = -1;
    for (let from = fromHash; from <= toHash; ) {
      let slot = home.directory.seek(from);
      // The visitor may look something up: what the directory says of this table is kept.
      const { words, end, lastHash } = home.directory;
      for (; slot < end; slot += 2) {
        const location = words[slot + 1];
        if (location === 0) continue;
        const hash = words[slot];
        if (hash > toHash) return -1;
        if (seen >= count && hash !== previous) return hash;
        previous = hash;
        seen++;
        if (this.entries.isGone(home, location, wallMs)) continue;
        visitor(this.segments.buffers[location >>> this.segments.shift], (location & this.segments.mask) << 3, hash);
      }
      from = lastHash + 1;
    }
    return -1;
  }

  private begin(): void {
    this.examined = 0;
    this.dropped = 0;
  }

  private dropFrom(
    home: Partition,
    fromHash: number,
    budget: number,
    taking: Taking,
    wallMs: number,
    beforeHlc: number,
  ): number {
    let previous = -1;
    if (taking === GONE && fromHash === 0) home.walkedSoonestMs = Number.POSITIVE_INFINITY;
    for (let from = fromHash; from <= HASH_MAX; ) {
      let slot = home.directory.seek(from);
      const { words, end, lastHash } = home.directory;
      this.examined++;
      while (slot < end) {
        if (words[slot + 1] === 0) {
          slot += 2;
          continue;
        }
        const hash = words[slot];
        if (this.examined >= budget && hash !== previous) return hash;
        previous = hash;
        this.examined++;
        if (this.takes(home, words, slot, taking, wallMs, beforeHlc)) this.dropped++;
        else slot += 2;
      }
      from = lastHash + 1;
      home.directory.shrink(lastHash);
    }
    if (taking === GONE) {
      home.soonestMs = home.walkedSoonestMs;
      home.flushing = false;
    }
    return -1;
  }

  /** Drops the record of a slot if the walk takes it. One that a sweep leaves lowers the bound on the next expiry. */
  private takes(
    home: Partition,
    words: Uint32Array,
    slot: number,
    taking: Taking,
    wallMs: number,
    beforeHlc: number,
  ): boolean {
    const { entries, segments } = this;
    if (taking === ALL) {
      entries.drop(home, words, slot);
      return true;
    }
    const location = words[slot + 1];
    const buffer = segments.buffers[location >>> segments.shift];
    const offset = (location & segments.mask) << 3;
    if (taking === TOMBSTONES) {
      if (recordType(buffer, offset) !== TYPE_TOMBSTONE) return false;
      const hlc = recordHlc(buffer, offset);
      if (hlc >= beforeHlc && !entries.isBelowFloor(home.number, hlc)) return false;
      entries.drop(home, words, slot);
      return true;
    }
    if (entries.dropIfGone(home, words, slot, wallMs)) return true;
    if (entries.isLapsed(words[slot + 1])) {
      home.walkedSoonestMs = Math.min(home.walkedSoonestMs, wallMs + LAPSED_RETRY_MS);
      return false;
    }
    const expireAtMs = recordExpireAtMs(buffer, offset);
    if (expireAtMs !== 0 && expireAtMs < home.walkedSoonestMs) home.walkedSoonestMs = expireAtMs;
    if (home.flushing && (buffer[offset + 9] & FLAG_MERGE) !== 0) {
      const key = Buffer.from(buffer.subarray(recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset)));
      this.mixed.push({ partition: home.number, hash: words[slot], key });
    }
    return false;
  }
}
