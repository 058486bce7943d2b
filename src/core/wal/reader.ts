/**
 * Reads the frames of one log or image through a window, wherever they stand. Recovery drives it and gets back
 * positions; a header counts only for its own place (see frame.ts), a body only by its checksum.
 * Guarded: no allocation exceeds the size of the file, whatever a header claims, and nothing is written.
 */
import type { Disk, FileHandle } from '../../ports/disk.js';
import { crc32 } from '../base/crc32.js';
import { align8, readWord, recordIsFormed } from '../record/record.js';
import type { FrameHeader, FramePlace } from './frame.js';
import {
  alignPosition8,
  alignPositionSector,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  readFrameHeader,
  resemblesFrame,
} from './frame.js';

/** Called with each record; the bytes are only lent. */
export type RecordVisitor = (buffer: Buffer, offset: number, length: number) => void;

const WINDOW_BYTES = 1024 * 1024;

export class FrameReader {
  /** The header that `find` met last. */
  readonly header: FrameHeader = { kind: 0, bodyBytes: 0, batch: 0, durable: 0, bodyCrc: 0 };
  /** Its position in the file. */
  position = 0;
  readonly fileBytes: number;
  private readonly disk: Disk;
  private readonly file: FileHandle;
  private readonly place: FramePlace;
  private window: Buffer;
  private windowStart = 0;
  private windowEnd = 0;

  constructor(ports: { disk: Disk }, file: FileHandle, number: number, salt: number) {
    this.disk = ports.disk;
    this.file = file;
    this.place = { file: number, offset: 0, salt };
    this.fileBytes = ports.disk.size(file);
    this.window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, Math.max(FRAME_HEADER_BYTES, this.fileBytes)));
  }

  /** Finds the first valid header at or after `from`; false if there is none up to the end of the file. */
  find(from: number): boolean {
    for (let position = alignPosition8(from); ; position += 8) {
      const at = this.load(position, FRAME_HEADER_BYTES);
      if (at < 0) return false;
      if (readWord(this.window, at) !== FRAME_MAGIC) continue;
      this.place.offset = position;
      if (!readFrameHeader(this.window, at, this.place, this.header)) continue;
      this.position = position;
      return true;
    }
  }

  /** Where the frame behind `end` began, if a damaged header still tells; -1 if nothing there does. */
  remnant(end: number): number {
    for (const position of [alignPosition8(end), alignPositionSector(end)]) {
      const at = this.load(position, FRAME_HEADER_BYTES);
      this.place.offset = position;
      if (at >= 0 && resemblesFrame(this.window, at, this.place)) return position;
    }
    return -1;
  }

  /** Position behind the frame that `find` met. */
  get end(): number {
    return this.position + FRAME_HEADER_BYTES + this.header.bodyBytes;
  }

  /** Whether the body of the frame lies in the file whole and unharmed. */
  bodyHolds(): boolean {
    const at = this.load(this.position, FRAME_HEADER_BYTES + this.header.bodyBytes);
    if (at < 0) return false;
    const body = at + FRAME_HEADER_BYTES;
    return crc32(this.window, body, body + this.header.bodyBytes) === this.header.bodyCrc;
  }

  /**
   * Visits the records of a frame whose body holds. Returns how many; a malformed one ends the frame. The checksum of the body has just
   * held over the same bytes that the records' own checksums cover, so these are left to whoever sends a record on, and to `verify`.
   */
  visitRecords(visit: RecordVisitor): { records: number; whole: boolean } {
    const body = this.load(this.position, FRAME_HEADER_BYTES + this.header.bodyBytes) + FRAME_HEADER_BYTES;
    const limit = body + this.header.bodyBytes;
    let records = 0;
    for (let at = body; at < limit; ) {
      const length = recordIsFormed(this.window, at, limit);
      if (length === 0) return { records, whole: false };
      visit(this.window, at, length);
      records++;
      at += align8(length);
    }
    return { records, whole: true };
  }

  /** The frame that `find` met, in memory lent until the next call: where it lies there. Its body holds. */
  lendFrame(): { bytes: Buffer; at: number } {
    const at = this.load(this.position, this.end - this.position);
    return { bytes: this.window, at };
  }

  /** A word of the body, for the footer of an image. */
  bodyWord(offset: number): number {
    return readWord(this.window, this.load(this.position, this.end - this.position) + FRAME_HEADER_BYTES + offset);
  }

  /** Brings `[position, position + bytes)` into the window; returns where it lies there, -1 if the file ends before. */
  private load(position: number, bytes: number): number {
    if (position >= this.windowStart && position + bytes <= this.windowEnd) return position - this.windowStart;
    if (position + bytes > this.fileBytes) return -1;
    if (bytes > this.window.length) this.window = Buffer.allocUnsafeSlow(bytes);
    const wanted = Math.min(this.window.length, this.fileBytes - position);
    let filled = 0;
    while (filled < wanted) {
      const count = this.disk.read(this.file, position + filled, this.window, filled, wanted - filled);
      if (count === 0) break;
      filled += count;
    }
    this.windowStart = position;
    this.windowEnd = position + filled;
    return filled >= bytes ? 0 : -1;
  }
}
