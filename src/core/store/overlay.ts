/**
 * One overlay: what stood for keys before they changed, as long as no later overlay has been begun. Snapshots.ts keeps a chain
 * of them and reads through it. A pre-image is the record's bytes as they stood; "absent" is the head of a tombstone with the
 * key behind it, because nobody who reads the past tells a deleted key from one that never was. Pre-images lie in chunks, found
 * by the same kind of index as the records themselves. Guarded: a key stands here once, as it was first; `bytes` is all memory
 * held; nothing is taken out, an overlay is forgotten whole.
 */
import {
  copyBytes,
  RECORD_HEADER_BYTES,
  recordBytes,
  recordKeyLength,
  recordKeyStart,
  recordType,
  TYPE_TOMBSTONE,
  writeWord,
} from '../record/record.js';
import { Directory, walkSlots } from './directory.js';
import { Slabs } from './slabs.js';

/** Hashes there are: a walk ends before its `end`. */
export const HASHES = 0x100000000;
/** Chunks are a sixteenth of what overlays may take together, within these bounds, so that one that is begun costs little. */
const CHUNK_BYTES_MIN = 1024;
const CHUNK_BYTES_MAX = 64 * 1024;
/** A location: chunk number, then offset / 8. Bits of the latter. */
const OFFSET_BITS = 13;
const OFFSET_MASK = 2 ** OFFSET_BITS - 1;
/** Where a chunk's first pre-image lies: location 0 is an empty slot of the index. */
const CHUNK_START = 8;
/** Longer keys are compared by the native call. */
const LOOP_BYTES_MAX = 32;
const REFERENCE_BYTES = 8;

export class Overlay {
  /** Found by the last `find`; a walk gives locations for the same. */
  location = 0;
  private readonly chunks: Buffer[] = [];
  private used = 0;
  private readonly chunkBytes: number;
  private readonly directories: (Directory | null)[];
  private readonly slabs: Slabs;
  private ownBytes: number;
  private placesBytesMost = 0;

  constructor(partitions: number, bytesMax: number) {
    this.directories = new Array<Directory | null>(partitions).fill(null);
    this.ownBytes = partitions * REFERENCE_BYTES;
    this.slabs = new Slabs(bytesMax);
    let chunkBytes = CHUNK_BYTES_MIN;
    while (chunkBytes < CHUNK_BYTES_MAX && chunkBytes * 32 <= bytesMax) chunkBytes *= 2;
    this.chunkBytes = chunkBytes;
  }

  get bytes(): number {
    return this.ownBytes + this.slabs.bytes;
  }

  directory(partition: number): Directory | null {
    return this.directories[partition];
  }

  bufferOf(location: number): Buffer {
    return this.chunks[location >>> OFFSET_BITS];
  }

  offsetOf(location: number): number {
    return (location & OFFSET_MASK) << 3;
  }

  /** Whether a key's pre-image is here; `location` then names it. */
  find(partition: number, hash: number, key: Uint8Array, start: number, end: number): boolean {
    const directory = this.directories[partition];
    if (directory === null) return false;
    let at = directory.homeOf(hash);
    const { words } = directory;
    for (; words[at + 1] !== 0 && words[at] <= hash; at += 2) {
      const location = words[at + 1];
      if (words[at] !== hash || !keyIs(this.bufferOf(location), this.offsetOf(location), key, start, end)) continue;
      this.location = location;
      return true;
    }
    return false;
  }

  /** Memory that keeping the record at `source`, `at` may take, at most. */
  costBytes(source: Buffer, at: number, absent: boolean): number {
    const length = imageBytes(source, at, absent);
    return CHUNK_START + Math.max(this.chunkBytes, align(length)) + this.placesBytesMost + 2 * this.slabs.growthBytes;
  }

  /** Keeps the record at `source`, `at`, or that its key is absent. The key is not here yet. */
  keep(partition: number, hash: number, source: Buffer, at: number, absent: boolean): void {
    const length = imageBytes(source, at, absent);
    const chunk = this.chunkFor(length);
    const offset = this.used;
    this.used += align(length);
    if (isAbsent(source, at, absent)) writeAbsent(chunk, offset, source, at);
    else copyBytes(source, at, at + length, chunk, offset);
    const location = (((this.chunks.length - 1) << OFFSET_BITS) | (offset >>> 3)) >>> 0;
    const directory = this.directoryOf(partition);
    const before = directory.bytes;
    directory.insert(hash, location);
    this.ownBytes += directory.bytes - before;
    if (directory.bytes > this.placesBytesMost) this.placesBytesMost = directory.bytes;
  }

  /** Visits every pre-image with its partition. */
  forEach(visit: (partition: number, hash: number, buffer: Buffer, offset: number) => void): void {
    for (const [partition, directory] of this.directories.entries()) {
      if (directory === null) continue;
      walkSlots(directory, 0, HASHES, (hash, location) => {
        visit(partition, hash, this.bufferOf(location), this.offsetOf(location));
        return true;
      });
    }
  }

  private directoryOf(partition: number): Directory {
    const known = this.directories[partition];
    if (known !== null) return known;
    const opened = new Directory(this.slabs);
    this.directories[partition] = opened;
    this.ownBytes += opened.bytes;
    return opened;
  }

  /** The chunk with room for `length` more bytes; what does not fit into a fresh one gets a chunk of its own size. */
  private chunkFor(length: number): Buffer {
    const last = this.chunks.length - 1;
    if (last >= 0 && this.used + length <= this.chunks[last].length) return this.chunks[last];
    const chunk = Buffer.allocUnsafeSlow(Math.max(this.chunkBytes, CHUNK_START + align(length)));
    this.chunks.push(chunk);
    this.used = CHUNK_START;
    this.ownBytes += chunk.length;
    return chunk;
  }
}

function isAbsent(source: Buffer, at: number, absent: boolean): boolean {
  return absent || recordType(source, at) === TYPE_TOMBSTONE;
}

function imageBytes(source: Buffer, at: number, absent: boolean): number {
  return isAbsent(source, at, absent) ? RECORD_HEADER_BYTES + recordKeyLength(source, at) : recordBytes(source, at);
}

/** A tombstone's head without stamp or checksum: it never leaves the overlay. */
function writeAbsent(chunk: Buffer, offset: number, source: Buffer, at: number): void {
  const keyLength = recordKeyLength(source, at);
  const keyStart = recordKeyStart(source, at);
  chunk.fill(0, offset, offset + RECORD_HEADER_BYTES);
  writeWord(chunk, offset + 4, RECORD_HEADER_BYTES + keyLength);
  chunk[offset + 8] = TYPE_TOMBSTONE;
  chunk[offset + 10] = keyLength & 0xff;
  chunk[offset + 11] = keyLength >>> 8;
  copyBytes(source, keyStart, keyStart + keyLength, chunk, offset + RECORD_HEADER_BYTES);
}

function keyIs(buffer: Buffer, offset: number, key: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (recordKeyLength(buffer, offset) !== length) return false;
  const at = recordKeyStart(buffer, offset);
  if (length > LOOP_BYTES_MAX) return buffer.compare(key, start, end, at, at + length) === 0;
  for (let index = 0; index < length; index++) if (buffer[at + index] !== key[start + index]) return false;
  return true;
}

function align(bytes: number): number {
  return (bytes + 7) & ~7;
}
