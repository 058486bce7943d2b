/**
 * What the first pass of a backup has copied and the second would find again: records so young at the start that they count as
 * changes, though nothing changed them. backup.ts notes them as frames are written, or read back when a run goes on, and leaves out
 * of the second pass what stands in the file already, byte for byte.
 * Guarded: a record is left out only if its version and its checksum are those of one in the file; memory is bounded, and what is
 * not remembered is merely copied twice.
 */
import { align8, readWord, recordBytes, recordExpiryHlc, recordHlc } from '../core/record/record.js';

/** About 40 MB. */
const RECORDS_MAX = 500_000;

export class RecentRecords {
  /** By version, the checksum of the whole record. Of two with the same version one is remembered. */
  private readonly checksums = new Map<number, number>();

  /** `sinceHlc`: the second pass goes back so far. */
  constructor(private readonly sinceHlc: number) {}

  get count(): number {
    return this.checksums.size;
  }

  /** Notes the records in `bytes[start, end)`, which the first pass has brought into the file. */
  note(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += align8(recordBytes(bytes, at))) {
      if (this.checksums.size >= RECORDS_MAX) return;
      const hlc = recordHlc(bytes, at);
      if (Math.max(hlc, recordExpiryHlc(bytes, at)) > this.sinceHlc) this.checksums.set(hlc, readWord(bytes, at));
    }
  }

  /** Those of `records` that are not in the file yet: the same bytes if that is all of them. */
  without(records: Buffer): Buffer {
    const kept: Buffer[] = [];
    let bytes = 0;
    for (let at = 0; at < records.length; ) {
      const end = at + align8(recordBytes(records, at));
      // A length that is no record's is left to the writer, which refuses it.
      if (end <= at || end > records.length) return records;
      if (this.checksums.get(recordHlc(records, at)) !== readWord(records, at)) {
        kept.push(records.subarray(at, end));
        bytes += end - at;
      }
      at = end;
    }
    return bytes === records.length ? records : Buffer.concat(kept, bytes);
  }
}
