/**
 * `hearsay wal verify DIR` and `hearsay wal inspect DIR`: what a data directory holds and whether it is sound, without changing it.
 * They read what a start would read (core/wal/survey.ts) through a disk opened for reading, with or without a node on it.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { HearsayError } from '../core/base/errors.js';
import { HLC_TICKS, hlcToMs } from '../core/base/hlc.js';
import { globMatches } from '../core/commands/glob.js';
import {
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
} from '../core/record/record.js';
import { readManifest } from '../core/wal/manifest.js';
import { asideName, fileName, MANIFEST_NAME, namedFiles } from '../core/wal/names.js';
import type { FramePosition, Survey } from '../core/wal/survey.js';
import { isSound, surveyDirectory, walkFrames } from '../core/wal/survey.js';
import { DiskError } from '../ports/disk.js';
import { ReadDisk } from '../system/read-disk.js';
import { DONE, exitCodes, UNWELL } from './exit-codes.js';
import { countText } from './progress.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const ATTEMPTS = 3;
const NODES_NAMED_MAX = 3;
const KEY_CHARACTERS_MAX = 64;
const TYPES: Readonly<Record<number, string>> = {
  1: 'PUT',
  2: 'TOMBSTONE',
  3: 'EXPIRY',
  4: 'FLUSH',
  5: 'COUNTER',
  6: 'SIBLINGS',
  7: 'HLL',
  16: 'HINT',
  17: 'RING',
  18: 'LOSSY',
  19: 'FRONTIER',
  21: 'FLOOR',
  22: 'GONE',
  24: 'SKETCH',
};
const KINDS: Readonly<Record<number, string>> = { 1: 'batch', 2: 'shutdown', 3: 'image', 4: 'footer' };

export function addWalVerbs(program: Command, terminal: Terminal, setExitCode: (code: number) => void): void {
  const wal = program.command('wal').description('look into a data directory, without changing it');
  wal
    .command('verify')
    .description('check every frame and record, and say what a start would do')
    .argument('<directory>', 'the data directory of one node')
    .option('--json', 'one JSON object')
    .addHelpText('after', `\n${exitCodes('sound', 'unreadable', 'damaged')}`)
    .action((directory: string, flags) => setExitCode(verify(directory, flags.json === true, terminal)));
  wal
    .command('inspect')
    .description('print the records, one a line')
    .argument('<directory>', 'the data directory of one node')
    .option('--json', 'one JSON object a line')
    .option('--key <glob>', 'only records whose key matches')
    .option('--from-batch <number>', 'from this batch on')
    .option('--limit <number>', 'no more records than this')
    .option('--image', 'the image of the last checkpoint instead of the log')
    .option('--frames', 'the headers of frames, too')
    .addHelpText('after', `\n${exitCodes('done', 'unreadable')}`)
    .action((directory: string, flags) => setExitCode(inspect(directory, flags, terminal)));
}

function verify(directory: string, json: boolean, terminal: Terminal): number {
  if (directory === '') throw new UsageError(['the name of the directory is empty']);
  const disk = opened(directory);
  const holder = disk.holder();
  const survey = surveyed(directory, disk);
  // What a running node writes at this moment may look torn.
  const sound = isSound(survey) || (holder !== 0 && onlyTorn(survey));
  if (json) terminal.out(`${JSON.stringify({ directory, sound, holder, ...facts(survey) })}\n`);
  else terminal.out(report(directory, survey, holder, sound));
  return sound ? DONE : UNWELL;
}

function opened(directory: string): ReadDisk {
  try {
    return new ReadDisk(directory);
  } catch (error) {
    throw named(directory, error);
  }
}

/** A node may replace files between the reading of the manifest and theirs: then it is read again. */
function surveyed(directory: string, disk: ReadDisk): Survey {
  for (let attempt = 1; ; attempt++) {
    const last = disk.holder() === 0 || attempt === ATTEMPTS;
    try {
      const survey = surveyDirectory(disk);
      const image = survey.manifest.image?.number;
      if (last || isSound(survey) || readManifest(disk)?.image?.number === image) return survey;
    } catch (error) {
      if (last || !(error instanceof HearsayError || error instanceof DiskError)) throw named(directory, error);
    }
  }
}

