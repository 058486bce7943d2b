/**
 * Whether a file or directory that a verb is to write can be written, asked before its work begins: export.ts and bench.ts would
 * otherwise know after minutes. Each answer is a line for the user, or null.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../system/data-directory.js';

/** A file whose directory is there. */
export function fileProblem(path: string): string | null {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return `${path} is a directory, not a file`;
    const folder = dirname(path);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return `there is no directory ${folder}`;
    accessSync(folder, constants.W_OK);
    return null;
  } catch (error) {
    return `${path} can not be written: ${(error as Error).message}`;
  }
}

/** A directory, which is made if it is not there. */
export function directoryProblem(path: string): string | null {
  try {
    makeDirectory(path);
    accessSync(path, constants.W_OK);
    return null;
  } catch (error) {
    return `${path} can not be used: ${(error as Error).message}`;
  }
}
