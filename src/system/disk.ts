/**
 * The disk of the Node world: the port of src/ports/disk.ts over one directory, with raw file descriptors and synchronous
 * calls. What an acknowledgement waits for is synced by a thread of its own (sync-thread.ts); everything else that takes time
 * (syncs of images and of the directory, filling spares, freeing what was removed) goes to libuv's pool in small steps, one
 * step at a time, so that neither waits for the other and an application keeps its pool. The world opens it once and
 * turns its completions into events. Guarded: one process per directory (data-directory.ts). A descriptor is closed only when no
 * call on it is in flight.
 */
import {
  chmodSync,
  close,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import type { Disk, DiskErrorCode, FileHandle, SyncUrgency } from '../ports/disk.js';
import { DiskError } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import { type DirectoryLock, LOCK_NAME, lockDirectory, makeDirectory } from './data-directory.js';
import { DescriptorReserve } from './descriptors.js';
import { SyncThread } from './sync-thread.js';

/** One write into a file that is prepared, and what is written between two syncs of it. */
const FILL_BYTES = 1024 * 1024;
const FILL_SYNC_BYTES = 4 * FILL_BYTES;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const CODES: readonly string[] = ['ENOSPC', 'EIO', 'ENOENT', 'EROFS', 'EMFILE', 'EACCES'];
const CODE_SYNONYMS: Record<string, DiskErrorCode> = {
  EDQUOT: 'ENOSPC',
  EFBIG: 'ENOSPC',
  ENFILE: 'EMFILE',
  EPERM: 'EACCES',
};

type Completed = (token: number, error: Error | null) => void;
type Step = (done: () => void) => void;

export class NodeDisk implements Disk {
  readonly directory: string;
  private readonly completed: Completed;
  private readonly lock: DirectoryLock;
  private readonly directoryFd: number;
  /** Descriptors with calls in flight; one that is closing is closed when they are done. */
  private readonly inFlight = new Map<FileHandle, { calls: number; closing: boolean }>();
  private readonly syncThread: SyncThread;
  private readonly descriptors: DescriptorReserve;
  /** Steps that wait for the pool, the first being there: at most a few, for their callers have one of a kind in flight. */
  private readonly steps: Step[] = [];
  private zeros: Buffer | null = null;

  private constructor(directory: string, completed: Completed, lock: DirectoryLock, log: Log | null) {
    this.directory = directory;
    this.completed = completed;
    this.lock = lock;
    this.syncThread = new SyncThread({ log });
    this.directoryFd = openSync(directory, constants.O_RDONLY);
    this.descriptors = new DescriptorReserve(directory);
  }

  /**
   * Makes the directory if it is not there, closes it to others (mode 0700) and locks it.
   * Throws HearsayError DATADIR when it can not be used or another process has it.
   */
  static async open(directory: string, completed: Completed, log: Log | null = null): Promise<NodeDisk> {
    const path = resolve(directory);
    try {
      makeDirectory(path, DIRECTORY_MODE);
      chmodSync(path, DIRECTORY_MODE);
      const lock = await lockDirectory(path);
      writeFileSync(join(path, LOCK_NAME), `${process.pid}\n`, { mode: FILE_MODE });
      return new NodeDisk(path, completed, lock, log);
    } catch (error) {
      if (error instanceof HearsayError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new HearsayError('DATADIR', `data directory ${path} can not be used: ${why}`);
    }
  }

  /** Lets the directory go. Files must be closed before; calls in flight complete, and those in the sync thread have by then. */
  async release(): Promise<void> {
    await this.syncThread.stop();
    this.descriptors.release();
    this.close(this.directoryFd);
    try {
      unlinkSync(join(this.directory, LOCK_NAME));
    } catch {
      // It names the holder for people; the lock itself is the socket.
    }
    await this.lock.release();
  }

  list(): string[] {
    const entries = attempt(() => readdirSync(this.directory, { withFileTypes: true }));
    return entries.filter((entry) => entry.isFile() && entry.name !== LOCK_NAME).map((entry) => entry.name);
  }

  open(name: string, create: boolean): FileHandle {
    const flags = constants.O_RDWR | (create ? constants.O_CREAT : 0);
    return attempt(() => this.descriptors.open(this.path(name), flags, FILE_MODE));
  }

  close(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight !== undefined) flight.closing = true;
    else this.closeNow(file);
  }

  size(file: FileHandle): number {
    return attempt(() => fstatSync(file).size);
  }

  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number {
    return attempt(() => readSync(file, target, offset, length, position));
  }

  write(file: FileHandle, position: number, bytes: Uint8Array, start: number, end: number): number {
    return attempt(() => writeSync(file, bytes, start, end - start, position));
  }

  truncate(file: FileHandle, size: number): void {
    attempt(() => ftruncateSync(file, size));
  }

  sync(file: FileHandle, token: number, urgency: SyncUrgency = 'awaited'): void {
    this.begin(file);
    const done = (error: { message: string } | null): void => {
      this.end(file);
      this.completed(token, error === null ? null : diskError(error));
    };
    if (urgency === 'awaited') this.syncThread.sync(file, done);
    else
      this.inPool((next) =>
        fdatasync(file, (error) => {
          next();
          done(error);
        }),
      );
  }

  syncNow(file: FileHandle): void {
    attempt(() => fdatasyncSync(file));
  }

  prepare(name: string, bytes: number, token: number): void {
    const path = this.path(name);
    let file: FileHandle;
    try {
      file = this.descriptors.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, FILE_MODE);
    } catch (error) {
      setImmediate(() => this.completed(token, diskError(error)));
      return;
    }
    this.begin(file);
    const done = (error: Error | null): void => {
      this.end(file);
      this.close(file);
      if (error !== null) this.removeQuietly(path);
      this.completed(token, error === null ? null : diskError(error));
    };
    this.fill(file, bytes, 0, done);
  }

  rename(from: string, to: string): void {
    attempt(() => renameSync(this.path(from), this.path(to)));
  }

  /** The name goes at once. The blocks go with the last descriptor, in the pool: freeing a large file takes long. */
  remove(name: string): void {
    const path = this.path(name);
    let held: FileHandle | null = null;
    try {
      held = openSync(path, constants.O_RDONLY);
    } catch {
      // Nothing to hold it by: it is freed by the call below, or that call says why not.
    }
    const holder = held;
    try {
      attempt(() => unlinkSync(path));
    } finally {
      if (holder !== null) this.inPool((next) => close(holder, next));
    }
  }

  syncDirectory(token?: number): void {
    if (token === undefined) {
      attempt(() => fsyncSync(this.directoryFd));
      return;
    }
    this.begin(this.directoryFd);
    this.inPool((next) =>
      fsync(this.directoryFd, (error) => {
        next();
        this.end(this.directoryFd);
        this.completed(token, error === null ? null : diskError(error));
      }),
    );
  }

  /** Writes zeros from `at` on, in steps: one write, or one sync of a few of them. */
  private fill(file: FileHandle, bytes: number, at: number, done: (error: Error | null) => void): void {
    this.zeros ??= Buffer.alloc(FILL_BYTES);
    const zeros = this.zeros;
    this.inPool((next) =>
      write(file, zeros, 0, Math.min(FILL_BYTES, bytes - at), at, (error, written) => {
        next();
        const end = at + written;
        if (error !== null) done(error);
        else if (written === 0) done(new DiskError('ENOSPC', 'a write took nothing'));
        else if (end < bytes && Math.floor(at / FILL_SYNC_BYTES) === Math.floor(end / FILL_SYNC_BYTES))
          this.fill(file, bytes, end, done);
        else this.fillSync(file, bytes, end, done);
      }),
    );
  }

  private fillSync(file: FileHandle, bytes: number, at: number, done: (error: Error | null) => void): void {
    this.inPool((next) =>
      fdatasync(file, (error) => {
        next();
        if (error !== null || at === bytes) done(error);
        else this.fill(file, bytes, at, done);
      }),
    );
  }

  /** Starts `step` when those before it have called their `done`. */
  private inPool(step: Step): void {
    this.steps.push(step);
    if (this.steps.length === 1) step(this.stepDone);
  }

  private readonly stepDone = (): void => {
    this.steps.shift();
    if (this.steps.length > 0) this.steps[0](this.stepDone);
  };

  private begin(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight === undefined) this.inFlight.set(file, { calls: 1, closing: false });
    else flight.calls++;
  }

  private end(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight === undefined || --flight.calls > 0) return;
    this.inFlight.delete(file);
    if (flight.closing) this.closeNow(file);
  }

  private closeNow(file: FileHandle): void {
    attempt(() => closeSync(file));
    this.descriptors.refill();
  }

  private removeQuietly(path: string): void {
    try {
      unlinkSync(path);
    } catch {
      // What is left is a spare of the wrong size, which the next start removes.
    }
  }

  private path(name: string): string {
    if (!/^[\w.-]+$/.test(name) || name.startsWith('..')) throw new DiskError('EACCES', `${name} is no file name`);
    return join(this.directory, name);
  }
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw diskError(error);
  }
}

function diskError(error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  const { code = 'EIO', message = String(error) } = error as NodeJS.ErrnoException;
  const known = CODES.includes(code) ? (code as DiskErrorCode) : (CODE_SYNONYMS[code] ?? 'EIO');
  return new DiskError(known, message);
}
