/**
 * Writes an image: the live records at the time of a checkpoint, in the frames of frame.ts, closed by a footer that counts
 * them. The log drives it in slices, syncs it and then makes it the root; recovery reads it back with FrameReader.
 * It is synced in steps while it grows, one sync in flight, and takes no more while two steps are unsynced: the disk is never
 * handed a backlog that the log's own sync would have to wait behind.
 * Guarded: an image without its footer, or with another one, is never taken for whole; only the manifest names an image.
 */
import type { Disk, FileHandle } from '../../ports/disk.js';
import { align8, copyBytes, readWord, writeWord } from '../record/record.js';
import { FRAME_HEADER_BYTES, KIND_FOOTER, KIND_IMAGE, sealFrame, writeWide } from './frame.js';
import type { ImageRef } from './manifest.js';
import { fileName, writeWhole } from './names.js';

export const FOOTER_BODY_BYTES = 24;
const FRAME_BYTES = 256 * 1024;
const SYNC_STEP_BYTES = 4 * 1024 * 1024;

export class ImageWriter {
  readonly number: number;
  readonly salt: number;
  records = 0;
  frames = 0;
  /** Bytes written so far. */
  position = 0;
  /** Token of the sync in flight; 0 for none. */
  syncToken = 0;
  /** The footer is written. */
  finished = false;
  private readonly disk: Disk;
  private readonly file: FileHandle;
  private buffer = Buffer.allocUnsafeSlow(FRAME_BYTES);
  private used = FRAME_HEADER_BYTES;
  private chain = 0;
  /** Position when the last sync was started, and the one before it, which has returned. */
  private syncStarted = 0;
  private syncDone = 0;

  /** Creates the file. Throws DiskError, as every call here does. */
  constructor(ports: { disk: Disk }, options: { number: number; salt: number }) {
    this.disk = ports.disk;
    this.number = options.number;
    this.salt = options.salt;
    this.file = ports.disk.open(fileName('image', options.number), true);
  }

  get reference(): ImageRef {
    return { number: this.number, salt: this.salt, frames: this.frames, records: this.records };
  }

  add(source: Buffer, offset: number, length: number): void {
    const padded = align8(length);
    if (this.used + padded > this.buffer.length && this.used > FRAME_HEADER_BYTES) this.writeFrame(KIND_IMAGE);
    if (this.used + padded > this.buffer.length) this.buffer = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + padded);
    const { buffer, used } = this;
    copyBytes(source, offset, offset + length, buffer, used);
    for (let pad = used + length; pad < used + padded; pad++) buffer[pad] = 0;
    this.used = used + padded;
    this.records++;
  }

  /** Writes what is left, and the footer. */
  finish(): void {
    if (this.used > FRAME_HEADER_BYTES) this.writeFrame(KIND_IMAGE);
    const body = FRAME_HEADER_BYTES;
    writeWide(this.buffer, body, this.frames);
    writeWide(this.buffer, body + 8, this.records);
    writeWord(this.buffer, body + 16, this.chain);
    writeWord(this.buffer, body + 20, 0);
    this.used = body + FOOTER_BODY_BYTES;
    this.writeFrame(KIND_FOOTER);
    this.finished = true;
  }

  /** A sync is worth starting: a step's worth is unsynced, or the footer is. */
  get wantsSync(): boolean {
    if (this.syncToken !== 0) return false;
    return this.finished ? this.position > this.syncStarted : this.position - this.syncStarted >= SYNC_STEP_BYTES;
  }

  startSync(token: number): void {
    this.syncToken = token;
    this.syncDone = this.syncStarted;
    this.syncStarted = this.position;
    this.disk.sync(this.file, token, 'background');
  }

  /** Less than two steps are unsynced: more may be added. */
  get hasRoom(): boolean {
    const synced = this.syncToken === 0 ? this.syncStarted : this.syncDone;
    return this.position - synced < SYNC_STEP_BYTES * 2;
  }

  /** All of it has been covered by a sync that returned. */
  get durable(): boolean {
    return this.finished && this.syncToken === 0 && this.syncStarted === this.position;
  }

  close(): void {
    this.disk.close(this.file);
  }

  private writeFrame(kind: number): void {
    const place = { file: this.number, offset: this.position, salt: this.salt };
    if (kind === KIND_IMAGE) this.frames++;
    const sequence = kind === KIND_IMAGE ? this.frames : this.frames + 1;
    sealFrame(this.buffer, 0, kind, this.used - FRAME_HEADER_BYTES, sequence, 0, place);
    if (kind === KIND_IMAGE) this.chain = chainCrc(this.chain, readWord(this.buffer, 40));
    writeWhole(this.disk, this.file, this.position, this.buffer, 0, this.used);
    this.position += this.used;
    this.used = FRAME_HEADER_BYTES;
    if (this.buffer.length > FRAME_BYTES) this.buffer = Buffer.allocUnsafeSlow(FRAME_BYTES);
  }
}

/** Folds the checksum of one more frame's body into the footer's. */
export function chainCrc(chain: number, bodyCrc: number): number {
  return (Math.imul(chain, 0x01000193) ^ bodyCrc) >>> 0;
}
