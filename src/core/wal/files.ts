/**
 * The log's files: the one that is written, those behind it whose bytes are not yet known durable, those behind them, the next
 * one, and the spares. The log asks for room, moves on to the next file and retires old ones after a checkpoint.
 * Guarded: a file number is never used twice by one run, so a salt never is, and numbers rise in the order of use; a file's
 * name and size are durable before its first batch is, so that one that was cut short is told; a spare is zero-filled and
 * synced, or recycled, before it is needed, so that a write within it finds its blocks. The next file is named, opened and its
 * name made durable in the background while the current one is written, so that a change of files costs the turn no call of
 * the disk.
 */
import type { Disk, FileHandle } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import { mix32 } from '../base/hash.js';
import { alignPosition8, alignPositionSector, SECTOR_BYTES } from './frame.js';
import { fileName, writeZeros } from './names.js';

export interface LogFile {
  readonly number: number;
  readonly handle: FileHandle;
  readonly salt: number;
  readonly capacity: number;
  /** Its blocks are allocated up to `capacity`. */
  filled: boolean;
  /** Where the next frame may start, before alignment. */
  position: number;
  /** A sync was started since the last frame: the next one begins a sector. */
  sectorNext: boolean;
  /** The last batch written to it, and the last one that a returned sync covers; 0 for none. */
  lastBatch: number;
  syncedBatch: number;
}

/** The file that will be written next. */
interface NextFile {
  readonly number: number;
  readonly handle: FileHandle;
  /** Of the directory sync in flight; 0 when it has returned. */
  token: number;
  /** Its name is durable. */
  named: boolean;
}

const PREPARE_RETRY_MS = 1000;

export class LogFiles {
  /** The file that is written; null before the first, and while none could be made. */
  current: LogFile | null = null;
  /** Files with bytes not yet known durable, oldest first, the current one last. */
  readonly open: LogFile[] = [];
  nextNumber = 1;
  /** Why the last attempt to make a file failed. */
  failure: DiskError | null = null;
  recycled = 0;
  rolls = 0;
  private readonly disk: Disk;
  private readonly fileBytes: number;
  private readonly runSalt: number;
  private spares: string[] = [];
  private closed: { number: number; bytes: number }[] = [];
  private next: NextFile | null = null;
  private preparing: { token: number; name: string } | null = null;
  private prepareFailed = false;
  private retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(ports: { disk: Disk }, options: { fileBytes: number; runSalt: number }) {
    this.disk = ports.disk;
    this.fileBytes = options.fileBytes;
    this.runSalt = options.runSalt;
  }

  /** Takes over what recovery found. */
  adopt(logs: readonly { number: number; bytes: number }[], spares: readonly string[], nextNumber: number): void {
    this.closed = [...logs];
    this.spares = [...spares];
    this.nextNumber = nextNumber;
  }

  /** Files that wait for use, the next one included. */
  get spareCount(): number {
    return this.spares.length + (this.next === null ? 0 : 1);
  }

  /** Bytes that the log takes since its start. */
  get bytes(): number {
    let sum = 0;
    for (const file of this.closed) sum += file.bytes;
    for (const file of this.open) sum += file.position;
    return sum;
  }

  get count(): number {
    return this.closed.length + this.open.length;
  }

  /** Where a frame of `bytes` would start in the current file; -1 if it does not fit. */
  place(bytes: number): number {
    const file = this.current;
    if (file === null) return -1;
    const start = this.start(file);
    return start + bytes <= file.capacity ? start : -1;
  }

  /** The longest frame that will find room, as far as can be known before it is written. */
  get frameBytesMax(): number {
    if (!this.prepareFailed) return Number.POSITIVE_INFINITY;
    const file = this.current;
    const here = file === null ? 0 : file.capacity - this.start(file);
    return this.spareCount > 0 ? Math.max(here, this.fileBytes) : here;
  }

