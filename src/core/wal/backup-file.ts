/**
 * The bytes of a backup file, written once from start to end and read the same way. `hearsay backup` and `hearsay restore` do the
 * reading and writing of the file; here is what stands in it, and what makes it whole.
 *
 *     header, then frames of frame.ts back to back, the last of them the footer. Little endian, every part a multiple of 8 bytes.
 *
 *     header   0 u32 magic  4 u32 format version  8 u32 length of the header  12 u32 salt of the frames
 *              16 u64 HLC at the start  24 u64 HLC that the second pass goes back to  32 u64 created, ms
 *              40 u32 partitions  44 u32 replicas  48 u8[16] cluster id, hexadecimal
 *              64 u16 length of the cluster's name  66 u16 length of Hearsay's version  68 u32 zero  72 name, version, zeros
 *              last word: CRC-32 of all before it
 *     frame    body: 0 u32 pass  4 u32 partition  8 u32 first hash  12 u32 next hash  16 u32 1 at the partition's end  20 u32 zero
 *              24 records, each at an 8-aligned offset
 *     footer   body: 0 u64 frames  8 u64 records  16 u64 values of the first pass  24 u64 its tombstones  32 u64 HLC at the end
 *              40 u64 HLC and 48 u64 actor of the last FLUSHALL then known  56 u64 finished, ms  64 u32 chain  68 u32 zero
 *
 * The first pass goes through every partition in order of hash, the second through all of them again for what changed since
 * the start. A frame goes on where the one before it ended, so that a gap shows; the chain folds every frame's checksum.
 * Guarded: what a reader accepts is what a writer wrote: every bit of the file is under a checksum, a frame counts only at its
 * own place, each record is verified and belongs to its partition, and a file without its footer is not whole.
 */

import { crc32 } from '../base/crc32.js';
import { HearsayError } from '../base/errors.js';
import { partitionOf, partitionsAreValid } from '../partitions/slots.js';
import {
  align8,
  holdsValue,
  readWord,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_TOMBSTONE,
  verifyRecord,
  writeWord,
} from '../record/record.js';
import {
  BODY_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  KIND_FOOTER,
  KIND_IMAGE,
  readFrameHeader,
  readWide,
  sealFrame,
  writeWide,
} from './frame.js';

export const BACKUP_FORMAT = 1;
/** A reader needs this much to learn how long the header is. */
export const BACKUP_PREFIX_BYTES = 16;
export const BACKUP_HEADER_BYTES_MAX = 4096;
export const BACKUP_TAG_BYTES = 24;
export const BACKUP_FOOTER_BYTES = FRAME_HEADER_BYTES + 72;
/** Passes over all partitions. */
export const BACKUP_PASSES = 2;

const MAGIC = 0x4b425348;
const HEADER_FIXED_BYTES = 72;
const CLUSTER_ID = /^[0-9a-f]{16}$/;

export interface BackupHeader {
  salt: number;
  startHlc: number;
  sinceHlc: number;
  createdMs: number;
  partitions: number;
  replicas: number;
  clusterId: string;
  cluster: string;
  version: string;
}

/** Where a backup stands: the next frame begins here. Past the last pass only the footer is left. */
export interface BackupCursor {
  pass: number;
  partition: number;
  hash: number;
}

export interface BackupFooter {
  endHlc: number;
  flushedHlc: number;
  flushedActor: number;
  finishedMs: number;
}

/** What a frame held: records lie in `[start, end)` of the bytes it was read from. */
export interface BackupFrame {
  kind: 'records' | 'footer';
  pass: number;
  partition: number;
  start: number;
  end: number;
}

