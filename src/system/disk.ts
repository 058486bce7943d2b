/**
 * The disk of the Node world: the port of src/ports/disk.ts over one directory, with raw file descriptors and synchronous
 * calls; only `sync` and `prepare` use libuv's pool, at most one for a file. The world opens it once and turns its
 * completions into events. Guarded: one process per directory. The lock is a listening socket in Linux's abstract namespace,
 * named by device and inode, which the kernel takes back when the process dies, however it dies; elsewhere it is a file
 * with the id of a process, void when that process is gone. A descriptor is closed only when no call on it is in flight.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import type { Disk, DiskErrorCode, FileHandle } from '../ports/disk.js';
import { DiskError } from '../ports/disk.js';

const LOCK_NAME = 'lock';
const FILL_BYTES = 1024 * 1024;
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

export class NodeDisk implements Disk {
  readonly directory: string;
  private readonly completed: Completed;
  private readonly lock: Server | null;
  private readonly directoryFd: number;
  /** Descriptors with calls in flight; one that is closing is closed when they are done. */
  private readonly inFlight = new Map<FileHandle, { calls: number; closing: boolean }>();
  private zeros: Buffer | null = null;

  private constructor(directory: string, completed: Completed, lock: Server | null) {
    this.directory = directory;
    this.completed = completed;
    this.lock = lock;
    this.directoryFd = openSync(directory, constants.O_RDONLY);
  }

  /**
   * Makes the directory if it is not there, closes it to others (mode 0700) and locks it.
   * Throws HearsayError DATADIR when it can not be used or another process has it.
   */
  static async open(directory: string, completed: Completed): Promise<NodeDisk> {
    const path = resolve(directory);
    try {
      mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
      chmodSync(path, DIRECTORY_MODE);
      const lock = process.platform === 'linux' ? await lockBySocket(path) : null;
      if (lock === null) assertFree(path);
      writeFileSync(join(path, LOCK_NAME), `${process.pid}\n`, { mode: FILE_MODE });
      return new NodeDisk(path, completed, lock);
    } catch (error) {
      if (error instanceof HearsayError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new HearsayError('DATADIR', `data directory ${path} can not be used: ${why}`);
    }
  }

  /** Lets the directory go. Files must be closed before; calls in flight complete. */
  async release(): Promise<void> {
    closeSync(this.directoryFd);
    try {
      unlinkSync(join(this.directory, LOCK_NAME));
    } catch {
      // It names the holder for people; the lock itself is the socket.
    }
    const { lock } = this;
    if (lock !== null) await new Promise<void>((done) => lock.close(() => done()));
  }

  list(): string[] {
    const entries = attempt(() => readdirSync(this.directory, { withFileTypes: true }));
    return entries.filter((entry) => entry.isFile() && entry.name !== LOCK_NAME).map((entry) => entry.name);
  }

  open(name: string, create: boolean): FileHandle {
    return attempt(() => openSync(this.path(name), constants.O_RDWR | (create ? constants.O_CREAT : 0), FILE_MODE));
  }

  close(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight !== undefined) flight.closing = true;
    else attempt(() => closeSync(file));
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

  sync(file: FileHandle, token: number): void {
    this.begin(file);
    fdatasync(file, (error) => {
      this.end(file);
      this.completed(token, error === null ? null : diskError(error));
    });
  }

  syncNow(file: FileHandle): void {
    attempt(() => fdatasyncSync(file));
  }

  prepare(name: string, bytes: number, token: number): void {
    const path = this.path(name);
    let file: FileHandle;
    try {
      file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, FILE_MODE);
    } catch (error) {
      setImmediate(() => this.completed(token, diskError(error)));
      return;
    }
    this.begin(file);
    const done = (error: Error | null) => {
      this.end(file);
      this.close(file);
      if (error !== null) this.removeQuietly(path);
      this.completed(token, error === null ? null : diskError(error));
    };
    this.zeros ??= Buffer.alloc(FILL_BYTES);
    const zeros = this.zeros;
    const fill = (at: number) => {
      if (at >= bytes) {
        fdatasync(file, done);
        return;
      }
      write(file, zeros, 0, Math.min(FILL_BYTES, bytes - at), at, (error, written) => {
        if (error !== null) done(error);
        else if (written === 0) done(new DiskError('ENOSPC', 'a write took nothing'));
        else fill(at + written);
      });
    };
    fill(0);
  }

  rename(from: string, to: string): void {
    attempt(() => renameSync(this.path(from), this.path(to)));
  }

  remove(name: string): void {
    attempt(() => unlinkSync(this.path(name)));
  }

  syncDirectory(): void {
    attempt(() => fsyncSync(this.directoryFd));
  }

  private begin(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight === undefined) this.inFlight.set(file, { calls: 1, closing: false });
    else flight.calls++;
  }

  private end(file: FileHandle): void {
    const flight = this.inFlight.get(file);
    if (flight === undefined || --flight.calls > 0) return;
    this.inFlight.delete(file);
    if (flight.closing) attempt(() => closeSync(file));
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

/** Holds the directory for as long as this process lives. */
function lockBySocket(directory: string): Promise<Server> {
  const { dev, ino } = statSync(directory, { bigint: true });
  return new Promise((done, fail) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      fail(error.code === 'EADDRINUSE' ? inUse(directory, holder(directory)) : error);
    });
    server.listen({ path: `\0hearsay-${dev}-${ino}` }, () => done(server));
  });
}

/** Without abstract sockets: the process that the lock file names must be gone. */
function assertFree(directory: string): void {
  const pid = holder(directory);
  if (pid === 0 || pid === process.pid) return;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
  }
  throw inUse(directory, pid);
}

/** Id of the process that the lock file names; 0 if it names none. */
function holder(directory: string): number {
  try {
    const text = readFileSync(join(directory, LOCK_NAME), 'latin1').slice(0, 16);
    return /^\d+\n$/.test(text) ? Number.parseInt(text, 10) : 0;
  } catch {
    return 0;
  }
}

function inUse(directory: string, pid: number): HearsayError {
  const who = pid === 0 ? '' : ` (pid ${pid})`;
  return new HearsayError('DATADIR', `data directory ${directory} is in use by another process${who}`);
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
