/**
 * One writer per file: held by `hearsay backup` for FILE while it writes FILE.part, and by `hearsay campaign` for its state, under a name made of the directory's device and
 * inode and of the file's name (system/name-lock.ts). Where there are no such locks two writers are not kept apart; but what both
 * wrote to does not pass the reading that comes before FILE gets its name. Guarded: at most one holder of a file at a time.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import { HAS_NAME_LOCKS, lockName } from '../system/name-lock.js';

/** Holds `path` until the function it returns is called. Throws ERR when another process, `who`, holds it. */
export async function lockFile(path: string, who = 'another backup'): Promise<() => Promise<void>> {
  if (!HAS_NAME_LOCKS) return () => Promise.resolve();
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const name = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16);
  const lock = await lockName(`file-${dev}-${ino}-${name}`);
  if (lock === null) throw new HearsayError('ERR', `${who} is writing it: let that end, or name another file`);
  return () => lock.release();
}
