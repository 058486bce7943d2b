/**
 * The store: one node's records in memory, found by key, within a bound on bytes. The keyspace, replication, recovery and
 * repair call it; what a call finds or makes lies at `buffer`, `offset` until the next call. A write is `allocate`, encode in
 * place, `publish`; a record from elsewhere is `merge`d by the one order of record/merge.ts.
 *
 * Guarded: segments, index, digests and ghost together never exceed `memoryBytesMax`; find, touch, allocate, publish and merge
 * allocate nothing on the heap, except for a view when more than a cache line or two is copied. The parts: segments.ts
 * (memory), heads.ts (where records of one kind go), entries.ts (what stands for each key), merging.ts (what comes of two records), reclaimer.ts and victims.ts (cleaning,
 * eviction), ghost.ts (what left), walker.ts (sweeps and scans), hotkeys.ts. After RAMCloud's log-structured memory
 * (FAST'14), Segcache (NSDI'21) and S3-FIFO (SOSP'23).
 */
import { assert } from '../base/assert.js';
import { Hasher } from '../base/hash.js';
import { isTombstoneRecord } from '../record/expiry.js';
import { compareRecords } from '../record/merge.js';
import {
  FLAG_MERGE,
  recordActor,
  recordBytes,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_EXPIRY,
  TYPE_PUT,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import { BulkRun, RUN_BYTES_MAX } from './bulk.js';
import { LEAF_WORDS, rootHigh, rootLow } from './digest.js';
import { Entries, PARTITION_MASK } from './entries.js';
import { Ghost } from './ghost.js';
import { FRESH, FRESH_MAIN, type HeadKind, Heads, LANE_ENDLESS, laneOf } from './heads.js';
import { HotKeys, type HotVisitor, SAMPLED } from './hotkeys.js';
import {
  MERGE_APPLIED,
  MERGE_EQUAL,
  MERGE_REFUSED,
  MERGE_STALE,
  type MergeOutcome,
  type MergeTarget,
  mergeExpiry,
  mergeFound,
  mergeStates,
  trimFlushed,
} from './merging.js';
import { Reclaimer } from './reclaimer.js';
import { ADMISSION, MAIN, Segments } from './segments.js';
import {
  aheadSegments,
  ENVELOPE_BYTES,
  FREQUENCY_MAX,
  footprint,
  inlineBytesMax,
  jumboBytesMax,
  MEMORY_BYTES_MIN,
  reserveSegments,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  SEGMENT_HEADER_BYTES,
  segmentBytesFor,
  slackBytes,
  TOMBSTONES_SHARE_MAX,
  tombstoneBytesMax,
  VALUES_SHARE_MAX,
} from './sizes.js';
import { Slabs } from './slabs.js';
import { Snapshots } from './snapshots.js';
import { HASH_MAX, type RecordVisitor, Walker } from './walker.js';

export interface StoreOptions {
  /** Bound on segments, index, digests and ghost together, bytes; at least 256 KiB. */
  memoryBytesMax: number;
  /** A power of two from 4 KiB to 4 MiB; 0 takes memory / 512 within those bounds. */
  segmentBytes: number;
  partitions: number;
  /** `none` refuses what does not fit instead of evicting. */
  eviction: 's3-fifo' | 'none';
  /** A planted bug, for the simulator (types/merge-type.ts). */
  addsParts?: boolean;
  sketchTakesLess?: boolean;
  /** The cluster's hash key. */
  hashKey: readonly [number, number];
}

export interface StoreStats {
  keys: number;
  tombstones: number;
  tombstoneBytes: number;
  liveBytes: number;
  memoryBytes: number;
  segments: number;
  /** Values that left to make room. */
  evictions: number;
  expired: number;
  /** Expired records kept against older versions of their keys. */
  lapsed: number;
  flushed: number;
  /** Bytes copied by cleaning. */
  cleanedBytes: number;
  /** Records for which there was no room, or that were malformed or flushed. */
  refused: number;
  /** Snapshots open, the memory beside `memoryBytes` that what they keep takes, and those that a bound closed. */
  snapshots: number;
  snapshotBytes: number;
  snapshotsTooOld: number;
}

const EMPTY = Buffer.alloc(0);
const EMPTY_WORDS = new Int32Array(0);
const NO_SUMS = new Uint32Array(LEAF_WORDS);
const NONE = -1;
/** Longer records are copied by the native call. */
const LOOP_BYTES_MAX = 192;
/** Records that one slice of emptying looks at. */
const SLICE_RECORDS_MAX = 200;
/** Memory touched ahead at the end of a turn: less than half a millisecond. */
const TOUCH_BYTES_MAX = 512 * 1024;
/** Each lane may want a segment at once, and there are always two free. */
const ROOMY_SEGMENTS = LANE_ENDLESS + 3;
/** Share of memory that expired records kept against older versions may take. */
const LAPSED_SHARE = 0.05;

export class Store implements MergeTarget {
  readonly hasher: Hasher;
  readonly addsParts: boolean;
  readonly sketchTakesLess: boolean;
  /** The store at points in time. */
  readonly snapshots: Snapshots;
  /** The turn's wall clock; expiry is judged by it. */
  wallMs = 0;
  buffer: Buffer = EMPTY;
  offset = 0;
  /** After `allocate`: the memory of `buffer` by the word. */
  words: Int32Array = EMPTY_WORDS;
  digestLow = 0;
  digestHigh = 0;
  /** Values that merges let go: no record could hold all that two copies had. */
  valuesLost = 0;
  private refused = 0;
  /** The segment the record in hand lies in. */
  private held = NONE;
  /** What was looked for last and not yet written: its hash, and the segment it was found in. */
  private soughtHash = 0;
  private soughtSegment = NONE;
  private isSought = false;
  /** Where `allocate` made room, and how much; and whether that is a head, which stays open. */
  private pending = NONE;
  private pendingBytes = 0;
  private pendingIsHead = false;
  /** Records published since the last turn's end, by which emptying is paced. */
  private published = 0;
  private uses = 0;
  private readonly evicts: boolean;
  private readonly reserve: number;
  private readonly ahead: number;
  private readonly slackBytes: number;
  private readonly memoryBytesMax: number;
  private readonly inlineBytesMax: number;
  private readonly segments: Segments;
  /** What stands for each key: the simulator looks at every change of it. */
  readonly entries: Entries;
  private readonly heads: Heads;
  private readonly ghost: Ghost;
  private readonly hotKeys = new HotKeys();
  private readonly reclaimer: Reclaimer;
  private readonly walker: Walker;
  /** Open between the first `load` and `endLoad`. */
  private bulk: BulkRun | null = null;
  private roomyBytes = 0;
  private loadSource: Buffer = EMPTY;
  private loadWords: Int32Array = EMPTY_WORDS;

  constructor(options: StoreOptions) {
    const { memoryBytesMax, partitions } = options;
    const segmentBytes = options.segmentBytes || segmentBytesFor(memoryBytesMax);
    assert(memoryBytesMax >= MEMORY_BYTES_MIN, 'the store has room for its heads and reserve');
    assert(segmentBytes >= SEGMENT_BYTES_MIN && segmentBytes <= SEGMENT_BYTES_MAX, 'segments are 4 KiB to 4 MiB');
    assert(segmentBytes * 16 <= memoryBytesMax, 'memory is at least 16 segments');
    this.hasher = new Hasher(options.hashKey);
    this.addsParts = options.addsParts === true;
    this.sketchTakesLess = options.sketchTakesLess === true;
    this.memoryBytesMax = memoryBytesMax;
    this.inlineBytesMax = inlineBytesMax(segmentBytes);
    this.segments = new Segments(segmentBytes, memoryBytesMax);
    const slabs = new Slabs(memoryBytesMax);
    this.entries = new Entries(this.segments, slabs, partitions, Math.floor(memoryBytesMax * LAPSED_SHARE));
    this.evicts = options.eviction !== 'none';
    this.reserve = reserveSegments(memoryBytesMax, segmentBytes);
    this.ahead = aheadSegments(memoryBytesMax, segmentBytes);
    this.slackBytes = slackBytes(memoryBytesMax);
    this.heads = new Heads(this.segments, memoryBytesMax);
    this.ghost = new Ghost(segmentBytes);
    this.reclaimer = new Reclaimer(this.entries, this.segments, this.heads, this.ghost, this.hasher, this.evicts);
    this.walker = new Walker(this.entries, this.segments);
    this.snapshots = new Snapshots(this.entries, this.segments, memoryBytesMax);
  }

  /** Values in the index, those included that have expired and were not swept yet. */
  get keyCount(): number {
    return this.entries.keys;
  }

  /** Records of this version or before are refused by `merge` and unseen by `find`. */
  get flushedHlc(): number {
    return this.entries.flushedHlc;
  }

  get flushedActor(): number {
    return this.entries.flushedActor;
  }

  /** Finds the record of a key: a value or a tombstone, expired or not. */
  find(partition: number, hash: number, key: Uint8Array, start: number, end: number): boolean {
    this.soughtHash = hash;
    this.soughtSegment = NONE;
    this.isSought = true;
    const home = this.entries.partitions[partition];
    if (home === null) return false;
    const slot = this.entries.findSlot(home.directory, hash, key, start, end);
    if (slot === 0) return false;
    const location = home.directory.words[slot + 1];
    if (home.flushing && this.entries.isCovered(home, location)) return false;
    this.held = location >>> this.segments.shift;
    this.buffer = this.segments.buffers[this.held];
    this.offset = (location & this.segments.mask) << 3;
    this.soughtSegment = this.held;
    return true;
  }

  /** Whether a version is gone with everything up to the last flush. */
  isFlushed(hlc: number, actor: number): boolean {
    return this.entries.isFlushed(hlc, actor);
  }

  /** The record just found was used: eviction spares it for that. Finding alone is no use. */
  touch(): void {
    const { buffer, offset } = this;
    // The third byte of the envelope, in the cache line that comparing the key has loaded.
    const uses = buffer[offset - 2];
    if (uses < FREQUENCY_MAX) buffer[offset - 2] = uses + 1;
    this.uses = (this.uses + 1) % SAMPLED;
    if (this.uses === 0) this.noteHot();
  }

  /** Visits the keys used most, the hottest first, with their records: at most 128, by a sample of uses. */
  visitHot(visit: HotVisitor): void {
    this.hotKeys.visit((partition, hash, uses) => {
      const directory = this.entries.partitions[partition]?.directory;
      const slot = directory?.seek(hash) ?? 0;
      if (directory === undefined || directory.words[slot + 1] === 0 || directory.words[slot] !== hash) return;
      const location = directory.words[slot + 1];
      visit(this.segments.buffers[location >>> this.segments.shift], (location & this.segments.mask) << 3, uses);
    });
  }

  /**
   * Makes room for a record of `length` bytes at `buffer`, `offset`; it may clean or evict, never what was found last.
   * A record that expires lies with others that do so at about the same time; one whose key was found or missed last
   * goes to the pool of what it replaces, or of what has come back.
   * False if memory is full, or for a tombstone if tombstones fill their share; then nothing has changed but the room.
   */
  allocate(length: number, isTombstone = false, expireAtMs = 0): boolean {
    const bytes = footprint(length);
    const lane = expireAtMs === 0 ? LANE_ENDLESS : laneOf(expireAtMs, this.wallMs);
    if (this.makeRoom(bytes, isTombstone, lane)) {
      this.buffer = this.segments.buffers[this.pending];
      this.words = this.segments.words[this.pending];
      this.offset = this.segments.used[this.pending] + ENVELOPE_BYTES;
      this.pendingBytes = bytes;
      return true;
    }
    this.refused++;
    return false;
  }

  /** Lets the record just encoded where `allocate` made room stand for its key, in place of the former. */
  publish(partition: number, hash: number): void {
    const segment = this.place(partition);
    this.entries.link(partition, hash, segment, this.offset);
  }

  /** Merges a verified PUT, TOMBSTONE or EXPIRY record, or a value of a merge type, from elsewhere. */
  merge(partition: number, hash: number, source: Buffer, at: number): MergeOutcome {
    const type = recordType(source, at);
    if (type === TYPE_EXPIRY) return mergeExpiry(this, partition, hash, source, at);
    if (type !== TYPE_PUT && !isTombstoneRecord(source, at)) return mergeStates(this, partition, hash, source, at);
    if (this.entries.isFlushed(recordHlc(source, at), recordActor(source, at))) return this.refuse();
    if (this.find(partition, hash, source, recordKeyStart(source, at), recordKeyEnd(source, at))) {
      if ((this.buffer[this.offset + 9] & FLAG_MERGE) !== 0) return mergeFound(this, partition, hash, source, at);
      const order = compareRecords(source, at, this.buffer, this.offset);
      if (order < 0) return MERGE_STALE;
      if (order === 0) return MERGE_EQUAL;
    }
    return this.take(partition, hash, source, at);
  }

  /**
   * The same as `merge`, for recovery: records in the order of an image are linked in runs, and tombstones that were taken once are
   * taken again, beyond their share. `source` has the alignment of segments: its memory and `at` are multiples of 8. Nothing
   * but `load` may be called until `endLoad`.
   */
  load(partition: number, hash: number, source: Buffer, at: number): MergeOutcome {
    this.bulk ??= new BulkRun(this.entries);
    const length = recordBytes(source, at);
    const plain = source[at + 8] === TYPE_PUT && footprint(length) <= this.inlineBytesMax && this.isRoomy(length);
    const home = plain ? this.bulk.takes(partition, hash) : null;
    if (home === null) return this.loadAlone(partition, hash, source, at);
    if (this.entries.isFlushed(recordHlc(source, at), recordActor(source, at))) return this.refuse();
    if (!this.allocate(length, false, recordExpireAtMs(source, at))) return MERGE_REFUSED;
    const from = this.wordsOf(source);
    const to = this.segments.words[this.pending];
    for (let word = at >>> 2, target = this.offset >>> 2, last = word + ((length + 3) >>> 2); word < last; ) {
      to[target++] = from[word++];
    }
    const segment = this.place(partition);
    this.entries.admit(home, hash, segment, this.offset);
    this.bulk.add(partition, hash, this.segments.locate(segment, this.offset));
    return MERGE_APPLIED;
  }

  /** Everything loaded so far is in the index. */
  endLoad(): void {
    this.bulk?.settle();
    this.bulk = null;
    this.roomyBytes = 0;
    this.loadSource = EMPTY;
    this.loadWords = EMPTY_WORDS;
  }

  /**
   * Every owner of a partition is known to have everything stamped up to `hlc`: values that expire with a stamp at or below
   * are forgotten outright. Above it they stay, invisible, so that an owner that missed them can not bring an older version
   * back; but no more of them than 5 % of memory. Until this is called for a partition, nothing of it is known to be passed.
   */
  notePassed(partition: number, hlc: number): void {
    this.entries.passedHlc[partition] = hlc;
  }

  /**
   * What was deleted or expired at or below `floorHlc` may be forgotten. What could be up to `passableHlc` raises `wantedFloors`, and
   * stays until the floor is there.
   */
  noteFloor(partition: number, floorHlc: number, passableHlc: number): void {
    this.entries.floorHlc[partition] = floorHlc;
    this.entries.passableHlc[partition] = passableHlc;
  }

  floorHlcOf(partition: number): number {
    return this.entries.floorHlc[partition];
  }

  /** Per partition: the newest stamp of something that could be forgotten if the floor were there. The caller empties it. */
  get wantedFloors(): Float64Array {
    return this.entries.wantedHlc;
  }

  /** Drops a key here, without a tombstone. */
  remove(partition: number, hash: number, key: Uint8Array, start: number, end: number): void {
    const home = this.entries.partitions[partition];
    if (home === null) return;
    const slot = this.entries.findSlot(home.directory, hash, key, start, end);
    if (slot !== 0) this.entries.drop(home, home.directory.words, slot);
  }

  /** Everything of this version or before is gone: at once if that is all there is, else as sweeps come by. */
  flush(hlc: number, actor: number): void {
    if (this.entries.isFlushed(hlc, actor)) return;
    const whole = this.entries.flush(hlc, actor);
    this.walker.restart();
    if (!whole) return;
    if (this.pending !== NONE) this.abandon();
    this.segments.clear();
    this.entries.clear();
    this.reclaimer.clear();
    this.heads.clear();
    this.ghost.clear();
    this.hotKeys.clear();
    this.held = NONE;
    this.isSought = false;
    this.buffer = EMPTY;
    this.offset = 0;
  }

  /** A slice of the walk that drops expired and flushed records: looks at about `budgetRecords`, returns the dropped. */
  sweep(budgetRecords: number): number {
    const dropped = this.walker.sweep(budgetRecords, this.wallMs);
    this.trim();
    return dropped;
  }

  /** A slice of the walk that forgets tombstones stamped before `beforeHlc` or not above the floor; returns how many. */
  dropTombstones(beforeHlc: number, budgetRecords: number): number {
    return this.walker.dropTombstones(beforeHlc, budgetRecords);
  }

  /**
   * Visits values and tombstones that are neither expired nor flushed, in the order of hashes from `fromHash`, equal hashes
   * together; looks at about `count`. Returns the hash to go on from, or -1 at the end.
   */
  scan(partition: number, fromHash: number, count: number, visit: RecordVisitor): number {
    return this.walker.visit(partition, fromHash, HASH_MAX, count, this.wallMs, visit);
  }

  /** The same with expired records, which stand against older versions of their keys: for an image of everything. */
  scanAll(partition: number, fromHash: number, count: number, visit: RecordVisitor): number {
    return this.walker.visit(partition, fromHash, HASH_MAX, count, 0, visit);
  }

  /** The same for one leaf of the hash trie, whole. */
  visitLeaf(partition: number, leaf: number, visit: RecordVisitor): void {
    const first = (leaf << 24) >>> 0;
    this.walker.visit(partition, first, first + 0xffffff, Number.POSITIVE_INFINITY, this.wallMs, visit);
  }

  /** 256 sums, [low, high] each: a live view, which `digest` brings up to the clock first. Callers copy. */
  leafSums(partition: number): Uint32Array {
    return this.entries.partitions[partition]?.sums ?? NO_SUMS;
  }

  /**
   * Sets `digestLow`, `digestHigh`: equal on two nodes exactly when they hold the same records, up to chance. What has
   * expired is left out as far as a walk over about `budget` index slots finds it; returns what is left of the budget.
   */
  digest(partition: number, budget = Number.POSITIVE_INFINITY): number {
    const home = this.entries.partitions[partition];
    const left = home === null ? budget : this.walker.dropGone(home, this.wallMs, budget);
    this.trim();
    const sums = home === null ? NO_SUMS : home.sums;
    this.digestLow = rootLow(sums);
    this.digestHigh = rootHigh(sums);
    return left;
  }

  /** Values of a partition, those included that have expired and were not swept yet. */
  keys(partition: number): number {
    return this.entries.partitions[partition]?.keys ?? 0;
  }

  /** Values of a partition with an expiry, expired ones included that were not swept yet. */
  expiring(partition: number): number {
    return this.entries.partitions[partition]?.expiring ?? 0;
  }

  /** Whether there is any record of a partition here: a tombstone and an expired value, which others may lack, included. */
  holdsAny(partition: number): boolean {
    const home = this.entries.partitions[partition];
    return home !== null && home.keys + home.tombstones + home.lapsed > 0;
  }

  /** False if there is nothing of a partition here, not even an expired record kept against older versions. */
  mayHoldAny(partition: number): boolean {
    return this.entries.partitions[partition] !== null;
  }

  /** True once a partition has evicted: absence here is then no proof. */
  isLossy(partition: number): boolean {
    return this.entries.partitions[partition]?.lossy ?? false;
  }

  /** Something of this partition is missing here that no delete took: it counts as one that has evicted, until it is cleared. */
  noteLossy(partition: number): void {
    this.entries.partitionOf(partition).lossy = true;
  }

  clearPartition(partition: number): void {
    const home = this.entries.partitions[partition];
    if (home === null) return;
    this.walker.dropAll(home);
    this.entries.close(partition);
  }

  /**
   * A slice of work for the end of a turn: has touched segments ready before writes need them. While more than half of what is held
   * is dead it cleans, in step with what the turn wrote, so that overwriting the same keys takes no more memory; when memory is
   * full it empties, in slices, more the fewer are free.
   */
  prepare(): void {
    const { segments, published } = this;
    this.published = 0;
    if (segments.freeCount >= this.ahead && !segments.isRising) return;
    this.held = NONE;
    this.isSought = false;
    if (this.isHalfDead()) {
      this.reclaim(published * 2, this.ahead, true);
      if (segments.freeCount >= this.reserve) return;
    }
    if (segments.isRising || this.fits(segments.segmentBytes)) {
      segments.grow(TOUCH_BYTES_MAX);
      return;
    }
    this.reclaim(SLICE_RECORDS_MAX * (this.reserve - segments.freeCount) + published * 2, this.reserve, false);
  }

  stats(): StoreStats {
    const { entries, reclaimer } = this;
    return {
      keys: entries.keys,
      tombstones: entries.tombstones,
      tombstoneBytes: entries.tombstoneBytes,
      liveBytes: entries.liveBytes,
      memoryBytes: this.segments.bytes + entries.bytes + this.ghost.bytes,
      segments: this.segments.count,
      evictions: reclaimer.evictions,
      expired: entries.expired,
      lapsed: entries.lapsed,
      flushed: entries.flushed,
      cleanedBytes: reclaimer.cleanedBytes,
      refused: this.refused,
      snapshots: this.snapshots.size,
      snapshotBytes: this.snapshots.bytes,
      snapshotsTooOld: this.snapshots.tooOld,
    };
  }

  /**
   * Values of merge types that the last walk met are what a flush leaves of them: writes from before it and after it may be in one, where
   * a node heard of it late. The log holds both, so a start comes to the same.
   */
  private trim(): void {
    const { walker } = this;
    if (walker.mixed.length === 0) return;
    for (const mixed of walker.mixed) trimFlushed(this, mixed);
    walker.mixed = [];
  }

  /** Lets a copy of a record stand for its key: for merging.ts, which has decided that it does. */
  take(partition: number, hash: number, source: Buffer, at: number): MergeOutcome {
    const length = recordBytes(source, at);
    const isTombstone = recordType(source, at) === TYPE_TOMBSTONE;
    if (!this.allocate(length, isTombstone, recordExpireAtMs(source, at))) return MERGE_REFUSED;
    const { buffer, offset } = this;
    if (length > LOOP_BYTES_MAX) buffer.set(source.subarray(at, at + length), offset);
    else for (let index = 0; index < length; index++) buffer[offset + index] = source[at + index];
    this.publish(partition, hash);
    return MERGE_APPLIED;
  }

  /** The record just encoded belongs to its segment; the index does not know it yet. Returns the segment. */
  private place(partition: number): number {
    const { segments, pending, offset } = this;
    const bytes = footprint(recordBytes(this.buffer, offset));
    assert(pending !== NONE && bytes <= this.pendingBytes, 'what is published was allocated');
    const words = segments.words[pending];
    words[(offset - ENVELOPE_BYTES) >>> 2] = partition;
    segments.used[pending] += bytes;
    if (!this.pendingIsHead) segments.seal(pending);
    this.published++;
    this.pending = NONE;
    this.held = pending;
    return pending;
  }

  private loadAlone(partition: number, hash: number, source: Buffer, at: number): MergeOutcome {
    this.bulk?.settle();
    const outcome = this.merge(partition, hash, source, at);
    this.bulk?.note(partition, hash);
    return outcome;
  }

  private wordsOf(source: Buffer): Int32Array {
    if (source !== this.loadSource) {
      this.loadSource = source;
      this.loadWords = new Int32Array(source.buffer, source.byteOffset, source.length >>> 2);
    }
    return this.loadWords;
  }

  /** Whether a run and its next record fit without anything being reclaimed; asked anew once a segment has been filled. */
  private isRoomy(length: number): boolean {
    this.roomyBytes -= footprint(length);
    if (this.roomyBytes >= 0) return true;
    const { segmentBytes } = this.segments;
    if (!this.fits(segmentBytes * ROOMY_SEGMENTS + RUN_BYTES_MAX)) return false;
    this.roomyBytes = segmentBytes;
    return true;
  }

  noteLost(values: number): void {
    this.valuesLost += values;
  }

  /** Counts what is not taken in. */
  refuse(): MergeOutcome {
    this.refused++;
    return MERGE_REFUSED;
  }

  private makeRoom(bytes: number, isTombstone: boolean, lane: number): boolean {
    if (this.pending !== NONE) this.abandon();
    const kind = this.evicts ? this.kindOfSought() : FRESH;
    const isLimited = isTombstone && this.bulk === null;
    if (isLimited && this.entries.tombstoneBytes + bytes > tombstoneBytesMax(this.memoryBytesMax)) return false;
    if (!this.evicts && this.bulk === null && this.wouldThrash(bytes, isTombstone)) return false;
    if (bytes > this.inlineBytesMax) return this.openJumbo(kind, lane, bytes);
    if (!this.ensure(0)) return false;
    let segment = this.heads.withRoom(kind, lane, bytes);
    if (segment === NONE) {
      if (!this.poolHasTwo()) return false;
      segment = this.heads.advance(kind, lane);
    }
    this.pending = segment;
    this.pendingIsHead = true;
    return true;
  }

  /** New keys begin in the admission pool, unless they left a short while ago; an overwrite stays in the pool it is in. */
  private kindOfSought(): HeadKind {
    if (!this.isSought) return FRESH;
    this.isSought = false;
    if (this.soughtSegment !== NONE) return this.segments.pool[this.soughtSegment] === MAIN ? FRESH_MAIN : FRESH;
    return this.ghost.has(this.soughtHash) ? FRESH_MAIN : FRESH;
  }

  /** Where nothing may leave: so much lives that making room would be little but copying. */
  private wouldThrash(bytes: number, isTombstone: boolean): boolean {
    const share = isTombstone ? TOMBSTONES_SHARE_MAX : VALUES_SHARE_MAX;
    return this.entries.liveBytes + bytes > (this.memoryBytesMax - this.entries.bytes) * share;
  }

  /** What was overwritten takes more than what lives, beyond a slack. */
  private isHalfDead(): boolean {
    return this.segments.bytes > this.entries.liveBytes * 2 + this.slackBytes;
  }

  /** Empties segments, looking at about `records`, until so many are free. */
  private reclaim(records: number, segmentsFree: number, onlyClean: boolean): void {
    for (let left = records; left > 0 && this.segments.freeCount < segmentsFree; left -= SLICE_RECORDS_MAX) {
      if (!this.reclaimer.slice(Math.min(left, SLICE_RECORDS_MAX), NONE, this.wallMs, onlyClean)) return;
    }
  }

  private openJumbo(kind: HeadKind, lane: number, bytes: number): boolean {
    if (bytes > jumboBytesMax(this.memoryBytesMax) || !this.ensure(SEGMENT_HEADER_BYTES + bytes)) return false;
    this.pending = this.segments.openJumbo(bytes, kind === FRESH ? ADMISSION : MAIN, lane);
    this.pendingIsHead = false;
    return true;
  }

  /** Reclaims until `bytes` more, the index's growth and the cleaner's reserve fit. */
  private ensure(bytes: number): boolean {
    while (!this.fits(bytes)) {
      if (this.segments.freeCount > 1 || this.segments.isRising) this.segments.shed();
      else if (!this.reclaimer.finish(this.held, this.wallMs)) return false;
    }
    if (this.evicts && this.ghostWantsChunk()) this.ghost.addChunk();
    return true;
  }

  private fits(bytes: number): boolean {
    const { segments, entries } = this;
    let total = segments.bytes + entries.bytes + this.ghost.bytes + entries.headroomBytes + bytes;
    if (segments.freeCount === 0) total += segments.segmentBytes;
    if (this.ghostWantsChunk()) total += this.ghost.chunkBytes;
    if (total > this.memoryBytesMax) return false;
    return bytes === 0 || segments.hasNumber();
  }

  /** The ghost remembers as many keys as there are values, from the first eviction on. */
  private ghostWantsChunk(): boolean {
    return this.reclaimer.evictions > 0 && this.ghost.wantsChunk(this.entries.keys);
  }

  /** One free segment to write, and one for survivors. */
  private poolHasTwo(): boolean {
    const { segments } = this;
    while (segments.freeCount < 2) {
      if (segments.isRising || this.fits(segments.segmentBytes)) segments.grow(segments.segmentBytes);
      else if (!this.reclaimer.finish(this.held, this.wallMs)) return false;
    }
    return true;
  }

  private noteHot(): void {
    const envelope = this.segments.words[this.held][(this.offset - ENVELOPE_BYTES) >>> 2];
    this.hotKeys.note(envelope & PARTITION_MASK, this.soughtHash);
  }

  /** Room that was made and not published is given back. */
  private abandon(): void {
    if (!this.pendingIsHead) this.segments.release(this.pending);
    this.pending = NONE;
  }
}