  /**
   * Moves on to a new file with room for `frameBytes` at least. False, and the old one stays, if the disk refuses. Without a spare
   * its blocks are not allocated, unless the caller fills it at once; its size is durable all the same, and not that of a spare.
   */
  roll(frameBytes: number, fills = false): boolean {
    const capacity = Math.max(this.fileBytes, alignPositionSector(frameBytes));
    if (capacity > this.fileBytes) this.putBackNext();
    else if (this.next !== null) return this.rollToNext(this.next);
    const number = this.nextNumber++;
    const spare = capacity === this.fileBytes ? this.spares.pop() : undefined;
    const handle = this.openNamed(number, spare);
    if (handle === null) return false;
    try {
      if (spare === undefined && !fills) this.extend(handle, Math.max(capacity, this.fileBytes + SECTOR_BYTES));
      this.disk.syncDirectory();
    } catch (error) {
      this.note(error);
      this.disk.close(handle);
      this.closed.push({ number, bytes: 0 });
      return false;
    }
    this.begin(number, handle, capacity, spare !== undefined);
    return true;
  }

  private extend(handle: FileHandle, bytes: number): void {
    this.disk.truncate(handle, bytes);
    this.disk.syncNow(handle);
  }

  private rollToNext(next: NextFile): boolean {
    try {
      if (!next.named) this.disk.syncDirectory();
    } catch (error) {
      this.note(error);
      return false;
    }
    this.next = null;
    this.begin(next.number, next.handle, this.fileBytes, true);
    return true;
  }

  /** A file with a higher number comes before it: it is a spare again. */
  private putBackNext(): void {
    if (this.next === null) return;
    const { number, handle } = this.next;
    this.next = null;
    this.disk.close(handle);
    try {
      this.disk.rename(fileName('log', number), fileName('spare', number));
      this.spares.push(fileName('spare', number));
    } catch (error) {
      this.note(error);
      this.closed.push({ number, bytes: this.fileBytes });
    }
  }

  /** Opens log file `number`, made of `spare` or empty; null, and the number is used up, if the disk refuses. */
  private openNamed(number: number, spare: string | undefined): FileHandle | null {
    const name = fileName('log', number);
    try {
      if (spare !== undefined) this.disk.rename(spare, name);
      return this.disk.open(name, spare === undefined);
    } catch (error) {
      this.note(error);
      this.closed.push({ number, bytes: 0 });
      return null;
    }
  }

  /** The first file of a run: at a start there is time to fill it with zeros, if no spare is there. */
  rollFirst(): boolean {
    if (!this.roll(0, true)) return false;
    const file = this.current;
    if (file === null || file.filled) return true;
    try {
      writeZeros(this.disk, file.handle, 0, file.capacity);
      this.disk.syncNow(file.handle);
    } catch (error) {
      this.note(error);
      this.discard(file);
      this.prepareFailed = true;
      return false;
    }
    file.filled = true;
    return true;
  }

  /**
   * The next frame of `file` could not be written: nothing of it stays to be read. A sector that a sync has covered is not written
   * again, for a loss of power could take what it holds.
   */
  withdraw(file: LogFile): void {
    if (file.position === 0) {
      this.discard(file);
      return;
    }
    const start = this.start(file);
    try {
      writeZeros(this.disk, file.handle, start, Math.min(start + SECTOR_BYTES, file.capacity));
    } catch (error) {
      this.note(error);
    }
  }

  /**
   * While the current file is in use, names the next one, and has a spare made when there is none. Also when the log waits for
   * one since the last could not be made.
   */
  prepareNext(monotonicMs: number, token: () => number): void {
    if (this.next !== null || this.preparing !== null) return;
    if (this.current !== null && this.current.position === 0 && !this.prepareFailed) return;
    if (this.spares.length > 0) {
      if (monotonicMs >= this.retryAtMs) this.nameNext(monotonicMs, token());
      return;
    }
    if (this.prepareFailed && monotonicMs < this.retryAtMs) return;
    this.retryAtMs = monotonicMs + PREPARE_RETRY_MS;
    this.preparing = { token: token(), name: fileName('spare', this.nextNumber++) };
    this.disk.prepare(this.preparing.name, this.fileBytes, this.preparing.token);
  }

