/**
 * A survey of a data directory for people: what a start would find and do, and every record where it stands. `hearsay wal` calls it with
 * a disk opened for reading. Guarded: it finds damage exactly where recovery does, because it is recovery's own fold, and besides
 * computes each record's own checksum, which a start leaves to whoever sends the record on.
 */
import type { Disk } from '../../ports/disk.js';
import { HearsayError } from '../base/errors.js';
import { verifyRecord } from '../record/record.js';
import type { FrameHeader } from './frame.js';
import { FRAME_HEADER_BYTES, KIND_BATCH, KIND_IMAGE } from './frame.js';
import type { Manifest } from './manifest.js';
import { readManifest, saltOf } from './manifest.js';
import { fileName, namedFiles } from './names.js';
import { FrameReader } from './reader.js';
import type { Fold } from './recovery.js';
import { foldDirectory } from './recovery.js';

export interface Survey {
  manifest: Manifest;
  fold: Fold;
  /** Records whose own checksum does not hold though their frame's does: damaged before they were written. */
  badRecords: number;
  files: { name: string; bytes: number }[];
}

/** Throws HearsayError DATADIR for a directory without manifest, of another format, or without a file the manifest names. */
export function surveyDirectory(disk: Disk): Survey {
  const manifest = manifestOf(disk);
  const bad = { records: 0 };
  const fold = foldDirectory(disk, manifest, (buffer, offset, length) => {
    if (verifyRecord(buffer, offset, offset + length) !== length) bad.records++;
  });
  const files = namedFiles(disk.list()).map(({ name }) => ({ name, bytes: sizeOf(disk, name) }));
  return { manifest, fold, badRecords: bad.records, files };
}

export function isSound({ fold, badRecords }: Survey): boolean {
  return fold.rotFrames === 0 && fold.torn === null && fold.notes.length === 0 && badRecords === 0;
}

export interface FramePosition {
  file: string;
  position: number;
  header: Readonly<FrameHeader>;
  /** Whether its body's checksum holds; if not, its records are not visited. */
  holds: boolean;
}

export interface SurveyVisitor {
  /** False ends the walk. */
  frame(frame: FramePosition): boolean;
  /** `position` is where the record begins in its file. False ends the walk. */
  record(frame: FramePosition, position: number, buffer: Buffer, offset: number, length: number): boolean;
}

/** Visits the frames of the log in order of file and position, or those of the image. */
export function walkFrames(disk: Disk, image: boolean, visitor: SurveyVisitor): void {
  const manifest = manifestOf(disk);
  const places = image
    ? manifest.image === null
      ? []
      : [{ name: fileName('image', manifest.image.number), number: manifest.image.number, salt: manifest.image.salt }]
    : namedFiles(disk.list())
        .filter((file) => file.kind === 'log' && file.number >= manifest.walStart)
        .map(({ name, number }) => ({ name, number, salt: saltOf(manifest.runs, number) }));
  for (const { name, number, salt } of places) {
    const file = disk.open(name, false);
    try {
      if (!walkFile(new FrameReader({ disk }, file, number, salt), name, visitor)) return;
    } finally {
      disk.close(file);
    }
  }
}

function walkFile(reader: FrameReader, file: string, visitor: SurveyVisitor): boolean {
  for (let from = 0; reader.find(from); ) {
    const holds = reader.bodyHolds();
    const frame = { file, position: reader.position, header: { ...reader.header }, holds };
    if (!visitor.frame(frame)) return false;
    from = holds ? reader.end : reader.position + 8;
    if (!holds) continue;
    let goesOn = true;
    let start = -1;
    if (frame.header.kind === KIND_BATCH || frame.header.kind === KIND_IMAGE) {
      reader.visitRecords((buffer, offset, length) => {
        if (start < 0) start = offset;
        const position = reader.position + FRAME_HEADER_BYTES + offset - start;
        if (goesOn) goesOn = visitor.record(frame, position, buffer, offset, length);
      });
    }
    if (!goesOn) return false;
  }
  return true;
}

function manifestOf(disk: Disk): Manifest {
  const manifest = readManifest(disk);
  if (manifest === null) throw new HearsayError('DATADIR', 'there is no manifest: this is no data directory of a node');
  return manifest;
}

function sizeOf(disk: Disk, name: string): number {
  const file = disk.open(name, false);
  try {
    return disk.size(file);
  } finally {
    disk.close(file);
  }
}
