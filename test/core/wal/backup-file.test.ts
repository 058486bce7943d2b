/** The bytes of a backup file: what a writer makes a reader takes, and nothing else. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import {
  align8,
  recordLength,
  TYPE_HINT,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  writeRecord,
} from '../../../src/core/record/record.js';
import {
  BACKUP_FORMAT,
  type BackupHeader,
  BackupTally,
  backupHeaderBytes,
  decodeBackupHeader,
  encodeBackupHeader,
} from '../../../src/core/wal/backup-file.js';
import { FRAME_HEADER_BYTES } from '../../../src/core/wal/frame.js';

const HEADER: BackupHeader = {
  salt: 0x12345678,
  startHlc: 3_500_000_000_000_000,
  sinceHlc: 3_499_000_000_000_000,
  createdMs: 1_700_000_000_000,
  partitions: 2,
  replicas: 3,
  clusterId: '0123456789abcdef',
  cluster: 'käse',
  version: '0.1.0',
};
const FOOTER = { endHlc: 3_500_000_000_009_999, flushedHlc: 17, flushedActor: 4, finishedMs: 1_700_000_060_000 };

function record(key: string, value: string, type = TYPE_PUT): Buffer {
  const bytes = Buffer.alloc(align8(recordLength(key.length, value.length, 0)));
  const fields = { type, hlc: 99, actor: 7, sequence: 1, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, Buffer.from(key), 0, key.length, Buffer.from(value), 0, value.length);
  return bytes;
}

/** The `count` first keys of a partition, as records. */
function recordsOf(partition: number, count: number, type = TYPE_PUT): Buffer {
  const found: Buffer[] = [];
  for (let at = 0; found.length < count; at++) {
    const key = Buffer.from(`k${at}`);
    if (partitionOf(key, 0, key.length, HEADER.partitions) === partition) {
      found.push(record(`k${at}`, type === TYPE_TOMBSTONE ? '' : `value ${at}`, type));
    }
  }
  return Buffer.concat(found);
}

const NONE = Buffer.alloc(0);
/** Records and the hash they end at, in the order in which a backup reads them. */
const PAGES: readonly (readonly [Buffer, number])[] = [
  [recordsOf(0, 2), 0x8000_0000],
  [recordsOf(0, 1, TYPE_TOMBSTONE), -1],
  [recordsOf(1, 1), -1],
  [NONE, -1],
  [recordsOf(1, 2), -1],
];

/** A whole file, and where each of its parts begins. */
function write(pages = PAGES): { bytes: Buffer; starts: number[]; tally: BackupTally } {
  const tally = new BackupTally(HEADER);
  const parts = [encodeBackupHeader(HEADER)];
  const starts: number[] = [];
  for (const [records, next] of pages) {
    starts.push(tally.position);
    parts.push(tally.encode(records, next));
  }
  starts.push(tally.position);
  parts.push(tally.encodeFooter(FOOTER));
  return { bytes: Buffer.concat(parts), starts, tally };
}

/** Reads as far as the bytes are whole. */
function read(bytes: Buffer): { tally: BackupTally | null; failure: Error | null } {
  let tally: BackupTally | null = null;
  try {
    const length = backupHeaderBytes(bytes.subarray(0, 16));
    tally = new BackupTally(decodeBackupHeader(bytes.subarray(0, length)));
    while (tally.footer === null) {
      const { position } = tally;
      if (position + FRAME_HEADER_BYTES > bytes.length) throw new Error(`ends at byte ${bytes.length}`);
      if (position + tally.frameBytes(bytes, position) > bytes.length) throw new Error(`ends at byte ${bytes.length}`);
      tally.take(bytes, position);
    }
    return { tally, failure: tally.position === bytes.length ? null : new Error(`too long at byte ${tally.position}`) };
  } catch (error) {
    return { tally, failure: error as Error };
  }
}

