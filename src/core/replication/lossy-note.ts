/**
 * Which partitions have evicted, kept over a restart: one TYPE_LOSSY record at the end of an image, and one in the log when a partition was fetched from
 * where it had. The checkpointer and the replicator write it, recovery reads it back into the store.
 * Guarded: too many may be marked, too few never. What was evicted before the copy ended may be missing in the image, and the record
 * stands in that same image; what is evicted later is in the image or in the log behind it, and comes back with the next start.
 */
import { recordEnd, recordKeyEnd, recordLength, TYPE_LOSSY, writeRecord } from '../record/record.js';
import type { Store } from '../store/store.js';

/** The record, one bit per partition, lowest first; null while none has evicted. */
export function encodeLossy(store: Store, partitions: number): Buffer | null {
  const bits = Buffer.alloc(Math.ceil(partitions / 8));
  for (let partition = 0; partition < partitions; partition++) {
    if (store.isLossy(partition)) bits[partition >>> 3] |= 1 << (partition & 7);
  }
  if (bits.every((byte) => byte === 0)) return null;
  const fields = { type: TYPE_LOSSY, hlc: 0, actor: 0, sequence: 0, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  const bytes = Buffer.alloc(recordLength(0, bits.length, 0));
  writeRecord(bytes, 0, fields, bits, 0, 0, bits, 0, bits.length);
  return bytes;
}

export function recoverLossy(store: Store, partitions: number, bytes: Buffer, offset: number): void {
  const start = recordKeyEnd(bytes, offset);
  const count = Math.min(partitions, (recordEnd(bytes, offset) - start) * 8);
  for (let partition = 0; partition < count; partition++) {
    if ((bytes[start + (partition >>> 3)] >>> (partition & 7)) & 1) store.noteLossy(partition);
  }
}
