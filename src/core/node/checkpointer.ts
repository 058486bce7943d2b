/**
 * Copies what lives into the log's image, a slice per tick, when the log asks for it. Fuzzy: writes go on meanwhile, and replay
 * of the log from where the image began folds them in again. The spine ticks it.
 */
import { recordBytes, recordEnd, TYPE_FLUSH, writeRecord } from '../record/record.js';
import type { Peers } from '../replication/peers.js';
import type { Replicator } from '../replication/replicator.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { RingBook } from './ring-book.js';

/** Bytes copied per tick, about: 40 MiB a second at 25 ms. */
const BYTES_PER_TICK = 1024 * 1024;
const RECORDS_PER_STEP = 256;

export class Checkpointer {
  private partition = 0;
  private fromHash = 0;

  constructor(
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly peers: Peers,
    private readonly ring: RingBook,
    private readonly replicator: Replicator,
    private readonly partitions: number,
  ) {}

  tick(): void {
    if (!this.wal.checkpointing) {
      if (!this.wal.wantsCheckpoint(this.store.stats().liveBytes)) return;
      this.begin();
    }
    this.step();
  }

  private begin(): void {
    this.wal.beginCheckpoint();
    this.partition = 0;
    this.fromHash = 0;
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
    this.ring.dump((bytes, length) => wal.checkpointRecord(bytes, 0, length));
    for (const peer of this.peers.all()) {
      for (const [key, partition] of peer.hints.entries()) {
        const bytes = this.replicator.encodeHint(peer.id, key, partition, 0);
        wal.checkpointRecord(bytes, 0, recordEnd(bytes, 0));
      }
    }
  }

  private step(): void {
    const { wal, store } = this;
    let copied = 0;
    while (copied < BYTES_PER_TICK && wal.checkpointing) {
      if (this.partition === this.partitions) {
        wal.endCheckpoint();
        return;
      }
      const next = store.scanAll(this.partition, this.fromHash, RECORDS_PER_STEP, (bytes, offset) => {
        const length = recordBytes(bytes, offset);
        copied += length;
        wal.checkpointRecord(bytes, offset, length);
      });
      if (next < 0) {
        this.partition++;
        this.fromHash = 0;
      } else {
        this.fromHash = next;
      }
    }
  }
}
