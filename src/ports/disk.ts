/**
 * Port: one flat directory of files, owned by one node.
 * Laws: `read`, `write` and the directory calls act at once on what the operating system sees (its page cache); only
 * what is given a token takes time, and its completion comes as a `diskCompleted(token, error)` event, in any order between
 * files. What was written but not synced may survive a crash wholly, partly, in any order of 512-byte sectors, or not at all;
 * the same holds for creations, renames and removals not followed by `syncDirectory`. After a failed sync nothing is known
 * about the file's unsynced bytes, and a later success says nothing about them.
 * Calls fail by throwing a DiskError; a short `write` is not an error.
 */
export type FileHandle = number;

export type DiskErrorCode = 'ENOSPC' | 'EIO' | 'ENOENT' | 'EROFS' | 'EMFILE' | 'EACCES';

export class DiskError extends Error {
  readonly code: DiskErrorCode;
  constructor(code: DiskErrorCode, message: string) {
    super(message);
    this.name = 'DiskError';
    this.code = code;
  }
}

/** `awaited`: an acknowledgement waits for it, and it waits for nothing else; `background`: nobody does. */
export type SyncUrgency = 'awaited' | 'background';

export interface Disk {
  /** Names of all files, in no order. */
  list(): string[];
  /** Opens for reading and writing; creates an empty file if it is not there and `create`. */
  open(name: string, create: boolean): FileHandle;
  close(file: FileHandle): void;
  size(file: FileHandle): number;
  /** Reads up to `length` bytes at `position` into `target` at `offset`; returns how many, 0 at the end. May be short. */
  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number;
  /** Writes `bytes[start, end)` at `position`; returns how many were taken, which may be fewer. */
  write(file: FileHandle, position: number, bytes: Uint8Array, start: number, end: number): number;
  truncate(file: FileHandle, size: number): void;
  /** Makes everything written to the file before this call durable (fdatasync). One in flight per file. Default `awaited`. */
  sync(file: FileHandle, token: number, urgency?: SyncUrgency): void;
  /** The same, done before it returns: for start-up and the manifest. */
  syncNow(file: FileHandle): void;
  /** Creates `name` (replacing it) with `bytes` zeroed bytes, synced, without holding up the caller. Blocks are really allocated. */
  prepare(name: string, bytes: number, token: number): void;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Makes creations, renames and removals before this call durable: before it returns, or, with a token, when it completes. */
  syncDirectory(token?: number): void;
}
