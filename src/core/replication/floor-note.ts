/**
 * What floors leave in this node's log: TYPE_FLOOR records, in every image too, and TYPE_GONE records for values that were dropped because
 * another's floor is above them. The floor desk and the checkpointer write them, recovery reads them back.
 * Guarded: records are replayed in the order in which they were written, and the last word on a partition counts, so a partition that
 * was given away stays without a floor; what a floor stands for is in the log before it, so a log cut short loses the floor first.
 */
import { partitionOf } from '../partitions/slots.js';
import {
  readHlc,
  recordActor,
  recordEnd,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordLength,
  TYPE_FLOOR,
  TYPE_GONE,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import type { Store } from '../store/store.js';

const ENTRY_BYTES = 10;
const NOTHING = Buffer.alloc(0);

/** One record of these floors. Its own stamp is the greatest of them: a start's clock continues above it. */
export function encodeFloorNote(floors: readonly (readonly [partition: number, hlc: number])[]): Buffer {
  const value = Buffer.alloc(floors.length * ENTRY_BYTES);
  let latest = 0;
  for (const [index, [partition, hlc]] of floors.entries()) {
    value.writeUInt16LE(partition, index * ENTRY_BYTES);
    writeHlc(value, index * ENTRY_BYTES + 2, hlc);
    latest = Math.max(latest, hlc);
  }
  const bytes = Buffer.alloc(recordLength(0, value.length, 0));
  const fields = { type: TYPE_FLOOR, hlc: latest, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, NOTHING, 0, 0, value, 0, value.length);
  return bytes;
}

/** Every floor there is, for an image; null while there is none. */
export function encodeAllFloors(floors: Float64Array): Buffer | null {
  const risen = [...floors.entries()].filter(([, hlc]) => hlc > 0);
  return risen.length === 0 ? null : encodeFloorNote(risen);
}

export function recoverFloors(floors: Float64Array, bytes: Buffer, offset: number): void {
  const end = recordEnd(bytes, offset);
  for (let at = recordKeyEnd(bytes, offset); at + ENTRY_BYTES <= end; at += ENTRY_BYTES) {
    const partition = bytes[at] | (bytes[at + 1] << 8);
    if (partition < floors.length) floors[partition] = readHlc(bytes, at + 2);
  }
}

/** The record at `offset` of `source` is not here any more. */
export function encodeGoneNote(source: Buffer, offset: number): Buffer {
  const keyStart = recordKeyStart(source, offset);
  const keyEnd = recordKeyEnd(source, offset);
  const bytes = Buffer.alloc(recordLength(keyEnd - keyStart, 0, 0));
  const fields = {
    type: TYPE_GONE,
    hlc: recordHlc(source, offset),
    actor: recordActor(source, offset),
    sequence: 0,
    expireAtMs: 0,
    expiryHlc: 0,
    expiryActor: 0,
  };
  writeRecord(bytes, 0, fields, source, keyStart, keyEnd, NOTHING, 0, 0);
  return bytes;
}

/** Drops what a TYPE_GONE record speaks of, if that or something older stands for its key. */
export function recoverGone(store: Store, partitions: number, bytes: Buffer, offset: number): void {
  const start = recordKeyStart(bytes, offset);
  const end = recordKeyEnd(bytes, offset);
  const partition = partitionOf(bytes, start, end, partitions);
  const hash = store.hasher.hash(bytes, start, end);
  if (!store.find(partition, hash, bytes, start, end)) return;
  if (recordHlc(store.buffer, store.offset) > recordHlc(bytes, offset)) return;
  store.remove(partition, hash, bytes, start, end);
}
