/**
 * The entries of a node: which record stands for each key, per partition, with every count that follows from it. The store
 * links records here, the reclaimer moves and drops them, walks visit them. Guarded: live bytes per segment, tombstone
 * bytes, keys and the digests' sums always agree with what is linked; one function, `account`, changes them all.
 */
import { recordIsExpired } from '../record/expiry.js';
import { compareVersions } from '../record/merge.js';
import {
  FLAG_EXPIRY,
  recordActor,
  recordExpireAtMs,
  recordExpiryHlc,
  recordHlc,
  recordKeyStart,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import { isCovered } from '../types/types.js';
import { elementHigh, elementLow } from './digest.js';
import type { Directory } from './directory.js';
import { PARTITION_BYTES, Partition } from './partition.js';
import { JUMBO, type Segments } from './segments.js';
import { FREQUENCY_MAX, footprint } from './sizes.js';
import type { Slabs } from './slabs.js';

/** In the word that holds type and flags: the record has an expiry (a PERSIST has one of 0, and counts). */
const EXPIRY_BIT = FLAG_EXPIRY << 8;
/** In a record's envelope: it has lapsed. */
export const LAPSED = 0x80000000;
/** In the same word: the partition, and above it the uses of the record, saturating. */
export const PARTITION_MASK = 0xffff;
export const FREQUENCY_SHIFT = 16;
export const FREQUENCY_MASK = 0x7f;
/** Longer keys are compared by the native call. */
const LOOP_BYTES_MAX = 32;

/** Told what stands for a key before that changes: snapshots.ts keeps it for those who read the past. */
export interface ChangeWatcher {
  /** The record at `source`, `at` stands for its key and will not; or, if `isNew`, nothing stands for its key and it will. */
  beforeChange(partition: number, hash: number, source: Buffer, at: number, isNew: boolean): void;
  /** Everything is about to be forgotten at once. */
  beforeClear(): void;
}

export class Entries {
  /** Null while no snapshot is open. A record that moves, lapses or is covered by a flush has not changed. */
  watcher: ChangeWatcher | null = null;
  /** Null until a partition's first record. */
  readonly partitions: (Partition | null)[];
  keys = 0;
  tombstones = 0;
  tombstoneBytes = 0;
  liveBytes = 0;
  expired = 0;
  /** Expired records kept because an owner may still hold an older version. */
  lapsed = 0;
  lapsedBytes = 0;
  /** Per partition: every owner has everything stamped up to here; what expired at or below it may be forgotten. Nothing, until told. */
  readonly passedHlc: Float64Array;
  /** Per partition: what is deleted or expired at or below the floor may be forgotten; up to `passableHlc` once that floor is raised. */
  readonly floorHlc: Float64Array;
  readonly passableHlc: Float64Array;
  /** Per partition: the newest stamp met that could be forgotten if the floor were there. */
  readonly wantedHlc: Float64Array;
  private readonly lapsedBytesMax: number;
  flushed = 0;
  flushedHlc = 0;
  flushedActor = 0;
  /** The greatest version linked since the last clear. */
  private maxHlc = 0;
  private maxActor = 0;
  /** Memory of digests and of the directories' places, and the most that one directory has. */
  private homeBytes: number;
  private placesBytesMost = 0;
  readonly segments: Segments;
  private readonly slabs: Slabs;

  constructor(segments: Segments, slabs: Slabs, partitions: number, lapsedBytesMax: number) {
    this.segments = segments;
    this.slabs = slabs;
    this.lapsedBytesMax = lapsedBytesMax;
    this.passedHlc = new Float64Array(partitions);
    this.floorHlc = new Float64Array(partitions);
    this.passableHlc = new Float64Array(partitions);
    this.wantedHlc = new Float64Array(partitions);
    this.partitions = new Array<Partition | null>(partitions).fill(null);
    this.homeBytes = partitions * 8;
  }

  /** Memory of index and digests. */
  get bytes(): number {
    return this.homeBytes + this.slabs.bytes;
  }

  /** Memory that linking one more record may take. */
  get headroomBytes(): number {
    return this.placesBytesMost + this.slabs.growthBytes + PARTITION_BYTES;
  }

  partitionOf(partition: number): Partition {
    const known = this.partitions[partition];
    if (known !== null) return known;
    const opened = new Partition(partition, this.slabs);
    this.partitions[partition] = opened;
    this.homeBytes += PARTITION_BYTES + opened.directory.bytes;
    return opened;
  }

  /** The key's slot in the words that the directory then holds, or 0. */
  findSlot(directory: Directory, hash: number, key: Uint8Array, start: number, end: number): number {
    let at = directory.homeOf(hash);
    const { words } = directory;
    for (; words[at + 1] !== 0 && words[at] <= hash; at += 2) {
      if (words[at] === hash && this.keyIs(words[at + 1], key, start, end)) return at;
    }
    return 0;
  }

  /** Lets the record at `segment`, `offset` stand for its key, in place of the one that did. */
  link(partition: number, hash: number, segment: number, offset: number): void {
    const home = this.partitionOf(partition);
    const buffer = this.segments.buffers[segment];
    const keyStart = recordKeyStart(buffer, offset);
    const keyEnd = keyStart + (buffer[offset + 10] | (buffer[offset + 11] << 8));
    const { directory } = home;
    const slot = this.findSlot(directory, hash, buffer, keyStart, keyEnd);
    const location = this.segments.locate(segment, offset);
    if (this.watcher !== null) {
      if (slot === 0) this.watcher.beforeChange(partition, hash, buffer, offset, true);
      else this.announce(home, hash, directory.words[slot + 1]);
    }
    if (slot !== 0) {
      const former = directory.words[slot + 1];
      directory.words[slot + 1] = location;
      this.inherit(former, segment, offset);
      this.account(home, hash, former, -1);
    } else {
      const before = directory.bytes;
      directory.insert(hash, location);
      if (directory.bytes !== before) this.notePlaces(directory.bytes, before);
    }
    this.account(home, hash, location, 1);
    this.note(home, segment, buffer, offset);
  }

  /** Counts a record whose slot `linkSorted` will insert. */
  admit(home: Partition, hash: number, segment: number, offset: number): void {
    this.account(home, hash, this.segments.locate(segment, offset), 1);
    this.note(home, segment, this.segments.buffers[segment], offset);
  }

  /** Inserts the slots of records that were admitted, sorted by hash; none of their keys has a slot yet. */
  linkSorted(home: Partition, slots: Uint32Array, count: number): void {
    const { directory } = home;
    const before = directory.bytes;
    directory.insertSorted(slots, count);
    this.notePlaces(directory.bytes, before);
  }

  /** The record behind a slot stands for its key no more. Slots behind it may move up into its place. */
  drop(home: Partition, words: Uint32Array, slot: number): void {
    const hash = words[slot];
    const location = words[slot + 1];
    if (this.watcher !== null) this.announce(home, hash, location);
    home.directory.remove(hash, slot);
    this.account(home, hash, location, -1);
  }

  /**
   * Drops the record behind a slot if a flush covers it, or if it has expired and nobody can bring back an older version;
   * an expired one that may still be needed lapses: it counts for nothing, but older versions of its key lose against it.
   */
  dropIfGone(home: Partition, words: Uint32Array, slot: number, wallMs: number): boolean {
    const location = words[slot + 1];
    if (!this.isGone(home, location, wallMs)) return false;
    if (this.isCovered(home, location)) {
      this.flushed++;
    } else {
      if (!this.isLapsed(location)) this.expired++;
      const buffer = this.segments.buffers[location >>> this.segments.shift];
      // Who has the value and missed the change of its expiry would bring it back as it was.
      const hlc = latestHlc(buffer, (location & this.segments.mask) << 3);
      const needed = hlc > this.passedHlc[home.number] && !home.lossy && !this.isBelowFloor(home.number, hlc);
      if (needed && (this.isLapsed(location) || this.lapsedBytes < this.lapsedBytesMax)) {
        this.lapse(home, words[slot], location);
        return false;
      }
    }
    this.drop(home, words, slot);
    return true;
  }

  /** Whether something deleted or expired may be forgotten now; if that takes a higher floor, the floor is wanted. */
  isBelowFloor(partition: number, hlc: number): boolean {
    if (hlc <= this.floorHlc[partition]) return true;
    if (hlc <= this.passableHlc[partition] && hlc > this.wantedHlc[partition]) this.wantedHlc[partition] = hlc;
    return false;
  }

  /** True for an expired record that is kept against older versions of its key. */
  isLapsed(location: number): boolean {
    const words = this.segments.words[location >>> this.segments.shift];
    return (words[((location & this.segments.mask) << 1) - 1] & LAPSED) !== 0;
  }

  private lapse(home: Partition, hash: number, location: number): void {
    if (this.isLapsed(location)) return;
    this.accountDigest(home, hash, location, -1);
    this.keys--;
    home.keys--;
    home.expiring--;
    home.lapsed++;
    this.lapsed++;
    const word = (location & this.segments.mask) << 1;
    this.lapsedBytes += footprint(this.segments.words[location >>> this.segments.shift][word + 1]);
    this.segments.words[location >>> this.segments.shift][((location & this.segments.mask) << 1) - 1] |= LAPSED;
  }

  /** True for a record that has expired or that a flush covers. */
  isGone(home: Partition, location: number, wallMs: number): boolean {
    const buffer = this.segments.buffers[location >>> this.segments.shift];
    return recordIsExpired(buffer, (location & this.segments.mask) << 3, wallMs) || this.isCovered(home, location);
  }

  /** True for a record that a flush covers and no walk has dropped yet. */
  isCovered(home: Partition, location: number): boolean {
    if (!home.flushing) return false;
    const buffer = this.segments.buffers[location >>> this.segments.shift];
    const offset = (location & this.segments.mask) << 3;
    return isCovered(buffer, offset, this.flushedHlc, this.flushedActor);
  }

  /** The record's bytes have been copied: live bytes follow the slot to the new segment. Nothing else changes. */
  relink(words: Uint32Array, slot: number, segment: number, offset: number): void {
    const { segments } = this;
    const from = words[slot + 1] >>> segments.shift;
    const fixed = segments.words[segment];
    const word = offset >>> 2;
    const bytes = footprint(fixed[word + 1]);
    words[slot + 1] = segments.locate(segment, offset);
    segments.live[from] -= bytes;
    segments.live[segment] += bytes;
    // What has lapsed is needed longer than it lived: its segment must not be taken for one that is past.
    const latestMs = (fixed[word - 1] & LAPSED) !== 0 ? Number.POSITIVE_INFINITY : segments.latestMs[from];
    if (latestMs > segments.latestMs[segment]) segments.latestMs[segment] = latestMs;
    if ((fixed[word + 2] & 0xff) !== TYPE_TOMBSTONE) return;
    segments.tombstoneBytes[from] -= bytes;
    segments.tombstoneBytes[segment] += bytes;
  }

  isFlushed(hlc: number, actor: number): boolean {
    return compareVersions(hlc, actor, this.flushedHlc, this.flushedActor) <= 0;
  }

  /** Raises the flush to a later version; true if it covers every record there is. */
  flush(hlc: number, actor: number): boolean {
    this.flushedHlc = hlc;
    this.flushedActor = actor;
    if (this.isFlushed(this.maxHlc, this.maxActor)) return true;
    for (const home of this.partitions) if (home !== null) home.flushing = true;
    return false;
  }

  /** Forgets a partition whose records have all been dropped. */
  close(partition: number): void {
    const home = this.partitions[partition];
    if (home === null) return;
    this.homeBytes -= PARTITION_BYTES + home.directory.bytes;
    home.directory.release();
    this.partitions[partition] = null;
  }

  /** Forgets everything at once; the owner clears the segments. */
  clear(): void {
    if (this.watcher !== null) this.watcher.beforeClear();
    for (let partition = 0; partition < this.partitions.length; partition++) this.close(partition);
    this.keys = 0;
    this.tombstones = 0;
    this.tombstoneBytes = 0;
    this.liveBytes = 0;
    this.lapsed = 0;
    this.lapsedBytes = 0;
    this.maxHlc = 0;
    this.maxActor = 0;
    this.placesBytesMost = 0;
  }

  private notePlaces(bytes: number, before: number): void {
    this.homeBytes += bytes - before;
    if (bytes > this.placesBytesMost) this.placesBytesMost = bytes;
  }

  /** The record at a location will stand for its key no more. */
  private announce(home: Partition, hash: number, location: number): void {
    const buffer = this.segments.buffers[location >>> this.segments.shift];
    this.watcher?.beforeChange(home.number, hash, buffer, (location & this.segments.mask) << 3, false);
  }

  private keyIs(location: number, key: Uint8Array, start: number, end: number): boolean {
    const buffer = this.segments.buffers[location >>> this.segments.shift];
    const offset = (location & this.segments.mask) << 3;
    const length = end - start;
    if ((buffer[offset + 10] | (buffer[offset + 11] << 8)) !== length) return false;
    const at = recordKeyStart(buffer, offset);
    if (length > LOOP_BYTES_MAX) return buffer.compare(key, start, end, at, at + length) === 0;
    for (let index = 0; index < length; index++) if (buffer[at + index] !== key[start + index]) return false;
    return true;
  }

  /** Adds (1) or takes away (-1) all that one linked record counts for. */
  private account(home: Partition, hash: number, location: number, sign: 1 | -1): void {
    const { segments } = this;
    const segment = location >>> segments.shift;
    const words = segments.words[segment];
    const word = (location & segments.mask) << 1;
    const lapsed = (words[word - 1] & LAPSED) !== 0;
    if (!lapsed) this.accountDigest(home, hash, location, sign);
    const bytes = sign * footprint(words[word + 1]);
    this.liveBytes += bytes;
    segments.live[segment] += bytes;
    if ((words[word + 2] & 0xff) === TYPE_TOMBSTONE) {
      this.tombstones += sign;
      this.tombstoneBytes += bytes;
      segments.tombstoneBytes[segment] += bytes;
      home.tombstones += sign;
    } else if (lapsed) {
      this.lapsed += sign;
      home.lapsed += sign;
      this.lapsedBytes += bytes;
    } else {
      this.keys += sign;
      home.keys += sign;
      if ((words[word + 2] & EXPIRY_BIT) !== 0) home.expiring += sign;
    }
    if (sign > 0) return;
    segments.changes++;
    if (segments.state[segment] === JUMBO) segments.release(segment);
  }

  private accountDigest(home: Partition, hash: number, location: number, sign: 1 | -1): void {
    const words = this.segments.words[location >>> this.segments.shift];
    const word = (location & this.segments.mask) << 1;
    const crc = words[word];
    const leaf = (hash >>> 24) << 1;
    home.sums[leaf] += sign * elementLow(hash, crc);
    home.sums[leaf + 1] += sign * elementHigh(hash, crc, words[word + 3]);
  }

  /** An overwrite is a use: it takes on the uses of what it replaces, and one more. */
  private inherit(former: number, segment: number, offset: number): void {
    const words = this.segments.words[former >>> this.segments.shift];
    const uses = (words[((former & this.segments.mask) << 1) - 1] >>> FREQUENCY_SHIFT) & FREQUENCY_MASK;
    this.segments.words[segment][(offset >>> 2) - 1] |= Math.min(uses + 1, FREQUENCY_MAX) << FREQUENCY_SHIFT;
  }

  private note(home: Partition, segment: number, buffer: Buffer, offset: number): void {
    const hlc = recordHlc(buffer, offset);
    if (hlc >= this.maxHlc) {
      const actor = recordActor(buffer, offset);
      if (compareVersions(hlc, actor, this.maxHlc, this.maxActor) > 0) {
        this.maxHlc = hlc;
        this.maxActor = actor;
      }
    }
    const expireAtMs = recordExpireAtMs(buffer, offset);
    const latestMs = expireAtMs === 0 ? Number.POSITIVE_INFINITY : expireAtMs;
    if (latestMs > this.segments.latestMs[segment]) this.segments.latestMs[segment] = latestMs;
    if (expireAtMs === 0) return;
    if (expireAtMs < home.soonestMs) home.soonestMs = expireAtMs;
    if (expireAtMs < home.walkedSoonestMs) home.walkedSoonestMs = expireAtMs;
  }
}

/** The later of the stamps of a value and of its expiry. */
function latestHlc(bytes: Buffer, offset: number): number {
  return Math.max(recordHlc(bytes, offset), recordExpiryHlc(bytes, offset));
}
