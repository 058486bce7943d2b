/**
 * What a command sees of the data: synchronous reads and writes of entries this node executes for. Replication, levels,
 * the log and the index stand behind it; a command knows none of them.
 * Law: between `lookup` and the next call the entry's bytes stay where they are; after any write they may move.
 */
import type { Hasher } from '../base/hash.js';
import type { StateChange } from '../types/merge-type.js';

export interface Keyspace {
  /** Wall clock of this turn, ms. Expiry is judged by it. */
  readonly wallMs: number;
  /** Planted bugs, by name: the tests of the simulator's checkers. */
  readonly mutations?: ReadonlySet<string>;
  /** The cluster's keyed hash. */
  readonly hasher: Hasher;
  /** After a `lookup` that returned true: where the live value lies, and its version. */
  readonly entry: EntryView;
  /** Finds the live value of `bytes[start, end)`, of any type: neither deleted, expired nor flushed. */
  find(bytes: Buffer, start: number, end: number): boolean;
  /** The same where it must be text. Throws HearsayError WRONGTYPE if it is not. */
  lookup(bytes: Buffer, start: number, end: number): boolean;
  /**
   * Writes a value under a new version. `expireAtMs` absolute, 0 for none. One in the past deletes.
   * Throws HearsayError OOM, NOSPACE or BUSY, with nothing changed.
   */
  put(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
  ): void;
  /** Deletes by a tombstone; true if there was a live value. Throws as `put`. */
  remove(key: Buffer, keyStart: number, keyEnd: number): boolean;
  /** Changes the expiry of a live value by a metadata record (0: persist); false if there is none. A time in the past deletes. */
  expire(key: Buffer, keyStart: number, keyEnd: number, expireAtMs: number): boolean;
  /**
   * Changes a value of a merge type: what another owner changes meanwhile is not lost. Throws what the change refuses with, or as `put`;
   * then nothing has changed.
   */
  change(key: Buffer, keyStart: number, keyEnd: number, change: StateChange): void;
}

export interface EntryView {
  /** The record's type: TYPE_PUT, or that of a value that merges. */
  type: number;
  buffer: Buffer;
  /** Where the record begins. */
  offset: number;
  /** What a client reads that knows no types: of siblings, the last writer's value. */
  valueStart: number;
  valueEnd: number;
  /** Absolute ms, 0 for none. */
  expireAtMs: number;
  hlc: number;
  actor: number;
}
