/**
 * Whether a file or directory that a verb is to write can be written, asked before its work begins: export.ts and bench.ts would
 * otherwise know after minutes. Each answer is a line for the user, or null.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../system/data-directory.js';

/** A file that is written under another name beside it and then renamed: its directory must be there. */
export function fileProblem(path: string): string | null {
  return problemOf(`${path} can not be written`, () => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return `${path} is a directory, not a file`;
    const folder = dirname(path);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return `there is no directory ${folder}`;
    accessSync(folder, constants.W_OK);
    return null;
  });
}

/** A file that is written where it stands, be it a device; the directory of one that is not there is made. */
export function placeProblem(path: string): string | null {
  return problemOf(`${path} can not be written`, () => {
    if (!existsSync(path)) return directoryProblem(dirname(path));
    if (statSync(path).isDirectory()) return `${path} is a directory, not a file`;
    accessSync(path, constants.W_OK);
    return null;
  });
}

/** A directory, which is made if it is not there. */
export function directoryProblem(path: string): string | null {
  return problemOf(`${path} can not be used`, () => {
    makeDirectory(path);
    accessSync(path, constants.W_OK);
    return null;
  });
}

/** What `look` finds wrong; what the system refuses it comes behind `what`. */
function problemOf(what: string, look: () => string | null): string | null {
  try {
    return look();
  } catch (error) {
    return `${what}: ${(error as Error).message}`;
  }
}
