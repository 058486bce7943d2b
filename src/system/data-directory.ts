/**
 * A data directory before anything is read from it: made, and held by one process. The disk (disk.ts) opens its own through this,
 * and the command line asks here before it empties one or starts several nodes on them.
 * Guarded: one process per directory. The lock is a name made of device and inode (name-lock.ts); where there are no such locks it is a
 * file with the id of a process, void when that process is gone. Making a directory ends, wherever it is asked for.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import { HAS_NAME_LOCKS, lockName } from './name-lock.js';

/** File that names the holder, for people; where there are no locks of names it is the lock itself. */
export const LOCK_NAME = 'lock';

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Makes a directory and those above it that are missing. Node's own way to do so (`recursive`) never ends where the system
 * answers ENOENT to a directory whose parent is there, as in /proc; this takes each step once. Throws what the system says.
 */
export function makeDirectory(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const each of missing) {
    try {
      mkdirSync(each, { mode });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new Error(`${dirname(each)} takes no directories`);
      // Another process was faster: whether it made a directory is seen below.
      if (code !== 'EEXIST') throw error;
    }
  }
  if (!statSync(path).isDirectory()) throw new Error('it is no directory');
}

/** Holds a directory that is there for as long as this process lives. Throws HearsayError DATADIR when another process does. */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const directory = resolve(path);
  if (!HAS_NAME_LOCKS) {
    assertFree(directory);
    return { release: () => Promise.resolve() };
  }
  const { dev, ino } = statSync(directory, { bigint: true });
  const lock = await lockName(`${dev}-${ino}`);
  if (lock === null) throw inUse(directory, holder(directory));
  return lock;
}

/** Without locks of names: the process that the lock file names must be gone. */
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
