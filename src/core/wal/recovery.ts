/**
 * Recovery: a fold over the bytes of a data directory. The log calls it at start: `foldDirectory` reads the image and then
 * the log files in order and hands every verified record out; `repairDirectory` then writes what has to be written.
 * Guarded: the fold writes nothing, so a crash within it changes nothing, and folding twice gives the same.
 *
 * Batches are numbered without gaps, over all files. A file is read up to the first batch of any later file, which is how
 * batches written again after a failed sync take the place of the doubtful ones. A batch that is missing or damaged is rot if
 * any valid header says it was durable: it is counted and set aside, and reading goes on behind it. Otherwise a crash may
 * leave exactly this behind: a torn tail, which is cut there, with all that follows. A good frame that nothing says was durable is
 * doubtful: it counts, and rewrite.ts tells why it is then written again. What no crash leaves is a loss like rot: a file with frames
 * that is shorter than it was made, unless the log was closed in order there or goes on behind it without a gap; and an end before the
 * last batch that the manifest says was durable.
 *
 * Order under a bound on memory: the past first, the newest last, because the receiver gives up the oldest of what it was given
 * when it has no more room. The log is in order as it stands, an image is not: one that may not fit beside its log is read in
 * several passes, a band of ages each, from the oldest. Newest first, with what was seen first winning, would read less, but what is
 * newest would then be the first to be evicted after the start, and an expiry change would come before the value it names. Tombstones
 * and everything that is no value are handed out in the first pass, so a delete wins whatever is given up later.
 */
import type { Disk } from '../../ports/disk.js';
import { HearsayError } from '../base/errors.js';
import { holdsValue, recordExpiryHlc, recordHlc } from '../record/record.js';
import { AgeSample } from './ages.js';
import { KIND_BATCH, KIND_FOOTER, KIND_IMAGE, KIND_SHUTDOWN, SECTOR_BYTES } from './frame.js';
import { chainCrc, FOOTER_BODY_BYTES } from './image.js';
import type { ImageRef, Manifest } from './manifest.js';
import { madeBytesOf, saltOf } from './manifest.js';
import { fileName, namedFiles } from './names.js';
import type { RecordVisitor } from './reader.js';
import { FrameReader } from './reader.js';

/** Bytes `[from, to)` of a log or image that do not hold. */
export interface Region {
  kind: 'log' | 'image';
  number: number;
  from: number;
  to: number;
}

/** A stretch of a log file with frames that count, the last of them of batch `last`. */
export interface Span {
  number: number;
  from: number;
  to: number;
  last: number;
}

export interface Fold {
  records: number;
  batches: number;
  /** The last batch that counts; the next one written follows it. */
  lastBatch: number;
  /** Batches up to here were durable: a header, the manifest or the image says so. */
  provenBatch: number;
  /** Where the frames above `provenBatch` stand, in order; a span may begin with frames that are proven. */
  doubtful: Span[];
  /** Batches or image frames that were durable and are not readable. */
  rotFrames: number;
  rot: Region[];
  /** Where the log is cut, and up to where its bytes were read as frames; null for a log that ends in order. */
  torn: Region | null;
  /** Position of the first header in the torn region. */
  tornAt: number;
  tornTailBytes: number;
  cleanShutdown: boolean;
  maxHlc: number;
  /** Size of the image: about what lives. */
  imageBytes: number;
  notes: string[];
  /** Numbers of the log files that count, ascending. */
  logs: number[];
  /** Files at the end in which nothing was ever written. */
  blank: number[];
}

export interface FoldOptions {
  /** What the receiver holds before it gives up the oldest, bytes. Default: everything. */
  holdsBytes?: number;
}

const NOTES_MAX = 32;
/** Passes over an image that may not fit: what is given up wrongly is at most about one band. */
const BANDS = 4;
/** What a receiver may need beside a record's own bytes, for an estimate: its envelope and its place in the index. */
const RECORD_OVERHEAD_BYTES = 28;
const REGIONS_MAX = 32;
/** A span of doubtful frames takes in no more once it has this length: so the list of spans stays short. */
const SPAN_BYTES = 1024 * 1024;

/** Reads everything the manifest names. Throws HearsayError DATADIR if a file it names is missing; DiskError if unreadable. */
export function foldDirectory(
  disk: Disk,
  manifest: Manifest,
  visit: RecordVisitor,
  { holdsBytes = Number.POSITIVE_INFINITY }: FoldOptions = {},
): Fold {
  const numbers = namedFiles(disk.list())
    .filter((file) => file.kind === 'log' && file.number >= manifest.walStart)
    .map((file) => file.number);
  const fold = new Folder(disk, manifest, numbers, visit);
  if (manifest.image !== null) fold.foldImage(manifest.image, holdsBytes);
  fold.foldLog();
  return fold.result;
}

