/**
 * The data directories of a local cluster before it starts: `hearsay cluster` asks here that nobody uses them, and has them
 * emptied for `--fresh`. Guarded: every directory is held (system/data-directory.ts) from before the first look until the last
 * file is gone; while any of them is in use, or holds what no node wrote, nothing is deleted at all.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import { type DirectoryLock, lockDirectory, makeDirectory } from '../system/data-directory.js';

/** What a node writes into its data directory. */
const NODE_FILES = /^(?:manifest(?:\.tmp)?|lock|(?:log|image|spare|torn|rot)-[\d-]+)$/;

export interface ClusterData {
  /** Holds a directory for each node. */
  directory: string;
  /** Those of the nodes that are about to start. */
  nodeDirectories: readonly string[];
  /** Empty them. */
  fresh: boolean;
}

/** Throws HearsayError DATADIR, with nothing changed, when a directory can not be used as asked. */
export async function prepareClusterData({ directory, nodeDirectories, fresh }: ClusterData): Promise<void> {
  try {
    makeDirectory(directory);
  } catch (error) {
    throw new HearsayError('DATADIR', `data directory ${directory} can not be used: ${(error as Error).message}`);
  }
  const present = nodeDirectories.filter((path) => existsSync(path));
  // The cluster that has this data may be larger than the one asked for: then its other nodes tell that it runs.
  const asked = new Set(fresh ? [...present, ...nodesIn(directory)] : present);
  const locks: DirectoryLock[] = [];
  try {
    for (const path of asked) locks.push(await lockOf(path, fresh));
    if (!fresh) return;
    for (const path of present) refuseForeignFiles(path);
    for (const path of present) {
      for (const name of readdirSync(path)) rmSync(join(path, name));
    }
  } finally {
    for (const lock of locks) await lock.release();
  }
}

/** Directories there that a local cluster has made. */
function nodesIn(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && /^node-\d+$/.test(entry.name))
    .map(({ name }) => join(directory, name));
}

async function lockOf(path: string, fresh: boolean): Promise<DirectoryLock> {
  if (!statSync(path).isDirectory()) throw new HearsayError('DATADIR', `${path} is no directory`);
  try {
    return await lockDirectory(path);
  } catch (error) {
    const why = (error as Error).message;
    const way = fresh ? 'stop it before --fresh; nothing was deleted' : 'stop it, or choose another with --data';
    throw new HearsayError('DATADIR', `${why}: ${way}`);
  }
}

function refuseForeignFiles(path: string): void {
  const foreign = readdirSync(path, { withFileTypes: true }).find(
    (entry) => !entry.isFile() || !NODE_FILES.test(entry.name),
  );
  if (foreign === undefined) return;
  throw new HearsayError('DATADIR', `${join(path, foreign.name)} was not written by a node: --fresh would remove it`);
}
