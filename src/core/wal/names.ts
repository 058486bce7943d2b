/**
 * Names of the files in a data directory, and how bytes get into one whole. The log, the manifest and recovery use it.
 * A name is a kind and a number that rises; what carries none of these names is not ours and is left alone.
 */
import type { Disk, FileHandle } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';

export const MANIFEST_NAME = 'manifest';
export const MANIFEST_DRAFT_NAME = 'manifest.tmp';

/** `torn`: the tail of a log that was cut. `rot`: a damaged region, set aside for people; its log stays as it is. */
export type FileKind = 'log' | 'image' | 'spare' | 'torn' | 'rot';

export interface NamedFile {
  name: string;
  kind: FileKind;
  number: number;
}

const PATTERN = /^(log|image|spare|torn|rot)-(\d{8,15})(-\d+)?$/;

export function fileName(kind: FileKind, number: number): string {
  return `${kind}-${String(number).padStart(8, '0')}`;
}

/** Name of bytes set aside from `position` of log or image `number`. */
export function asideName(kind: 'torn' | 'rot', number: number, position: number): string {
  return `${fileName(kind, number)}-${position}`;
}

/** Our files in a listing, in order of kind and number. */
export function namedFiles(names: readonly string[]): NamedFile[] {
  const found: NamedFile[] = [];
  for (const name of names) {
    const match = PATTERN.exec(name);
    if (match === null) continue;
    const kind = match[1] as FileKind;
    if ((match[3] !== undefined) !== (kind === 'torn' || kind === 'rot')) continue;
    found.push({ name, kind, number: Number(match[2]) });
  }
  return found.sort((left, right) => left.number - right.number || (left.name < right.name ? -1 : 1));
}

/** Writes all of `bytes[start, end)`. A short write is continued; one that takes nothing means there is no room. */
export function writeWhole(
  disk: Disk,
  file: FileHandle,
  position: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  for (let at = start; at < end; ) {
    const taken = disk.write(file, position + (at - start), bytes, at, end);
    if (taken <= 0) throw new DiskError('ENOSPC', 'a write took nothing');
    at += taken;
  }
}

const ZERO_BYTES = 256 * 1024;

/** Writes zeros over `[from, to)`, so that the blocks are allocated and nothing old can be read there. */
export function writeZeros(disk: Disk, file: FileHandle, from: number, to: number): void {
  const zeros = Buffer.alloc(Math.min(ZERO_BYTES, Math.max(0, to - from)));
  for (let at = from; at < to; at += zeros.length) {
    writeWhole(disk, file, at, zeros, 0, Math.min(zeros.length, to - at));
  }
}
