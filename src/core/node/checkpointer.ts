/**
 * Copies what lives into the log's image when the log asks for it, in slices. Fuzzy: writes go on meanwhile, and replay
 * of the log from where the image began folds them in again. The spine gives it each tick and the end of each turn.
 * Paced by the writes: the image is done before the log has grown by half its budget again, and slowly when nobody writes.
 * Guarded: a slice has at most so many bytes and records that it takes well below a millisecond.
 */

import type { HybridClock } from '../base/hlc.js';
import { recordBytes, recordEnd, TYPE_FLUSH, writeRecord } from '../record/record.js';
import type { DistinctKeys } from '../replication/distinct-keys.js';
import { encodeAllFloors } from '../replication/floor-note.js';
import type { Floors } from '../replication/floors.js';
import type { Frontiers } from '../replication/frontier.js';
import { encodeLossy } from '../replication/lossy-note.js';
import type { Peers } from '../replication/peers.js';
import type { Replicator } from '../replication/replicator.js';
import type { Standings } from '../replication/standings.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { RingBook } from './ring-book.js';

/** What one slice copies at most: per tick, and at the end of a turn when the copy is behind. */
const TICK_SLICE_BYTES = 512 * 1024;
const TURN_SLICE_BYTES = 128 * 1024;
/** A slice also ends when it has looked at so many times this many records. */
const RECORDS_PER_STEP = 128;
const TICK_STEPS = 12;
const TURN_STEPS = 3;
/** While nobody writes: 5 MiB a second at a tick of 25 ms. */
const IDLE_SLICE_BYTES = 128 * 1024;

export class Checkpointer {
  private partition = 0;
  private fromHash = 0;
  /** Bytes copied into this image, and how many there are to copy per byte that is logged meanwhile. */
  private copiedBytes = 0;
  private copyPerLogged = 0;
  private loggedAtBegin = 0;
  private readonly visit = (bytes: Buffer, offset: number): void => {
    const length = recordBytes(bytes, offset);
    this.copiedBytes += length;
    this.wal.checkpointRecord(bytes, offset, length);
  };

  constructor(
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly frontiers: Frontiers,
    private readonly peers: Peers,
    private readonly ring: RingBook,
    private readonly replicator: Replicator,
    private readonly distinctKeys: DistinctKeys,
    private readonly clock: HybridClock,
    private readonly floors: Floors,
    private readonly standings: Standings,
    private readonly partitions: number,
  ) {}

  tick(): void {
    if (!this.wal.checkpointing) {
      const { liveBytes } = this.store.stats();
      if (!this.wal.wantsCheckpoint(liveBytes)) return;
      this.begin(liveBytes);
    }
    this.copy(this.behind ? TICK_SLICE_BYTES : IDLE_SLICE_BYTES, TICK_STEPS);
  }

  turnEnded(): void {
    if (this.wal.checkpointing && this.behind) this.copy(TURN_SLICE_BYTES, TURN_STEPS);
  }

  /** Whether the copy lags what has been logged since it began. */
  private get behind(): boolean {
    return this.copiedBytes < (this.wal.bytesLogged - this.loggedAtBegin) * this.copyPerLogged;
  }

  private begin(liveBytes: number): void {
    this.wal.beginCheckpoint();
    this.partition = 0;
    this.fromHash = 0;
    this.copiedBytes = 0;
    this.loggedAtBegin = this.wal.bytesLogged;
    this.copyPerLogged = (2 * liveBytes) / this.wal.budgetBytes(liveBytes);
    const { wal, store } = this;
    if (store.flushedHlc > 0) {
      const empty = Buffer.alloc(0);
      const bytes = Buffer.alloc(64);
      const fields = {
        type: TYPE_FLUSH,
        hlc: store.flushedHlc,
        actor: store.flushedActor,
        sequence: 0,
        expireAtMs: 0,
        expiryHlc: 0,
        expiryActor: 0,
      };
      writeRecord(bytes, 0, fields, empty, 0, 0, empty, 0, 0);
      wal.checkpointRecord(bytes, 0, recordEnd(bytes, 0));
    }
    if (!this.distinctKeys.isEmpty) {
      const sketch = this.distinctKeys.note(this.clock.last);
      wal.checkpointRecord(sketch, 0, sketch.length);
    }
    this.ring.dump((bytes, length) => wal.checkpointRecord(bytes, 0, length));
    for (const peer of this.peers.all()) {
      for (const [key, partition] of peer.hints.entries()) {
        const bytes = this.replicator.encodeHint(peer.id, key, partition, 0);
        wal.checkpointRecord(bytes, 0, recordEnd(bytes, 0));
      }
    }
  }

  private noteFrontier(): void {
    if (!this.frontiers.isNotable(this.partition)) return;
    const note = this.frontiers.encode(this.partition);
    this.copiedBytes += note.length;
    this.wal.checkpointRecord(note, 0, note.length);
  }

  private copy(bytesMax: number, stepsMax: number): void {
    const { wal, store } = this;
    const until = this.copiedBytes + bytesMax;
    for (let steps = 0; steps < stepsMax && this.copiedBytes < until && wal.imageHasRoom; ) {
      if (this.partition === this.partitions) {
        // Last: whatever left while the image was being copied is noted with it.
        const lossy = encodeLossy(store, this.partitions);
        if (lossy !== null) wal.checkpointRecord(lossy, 0, lossy.length);
        const floors = encodeAllFloors(this.floors.floor);
        if (floors !== null) wal.checkpointRecord(floors, 0, floors.length);
        if (!this.standings.isEmpty) {
          const standings = this.standings.encode();
          wal.checkpointRecord(standings, 0, standings.length);
        }
        wal.endCheckpoint();
        return;
      }
      // Before its records: what is noted as seen now is among them, or will be under a later one of its key.
      if (this.fromHash === 0) this.noteFrontier();
      if (store.mayHoldAny(this.partition)) {
        steps++;
        this.fromHash = store.scanAll(this.partition, this.fromHash, RECORDS_PER_STEP, this.visit);
      } else this.fromHash = -1;
      if (this.fromHash < 0) {
        this.partition++;
        this.fromHash = 0;
      }
    }
  }
}