class Folder {
  readonly result: Fold;
  private readonly disk: Disk;
  private readonly manifest: Manifest;
  private readonly numbers: number[];
  private readonly visit: RecordVisitor;
  private scanned = false;
  /** The last file with frames, if it is shorter than it was made. */
  private cutShort: Region | null = null;

  constructor(disk: Disk, manifest: Manifest, numbers: number[], visit: RecordVisitor) {
    this.disk = disk;
    this.manifest = manifest;
    this.numbers = numbers;
    const counts = { records: 0, batches: 0, rotFrames: 0, tornAt: 0, tornTailBytes: 0, maxHlc: 0, imageBytes: 0 };
    const lists = { rot: [], notes: [], logs: numbers, blank: [], doubtful: [] };
    const lastBatch = manifest.walBatch - 1;
    const provenBatch = Math.max(lastBatch, manifest.durableBatch);
    this.result = { ...counts, ...lists, lastBatch, provenBatch, torn: null, cleanShutdown: false };
    this.visit = (buffer, offset, length) => {
      const hlc = Math.max(recordHlc(buffer, offset), recordExpiryHlc(buffer, offset));
      if (hlc > this.result.maxHlc) this.result.maxHlc = hlc;
      visit(buffer, offset, length);
    };
  }

  foldImage(image: ImageRef, holdsBytes: number): void {
    const name = fileName('image', image.number);
    if (!this.disk.list().includes(name)) {
      throw new HearsayError('DATADIR', `${name}, which the manifest names, is missing`);
    }
    this.withReader('image', image.number, image.salt, (reader) => {
      this.result.imageBytes = reader.fileBytes;
      const neededBytes = reader.fileBytes + image.records * RECORD_OVERHEAD_BYTES + this.logBytes();
      if (neededBytes <= holdsBytes) this.passImage(reader, image, this.visit, true);
      else this.foldImageByAge(reader, image);
    });
  }

  private foldImageByAge(reader: FrameReader, image: ImageRef): void {
    const ages = new AgeSample(reader.fileBytes);
    const first: RecordVisitor = (buffer, offset, length) => {
      if (holdsValue(buffer, offset)) ages.add(recordHlc(buffer, offset), length);
      else this.visit(buffer, offset, length);
    };
    this.passImage(reader, image, first, true);
    const bounds = ages.bounds(BANDS);
    for (let band = 0; band + 1 < bounds.length; band++) {
      const from = bounds[band];
      const below = bounds[band + 1];
      const visit: RecordVisitor = (buffer, offset, length) => {
        const hlc = recordHlc(buffer, offset);
        if (hlc >= from && hlc < below && holdsValue(buffer, offset)) this.visit(buffer, offset, length);
      };
      this.passImage(reader, image, visit, false);
    }
  }

  /** Reads the image once; what is found of damage counts in one pass only. */
  private passImage(reader: FrameReader, image: ImageRef, visit: RecordVisitor, counts: boolean): void {
    let frames = 0;
    let chain = 0;
    let footer = false;
    let end = 0;
    const rot = (from: number, to: number, lost: number) => {
      if (counts) this.noteRot('image', image.number, from, to, lost);
    };
    for (let from = 0; reader.find(from); ) {
      if (!reader.bodyHolds()) {
        from = reader.position + 8;
        continue;
      }
      const { kind, batch, bodyCrc, bodyBytes } = reader.header;
      if (batch > frames + 1) rot(end, reader.position, batch - frames - 1);
      end = reader.end;
      from = end;
      if (kind === KIND_FOOTER && bodyBytes === FOOTER_BODY_BYTES) {
        const counted = reader.bodyWord(0) === image.frames && reader.bodyWord(8) === image.records;
        footer = batch === image.frames + 1 && counted && (batch > frames + 1 || reader.bodyWord(16) === chain);
        frames = batch - 1;
        break;
      }
      if (kind !== KIND_IMAGE) continue;
      frames = batch;
      chain = chainCrc(chain, bodyCrc);
      const { records, whole } = reader.visitRecords(visit);
      if (counts) this.result.records += records;
      if (!whole) rot(reader.position, reader.end, 1);
    }
    if (!footer) rot(end, reader.fileBytes, Math.max(1, image.frames - frames));
  }

  private logBytes(): number {
    let bytes = 0;
    for (const number of this.numbers) {
      this.withReader('log', number, 0, (reader) => {
        bytes += reader.fileBytes;
      });
    }
    return bytes;
  }

  foldLog(): void {
    this.readLog();
    const { result } = this;
    result.provenBatch = Math.min(result.provenBatch, result.lastBatch);
    result.doubtful = result.doubtful.filter((span) => span.last > result.provenBatch);
  }