export function encodeBackupHeader(header: BackupHeader): Buffer {
  const cluster = Buffer.from(header.cluster, 'utf8');
  const version = Buffer.from(header.version, 'utf8');
  const length = align8(HEADER_FIXED_BYTES + cluster.length + version.length + 4);
  const bytes = Buffer.alloc(length);
  writeWord(bytes, 0, MAGIC);
  writeWord(bytes, 4, BACKUP_FORMAT);
  writeWord(bytes, 8, length);
  writeWord(bytes, 12, header.salt);
  writeWide(bytes, 16, header.startHlc);
  writeWide(bytes, 24, header.sinceHlc);
  writeWide(bytes, 32, header.createdMs);
  writeWord(bytes, 40, header.partitions);
  writeWord(bytes, 44, header.replicas);
  bytes.latin1Write(header.clusterId, 48);
  writeWord(bytes, 64, cluster.length | (version.length << 16));
  cluster.copy(bytes, HEADER_FIXED_BYTES);
  version.copy(bytes, HEADER_FIXED_BYTES + cluster.length);
  writeWord(bytes, length - 4, crc32(bytes, 0, length - 4));
  return bytes;
}

/** Length of the header that begins with these bytes. Throws ERR if no header of this format begins so. */
export function backupHeaderBytes(prefix: Buffer): number {
  if (prefix.length < BACKUP_PREFIX_BYTES || readWord(prefix, 0) !== MAGIC) {
    throw new HearsayError('ERR', 'this is no backup of Hearsay, or its first bytes are damaged');
  }
  const format = readWord(prefix, 4);
  if (format !== BACKUP_FORMAT) {
    const why = format > BACKUP_FORMAT ? 'a newer Hearsay wrote it, or byte 4 is damaged' : 'byte 4 is damaged';
    throw new HearsayError('ERR', `format ${format} is not known here, only ${BACKUP_FORMAT}: ${why}`);
  }
  const length = readWord(prefix, 8);
  if (length < HEADER_FIXED_BYTES + 8 || length > BACKUP_HEADER_BYTES_MAX || length % 8 !== 0)
    throw damaged(8, 'header');
  return length;
}

/** The header, from exactly its bytes. Throws ERR if it is damaged. */
export function decodeBackupHeader(bytes: Buffer): BackupHeader {
  const length = backupHeaderBytes(bytes);
  if (bytes.length !== length || readWord(bytes, length - 4) !== crc32(bytes, 0, length - 4))
    throw damaged(0, 'header');
  const clusterBytes = bytes[64] | (bytes[65] << 8);
  const versionBytes = bytes[66] | (bytes[67] << 8);
  const partitions = readWord(bytes, 40);
  const clusterId = bytes.latin1Slice(48, 64);
  if (align8(HEADER_FIXED_BYTES + clusterBytes + versionBytes + 4) !== length) throw damaged(0, 'header');
  if (!partitionsAreValid(partitions) || !CLUSTER_ID.test(clusterId)) throw damaged(0, 'header');
  const name = HEADER_FIXED_BYTES + clusterBytes;
  return {
    salt: readWord(bytes, 12),
    startHlc: readWide(bytes, 16),
    sinceHlc: readWide(bytes, 24),
    createdMs: readWide(bytes, 32),
    partitions,
    replicas: readWord(bytes, 44),
    clusterId,
    cluster: bytes.utf8Slice(HEADER_FIXED_BYTES, name),
    version: bytes.utf8Slice(name, name + versionBytes),
  };
}

/** A backup from its header to where it stands: what writer and reader count alike. */
export class BackupTally {
  readonly header: BackupHeader;
  /** Where the next frame begins in the file. */
  position: number;
  readonly cursor: BackupCursor = { pass: 1, partition: 0, hash: 0 };
  frames = 0;
  records = 0;
  /** Values and tombstones that the first pass met. */
  keys = 0;
  tombstones = 0;
  chain: number;
  /** Set once the footer stands. */
  footer: BackupFooter | null = null;
  private readonly frame: FrameHeader = { kind: 0, bodyBytes: 0, batch: 0, durable: 0, bodyCrc: 0 };

  constructor(header: BackupHeader) {
    this.header = header;
    const bytes = encodeBackupHeader(header);
    this.position = bytes.length;
    this.chain = readWord(bytes, bytes.length - 4);
  }

  /** Records of the second pass. */
  get changes(): number {
    return this.records - this.keys - this.tombstones;
  }

  /** Every pass is through: the footer is next. */
  get complete(): boolean {
    return this.cursor.pass > BACKUP_PASSES;
  }

