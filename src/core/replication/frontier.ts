/**
 * Frontiers: per partition, what this node has seen of each actor's writes. The keyspace counts its own writes here, the replicator
 * notes every record that it has merged and logged, recovery restores what the log proves; repair compares frontiers instead of data,
 * and sessions ask `covers`.
 *
 * Seen means: the record is here and logged, or a later one of its key is, or it is known to stand for nothing any more (flushed, a
 * tombstone that everybody has passed). What could not be merged or logged is not seen. Guarded: a frontier never claims what is not
 * so; it may claim less, which costs a repair that finds nothing. This node's own entry is the counter itself, brought in before
 * each use, so that a local write pays two stores into arrays.
 *
 * A note (`encode`, `recover`) is true of any image or log that holds what had been merged before it. A partition that was cleared
 * begins a new epoch: notes of an earlier one speak of records that are gone, and are ignored. The note that begins it says so by a flag, for
 * an image may have a later note of the epoch before the log has told of its beginning: whoever replays the log drops what came before.
 */
import { hlcFromMs } from '../base/hlc.js';
import { forEachDot } from '../record/dots.js';
import {
  FLAG_EXPIRY_VERSION,
  recordEnd,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordKeyEnd,
  recordLength,
  recordType,
  TYPE_FRONTIER,
  writeRecord,
} from '../record/record.js';
import { mergeTypeOf } from '../types/types.js';
import { readVector, Vector, vectorBytes, writeVector } from './vector.js';

/** Entries go this long after the floor has passed them: by then it has for every owner, and no hash speaks of them any more. */
const RETIRE_MARGIN_MS = 10_000;
/** Of a note: partition u16, u16 flags, u32 zero, f64 epoch; then the vector. */
const NOTE_HEADER_BYTES = 16;
/** The partition was given away: nothing of it that stands before this in the log is here any more. */
const NOTE_CLEARED = 1;
const NOTHING = Buffer.alloc(0);

export class Frontiers {
  /** Per partition: the last sequence that this node has given, and its stamp. The keyspace counts here. */
  readonly sequences: Float64Array;
  readonly stamps: Float64Array;
  /** Hash of the key of each recent write of this node: at `recentAt(partition, sequence)`. */
  readonly recent: Uint32Array;
  /** Recent writes kept per partition: a power of two. */
  readonly recentCount: number;
  private readonly vectors: Vector[] = [];
  /** Own dots up to here are held only as far as the vector says: the partition was cleared after them. */
  private readonly clearedAt: Float64Array;
  private readonly epochs: Float64Array;
  /** Per partition: every record stamped at or below has been seen here (floors.ts). */
  private floors: Float64Array;
  private fetching: Uint8Array;
  private ownings: Uint32Array;
  /** Per partition: the owning in which all that a source held was walked through. */
  private readonly walkedIn: Float64Array;
  /** The same by what the members were found to have, whether or not there was anything to forget; kept in the notes. */
  private readonly seen: Float64Array;
  private actor = 0;
  private partition = 0;
  private covered = false;
  private asked: Vector = new Vector();
  private dots = 0;
  private readonly noteDot = (actor: number, sequence: number, hlc: number): void => {
    if (actor !== this.actor) this.vectors[this.partition].add(actor, sequence, hlc);
    else if (sequence <= this.clearedAt[this.partition]) this.vectors[this.partition].add(actor, sequence, hlc);
  };
  private readonly checkDot = (actor: number, sequence: number, hlc: number): void => {
    this.dots++;
    this.covered &&= hlc <= this.asked.floor || this.asked.covers(actor, sequence);
  };

  constructor(partitions: number, recentWrites = 64) {
    this.sequences = new Float64Array(partitions);
    this.stamps = new Float64Array(partitions);
    this.clearedAt = new Float64Array(partitions);
    this.epochs = new Float64Array(partitions);
    this.floors = new Float64Array(partitions);
    this.seen = new Float64Array(partitions);
    this.fetching = new Uint8Array(partitions);
    this.ownings = new Uint32Array(partitions);
    this.walkedIn = new Float64Array(partitions).fill(-1);
    this.recentCount = recentWrites;
    this.recent = new Uint32Array(partitions * this.recentCount);
    for (let partition = 0; partition < partitions; partition++) this.vectors.push(new Vector());
  }

