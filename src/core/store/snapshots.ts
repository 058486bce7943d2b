/**
 * Snapshots: the store as it stood at points in time, for a consistent SCAN, an export, reads of several keys at one instant.
 * The commands open and read them; entries.ts announces each change, and the first change of a key after the newest snapshot
 * was opened copies what stood for it into that snapshot's overlay. A read looks through the overlays from its own snapshot's to
 * the newest, then into the store: the first to know the key as it was is right. So a change costs one look-up however many
 * snapshots are open, one branch when none is, and nothing is pinned: cleaning and eviction go on as ever.
 *
 * Guarded: overlays take at most `bytesMax` together, beside the store's own memory; no snapshot is older than
 * `SNAPSHOT_AGE_MS_MAX`; past either the oldest is closed, and whoever uses it is told that it is too old.
 * After the undo logs of multi-version databases; the bounds answer LMDB's and Postgres's stale readers.
 */
import { assert } from '../base/assert.js';
import { HearsayError } from '../base/errors.js';
import { recordIsExpired } from '../record/expiry.js';
import { holdsValue, recordKeyEnd, recordKeyStart } from '../record/record.js';
import { isCovered } from '../types/types.js';
import { walkSlots } from './directory.js';
import type { ChangeWatcher, Entries } from './entries.js';
import { HASHES, Overlay } from './overlay.js';
import type { Segments } from './segments.js';
import type { RecordVisitor } from './walker.js';

/** Share of memory that all overlays may take: what a burst of overwrites leaves behind in seconds, not in minutes. */
const SNAPSHOTS_SHARE = 0.1;
/** Long enough to stream a few gigabytes out; short enough that one forgotten costs little. */
const SNAPSHOT_AGE_MS_MAX = 30_000;
/** Overlays in the chain; a read may look into each of them. */
const SNAPSHOTS_MAX = 8;
/** A closed snapshot that holds no more is folded into the one before it: a few thousand pre-images, about a millisecond. */
const FOLD_BYTES_MAX = 256 * 1024;

export interface Snapshot {
  /** Wall clock at the opening, ms, made distinct: no id is given twice, nor by the next life of the node. */
  readonly id: number;
  readonly openedMs: number;
  /** Expiry is judged by this clock. */
  readonly wallMs: number;
  /** Partitions that its owner wants read, ascending. */
  readonly partitions: readonly number[];
  readonly overlay: Overlay;
  readonly flushedHlc: number;
  readonly flushedActor: number;
  /** Closed, and kept only because an older one reads through it. */
  closed: boolean;
}

export class Snapshots implements ChangeWatcher {
  /** Snapshots closed by a bound or by a flush of everything. */
  tooOld = 0;
  /** After a `find` that returned true. */
  buffer: Buffer = Buffer.alloc(0);
  offset = 0;
  /** Oldest first; the first is open. */
  private readonly chain: Snapshot[] = [];
  private lastId = 0;
  private readonly bytesMax: number;
  private readonly entries: Entries;
  private readonly segments: Segments;

  constructor(entries: Entries, segments: Segments, memoryBytesMax: number) {
    this.entries = entries;
    this.segments = segments;
    this.bytesMax = Math.floor(memoryBytesMax * SNAPSHOTS_SHARE);
  }

  /** Snapshots that may be read. */
  get size(): number {
    let open = 0;
    for (const snapshot of this.chain) if (!snapshot.closed) open++;
    return open;
  }

  /** Memory of all overlays. */
  get bytes(): number {
    let bytes = 0;
    for (const snapshot of this.chain) bytes += snapshot.overlay.bytes;
    return bytes;
  }

  /** Pins this moment. Throws HearsayError BUSY when too many are open. */
  open(wallMs: number, monotonicMs: number, partitions: readonly number[]): Snapshot {
    if (this.chain.length >= SNAPSHOTS_MAX) {
      throw new HearsayError(
        'BUSY',
        `${SNAPSHOTS_MAX} snapshots are open: close one, or wait until the oldest is too old`,
      );
    }
    const { entries } = this;
    this.lastId = Math.max(this.lastId + 1, wallMs);
    const snapshot: Snapshot = {
      id: this.lastId,
      openedMs: monotonicMs,
      wallMs,
      partitions,
      overlay: new Overlay(entries.partitions.length, this.bytesMax),
      flushedHlc: entries.flushedHlc,
      flushedActor: entries.flushedActor,
      closed: false,
    };
    this.chain.push(snapshot);
    entries.watcher = this;
    return snapshot;
  }

  /** The open snapshot of an id. Throws HearsayError SNAPSHOT when it is open no more. */
  named(id: number): Snapshot {
    const found = this.chain.find((snapshot) => snapshot.id === id && !snapshot.closed);
    if (found === undefined) throw new HearsayError('SNAPSHOT', 'snapshot too old');
    return found;
  }

  /** Open ones, oldest first. */
  list(): Snapshot[] {
    return this.chain.filter((snapshot) => !snapshot.closed);
  }

  /** Done with: what only this one needed is forgotten. */
  close(snapshot: Snapshot): void {
    snapshot.closed = true;
    const index = this.chain.indexOf(snapshot);
    if (index > 0 && snapshot.overlay.bytes <= FOLD_BYTES_MAX) this.fold(index);
    this.forgetClosed();
  }

  /** Closes what is past its age. */
  tick(monotonicMs: number): void {
    while (this.chain.length > 0 && monotonicMs - this.chain[0].openedMs > SNAPSHOT_AGE_MS_MAX) this.giveUpOldest();
  }

