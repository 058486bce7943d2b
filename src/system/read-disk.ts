/**
 * A data directory opened for reading alone: the disk port without its writing half. `hearsay wal` reads through it, beside a
 * running node too: it takes no lock, creates nothing and opens every file read-only; whatever would write throws EROFS.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import type { Disk, DiskErrorCode, FileHandle } from '../ports/disk.js';
import { DiskError } from '../ports/disk.js';
import { LOCK_NAME } from './data-directory.js';

export class ReadDisk implements Disk {
  private readonly directory: string;

  /** Throws HearsayError DATADIR if there is no such directory. */
  constructor(directory: string) {
    this.directory = resolve(directory);
    if (statSync(this.directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new HearsayError('DATADIR', `${directory} is no directory`);
    }
  }

  /** Id of the process that holds the directory; 0 if none that is alive says so. */
  holder(): number {
    try {
      const pid = Number.parseInt(readFileSync(join(this.directory, LOCK_NAME), 'latin1').slice(0, 16), 10);
      if (!(pid > 0)) return 0;
      process.kill(pid, 0);
      return pid;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' ? -1 : 0;
    }
  }

  list(): string[] {
    const entries = attempt(() => readdirSync(this.directory, { withFileTypes: true }));
    return entries.filter((entry) => entry.isFile() && entry.name !== LOCK_NAME).map((entry) => entry.name);
  }

  open(name: string, create: boolean): FileHandle {
    if (create) refuse();
    return attempt(() => openSync(join(this.directory, name), constants.O_RDONLY));
  }

  close(file: FileHandle): void {
    attempt(() => closeSync(file));
  }

  size(file: FileHandle): number {
    return attempt(() => fstatSync(file).size);
  }

  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number {
    return attempt(() => readSync(file, target, offset, length, position));
  }

  write(): number {
    return refuse();
  }

  truncate(): void {
    refuse();
  }

  sync(): void {
    refuse();
  }

  syncNow(): void {
    refuse();
  }

  prepare(): void {
    refuse();
  }

  rename(): void {
    refuse();
  }

  remove(): void {
    refuse();
  }

  syncDirectory(): void {
    refuse();
  }
}

function refuse(): never {
  throw new DiskError('EROFS', 'the directory is open for reading alone');
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const known: readonly string[] = ['ENOENT', 'EMFILE', 'EACCES'];
    throw new DiskError(known.includes(code ?? '') ? (code as DiskErrorCode) : 'EIO', message);
  }
}
