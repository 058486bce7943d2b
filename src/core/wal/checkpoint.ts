/**
 * One checkpoint at a time, from its first record until its image is durable. The log begins it at a change of files, passes
 * the live records on, and makes the image the root once `durableImage` gives it. Guarded: whatever goes wrong before that, the
 * image is removed and the state that stood before stays the only one; the next attempt waits. The bytes are written by image.ts.
 */
import type { Disk } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import type { Log } from '../../ports/log.js';
import { ImageWriter } from './image.js';
import type { ImageRef } from './manifest.js';
import { fileName } from './names.js';

const RETRY_MS = 5000;

export class Checkpoint {
  /** The log file and the batch that the log starts at when this checkpoint is the root. */
  walStart = 0;
  walBatch = 0;
  completedCount = 0;
  abandonedCount = 0;
  private readonly disk: Disk;
  private readonly log: Log;
  private image: ImageWriter | null = null;
  private nowMs = 0;
  private notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(ports: { disk: Disk; log: Log }) {
    this.disk = ports.disk;
    this.log = ports.log;
  }

  get running(): boolean {
    return this.image !== null;
  }

  /** Whether records may be added now: one runs, and its syncs keep up. */
  get hasRoom(): boolean {
    return this.image?.finished === false && this.image.hasRoom;
  }

  /** Whether one may begin: none runs, and the last one that failed is some time ago. */
  get mayBegin(): boolean {
    return this.image === null && this.nowMs >= this.notBeforeMs;
  }

  turnEnded(monotonicMs: number, token: () => number): void {
    this.nowMs = monotonicMs;
    if (this.image?.wantsSync) this.attempt((image) => image.startSync(token()));
  }

  begin(number: number, salt: number, walStart: number, walBatch: number): void {
    try {
      this.image = new ImageWriter({ disk: this.disk }, { number, salt });
      this.walStart = walStart;
      this.walBatch = walBatch;
    } catch (error) {
      this.postpone(messageOf(error));
    }
  }

  /** False: there is none to add to, or it was abandoned just now. */
  add(buffer: Buffer, offset: number, length: number): boolean {
    return this.image?.finished === false && this.attempt((image) => image.add(buffer, offset, length));
  }

  /** No more records: the footer is written and, once earlier syncs have returned, synced. */
  end(token: () => number): void {
    if (this.image === null || this.image.finished) return;
    this.attempt((image) => {
      image.finish();
      if (image.wantsSync) image.startSync(token());
    });
  }

  /** A disk event; false if the token is not this checkpoint's. */
  completed(token: number, error: Error | null): boolean {
    if (this.image === null || this.image.syncToken !== token) return false;
    this.image.syncToken = 0;
    if (error !== null) this.abandon(error.message);
    return true;
  }

  /** The image, when all of it is durable. */
  get durableImage(): ImageRef | null {
    return this.image?.durable ? this.image.reference : null;
  }

  /** The image is the root. */
  adopted(): void {
    this.completedCount++;
    this.image?.close();
    this.image = null;
  }

  /** The manifest may or may not name the image: it stays, until a start knows. */
  leave(why: string): void {
    this.image?.close();
    this.image = null;
    this.postpone(why);
  }

  abandon(why: string): void {
    if (this.image === null) return;
    const { number } = this.image;
    this.leave(why);
    this.removeImage(number);
  }

  removeImage(number: number): void {
    try {
      this.disk.remove(fileName('image', number));
    } catch (error) {
      this.log.warn('image not removed', { image: number, why: messageOf(error) });
    }
  }

  postpone(why: string): void {
    this.abandonedCount++;
    this.notBeforeMs = this.nowMs + RETRY_MS;
    this.log.warn('checkpoint abandoned', { why });
  }

  private attempt(step: (image: ImageWriter) => void): boolean {
    if (this.image === null) return false;
    try {
      step(this.image);
      return true;
    } catch (error) {
      this.abandon(messageOf(error));
      return false;
    }
  }
}

/** The message of a disk's refusal; anything else is our own mistake and goes on. */
export function messageOf(error: unknown): string {
  if (!(error instanceof DiskError)) throw error;
  return `${error.code} ${error.message}`;
}
