/**
 * What an acknowledgement or a reply rests on: how many owners, how many stand-ins, how many copies on a disk, at which level and
 * version. Each connection has one for its last command on keys, which HEARSAY.RECEIPT shows; the coordinator fills it in, and
 * it travels back with the answer to a forwarded command.
 * Guarded: filling it in allocates nothing; a command whose reply comes later keeps the receipt it began with (`kept`), and the
 * next one gets another.
 */
import type { Level } from './host.js';

export class Receipt {
  level: Level = 'one';
  /** Whether the reply is what the level promises; false for any error. */
  met = false;
  /** Owners that have it, or that answered. */
  owners = 0;
  /** Stand-ins for owners that could not be reached: they count for writes at quorum. */
  fallbacks = 0;
  /** Of all these, how many had it on disk when it was acknowledged. */
  synced = 0;
  /** The version written or read; all 0 for none. */
  hlc = 0;
  actor = 0;
  sequence = 0;
  partition = -1;
  /** A reply that is still to come will fill it in. */
  kept = false;

  begin(level: Level): void {
    this.level = level;
    this.met = false;
    this.owners = 0;
    this.fallbacks = 0;
    this.synced = 0;
    this.hlc = 0;
    this.actor = 0;
    this.sequence = 0;
    this.partition = -1;
  }

  /** Taken from another node's answer. */
  assign(from: ReceiptFields): void {
    this.met = from.met;
    this.owners = from.owners;
    this.fallbacks = from.fallbacks;
    this.synced = from.synced;
    this.hlc = from.hlc;
    this.actor = from.actor;
    this.sequence = from.sequence;
    this.partition = from.partition;
  }

  /** One part of a command on many keys: the whole rests on the least of its parts. */
  join(part: Receipt, first: boolean): void {
    this.met = (first || this.met) && part.met;
    this.owners = first ? part.owners : Math.min(this.owners, part.owners);
    this.fallbacks = Math.max(this.fallbacks, part.fallbacks);
    this.synced = first ? part.synced : Math.min(this.synced, part.synced);
    if (part.hlc < this.hlc) return;
    this.hlc = part.hlc;
    this.actor = part.actor;
    this.sequence = part.sequence;
    this.partition = part.partition;
  }
}

/** The part of a receipt that only the node which ran the command knows. */
export type ReceiptFields = Pick<
  Receipt,
  'met' | 'owners' | 'fallbacks' | 'synced' | 'hlc' | 'actor' | 'sequence' | 'partition'
>;
