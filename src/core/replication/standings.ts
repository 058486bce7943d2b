/**
 * What this node's copy of each partition is: nothing to go by, a part that is still being fetched, or all that there was. ownership.ts
 * says so as partitions come and go; recovery reads it back, so that a move goes on over a restart; the spine has it noted in the log.
 *
 *     none -> fetching (newly owned) -> whole (caught up) -> none (given up, and with its new owners)
 *                                       whole -> torn (the end of the log may be lost) -> whole (caught up)
 *
 * What is torn stays so over further starts, until it was caught up: a clean stop in between brings nothing back.
 * Guarded: a note speaks of all partitions, so the last one in the log holds. That one is a part only is in the log with the write that
 * follows it; that it is whole may be noted later, for what is forgotten of that is only fetched again.
 */
import { recordEnd, recordKeyEnd, recordLength, TYPE_STANDINGS, writeRecord } from '../record/record.js';

/** Of a partition that this node does not own: what came here as to a stand-in. */
export const STANDING_NONE = 0;
export const STANDING_FETCHING = 1;
export const STANDING_WHOLE = 2;
/** Whole but for the newest writes, which a start that follows no clean stop may have lost. */
export const STANDING_TORN = 3;
/** Notes that can wait are written this often at most: many partitions become whole one after the other. */
const NOTE_INTERVAL_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export class Standings {
  private readonly standings: Uint8Array;
  private isChanged = false;
  private isUrgent = false;
  private nextNoteAtMs = 0;

  constructor(private readonly partitions: number) {
    this.standings = new Uint8Array(partitions);
  }

  of(partition: number): number {
    return this.standings[partition];
  }

  /** Whether it is no part, whatever became of its tail. */
  isWhole(partition: number): boolean {
    return this.standings[partition] >= STANDING_WHOLE;
  }

  isTorn(partition: number): boolean {
    return this.standings[partition] === STANDING_TORN;
  }

  get isEmpty(): boolean {
    return this.standings.every((standing) => standing === STANDING_NONE);
  }

  set(partition: number, standing: number): void {
    if (this.standings[partition] === standing) return;
    this.standings[partition] = standing;
    this.isChanged = true;
    if (standing !== STANDING_WHOLE) this.isUrgent = true;
  }

  /** Nothing that was recovered is what it was when this node had its place. */
  clear(): void {
    for (let partition = 0; partition < this.partitions; partition++) this.set(partition, STANDING_NONE);
  }

  /** The end of the log may be lost. Whoever forgets this note, too, has stopped no more cleanly, and is torn again. */
  tear(): void {
    for (let partition = 0; partition < this.partitions; partition++) {
      if (this.standings[partition] !== STANDING_WHOLE) continue;
      this.standings[partition] = STANDING_TORN;
      this.isChanged = true;
    }
  }

  /** Whether a note is to be written at the end of this turn. `isLast`: there is no later one. */
  isDue(nowMs: number, isLast = false): boolean {
    return this.isChanged && (this.isUrgent || isLast || nowMs >= this.nextNoteAtMs);
  }

  /** The log has taken a note. */
  noted(nowMs: number): void {
    this.isChanged = false;
    this.isUrgent = false;
    this.nextNoteAtMs = nowMs + NOTE_INTERVAL_MS;
  }

  /** A record for the log or an image: two bits per partition, lowest first. */
  encode(): Buffer {
    const bits = Buffer.alloc(Math.ceil(this.partitions / 4));
    for (let partition = 0; partition < this.partitions; partition++) {
      bits[partition >>> 2] |= this.standings[partition] << ((partition & 3) * 2);
    }
    const fields = { type: TYPE_STANDINGS, hlc: 0, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
    const bytes = Buffer.alloc(recordLength(0, bits.length, 0));
    writeRecord(bytes, 0, fields, NOTHING, 0, 0, bits, 0, bits.length);
    return bytes;
  }

  /** A TYPE_STANDINGS record met during recovery: it takes the place of those before it. One of another length is none. */
  recover(bytes: Buffer, offset: number): void {
    const start = recordKeyEnd(bytes, offset);
    if (recordEnd(bytes, offset) - start !== Math.ceil(this.partitions / 4)) return;
    for (let partition = 0; partition < this.partitions; partition++) {
      this.standings[partition] = (bytes[start + (partition >>> 2)] >>> ((partition & 3) * 2)) & 3;
    }
  }
}