/** The directory as it was given, and what is there instead of a node's data. */
function named(directory: string, error: unknown): unknown {
  const found = strangeness(directory);
  if (found !== null) {
    const wanted = 'give the data directory of one node, which holds a file named manifest';
    return new HearsayError('DATADIR', `${directory} ${found}: ${wanted}`);
  }
  if (!(error instanceof HearsayError || error instanceof DiskError)) return error;
  return new HearsayError('DATADIR', `${directory}: ${error.message}`);
}

function strangeness(directory: string): string | null {
  const place = statSync(directory, { throwIfNoEntry: false });
  if (place === undefined) return 'is not there';
  if (!place.isDirectory()) return 'is a file';
  const names = readdirSync(directory);
  if (names.includes(MANIFEST_NAME)) return null;
  if (names.length === 0) return 'is empty: no node has run there';
  const nodes = names.filter((name) => existsSync(join(directory, name, MANIFEST_NAME))).sort();
  if (nodes.length > 0) {
    const some = nodes.slice(0, NODES_NAMED_MAX).map((name) => join(directory, name));
    return `holds the data directories of nodes, as ${some.join(', ')}`;
  }
  if (namedFiles(names).length > 0) return 'holds files of a log but no manifest';
  return 'was not written by a node';
}

function onlyTorn({ fold, badRecords }: Survey): boolean {
  return fold.rotFrames === 0 && badRecords === 0 && fold.notes.length === (fold.torn === null ? 0 : 1);
}

function facts({ manifest, fold, badRecords, files }: Survey): Record<string, unknown> {
  const { records, batches, lastBatch, rotFrames, rot, torn, tornTailBytes, cleanShutdown } = fold;
  const { nodeId, boot } = manifest.state;
  const counts = { records, batches, lastBatch, imageRecords: manifest.image?.records ?? 0 };
  const damage = { badRecords, rotFrames, rot, torn, tornTailBytes };
  const { notes } = fold;
  return { nodeId, boot, ...counts, cleanShutdown, ...damage, notes, files, start: whatStartDoes(fold, files) };
}

function whatStartDoes(fold: Survey['fold'], files: Survey['files']): string[] {
  const steps: string[] = [];
  if (fold.rotFrames > 0) {
    const asides = new Set(files.map(({ name }) => name));
    const copied = fold.rot.filter(({ from, to }) => from < to);
    const pending = copied.filter(({ number, from }) => !asides.has(asideName('rot', number, from)));
    if (pending.length > 0) steps.push('copy the damaged bytes aside');
    steps.push('go on without what is lost: other owners bring back what they hold');
  }
  if (fold.torn !== null) {
    const bytes = countText(fold.tornTailBytes, 'byte');
    steps.push(`copy ${bytes} of a torn tail aside and cut ${fileName('log', fold.torn.number)}`);
  }
  steps.push(`take ${countText(fold.records, 'record')} and write batch ${fold.lastBatch + 1} next`);
  return steps;
}

function batchesText(count: number): string {
  return count === 1 ? '1 batch' : `${count} batches`;
}

/** What an earlier start has copied aside. */
function setAside(files: Survey['files']): string[] {
  return namedFiles(files.map(({ name }) => name))
    .filter(({ kind }) => kind === 'rot' || kind === 'torn')
    .map(({ name }) => `${name} was set aside by an earlier start: nothing reads it any more`);
}

function report(directory: string, survey: Survey, holder: number, sound: boolean): string {
  const { manifest, fold, badRecords, files } = survey;
  const lines = [
    `${directory}: node ${manifest.state.nodeId || '(none yet)'}, boot ${manifest.state.boot}`,
    ...files.map(({ name, bytes }) => `  ${name}  ${bytes} bytes`),
    `${countText(fold.records, 'record')}: ${manifest.image?.records ?? 0} in the image, the rest in ${batchesText(fold.batches)}; last batch ${fold.lastBatch}`,
    fold.cleanShutdown ? 'closed in order' : 'not closed in order',
  ];
  if (holder !== 0) {
    lines.push('a node is running on it: it is not disturbed, and what it is writing now may look like a torn tail');
  }
  for (const note of fold.notes) lines.push(`damage: ${note}`);
  if (badRecords > 0) lines.push(`damage: ${countText(badRecords, 'record')} went wrong before being written`);
  lines.push(...setAside(files));
  for (const step of whatStartDoes(fold, files)) lines.push(`a start would ${step}`);
  lines.push(sound ? 'sound' : 'damaged');
  return `${lines.join('\n')}\n`;
}

