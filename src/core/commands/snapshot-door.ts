/**
 * What commands see of snapshots: a node's own entries as they stood at points in time. node/snapshot-desk.ts answers from the
 * store; snapshot.ts is the command. Law: the bytes that a call finds or visits are lent until the next call.
 * Every call that names a snapshot throws HearsayError SNAPSHOT when that one is open no more.
 */
import type { Caller } from './host.js';
import type { EntryView } from './keyspace.js';

export interface SnapshotFacts {
  id: number;
  /** Wall clock at the opening. */
  openedAtMs: number;
  ageMs: number;
  /** Memory of what was kept for it and not for an older one. */
  bytes: number;
  /** Partitions that this node answered for then, ascending. */
  partitions: readonly number[];
  /** Partitions of which this node held a whole copy then, ascending: all that it can be asked for by number. */
  held: readonly number[];
}

/** Lent a value's record, and its hash. */
export type SnapshotVisitor = (buffer: Buffer, offset: number, hash: number) => void;

export interface SnapshotDoor {
  /** Pins this moment until it is closed, the caller's connection ends or a bound is hit. Throws BUSY at the limit. */
  open(caller: Caller): number;
  /** All that are open, oldest first. */
  list(): SnapshotFacts[];
  facts(id: number): SnapshotFacts;
  close(id: number): void;
  /** The live value of a key as it stood, or null. Throws ERR when this node held no whole copy of the key's partition. */
  find(id: number, bytes: Buffer, start: number, end: number): EntryView | null;
  /**
   * Visits the live values of one partition that was held as they stood whose hash is `fromHash` or above, about `count` of them, in no order
   * within one call. Returns the hash to go on from, or -1 at the end.
   */
  scan(id: number, partition: number, fromHash: number, count: number, visit: SnapshotVisitor): number;
}