  /**
   * The next frame: records read from the cursor on, `next` the hash to go on from, -1 at the partition's end.
   * Throws ERR if they are not whole records of the partition.
   */
  encode(records: Buffer, next: number): Buffer {
    const { cursor } = this;
    const bytes = Buffer.alloc(FRAME_HEADER_BYTES + BACKUP_TAG_BYTES + align8(records.length));
    const body = FRAME_HEADER_BYTES;
    writeWord(bytes, body, cursor.pass);
    writeWord(bytes, body + 4, cursor.partition);
    writeWord(bytes, body + 8, cursor.hash);
    writeWord(bytes, body + 12, Math.max(next, 0));
    writeWord(bytes, body + 16, next < 0 ? 1 : 0);
    records.copy(bytes, body + BACKUP_TAG_BYTES);
    this.seal(bytes, KIND_IMAGE);
    this.take(bytes, 0);
    return bytes;
  }

  /** The footer's frame, once all passes are through. */
  encodeFooter(footer: BackupFooter): Buffer {
    const bytes = Buffer.alloc(BACKUP_FOOTER_BYTES);
    const body = FRAME_HEADER_BYTES;
    for (const [index, count] of this.counts().entries()) writeWide(bytes, body + index * 8, count);
    writeWide(bytes, body + 32, footer.endHlc);
    writeWide(bytes, body + 40, footer.flushedHlc);
    writeWide(bytes, body + 48, footer.flushedActor);
    writeWide(bytes, body + 56, footer.finishedMs);
    writeWord(bytes, body + 64, this.chain);
    this.seal(bytes, KIND_FOOTER);
    this.take(bytes, 0);
    return bytes;
  }

  /** Bytes of the frame at `position`, from its header at `at`. Throws ERR if none of this backup stands there. */
  frameBytes(bytes: Buffer, at: number): number {
    const place = { file: 0, offset: this.position, salt: this.header.salt };
    if (!readFrameHeader(bytes, at, place, this.frame)) throw this.damaged('frame header');
    const { kind, batch, durable, bodyBytes } = this.frame;
    const fits =
      kind === KIND_IMAGE ? bodyBytes >= BACKUP_TAG_BYTES : FRAME_HEADER_BYTES + bodyBytes === BACKUP_FOOTER_BYTES;
    if (!fits || (kind !== KIND_IMAGE && kind !== KIND_FOOTER)) throw this.damaged('frame header');
    if (batch !== this.frames + 1 || durable !== 0) throw this.damaged('frame header');
    return FRAME_HEADER_BYTES + bodyBytes;
  }

  /** Takes the whole frame at `at`: verified, counted, and stepped over. Throws ERR, and stays where it is, if it is damaged. */
  take(bytes: Buffer, at: number): BackupFrame {
    const length = this.frameBytes(bytes, at);
    const body = at + FRAME_HEADER_BYTES;
    const end = at + length;
    if (crc32(bytes, body, end) !== this.frame.bodyCrc) throw this.damaged('frame');
    const frame: BackupFrame =
      this.frame.kind === KIND_IMAGE ? this.takeRecords(bytes, body, end) : this.takeFooter(bytes, body);
    this.frames++;
    this.chain = chained(this.chain, readWord(bytes, at + FRAME_HEADER_BYTES - 4));
    this.position += length;
    return frame;
  }

  /** The footer whose frame stands in `bytes` for `position`, before the frames ahead of it were read. Throws ERR. */
  peekFooter(bytes: Buffer, position: number): BackupFooter {
    const place = { file: 0, offset: position, salt: this.header.salt };
    const header = readFrameHeader(bytes, 0, place, this.frame) && this.frame.kind === KIND_FOOTER;
    const whole = header && this.frame.bodyBytes === BACKUP_FOOTER_BYTES - FRAME_HEADER_BYTES;
    if (!whole || crc32(bytes, FRAME_HEADER_BYTES, BACKUP_FOOTER_BYTES) !== this.frame.bodyCrc) {
      throw new HearsayError('ERR', 'its footer is missing or damaged');
    }
    return readFooter(bytes, FRAME_HEADER_BYTES);
  }