  private readLog(): void {
    const limits = this.limits();
    let goodFile = -1;
    let goodEnd = 0;
    let damaged: Region | null = null;
    let damagedAt = 0;
    let lastUsed = -1;
    for (let index = 0; index < this.numbers.length && this.result.torn === null; index++) {
      const number = this.numbers[index];
      this.withReader('log', number, saltOf(this.manifest.runs, number), (reader) => {
        let from = 0;
        while (this.result.lastBatch + 1 < limits[index] && reader.find(from)) {
          lastUsed = index;
          const gapFrom = goodFile === number ? goodEnd : 0;
          if (!reader.bodyHolds()) {
            if (damaged === null) damagedAt = reader.position;
            damaged ??= { kind: 'log', number, from: gapFrom, to: 0 };
            if (damaged.number === number) damaged.to = Math.min(reader.end, reader.fileBytes);
            from = reader.position + 8;
            continue;
          }
          const missing = reader.header.batch - this.result.lastBatch - 1;
          if (missing > 0) {
            if (this.cutShort === null && this.result.lastBatch >= this.proven(index)) {
              if (damaged === null) damagedAt = reader.position;
              this.cut(damaged ?? { kind: 'log', number, from: gapFrom, to: reader.end }, damagedAt);
              return;
            }
            if (damaged !== null && damaged.number !== number)
              this.noteRot('log', damaged.number, damaged.from, damaged.to, missing);
            else if (damaged === null && reader.position === 0)
              this.noteLost(missing, `before ${fileName('log', number)}`);
            else this.noteRot('log', number, gapFrom, reader.position, missing);
          }
          damaged = null;
          this.takeFrame(reader, number);
          goodFile = number;
          goodEnd = reader.end;
          from = goodEnd;
        }
        if (lastUsed === index) this.noteCutShort(number, goodFile === number ? goodEnd : 0, reader.fileBytes);
      });
    }
    if (this.result.torn !== null) return;
    if (damaged === null) {
      const remnant = this.remnant(lastUsed, goodEnd);
      if (remnant !== null) {
        damaged = remnant.region;
        damagedAt = remnant.at;
        lastUsed = this.numbers.indexOf(damaged.number);
      }
    }
    if (damaged !== null) this.endDamaged(damaged, damagedAt);
    else this.endEarly();
    this.result.blank = this.result.logs.slice(lastUsed + 1);
    this.result.logs = this.result.logs.slice(0, lastUsed + 1);
  }

  private takeFrame(reader: FrameReader, number: number): void {
    const { kind, batch, durable } = reader.header;
    this.result.cleanShutdown = kind === KIND_SHUTDOWN;
    this.result.provenBatch = Math.max(this.result.provenBatch, durable);
    // It holds nothing and follows what is durable: the next batch has its number and takes its place.
    if (kind === KIND_SHUTDOWN && durable === batch - 1) return;
    this.result.lastBatch = Math.max(this.result.lastBatch, batch);
    this.doubt(reader, number);
    if (kind !== KIND_BATCH) return;
    this.result.batches++;
    const { records, whole } = reader.visitRecords(this.visit);
    this.result.records += records;
    if (!whole) this.noteRot('log', number, reader.position, reader.end, 1);
  }

  /** Notes where a frame stands while nothing says it was durable, and lets go of those that are proven by now. */
  private doubt(reader: FrameReader, number: number): void {
    const { doubtful, provenBatch } = this.result;
    if (doubtful.length > 0 && doubtful[doubtful.length - 1].last <= provenBatch) doubtful.length = 0;
    const { batch } = reader.header;
    const span = doubtful[doubtful.length - 1];
    if (span?.number === number && span.to - span.from < SPAN_BYTES) {
      span.to = reader.end;
      span.last = batch;
    } else if (batch > provenBatch) doubtful.push({ number, from: reader.position, to: reader.end, last: batch });
  }

  /** Behind the last good frame, or at the front of the file after it: a frame of which only a damaged header is left. */
  private remnant(lastUsed: number, goodEnd: number): { region: Region; at: number } | null {
    const ends: [number, number][] = [
      [lastUsed, goodEnd],
      [lastUsed + 1, 0],
    ];
    let found: { region: Region; at: number } | null = null;
    for (const [index, from] of ends) {
      if (found !== null || index < 0 || index >= this.numbers.length) continue;
      const number = this.numbers[index];
      this.withReader('log', number, saltOf(this.manifest.runs, number), (reader) => {
        const at = reader.remnant(from);
        if (at < 0) return;
        found = { region: { kind: 'log', number, from, to: Math.min(at + SECTOR_BYTES, reader.fileBytes) }, at };
      });
    }
    return found;
  }