  private nameNext(monotonicMs: number, token: number): void {
    const number = this.nextNumber++;
    const handle = this.openNamed(number, this.spares.pop());
    if (handle === null) {
      this.retryAtMs = monotonicMs + PREPARE_RETRY_MS;
      return;
    }
    this.next = { number, handle, token, named: false };
    this.disk.syncDirectory(token);
  }

  /** A preparation completed, of a spare or of the next file's name; false if the token is none of ours. */
  prepared(token: number, error: Error | null): boolean {
    if (this.next !== null && this.next.token === token) {
      this.next.token = 0;
      this.next.named = error === null;
      return true;
    }
    if (this.preparing === null || this.preparing.token !== token) return false;
    if (error === null) this.spares.push(this.preparing.name);
    else if (error instanceof DiskError) this.failure = error;
    this.prepareFailed = error !== null;
    if (error === null) this.retryAtMs = Number.NEGATIVE_INFINITY;
    this.preparing = null;
    return true;
  }

  /** The oldest file with unsynced batches; files before it that have none are closed. */
  firstUnsynced(): LogFile | null {
    for (;;) {
      const file = this.open[0];
      if (file === undefined) return null;
      if (file.lastBatch > file.syncedBatch) return file;
      if (file === this.current) return null;
      this.shut(file);
    }
  }

  /** Nothing that is open is synced any more: its batches stand elsewhere, or no one asks for it. The current file stays. */
  abandonOlder(): void {
    for (const file of [...this.open]) if (file !== this.current) this.shut(file);
  }

  /** Files below `walStart` are needed no more: those of the usual size become spares, `sparesMax` in all, the others go. */
  retire(walStart: number, sparesMax: number): void {
    for (const file of [...this.open]) if (file.number < walStart && file !== this.current) this.shut(file);
    const old = this.closed.filter((file) => file.number < walStart);
    this.closed = this.closed.filter((file) => file.number >= walStart);
    for (const { number, bytes } of old) {
      const name = fileName('log', number);
      try {
        if (bytes === this.fileBytes && this.spares.length < sparesMax) {
          const spare = fileName('spare', number);
          this.disk.rename(name, spare);
          this.spares.unshift(spare);
          this.recycled++;
          this.prepareFailed = false;
        } else this.disk.remove(name);
      } catch (error) {
        this.note(error);
      }
    }
    this.dropSpares(sparesMax);
  }

  private dropSpares(sparesMax: number): void {
    while (this.spares.length > sparesMax) {
      try {
        this.disk.remove(this.spares[0]);
      } catch (error) {
        this.note(error);
        return;
      }
      this.spares.shift();
    }
  }

  /** Closes every handle; the files stay. */
  shutAll(): void {
    this.current = null;
    for (const file of [...this.open]) this.shut(file);
    if (this.next !== null) this.disk.close(this.next.handle);
    this.next = null;
  }

  private start(file: LogFile): number {
    return file.sectorNext ? alignPositionSector(file.position) : alignPosition8(file.position);
  }

  private begin(number: number, handle: FileHandle, capacity: number, filled: boolean): void {
    const salt = mix32(this.runSalt, number);
    const start = { position: 0, sectorNext: false, lastBatch: 0, syncedBatch: 0 };
    this.current = { number, handle, salt, capacity, filled, ...start };
    this.open.push(this.current);
    this.rolls++;
  }

  private shut(file: LogFile): void {
    this.disk.close(file.handle);
    this.open.splice(this.open.indexOf(file), 1);
    this.closed.push({ number: file.number, bytes: file.filled ? file.capacity : file.position });
  }

  private discard(file: LogFile): void {
    this.open.splice(this.open.indexOf(file), 1);
    this.current = null;
    this.disk.close(file.handle);
    try {
      this.disk.remove(fileName('log', file.number));
    } catch (error) {
      this.note(error);
    }
  }

  private note(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    this.failure = error;
  }
}