  private takeRecords(bytes: Buffer, body: number, end: number): BackupFrame {
    const { cursor } = this;
    const pass = readWord(bytes, body);
    const partition = readWord(bytes, body + 4);
    const next = readWord(bytes, body + 12);
    const ended = readWord(bytes, body + 16);
    const inOrder = pass === cursor.pass && partition === cursor.partition && readWord(bytes, body + 8) === cursor.hash;
    if (this.footer !== null || !inOrder || ended > 1 || readWord(bytes, body + 20) !== 0)
      throw this.damaged('order of frames');
    if (ended === 1 ? next !== 0 : next <= cursor.hash) throw this.damaged('order of frames');
    const start = body + BACKUP_TAG_BYTES;
    const { values, tombstones } = this.recordsIn(bytes, start, end, partition);
    this.records += values + tombstones;
    if (pass === 1) {
      this.keys += values;
      this.tombstones += tombstones;
    }
    this.advance(ended === 1 ? -1 : next);
    return { kind: 'records', pass, partition, start, end };
  }

  /** Counts the records of a frame; each is whole, of this partition, and a value or a tombstone. */
  private recordsIn(bytes: Buffer, start: number, end: number, partition: number) {
    const counts = { values: 0, tombstones: 0 };
    for (let at = start; at < end; ) {
      const length = verifyRecord(bytes, at, end);
      if (length === 0) throw this.damaged('record');
      const type = recordType(bytes, at);
      const home = partitionOf(bytes, recordKeyStart(bytes, at), recordKeyEnd(bytes, at), this.header.partitions);
      if (home !== partition || (type !== TYPE_TOMBSTONE && !holdsValue(bytes, at))) throw this.damaged('record');
      if (type !== TYPE_TOMBSTONE) counts.values++;
      else counts.tombstones++;
      at += align8(length);
    }
    return counts;
  }

  private takeFooter(bytes: Buffer, body: number): BackupFrame {
    if (this.footer !== null || !this.complete) throw this.damaged('order of frames');
    const agrees = this.counts().every((count, index) => readWide(bytes, body + index * 8) === count);
    if (!agrees || readWord(bytes, body + 64) !== this.chain || readWord(bytes, body + 68) !== 0) {
      throw this.damaged('footer');
    }
    this.footer = readFooter(bytes, body);
    return { kind: 'footer', pass: this.cursor.pass, partition: 0, start: body, end: body };
  }

  private advance(next: number): void {
    const { cursor } = this;
    cursor.hash = Math.max(0, next);
    if (next >= 0) return;
    cursor.partition++;
    if (cursor.partition < this.header.partitions) return;
    cursor.partition = 0;
    cursor.pass++;
  }

  private counts(): number[] {
    return [this.frames, this.records, this.keys, this.tombstones];
  }

  private seal(bytes: Buffer, kind: number): void {
    const bodyBytes = bytes.length - FRAME_HEADER_BYTES;
    if (bodyBytes > BODY_BYTES_MAX) throw new HearsayError('ERR', 'the entries of one hash are too large for a frame');
    sealFrame(bytes, 0, kind, bodyBytes, this.frames + 1, 0, {
      file: 0,
      offset: this.position,
      salt: this.header.salt,
    });
  }

  private damaged(what: string): HearsayError {
    return damaged(this.position, `${what} (frame ${this.frames + 1})`);
  }
}

function readFooter(bytes: Buffer, body: number): BackupFooter {
  return {
    endHlc: readWide(bytes, body + 32),
    flushedHlc: readWide(bytes, body + 40),
    flushedActor: readWide(bytes, body + 48),
    finishedMs: readWide(bytes, body + 56),
  };
}

/** Folds one more frame's header checksum, which covers its body's, into the chain. */
function chained(chain: number, headerCrc: number): number {
  const words = Buffer.alloc(8);
  writeWord(words, 0, chain);
  writeWord(words, 4, headerCrc);
  return crc32(words, 0, 8);
}

function damaged(position: number, what: string): HearsayError {
  return new HearsayError('ERR', `damaged at byte ${position}: ${what}`);
}
