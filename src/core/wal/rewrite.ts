/**
 * Makes durable what recovery found but nothing proves durable: writes those frames again, into files of the new run. The log calls
 * it after the repair; its next manifest names the run and makes the copies count, all of them at once.
 *
 * To sync what was read is not enough: after a sync that failed the kernel holds the lost pages as clean, so the next process reads
 * them as sound, its sync finds nothing to write and succeeds, and a loss of power takes them (Rebello et al., ATC'20). No process can
 * tell such pages from sound ones: who was told of the failure may be dead. Writing the same bytes in place would dirty the pages, but
 * put at risk sectors that are durable and acknowledged, if power fails meanwhile. So the rule is: above the last batch that a header,
 * the manifest or the image says was durable, every frame is written anew and synced before it counts as durable. That is what came
 * after the last sync but one, a few megabytes at most; after a shutdown in order it is nothing.
 * Guarded: until the manifest names the new run the copies are of a salt that nobody reads, and what they copy stands untouched.
 */
import type { Disk, FileHandle } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import { HearsayError } from '../base/errors.js';
import { FRAME_HEADER_BYTES, sealFrame } from './frame.js';
import type { Manifest } from './manifest.js';
import { saltOf } from './manifest.js';
import { fileName, writeWhole } from './names.js';
import { FrameReader } from './reader.js';
import type { Fold } from './recovery.js';

export interface RewriteOptions {
  /** The first number that no file has. */
  nextNumber: number;
  /** A file ends before it would be longer than this, unless one frame alone is. */
  fileBytes: number;
  /** The salt of a file of the new run. */
  saltOf: (number: number) => number;
}

/**
 * Returns the files written, with their sizes, durable by name and content; null if there is no room, and then none is left. Throws
 * DiskError for any other refusal; what is left then is of a run that no manifest names.
 */
export function rewriteDoubtful(
  disk: Disk,
  manifest: Manifest,
  fold: Fold,
  options: RewriteOptions,
): { number: number; bytes: number }[] | null {
  const copies = new Copies(disk, fold.provenBatch, options);
  try {
    let done = fold.provenBatch;
    for (const { number, from, to } of fold.doubtful) {
      const source = disk.open(fileName('log', number), false);
      try {
        const reader = new FrameReader({ disk }, source, number, saltOf(manifest.runs, number));
        for (let at = from; at < to && reader.find(at); ) {
          const holds = reader.bodyHolds();
          at = holds ? reader.end : reader.position + 8;
          if (!holds || reader.header.batch <= done) continue;
          done = reader.header.batch;
          copies.add(reader);
        }
      } finally {
        disk.close(source);
      }
    }
    if (done !== fold.lastBatch) throw new HearsayError('DATADIR', 'the log reads differently each time');
    copies.end();
    return copies.files;
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error;
    copies.remove();
    return null;
  } finally {
    copies.close();
  }
}

class Copies {
  readonly files: { number: number; bytes: number }[] = [];
  private handle: FileHandle | null = null;
  private position = 0;
  private number: number;

  constructor(
    private readonly disk: Disk,
    private readonly durable: number,
    private readonly options: RewriteOptions,
  ) {
    this.number = options.nextNumber - 1;
  }

  add(reader: FrameReader): void {
    const { kind, bodyBytes, batch } = reader.header;
    const length = FRAME_HEADER_BYTES + bodyBytes;
    if (this.handle !== null && this.position + length > this.options.fileBytes) this.endFile();
    this.handle ??= this.disk.open(fileName('log', ++this.number), true);
    const { bytes, at } = reader.lendFrame();
    const place = { file: this.number, offset: this.position, salt: this.options.saltOf(this.number) };
    sealFrame(bytes, at, kind, bodyBytes, batch, this.durable, place);
    writeWhole(this.disk, this.handle, this.position, bytes, at, at + length);
    this.position += length;
  }

  end(): void {
    if (this.handle !== null) this.endFile();
    if (this.files.length > 0) this.disk.syncDirectory();
  }

  /** Before a manifest could make a part of them count. */
  remove(): void {
    this.close();
    const listed = new Set(this.disk.list());
    for (let number = this.options.nextNumber; number <= this.number; number++) {
      const name = fileName('log', number);
      if (listed.has(name)) this.disk.remove(name);
    }
    this.disk.syncDirectory();
  }

  close(): void {
    if (this.handle !== null) this.disk.close(this.handle);
    this.handle = null;
  }

  private endFile(): void {
    if (this.handle === null) return;
    this.disk.syncNow(this.handle);
    this.close();
    this.files.push({ number: this.number, bytes: this.position });
    this.position = 0;
  }
}
