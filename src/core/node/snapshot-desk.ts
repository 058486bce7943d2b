/**
 * The door that commands/snapshot-door.ts describes, answered from the store: which partitions a snapshot covers, where a key
 * lies, and whose it is. The host holds one; the spine's tick lets it close what is past its age or nobody's any more.
 * Guarded: a snapshot ends with the connection that opened it, at the latest at the next tick.
 */
import { HearsayError } from '../base/errors.js';
import type { Caller } from '../commands/host.js';
import type { EntryView } from '../commands/keyspace.js';
import type { SnapshotDoor, SnapshotFacts, SnapshotVisitor } from '../commands/snapshot-door.js';
import { partitionOf } from '../partitions/slots.js';
import {
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordType,
  TYPE_SIBLINGS,
} from '../record/record.js';
import type { Snapshot } from '../store/snapshots.js';
import type { Store } from '../store/store.js';
import { lastWritten } from '../types/siblings-record.js';

/** The host, as far as it says which partitions to cover and what time it is. */
export interface SnapshotHost {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly settings: { readonly partitions: number };
  answersFor(partition: number): boolean;
  holds(partition: number): boolean;
}

/** Whose a snapshot is, and which partitions this node had a ready copy of then. */
interface Opening {
  caller: Caller;
  held: readonly number[];
  isHeld: Uint8Array;
}

export class SnapshotDesk implements SnapshotDoor {
  private readonly openings = new Map<Snapshot, Opening>();
  /** The first and the last id that was given; all between are of this run. */
  private firstId = Number.POSITIVE_INFINITY;
  private lastId = -1;
  private readonly entry: EntryView = {
    type: 0,
    buffer: Buffer.alloc(0),
    offset: 0,
    valueStart: 0,
    valueEnd: 0,
    expireAtMs: 0,
    hlc: 0,
    actor: 0,
  };

  constructor(
    private readonly host: SnapshotHost,
    private readonly store: Store,
  ) {}

  open(caller: Caller): number {
    const { host } = this;
    const partitions: number[] = [];
    const held: number[] = [];
    const isHeld = new Uint8Array(host.settings.partitions);
    for (let partition = 0; partition < isHeld.length; partition++) {
      if (!host.holds(partition)) continue;
      held.push(partition);
      isHeld[partition] = 1;
      if (host.answersFor(partition)) partitions.push(partition);
    }
    const snapshot = this.store.snapshots.open(host.wallMs, host.monotonicMs, partitions);
    this.openings.set(snapshot, { caller, held, isHeld });
    this.firstId = Math.min(this.firstId, snapshot.id);
    this.lastId = snapshot.id;
    return snapshot.id;
  }

  list(): SnapshotFacts[] {
    return this.store.snapshots.list().map((snapshot) => this.factsOf(snapshot));
  }

  facts(id: number): SnapshotFacts {
    return this.factsOf(this.named(id));
  }

  close(id: number): void {
    const { snapshots } = this.store;
    const snapshot = this.named(id);
    snapshots.close(snapshot);
    this.openings.delete(snapshot);
  }

  find(id: number, bytes: Buffer, start: number, end: number): EntryView | null {
    const { store, entry } = this;
    const { snapshots } = store;
    const partition = partitionOf(bytes, start, end, this.host.settings.partitions);
    const snapshot = this.named(id);
    if (this.openings.get(snapshot)?.isHeld[partition] !== 1) {
      throw new HearsayError('ERR', 'this node held no whole copy of the partition of a key: ask another');
    }
    const hash = store.hasher.hash(bytes, start, end);
    if (!snapshots.find(snapshot, partition, hash, bytes, start, end)) return null;
    const { buffer, offset } = snapshots;
    entry.type = recordType(buffer, offset);
    entry.buffer = buffer;
    entry.offset = offset;
    entry.valueStart = recordKeyEnd(buffer, offset);
    entry.valueEnd = recordEnd(buffer, offset);
    if (entry.type === TYPE_SIBLINGS) {
      const shown = lastWritten(buffer, offset, snapshot.wallMs);
      entry.valueStart = shown.start;
      entry.valueEnd = shown.end;
    }
    entry.expireAtMs = recordExpireAtMs(buffer, offset);
    entry.hlc = recordHlc(buffer, offset);
    entry.actor = recordActor(buffer, offset);
    return entry;
  }

  scan(id: number, partition: number, fromHash: number, count: number, visit: SnapshotVisitor): number {
    const { snapshots } = this.store;
    return snapshots.scan(this.named(id), partition, fromHash, count, visit);
  }

  tick(monotonicMs: number): void {
    if (this.openings.size === 0) return;
    const { snapshots } = this.store;
    snapshots.tick(monotonicMs);
    for (const [snapshot, { caller }] of this.openings) {
      if (caller.gone && !snapshot.closed) snapshots.close(snapshot);
      if (snapshot.closed) this.openings.delete(snapshot);
    }
  }

  /** An id that was never given here is not one that grew too old. */
  private named(id: number): Snapshot {
    if (id < this.firstId || id > this.lastId) {
      throw new HearsayError('SNAPSHOT', 'no snapshot of that id was opened here since this node started');
    }
    return this.store.snapshots.named(id);
  }

  private factsOf(snapshot: Snapshot): SnapshotFacts {
    return {
      id: snapshot.id,
      openedAtMs: snapshot.wallMs,
      ageMs: this.host.monotonicMs - snapshot.openedMs,
      bytes: snapshot.overlay.bytes,
      partitions: snapshot.partitions,
      held: this.openings.get(snapshot)?.held ?? [],
    };
  }
}