  /**
   * What was recovered is another start's; from now on this node writes as `actor`. `floors` stay live, and so does `fetching`: 1 for a
   * partition whose floor says nothing, because it was reached before the node came to own what it now fetches; `ownings` counts how often it did.
   */
  begin(
    actor: number,
    floors: Float64Array = this.floors,
    fetching: Uint8Array = this.fetching,
    ownings: Uint32Array = this.ownings,
  ): void {
    this.actor = actor;
    this.floors = floors;
    this.fetching = fetching;
    this.ownings = ownings;
    // What an earlier start has seen is on its way to nobody.
    for (const vector of this.vectors) {
      vector.mark();
      vector.mark();
    }
  }

  /** What the notes of the log and the images say is not to be trusted: records that they speak of are lost. */
  distrust(): void {
    for (const vector of this.vectors) vector.clear();
    this.seen.fill(0);
  }

  /** The actor of this start. */
  get self(): number {
    return this.actor;
  }

  /** Raised whenever a partition is cleared. */
  epoch(partition: number): number {
    return this.epochs[partition];
  }

  /** Whether this node has seen a write. */
  covers(partition: number, actor: number, sequence: number): boolean {
    return this.of(partition).covers(actor, sequence);
  }

  /** The frontier of a partition as it stands: lent, read only. */
  of(partition: number): Vector {
    const vector = this.vectors[partition];
    vector.floor = this.floor(partition);
    const last = this.sequences[partition];
    if (last > 0) vector.addSpan(this.actor, this.clearedAt[partition] + 1, last, this.stamps[partition]);
    return vector;
  }

  /** A record was merged (applied, or found older than what stands) and is in the log. */
  note(partition: number, bytes: Buffer, offset: number): void {
    this.partition = partition;
    forEachDot(bytes, offset, this.noteDot);
  }

  /** Everything that `vector` claims has been merged here. */
  join(partition: number, vector: Vector): void {
    this.of(partition).join(vector);
  }

  /** The same for one actor. */
  joinActor(partition: number, vector: Vector, actor: number): void {
    const index = vector.indexOf(actor);
    if (index >= 0) this.of(partition).joinActor(vector, index);
  }

  /** Everything of a partition was dropped here, at the time of `hlc`. */
  clear(partition: number, hlc: number): void {
    this.vectors[partition].clear();
    this.seen[partition] = 0;
    this.clearedAt[partition] = this.sequences[partition];
    this.epochs[partition] = this.epochAfter(partition, hlc);
  }

  /** A record for the log that says that everything of a partition is dropped at the time of `hlc`: written before `clear`. */
  encodeCleared(partition: number, hlc: number): Buffer {
    return encodeNote(partition, NOTE_CLEARED, this.epochAfter(partition, hlc), new Vector());
  }

  private epochAfter(partition: number, hlc: number): number {
    return Math.max(hlc, this.epochs[partition] + 1);
  }

  /** What is newest now is settled at the mark after next; entries of ended actors that the floor covers go. */
  mark(isLive: (actor: number) => boolean): void {
    for (let partition = 0; partition < this.vectors.length; partition++) {
      const vector = this.of(partition);
      vector.mark();
      const retired = vector.floor - hlcFromMs(RETIRE_MARGIN_MS);
      if (retired <= 0) continue;
      for (let index = vector.count - 1; index >= 0; index--) {
        const actor = vector.actors[index];
        if (vector.lastHlcOf(index) > retired || actor === this.actor || isLive(actor)) continue;
        vector.removeAt(index);
      }
    }
  }

  /** Every record of a partition stamped at or below has been seen here. */
  floor(partition: number): number {
    if (this.fetching[partition] === 0) return Math.max(this.floors[partition], this.seen[partition]);
    return this.isWalked(partition) ? this.seen[partition] : 0;
  }

  /** All that a source held was merged here, in the present owning; the floor of its vector was `hlc` as the walk began. */
  walked(partition: number, hlc: number): void {
    this.walkedIn[partition] = this.ownings[partition];
    this.raise(partition, hlc);
  }

  private isWalked(partition: number): boolean {
    return this.walkedIn[partition] === this.ownings[partition];
  }