describe('a backup file', () => {
  it('is read as it was written, with every count', () => {
    const { bytes, tally: written } = write();
    const { tally, failure } = read(bytes);
    expect(failure).toBeNull();
    expect(tally?.header).toEqual(HEADER);
    expect(tally?.footer).toEqual(FOOTER);
    expect(tally).toMatchObject({ frames: 6, records: 6, keys: 3, tombstones: 1, changes: 2, complete: true });
    expect(tally?.chain).toBe(written.chain);
  });

  it('keeps the bytes of its format', () => {
    const { bytes } = write();
    expect(bytes.length).toBe(848);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      'a9ee575b061cee6e5bc9edfa68256d2dec5a7698d50758aef6680a0367022c48',
    );
  });

  it('shows every flipped bit, and names a byte at or before it', () => {
    const { bytes } = write();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const byte = bit >> 3;
      bytes[byte] ^= 1 << (bit & 7);
      const { failure } = read(bytes);
      bytes[byte] ^= 1 << (bit & 7);
      const named = /byte (\d+)/.exec(failure?.message ?? '');
      expect(failure, `bit ${bit}`).not.toBeNull();
      if (byte >= 4)
        expect(Number(named?.[1] ?? Number.NaN), `bit ${bit}: ${failure?.message}`).toBeLessThanOrEqual(byte);
    }
  });

  it('shows being cut at every byte of its last two frames, and what was whole before can be gone on from', () => {
    const { bytes, starts } = write();
    const [last, footer] = starts.slice(-2);
    for (let length = last; length < bytes.length; length++) {
      const { tally, failure } = read(bytes.subarray(0, length));
      expect(failure, `cut at ${length}`).not.toBeNull();
      const whole = length < footer ? last : footer;
      expect(tally?.position).toBe(whole);
      const parts = [bytes.subarray(0, whole)];
      if (whole === last) parts.push(tally?.encode(...PAGES[PAGES.length - 1]) ?? NONE);
      parts.push(tally?.encodeFooter(FOOTER) ?? NONE);
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    }
  });

  it('shows a frame that is missing, or that stands twice, and bytes behind its end', () => {
    const { bytes, starts } = write();
    const without = Buffer.concat([bytes.subarray(0, starts[1]), bytes.subarray(starts[2])]);
    expect(read(without).failure?.message).toContain(`damaged at byte ${starts[1]}`);
    const twice = Buffer.concat([bytes.subarray(0, starts[2]), bytes.subarray(starts[1])]);
    expect(read(twice).failure?.message).toContain(`damaged at byte ${starts[2]}`);
    expect(read(Buffer.concat([bytes, NONE, Buffer.alloc(8)])).failure?.message).toContain(`byte ${bytes.length}`);
  });

  it('is refused by name when it is cut within its header', () => {
    const header = encodeBackupHeader(HEADER);
    for (let end = 0; end < header.length; end++) {
      expect(() => decodeBackupHeader(header.subarray(0, end)), `cut at ${end}`).toThrow(HearsayError);
    }
  });

  it('of a newer format is refused by its number', () => {
    const { bytes } = write();
    bytes.writeUInt32LE(BACKUP_FORMAT + 1, 4);
    expect(read(bytes).failure?.message).toContain(`format ${BACKUP_FORMAT + 1} is not known here`);
    expect(read(Buffer.from('not a backup at all')).failure?.message).toContain('no backup of Hearsay');
  });

  it('takes no record of another partition, of another type, or that is not whole', () => {
    const tally = new BackupTally(HEADER);
    expect(() => tally.encode(recordsOf(1, 1), -1)).toThrow('damaged at byte');
    expect(() => tally.encode(recordsOf(0, 1, TYPE_HINT), -1)).toThrow('damaged at byte');
    expect(() => tally.encode(recordsOf(0, 1).subarray(0, 40), -1)).toThrow('damaged at byte');
    expect(tally).toMatchObject({ frames: 0, records: 0, cursor: { pass: 1, partition: 0, hash: 0 } });
  });

  it('has a footer only behind both passes, and one that can be read without them', () => {
    const early = new BackupTally(HEADER);
    early.encode(NONE, -1);
    expect(() => early.encodeFooter(FOOTER)).toThrow('order of frames');
    const { bytes, starts } = write();
    const footer = starts[starts.length - 1];
    expect(new BackupTally(HEADER).peekFooter(bytes.subarray(footer), footer)).toEqual(FOOTER);
    bytes[footer + FRAME_HEADER_BYTES + 41] ^= 1;
    expect(() => new BackupTally(HEADER).peekFooter(bytes.subarray(footer), footer)).toThrow('footer');
  });
});
