/**
 * Records that come from a backup: taken in as a client's write is, but with the version they already have. HEARSAY.LOAD calls it
 * through the host. Each is merged by its version, logged, and spread to the other owners of its partition.
 * Guarded: nothing is taken unless all of the bytes are whole records; a record whose partition this node does not own, or that
 * is stamped further ahead than the drift allowed, is counted and left; room in the log and in the links of the other owners is
 * asked for before each record, so that a restore slows down instead of turning into hints.
 */
import { HearsayError } from '../base/errors.js';
import type { HybridClock } from '../base/hlc.js';
import type { Loaded } from '../commands/host.js';
import { partitionOf } from '../partitions/slots.js';
import { isExpiryRecord, isTombstoneRecord, recordIsExpired } from '../record/expiry.js';
import {
  align8,
  isMergeType,
  recordBytes,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  verifyRecord,
} from '../record/record.js';
import { MERGE_APPLIED, MERGE_DERIVED, MERGE_EQUAL, MERGE_MISSING, MERGE_STALE } from '../store/merging.js';
import type { Store } from '../store/store.js';
import { isCovered, isMergeable } from '../types/types.js';
import type { Wal } from '../wal/wal.js';
import type { DistinctKeys } from './distinct-keys.js';
import type { Floors } from './floors.js';
import type { Frontiers } from './frontier.js';
import { UNACKED_BYTES_MAX } from './link.js';
import { logRefusal } from './local-keyspace.js';
import { logMerged, mergedBytesMax } from './merged.js';
import type { Ownership } from './ownership.js';
import type { Replicator } from './replicator.js';

/** Unacknowledged bytes to another owner past which a load waits: half of what a link takes, the rest is for clients. */
const LINK_BYTES_MAX = UNACKED_BYTES_MAX / 2;

export class Loader {
  wallMs = 0;
  readonly stats = { records: 0, applied: 0, refused: 0 };

  constructor(
    private readonly distinctKeys: DistinctKeys,
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly clock: HybridClock,
    private readonly ownership: Ownership,
    private readonly replicator: Replicator,
    private readonly frontiers: Frontiers,
    private readonly floors: Floors,
    private readonly options: { partitions: number },
  ) {}

  /** Takes in the records of `bytes[start, end)`. Throws ERR, with nothing changed, if they are not all whole. */
  load(bytes: Buffer, start: number, end: number): Loaded {
    for (let at = start; at < end; ) {
      const length = verifyRecord(bytes, at, end);
      if (length === 0) throw new HearsayError('ERR', `no whole record at byte ${at - start}`);
      at = start + align8(at - start + length);
    }
    const loaded: Loaded = {
      bytes: 0,
      applied: 0,
      stale: 0,
      expired: 0,
      elsewhere: 0,
      drifted: 0,
      flushed: 0,
      belowFloor: 0,
      unusable: 0,
      refusal: null,
    };
    for (let at = start; at < end && loaded.refusal === null; ) {
      const next = start + align8(at - start + recordBytes(bytes, at));
      this.take(bytes, at, loaded);
      if (loaded.refusal === null) loaded.bytes = Math.min(next, end) - start;
      at = next;
    }
    this.stats.applied += loaded.applied;
    this.stats.refused += loaded.elsewhere + loaded.drifted + loaded.flushed + loaded.belowFloor + loaded.unusable;
    return loaded;
  }

  /** One verified record: merged, logged and spread, or counted for what it is. */
  private take(bytes: Buffer, at: number, loaded: Loaded): void {
    const type = recordType(bytes, at);
    const hlc = recordHlc(bytes, at);
    const keyStart = recordKeyStart(bytes, at);
    const keyEnd = recordKeyEnd(bytes, at);
    const partition = partitionOf(bytes, keyStart, keyEnd, this.options.partitions);
    const { store } = this;
    this.stats.records++;
    const isState = type === TYPE_PUT || isTombstoneRecord(bytes, at) || isMergeable(bytes, at);
    if (!isState && !isExpiryRecord(bytes, at)) loaded.unusable++;
    else if (!this.ownership.owns(partition)) loaded.elsewhere++;
    else if (isCovered(bytes, at, store.flushedHlc, store.flushedActor)) loaded.flushed++;
    else if (!this.clock.observe(Math.max(hlc, recordExpiryHlc(bytes, at)), this.wallMs)) loaded.drifted++;
    else {
      const hash = store.hasher.hash(bytes, keyStart, keyEnd);
      const known = store.find(partition, hash, bytes, keyStart, keyEnd);
      // What has ended stands for nothing here but against an older version of its key.
      if (!known && recordIsExpired(bytes, at, this.wallMs)) loaded.expired++;
      else if (!known && type === TYPE_TOMBSTONE && hlc <= this.floors.forgottenBelow(partition)) loaded.stale++;
      else if (!known && hlc <= this.highestFloor(partition)) loaded.belowFloor++;
      else this.merge(bytes, at, partition, hash, known, loaded);
    }
  }

  private merge(bytes: Buffer, at: number, partition: number, hash: number, known: boolean, loaded: Loaded): void {
    const length = recordBytes(bytes, at);
    if (!this.linksHaveRoom(partition)) {
      loaded.refusal = new HearsayError('BUSY', 'another owner has much to acknowledge');
      return;
    }
    const merges = isMergeType(recordType(bytes, at));
    const roomBytes = merges ? mergedBytesMax(this.store, partition, hash, bytes, at) : length;
    if (!this.wal.hasRoom(roomBytes)) {
      loaded.refusal = logRefusal(this.wal);
      return;
    }
    const outcome = this.store.merge(partition, hash, bytes, at);
    switch (outcome) {
      case MERGE_DERIVED:
      case MERGE_APPLIED:
        if (logMerged(this.store, this.wal, outcome, bytes, at)) this.frontiers.note(partition, bytes, at);
        this.replicator.writes++;
        this.replicator.spread(bytes, at, partition, null);
        if (!known && recordHlc(bytes, at) > this.distinctKeys.resetHlc) this.distinctKeys.count(hash);
        loaded.applied++;
        break;
      case MERGE_STALE:
      case MERGE_EQUAL:
        this.frontiers.note(partition, bytes, at);
        loaded.stale++;
        break;
      case MERGE_MISSING:
        loaded.unusable++;
        break;
      default:
        loaded.refusal = new HearsayError('OOM', 'memory is full: eviction is off, or deleted keys fill their share');
    }
  }

  /** Of this node and the other owners, as they said: one whose floor is higher would drop the record, and have it dropped here. */
  private highestFloor(partition: number): number {
    let hlc = this.floors.floor[partition];
    for (const { floors } of this.ownership.otherOwners(partition)) hlc = Math.max(hlc, floors[partition]);
    return hlc;
  }

  private linksHaveRoom(partition: number): boolean {
    for (const peer of this.ownership.otherOwners(partition)) {
      if (peer.state === 'alive' && peer.link.unackedBytes > LINK_BYTES_MAX) return false;
    }
    return true;
  }
}