  /** Nothing good follows the damage: it is rot if a header proves its first batch durable, else a torn tail. */
  private endDamaged(damaged: Region, at: number): void {
    const missing = this.proven(this.numbers.indexOf(damaged.number)) - this.result.lastBatch;
    if (missing <= 0) {
      if (this.cutShort?.number === damaged.number) this.endCutShort(this.cutShort);
      else this.cut(damaged, at);
      return;
    }
    this.noteRot('log', damaged.number, damaged.from, damaged.to, missing);
    this.result.lastBatch += missing;
    this.result.cleanShutdown = false;
  }

  /** Nothing is damaged; but more may have been durable than is there. */
  private endEarly(): void {
    const missing = this.result.provenBatch - this.result.lastBatch;
    if (missing > 0) {
      this.noteLost(missing, `behind batch ${this.result.lastBatch}, where the log ends`);
      this.result.lastBatch += missing;
      this.result.cleanShutdown = false;
    } else if (this.cutShort !== null && !this.result.cleanShutdown) this.endCutShort(this.cutShort);
  }

  /** Counted as one frame, for nothing says how many there were. */
  private endCutShort(region: Region): void {
    this.result.rotFrames++;
    this.result.cleanShutdown = false;
    if (this.result.rot.length < REGIONS_MAX) this.result.rot.push(region);
    this.note(`what ${fileName('log', region.number)} held behind ${region.from} is lost: how much can not be known`);
  }

  private cut(region: Region, at: number): void {
    this.result.tornAt = at;
    this.result.torn = region;
    this.result.cleanShutdown = false;
    this.result.logs = this.numbers.slice(0, this.numbers.indexOf(region.number) + 1);
    this.result.tornTailBytes = region.to - region.from;
    this.note(`${fileName('log', region.number)} ends torn at ${region.from}: its tail was not written whole`);
  }

  /** For each file the first batch of any later one: from there on the file is superseded. */
  private limits(): number[] {
    const limits: number[] = new Array(this.numbers.length);
    let limit = Number.POSITIVE_INFINITY;
    for (let index = this.numbers.length - 1; index >= 0; index--) {
      limits[index] = limit;
      const number = this.numbers[index];
      this.withReader('log', number, saltOf(this.manifest.runs, number), (reader) => {
        if (reader.find(0) && reader.position === 0 && reader.bodyHolds()) limit = Math.min(limit, reader.header.batch);
      });
    }
    return limits;
  }

  /** The highest batch that anything read so far, or any header in the files from `index` on, says was durable. */
  private proven(index: number): number {
    if (this.scanned) return this.result.provenBatch;
    this.scanned = true;
    for (const number of this.numbers.slice(index)) {
      this.withReader('log', number, saltOf(this.manifest.runs, number), (reader) => {
        for (let from = 0; reader.find(from); from = reader.position + 8) {
          this.result.provenBatch = Math.max(this.result.provenBatch, reader.header.durable);
        }
      });
    }
    return this.result.provenBatch;
  }

  private noteRot(kind: 'log' | 'image', number: number, from: number, to: number, frames: number): void {
    this.result.rotFrames += frames;
    if (this.result.rot.length < REGIONS_MAX) this.result.rot.push({ kind, number, from, to });
    this.note(`${fileName(kind, number)} is damaged between ${from} and ${to}: ${durableText(frames, 'frame')}`);
  }

  /** Batches of which nothing is left to be set aside. */
  private noteLost(batches: number, where: string): void {
    this.result.rotFrames += batches;
    this.note(`${where}: ${durableText(batches, 'batch')}`);
  }

  private noteCutShort(number: number, from: number, to: number): void {
    const madeBytes = madeBytesOf(this.manifest.runs, number);
    this.cutShort = to < madeBytes ? { kind: 'log', number, from, to } : null;
    if (this.cutShort === null) return;
    this.note(`${fileName('log', number)} is cut short: it has ${to} bytes and was made with ${madeBytes}`);
  }

  private note(text: string): void {
    if (this.result.notes.length < NOTES_MAX) this.result.notes.push(text);
  }

  private withReader(kind: 'log' | 'image', number: number, salt: number, run: (reader: FrameReader) => void): void {
    const file = this.disk.open(fileName(kind, number), false);
    try {
      run(new FrameReader({ disk: this.disk }, file, number, salt));
    } finally {
      this.disk.close(file);
    }
  }
}

function durableText(count: number, noun: 'frame' | 'batch'): string {
  if (count === 1) return `1 ${noun} that was durable is lost`;
  return `${count} ${noun === 'batch' ? 'batches' : 'frames'} that were durable are lost`;
}