  /** Finds the live value of a key as it stood; `buffer`, `offset` then name its record. */
  find(snapshot: Snapshot, partition: number, hash: number, key: Uint8Array, start: number, end: number): boolean {
    assert(!snapshot.closed, 'a snapshot is read while it is open');
    for (let at = this.chain.indexOf(snapshot); at < this.chain.length; at++) {
      const { overlay } = this.chain[at];
      if (!overlay.find(partition, hash, key, start, end)) continue;
      return this.give(snapshot, overlay.bufferOf(overlay.location), overlay.offsetOf(overlay.location));
    }
    const home = this.entries.partitions[partition];
    if (home === null) return false;
    const slot = this.entries.findSlot(home.directory, hash, key, start, end);
    if (slot === 0) return false;
    const location = home.directory.words[slot + 1];
    return this.give(snapshot, this.storeBuffer(location), this.storeOffset(location));
  }

  /**
   * Visits the live values of one partition as they stood, with a hash of `fromHash` or above; looks at about `count`, equal
   * hashes together, in no order within one call. Returns the hash to go on from, or -1 at the end.
   */
  scan(snapshot: Snapshot, partition: number, fromHash: number, count: number, visit: RecordVisitor): number {
    assert(!snapshot.closed, 'a snapshot is read while it is open');
    const first = this.chain.indexOf(snapshot);
    const end = this.pageEnd(first, partition, fromHash, count);
    const home = this.entries.partitions[partition];
    if (home !== null) {
      walkSlots(home.directory, fromHash, end, (hash, location) => {
        const buffer = this.storeBuffer(location);
        const offset = this.storeOffset(location);
        if (
          isLive(snapshot, buffer, offset) &&
          !this.isKept(first, this.chain.length, partition, hash, buffer, offset)
        ) {
          visit(buffer, offset, hash);
        }
        return true;
      });
    }
    for (let at = first; at < this.chain.length; at++) {
      const { overlay } = this.chain[at];
      const directory = overlay.directory(partition);
      if (directory === null) continue;
      walkSlots(directory, fromHash, end, (hash, location) => {
        const buffer = overlay.bufferOf(location);
        const offset = overlay.offsetOf(location);
        if (isLive(snapshot, buffer, offset) && !this.isKept(first, at, partition, hash, buffer, offset)) {
          visit(buffer, offset, hash);
        }
        return true;
      });
    }
    return end === HASHES ? -1 : end;
  }

  beforeChange(partition: number, hash: number, source: Buffer, at: number, isNew: boolean): void {
    const start = recordKeyStart(source, at);
    const end = recordKeyEnd(source, at);
    const newest = this.chain[this.chain.length - 1].overlay;
    if (newest.find(partition, hash, source, start, end)) return;
    const costBytes = newest.costBytes(source, at, isNew);
    while (this.chain.length > 0 && this.bytes + costBytes > this.bytesMax) this.giveUpOldest();
    if (this.chain.length > 0) newest.keep(partition, hash, source, at, isNew);
  }

  /** What a flush of everything forgets is more than overlays hold: no snapshot outlives it. */
  beforeClear(): void {
    while (this.chain.length > 0) this.giveUpOldest();
  }

  /** The least hash, above `fromHash`, that ends about `count` slots of the store and of each overlay. */
  private pageEnd(first: number, partition: number, fromHash: number, count: number): number {
    let end = HASHES;
    const home = this.entries.partitions[partition];
    for (let at = first - 1; at < this.chain.length; at++) {
      const directory = at < first ? (home?.directory ?? null) : this.chain[at].overlay.directory(partition);
      if (directory === null) continue;
      let seen = 0;
      let previous = -1;
      walkSlots(directory, fromHash, end, (hash) => {
        if (seen >= count && hash !== previous) {
          end = hash;
          return false;
        }
        previous = hash;
        seen++;
        return true;
      });
    }
    return end;
  }

  /** Whether an overlay of the chain in [first, end) holds the key of a record. */
  private isKept(first: number, end: number, partition: number, hash: number, buffer: Buffer, offset: number): boolean {
    for (let at = first; at < end; at++) {
      const { overlay } = this.chain[at];
      if (overlay.find(partition, hash, buffer, recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset)))
        return true;
    }
    return false;
  }

  private give(snapshot: Snapshot, buffer: Buffer, offset: number): boolean {
    this.buffer = buffer;
    this.offset = offset;
    return isLive(snapshot, buffer, offset);
  }

  /** Moves the pre-images of a closed snapshot into the overlay before it, where that has none of the key, and unchains it. */
  private fold(index: number): void {
    const into = this.chain[index - 1].overlay;
    this.chain[index].overlay.forEach((partition, hash, buffer, offset) => {
      if (into.find(partition, hash, buffer, recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset))) return;
      into.keep(partition, hash, buffer, offset, false);
    });
    this.chain.splice(index, 1);
    while (this.bytes > this.bytesMax) this.giveUpOldest();
  }

  private giveUpOldest(): void {
    this.chain[0].closed = true;
    this.tooOld++;
    this.forgetClosed();
  }

  /** Nobody reads through a closed snapshot with no open one before it. */
  private forgetClosed(): void {
    while (this.chain.length > 0 && this.chain[0].closed) this.chain.shift();
    if (this.chain.length === 0) this.entries.watcher = null;
  }

  private storeBuffer(location: number): Buffer {
    return this.segments.buffers[location >>> this.segments.shift];
  }

  private storeOffset(location: number): number {
    return (location & this.segments.mask) << 3;
  }
}

/** A value that had neither expired nor been flushed when the snapshot was opened. */
function isLive(snapshot: Snapshot, buffer: Buffer, offset: number): boolean {
  if (!holdsValue(buffer, offset) || recordIsExpired(buffer, offset, snapshot.wallMs)) return false;
  return !isCovered(buffer, offset, snapshot.flushedHlc, snapshot.flushedActor);
}
