/**
 * How many distinct keys were written in the whole cluster since the last reset: a sketch (ports/distinct.ts) that every node feeds with
 * what it writes and takes in, gossips register by register, and keeps over a restart. The keyspace, replication and recovery feed it,
 * the spine gossips it, HEARSAY.DISTINCT and the node's status read it.
 *
 * A reset is a stamp: of two sketches the one of the later reset wins whole, so a reset reaches every node as a flush does. A node
 * that hears of one walks its store for what was written since, because its own sketch had it under the former reset.
 * Guarded: it only grows between resets, and nodes that exchange it agree; a write whose key is known costs a branch.
 */
import type { DistinctCounter } from '../../ports/distinct.js';
import { mix32 } from '../base/hash.js';
import {
  readHlc,
  recordEnd,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordLength,
  recordType,
  TYPE_SKETCH,
  TYPE_TOMBSTONE,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import type { Store } from '../store/store.js';

const STAMP_BYTES = 8;
/** Records that one slice of the walk after a reset looks at. */
const WALKED_PER_TICK = 4000;
const NOTHING = Buffer.alloc(0);

export class DistinctKeys {
  /** Stamp of the last reset; 0 before the first. What was written up to it does not count. */
  resetHlc = 0;
  readonly stats = { resets: 0, merged: 0, refused: 0 };
  /** Records up to this stamp are in the sketch that was recovered. */
  private notedHlc = 0;
  /** Where the walk after a reset stands; -1 while there is none. */
  private partition = -1;
  private fromHash = 0;

  constructor(
    private readonly ports: { distinct: DistinctCounter },
    private readonly store: Store,
    private readonly options: { partitions: number },
  ) {}

  /** Nothing was counted and nothing reset: there is nothing to keep. */
  get isEmpty(): boolean {
    return this.resetHlc === 0 && this.ports.distinct.estimate() === 0;
  }

  /** A whole number. */
  estimate(): number {
    return Math.round(this.ports.distinct.estimate());
  }

  /** A key was written that was not here, or not since the reset. */
  count(hash: number): void {
    this.ports.distinct.add(mix32(hash, 0x51ed270b), hash, mix32(hash, 0x2545f491), mix32(hash, 0x9e3779b9));
  }

  /** What nodes send each other: the reset's stamp, then the registers. */
  encode(): Buffer {
    const registers = this.ports.distinct.registers();
    const body = Buffer.alloc(STAMP_BYTES + registers.length);
    writeHlc(body, 0, this.resetHlc);
    registers.copy(body, STAMP_BYTES);
    return body;
  }

  /** The stamp of the reset that bytes of `encode` speak of; NaN if they are none. */
  static resetOf(body: Buffer): number {
    if (body.length < STAMP_BYTES || (body[6] | (body[7] << 8)) > 0x1f) return Number.NaN;
    return readHlc(body, 0);
  }

  /** Takes in what another node sent; false if it is malformed. `isNewer`: it speaks of a reset that was not known here. */
  merge(body: Buffer): { taken: boolean; isNewer: boolean } {
    const resetHlc = DistinctKeys.resetOf(body);
    const isNewer = resetHlc > this.resetHlc;
    if (Number.isNaN(resetHlc) || !this.takeRegisters(body, STAMP_BYTES, resetHlc)) {
      this.stats.refused++;
      return { taken: false, isNewer: false };
    }
    if (isNewer) this.beginWalk();
    this.stats.merged++;
    return { taken: true, isNewer };
  }

  /** Everything written up to `hlc` counts no more. */
  reset(hlc: number): void {
    this.stats.resets++;
    this.resetHlc = hlc;
    this.ports.distinct.clear();
    this.partition = -1;
  }

  /** The sketch as a local record for log and image. `hlc`: everything stamped up to it that came here is in it. */
  note(hlc: number): Buffer {
    const value = this.encode();
    const fields = { type: TYPE_SKETCH, hlc, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
    const bytes = Buffer.alloc(recordLength(0, value.length, 0));
    writeRecord(bytes, 0, fields, NOTHING, 0, 0, value, 0, value.length);
    return bytes;
  }

  /** A note from the log or an image. */
  recover(bytes: Buffer, offset: number): void {
    const body = bytes.subarray(recordKeyEnd(bytes, offset), recordEnd(bytes, offset));
    const resetHlc = DistinctKeys.resetOf(body);
    if (Number.isNaN(resetHlc) || !this.takeRegisters(body, STAMP_BYTES, resetHlc)) return;
    this.notedHlc = Math.max(this.notedHlc, recordHlc(bytes, offset));
  }

  /** A record that recovery has brought into the store. */
  recovered(hash: number, bytes: Buffer, offset: number): void {
    const hlc = recordHlc(bytes, offset);
    if (hlc > this.notedHlc && hlc > this.resetHlc && recordType(bytes, offset) !== TYPE_TOMBSTONE) this.count(hash);
  }

  /** A slice of the walk after a reset that came from elsewhere. */
  tick(): void {
    if (this.partition < 0) return;
    const { store } = this;
    let left = WALKED_PER_TICK;
    while (left > 0 && this.partition < this.options.partitions) {
      this.fromHash = store.scan(this.partition, this.fromHash, left, (bytes, offset) => {
        left--;
        if (recordHlc(bytes, offset) <= this.resetHlc || recordType(bytes, offset) === TYPE_TOMBSTONE) return;
        this.count(store.hasher.hash(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset)));
      });
      if (this.fromHash >= 0) continue;
      left--;
      this.partition++;
      this.fromHash = 0;
    }
    if (this.partition === this.options.partitions) this.partition = -1;
  }

  private beginWalk(): void {
    this.partition = 0;
    this.fromHash = 0;
  }

  /** Registers of the same reset are united, those of a later one take the place of ours, those of an earlier one are left. */
  private takeRegisters(body: Buffer, at: number, resetHlc: number): boolean {
    const { distinct } = this.ports;
    if (resetHlc < this.resetHlc) return true;
    const registers = body.subarray(at);
    if (resetHlc === this.resetHlc) return distinct.merge(registers);
    if (!distinct.fits(registers)) return false;
    this.reset(resetHlc);
    return distinct.merge(registers);
  }
}