  /** Every member with a say has seen every record of a partition stamped at or below `hlc`. */
  raise(partition: number, hlc: number): void {
    if (this.fetching[partition] === 1 && !this.isWalked(partition)) return;
    if (hlc > this.seen[partition]) this.seen[partition] = hlc;
  }

  /** Where the hash of the key of this node's write `sequence` stands in `recent`. */
  recentAt(partition: number, sequence: number): number {
    return partition * this.recentCount + (sequence & (this.recentCount - 1));
  }

  /** Whether somebody who has seen `vector` has seen the write, and the change of expiry, that a record here stands for. */
  isCovered(vector: Vector, bytes: Buffer, offset: number): boolean {
    if ((recordFlags(bytes, offset) & FLAG_EXPIRY_VERSION) !== 0 && !coversExpiry(vector, bytes, offset)) return false;
    this.asked = vector;
    this.dots = 0;
    this.covered = true;
    forEachDot(bytes, offset, this.checkDot);
    return this.dots > 0 && this.covered;
  }

  /** Actors and ranges in all partitions together, and what was left out for want of room. */
  stats(): { actors: number; ranges: number; dropped: number } {
    const stats = { actors: 0, ranges: 0, dropped: 0 };
    for (const vector of this.vectors) {
      stats.actors += vector.count;
      stats.dropped += vector.dropped;
      for (let index = 0; index < vector.count; index++) stats.ranges += vector.rangesOf(index).length / 3;
    }
    return stats;
  }

  /** Whether a note of this partition says more than none does. */
  isNotable(partition: number): boolean {
    const vector = this.of(partition);
    return vector.count > 0 || vector.floor > 0 || this.epochs[partition] > 0;
  }

  /** A record for the log or an image that says how far the frontier of a partition is. */
  encode(partition: number): Buffer {
    return encodeNote(partition, 0, this.epochs[partition], this.of(partition));
  }

  /**
   * A TYPE_FRONTIER record met during recovery, before the records of the log that follow it. Returns the partition of which everything
   * before it is to be dropped, or -1.
   */
  recover(bytes: Buffer, offset: number): number {
    const start = recordKeyEnd(bytes, offset);
    const end = recordEnd(bytes, offset);
    if (end - start < NOTE_HEADER_BYTES) return -1;
    const partition = bytes.readUInt16LE(start);
    const isCleared = (bytes.readUInt16LE(start + 2) & NOTE_CLEARED) !== 0;
    const epoch = bytes.readDoubleLE(start + 8);
    const vector = readVector(bytes, start + NOTE_HEADER_BYTES, end);
    if (vector === null || partition >= this.vectors.length) return -1;
    if (isCleared || epoch > this.epochs[partition]) {
      this.vectors[partition].clear();
      this.seen[partition] = 0;
    }
    if (epoch >= this.epochs[partition]) {
      this.epochs[partition] = epoch;
      this.raise(partition, vector.floor);
      this.vectors[partition].join(vector);
    }
    return isCleared ? partition : -1;
  }
}

/**
 * The expiry of siblings is made of those of its values, and names no writer: what came with a value is seen with its dot; of a change
 * afterwards nobody knows who made it, so only the floor tells.
 */
function coversExpiry(vector: Vector, bytes: Buffer, offset: number): boolean {
  const actor = recordExpiryActor(bytes, offset);
  const type = actor === 0 ? mergeTypeOf(recordType(bytes, offset)) : null;
  const hlc = type?.latestForeignExpiry?.(bytes, offset) ?? recordExpiryHlc(bytes, offset);
  return vector.coversStamp(actor, hlc);
}

function encodeNote(partition: number, flags: number, epoch: number, vector: Vector): Buffer {
  const value = Buffer.alloc(NOTE_HEADER_BYTES + vectorBytes(vector));
  value.writeUInt16LE(partition, 0);
  value.writeUInt16LE(flags, 2);
  value.writeDoubleLE(epoch, 8);
  writeVector(value, NOTE_HEADER_BYTES, vector);
  const fields = { type: TYPE_FRONTIER, hlc: 0, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  const bytes = Buffer.alloc(recordLength(0, value.length, 0));
  writeRecord(bytes, 0, fields, NOTHING, 0, 0, value, 0, value.length);
  return bytes;
}
