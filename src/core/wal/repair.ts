/**
 * What recovery writes once the fold has succeeded: damaged bytes are copied aside, a torn tail is zeroed, files that
 * nothing names are removed, and what was read is synced. The log calls it between the fold and its own first file; rewrite.ts then
 * sees to what that sync can not be trusted with.
 * Guarded: every step leaves a directory that folds to the same records, so a crash between any two is harmless (the manifest that
 * the log writes next makes the changes of names durable with itself); bytes are set aside as far as there is room, and at most
 * one torn tail and eight regions of rot are kept.
 */
import type { Disk } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import { BODY_BYTES_MAX } from './frame.js';
import type { Manifest } from './manifest.js';
import type { NamedFile } from './names.js';
import { asideName, fileName, MANIFEST_DRAFT_NAME, namedFiles, writeWhole, writeZeros } from './names.js';
import type { Fold, Region } from './recovery.js';

export interface Repaired {
  /** Log files that count, with their sizes, and spares of the usual size. */
  logs: { number: number; bytes: number }[];
  spares: string[];
  /** No file of any kind has this number or a higher one. */
  nextNumber: number;
}

const ROT_FILES_MAX = 8;
const COPY_BYTES = 256 * 1024;

/** `fileBytes`: the usual size of a log file. `sparesMax`: how many spares of that size stay. */
export function repairDirectory(
  disk: Disk,
  manifest: Manifest,
  fold: Fold,
  { fileBytes, sparesMax }: { fileBytes: number; sparesMax: number },
): Repaired {
  const found = namedFiles(disk.list());
  const highest = found.reduce((most, file) => Math.max(most, file.number), manifest.walStart);
  setAside(disk, found, fold);
  if (fold.torn !== null) zeroTail(disk, fold.torn, fold.tornAt);
  const logs: Repaired['logs'] = [];
  for (const number of fold.logs) logs.push({ number, bytes: syncWhole(disk, fileName('log', number)) });
  const spares: string[] = [];
  for (const number of fold.blank) {
    const spare = fileName('spare', number);
    disk.rename(fileName('log', number), spare);
    found.push({ name: spare, kind: 'spare', number });
  }
  for (const { name, kind, number } of found) {
    if (kind === 'spare') {
      if (spares.length < sparesMax && durableBytes(disk, name) === fileBytes) spares.push(name);
      else disk.remove(name);
    } else if (kind === 'log' && !fold.logs.includes(number) && !fold.blank.includes(number)) disk.remove(name);
    else if (kind === 'image' && manifest.image?.number !== number) disk.remove(name);
  }
  if (disk.list().includes(MANIFEST_DRAFT_NAME)) disk.remove(MANIFEST_DRAFT_NAME);
  return { logs, spares, nextNumber: highest + 1 };
}

function setAside(disk: Disk, found: readonly NamedFile[], fold: Fold): void {
  const kept = new Set(found.map((file) => file.name));
  let rotFiles = found.filter((file) => file.kind === 'rot').length;
  try {
    for (const region of fold.rot) {
      const name = asideName('rot', region.number, region.from);
      if (rotFiles >= ROT_FILES_MAX || kept.has(name) || region.from >= region.to) continue;
      copyRegion(disk, region, name);
      rotFiles++;
    }
    if (fold.torn === null) return;
    const name = asideName('torn', fold.torn.number, fold.torn.from);
    copyRegion(disk, fold.torn, name);
    for (const file of found) if (file.kind === 'torn' && file.name !== name) disk.remove(file.name);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error;
    fold.notes.push('damaged bytes could not be set aside: no room');
  }
}

function copyRegion(disk: Disk, region: Region, name: string): void {
  const source = disk.open(fileName(region.kind, region.number), false);
  try {
    const target = disk.open(name, true);
    try {
      disk.truncate(target, 0);
      const end = Math.min(region.to, disk.size(source), region.from + BODY_BYTES_MAX);
      const buffer = Buffer.alloc(COPY_BYTES);
      for (let at = region.from; at < end; ) {
        const count = disk.read(source, at, buffer, 0, Math.min(COPY_BYTES, end - at));
        if (count === 0) break;
        writeWhole(disk, target, at - region.from, buffer, 0, count);
        at += count;
      }
      disk.syncNow(target);
    } finally {
      disk.close(target);
    }
  } finally {
    disk.close(source);
  }
}

/** From the first header that is cut on, and not before it: a sector that may be durable is not written again. */
function zeroTail(disk: Disk, torn: Region, from: number): void {
  const file = disk.open(fileName('log', torn.number), false);
  try {
    writeZeros(disk, file, from, disk.size(file));
    disk.syncNow(file);
  } finally {
    disk.close(file);
  }
}

/** After a mere process crash the last batches may stand in the page cache only. Returns the file's size. */
function syncWhole(disk: Disk, name: string): number {
  const file = disk.open(name, false);
  try {
    disk.syncNow(file);
    return disk.size(file);
  } finally {
    disk.close(file);
  }
}

/** The size of a spare: a kill while it was made may have left it in the page cache only. -1, and it is no spare, if it can not be synced. */
function durableBytes(disk: Disk, name: string): number {
  try {
    return syncWhole(disk, name);
  } catch (error) {
    if (error instanceof DiskError) return -1;
    throw error;
  }
}
