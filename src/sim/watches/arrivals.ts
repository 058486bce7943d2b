/**
 * Which writes have ever stood at each node, and which come to the cluster for the first time. The verdict asks when a late network has
 * brought what it still had: what an old message brings must change nothing, unless it is the first to bring a write that nobody else
 * has, as one that a node acknowledged alone, in a datagram that was lost, before its disk was replaced. Guarded: a write
 * counts as known to a node until its disk can have lost it, by the batch of the log that it came with, so that what was deleted, replaced or
 * forgotten since stays known, and its return is no first arrival.
 */
import type { Inspected } from '../../core/node/inspected.js';
import { forEachDot } from '../../core/record/dots.js';
import {
  recordActor,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
} from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';
import type { Watch } from './watches.js';

/** Writes kept per node; a run has some thousands. Past that a write counts as known. */
const WRITES_MAX = 100_000;

interface Held {
  inspected: Inspected | null;
  /** What the log brings back while the node starts; null once it has started. */
  recovered: Set<string> | null;
  /** Per write the batch of the node's log that it came with first. */
  batches: Map<string, number>;
  /** The last batch that was durable when the node ended. */
  durableBatch: number;
}

export class ArrivalWatch implements Watch {
  private readonly nodes: Held[] = [];
  private present: readonly number[] | null = null;
  private readonly newKeys = new Set<string>();
  private flushedHlc = 0;

  /** From now on first arrivals are noted; `present`: the nodes that are members. */
  listen(present: readonly number[]): void {
    this.present = present;
    this.flushedHlc = this.latestFlush();
  }

  /** Keys of which a write has come that no member had. */
  get firsts(): number {
    return this.newKeys.size;
  }

  /** Whether a key may be another since: a write of it came that no member had, or a flush that none knew. */
  mayDiffer(key: string): boolean {
    return this.newKeys.has(key) || this.latestFlush() > this.flushedHlc;
  }

  opened(node: number, inspected: Inspected): void {
    const held = this.of(node);
    held.inspected = inspected;
    held.recovered = new Set();
  }

  linking(node: number, { buffer, offset }: Store, partition: number): void {
    this.linked(node, buffer, offset, partition);
  }

  /** A record is about to stand at a node. */
  linked(node: number, buffer: Buffer, offset: number, partition: number): void {
    const { batches, inspected, recovered } = this.of(node);
    for (const write of writesOf(buffer, offset, partition)) {
      if (this.present?.every((other) => !this.knows(other, write))) {
        this.newKeys.add(buffer.latin1Slice(recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset)));
      }
      if (recovered !== null) recovered.add(write);
      else if (inspected !== null && !batches.has(write) && batches.size < WRITES_MAX) {
        batches.set(write, inspected.wal.batch);
      }
    }
  }

  started(node: number, { damaged, wal }: Inspected): void {
    const held = this.of(node);
    const { batches, recovered } = held;
    if (recovered === null) return;
    held.recovered = null;
    if (damaged) batches.clear();
    for (const write of recovered) if (!batches.has(write)) batches.set(write, wal.writtenBatch);
  }

  ended(node: number, { wal }: Inspected): void {
    const held = this.of(node);
    held.inspected = null;
    held.durableBatch = wal.durableBatch;
    forgetAfter(held, wal.writtenBatch);
  }

  crashed(node: number): void {
    const held = this.of(node);
    forgetAfter(held, held.durableBatch);
  }

  replaced(node: number): void {
    this.of(node).batches.clear();
  }

  private knows(node: number, write: string): boolean {
    const { batches } = this.of(node);
    return batches.has(write) || batches.size >= WRITES_MAX;
  }

  private latestFlush(): number {
    const flushes = (this.present ?? []).map((node) => this.of(node).inspected?.store.flushedHlc ?? 0);
    return Math.max(0, ...flushes);
  }

  private of(node: number): Held {
    this.nodes[node] ??= { inspected: null, recovered: null, batches: new Map(), durableBatch: 0 };
    return this.nodes[node];
  }
}

function forgetAfter(held: Held, batch: number): void {
  for (const [write, of] of held.batches) if (of > batch) held.batches.delete(write);
}

/** All that a record stands for: its version, its end's version, the dots in it. */
function writesOf(bytes: Buffer, offset: number, partition: number): string[] {
  const writes = [
    `${recordHlc(bytes, offset)}@${recordActor(bytes, offset)}`,
    `${recordExpiryHlc(bytes, offset)}@${recordExpiryActor(bytes, offset)}`,
  ];
  forEachDot(bytes, offset, (actor, sequence) => writes.push(`${actor}/${partition}/${sequence}`));
  return writes;
}
