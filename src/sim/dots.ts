/**
 * Watches the dots that pass over the wire: an actor gives each sequence number of a partition to one write, ever. The network
 * shows it every datagram of a run in which a disk can lose its tail; the run asks it for what it saw. Guarded: Riak's cautionary
 * tale (riak_kv#679): an actor kept across a restart hands dots out again, and owners then take new writes for old ones.
 * It knows records (core/record), not the packets around them: it looks for verified records at every offset.
 */
import { partitionOf } from '../core/partitions/slots.js';
import { forEachDot } from '../core/record/dots.js';
import {
  isMergeType,
  RECORD_HEADER_BYTES,
  readWord,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_EXPIRY,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  verifyRecord,
} from '../core/record/record.js';
import { WALL_EPOCH_MS } from './clock.js';

/** The high word of every stamp of a run lies around this one. */
const HLC_HIGH = Math.floor((WALL_EPOCH_MS * 2_048) / 0x100000000);

export class DotWatch {
  /** Dots that named two writes, as lines. */
  readonly reused: string[] = [];
  records = 0;
  private readonly partitions: number;
  private readonly stamps = new Map<string, number>();

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  look(bytes: Buffer): void {
    for (let at = 0; at + RECORD_HEADER_BYTES <= bytes.length; at++) {
      if (Math.abs(readWord(bytes, at + 16) - HLC_HIGH) > 1) continue;
      const type = recordType(bytes, at);
      if (!isMergeType(type) && type !== TYPE_PUT && type !== TYPE_TOMBSTONE && type !== TYPE_EXPIRY) continue;
      const length = verifyRecord(bytes, at, bytes.length);
      if (length === 0) continue;
      this.note(bytes, at);
      at += length - 1;
    }
  }

  private note(bytes: Buffer, at: number): void {
    this.records++;
    const keyStart = recordKeyStart(bytes, at);
    const keyEnd = recordKeyEnd(bytes, at);
    const partition = partitionOf(bytes, keyStart, keyEnd, this.partitions);
    forEachDot(bytes, at, (actor, sequence, hlc) => {
      const dot = `${actor.toString(16)}/${partition}/${sequence}`;
      const before = this.stamps.get(dot);
      if (before === undefined) this.stamps.set(dot, hlc);
      else if (before !== hlc && this.reused.length < 10) {
        this.reused.push(
          `dot ${dot} names writes of ${before} and ${hlc}, the later to ${bytes.latin1Slice(keyStart, keyEnd)}`,
        );
      }
    });
  }
}