function inspect(directory: string, flags: Readonly<Record<string, unknown>>, terminal: Terminal): number {
  const fromBatch = numberOf(flags.fromBatch, '--from-batch', 0);
  const limit = numberOf(flags.limit, '--limit', Number.POSITIVE_INFINITY);
  const glob = typeof flags.key === 'string' ? Buffer.from(flags.key) : null;
  const json = flags.json === true;
  let printed = 0;
  const print = (facts: Record<string, unknown>, line: string) =>
    terminal.out(`${json ? JSON.stringify(facts) : line}\n`);
  try {
    walkFrames(opened(directory), flags.image === true, {
      frame(frame) {
        if (flags.frames === true && frame.header.batch >= fromBatch) print(frameFacts(frame), frameLine(frame));
        return printed < limit && terminal.outFailure() === null;
      },
      record(frame, position, bytes, offset) {
        if (frame.header.batch < fromBatch) return true;
        const start = recordKeyStart(bytes, offset);
        const end = recordKeyEnd(bytes, offset);
        if (glob !== null && !globMatches(glob, 0, glob.length, bytes, start, end)) return true;
        const facts = recordFacts(frame, position, bytes, offset);
        print(facts, recordLine(facts));
        return ++printed < limit && terminal.outFailure() === null;
      },
    });
  } catch (error) {
    throw named(directory, error);
  }
  return DONE;
}

function recordFacts(frame: FramePosition, position: number, bytes: Buffer, offset: number) {
  const hlc = recordHlc(bytes, offset);
  const expireAtMs = recordExpireAtMs(bytes, offset);
  return {
    file: frame.file,
    offset: position,
    batch: frame.header.batch,
    type: TYPES[recordType(bytes, offset)] ?? String(recordType(bytes, offset)),
    key: escaped(bytes.toString('latin1', recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset))),
    valueBytes: recordEnd(bytes, offset) - recordKeyEnd(bytes, offset),
    version: `${timeOf(hlcToMs(hlc))}+${hlc % HLC_TICKS}`,
    actor: recordActor(bytes, offset).toString(16).padStart(12, '0'),
    expires: expireAtMs === 0 ? null : timeOf(expireAtMs),
  };
}

function recordLine(facts: ReturnType<typeof recordFacts>): string {
  const { file, offset, batch, type, key, valueBytes, version, actor, expires } = facts;
  const short = key.length > KEY_CHARACTERS_MAX ? `${key.slice(0, KEY_CHARACTERS_MAX)}...` : key;
  const end = expires === null ? '' : ` expires ${expires}`;
  return `${file}:${offset} batch ${batch} ${type} "${short}" ${valueBytes} B ${version} by ${actor}${end}`;
}

function frameFacts({ file, position, header, holds }: FramePosition): Record<string, unknown> {
  const { batch, durable, bodyBytes } = header;
  return { file, offset: position, frame: KINDS[header.kind], batch, durable, bodyBytes, holds };
}

function frameLine({ file, position, header, holds }: FramePosition): string {
  const state = holds ? '' : ', body DAMAGED';
  return `${file}:${position} frame ${KINDS[header.kind]} ${header.batch}, durable ${header.durable}, ${header.bodyBytes} bytes${state}`;
}

/** Printable ASCII as it is, everything else as \xNN. */
function escaped(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** A time that a Date can not name is given in milliseconds. */
function timeOf(ms: number): string {
  return ms <= 8.64e15 ? new Date(ms).toISOString() : `${ms}ms`;
}

function numberOf(text: unknown, flag: string, fallback: number): number {
  if (text === undefined) return fallback;
  const count = typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (count < 0) throw new UsageError([`${flag}: ${String(text)} is not a whole number`]);
  return count;
}
