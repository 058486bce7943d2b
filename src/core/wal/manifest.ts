/**
 * The manifest: the only root of a data directory. It says who the node is, which image holds the past, where the log
 * starts and with which salt each run wrote. The log reads it at start and replaces it whole: draft, sync, rename,
 * sync of the directory. Guarded: whatever a manifest names is durable before the manifest is, and nothing it replaces is
 * removed before it is. Two lines: JSON, and the CRC-32 of that line in hexadecimal.
 */

import type { Disk } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import { crc32 } from '../base/crc32.js';
import { HearsayError } from '../base/errors.js';
import { mix32 } from '../base/hash.js';
import { MANIFEST_DRAFT_NAME, MANIFEST_NAME, writeWhole } from './names.js';

/** What the node keeps here for itself. `nodeId` is empty in a directory that no node has used yet. */
export interface ManifestState {
  nodeId: string;
  clusterId: string;
  /** Starts so far. */
  boot: number;
  incarnation: number;
  /** 48 bits; minted at every start and made durable before its first use. */
  actor: number;
  /** Ids of the members that had a say in what may be forgotten (ring-book.ts): the log, which may not be synced, is not to lose them. */
  withSay: readonly string[];
  formatVersion: 1;
}

/** The image that stands for every batch before `walBatch`. */
export interface ImageRef {
  number: number;
  salt: number;
  frames: number;
  records: number;
}

/**
 * From log file `from` on, one run of the process wrote with this salt. Its files from `madeFrom` on had `madeBytes` at least before
 * their first frame was written: one that has frames and is shorter was cut. Those before it are copies, as long as their frames.
 */
export interface RunRef {
  from: number;
  salt: number;
  madeFrom: number;
  madeBytes: number;
}

export interface Manifest {
  state: ManifestState;
  image: ImageRef | null;
  /** The first log file that counts, and the number of its first batch. */
  walStart: number;
  walBatch: number;
  /** Every batch up to here was durable when this was written. */
  durableBatch: number;
  /** Ascending by `from`. */
  runs: RunRef[];
}

const MANIFEST_BYTES_MAX = 1024 * 1024;

/** Raised whenever what stands in a log or an image is read otherwise than before: an earlier directory is refused. */
const FORMAT_VERSION = 1 as const;

export function freshManifest(): Manifest {
  const state = {
    nodeId: '',
    clusterId: '',
    boot: 0,
    incarnation: 0,
    actor: 0,
    withSay: [],
    formatVersion: FORMAT_VERSION,
  };
  return { state, image: null, walStart: 1, walBatch: 1, durableBatch: 0, runs: [] };
}

/** The salt of one use of one log file: no two runs share it, so what an earlier use left behind is never read. */
export function saltOf(runs: readonly RunRef[], number: number): number {
  let salt = 0;
  for (const run of runs) if (run.from <= number) salt = run.salt;
  return mix32(salt, number);
}

/** The size that log file `number` had before its first frame was written, or more; 0 if that is not known. */
export function madeBytesOf(runs: readonly RunRef[], number: number): number {
  let made = 0;
  for (const run of runs) if (run.from <= number) made = number >= run.madeFrom ? run.madeBytes : 0;
  return made;
}

/** The runs that wrote any of `logs`, and the new one. */
export function withRun(runs: readonly RunRef[], logs: readonly number[], next: RunRef): RunRef[] {
  const wrote = (run: RunRef, index: number) => {
    const until = index + 1 < runs.length ? runs[index + 1].from : next.from;
    return logs.some((number) => number >= run.from && number < until);
  };
  return [...runs.filter(wrote), next];
}

/** The runs that wrote files at or above `walStart`, or still do. */
export function pruneRuns(runs: readonly RunRef[], walStart: number): RunRef[] {
  return runs.filter((_run, index) => index === runs.length - 1 || runs[index + 1].from > walStart);
}

/** The manifest of the directory; null if there is none. Throws HearsayError DATADIR if it is damaged or of another format. */
export function readManifest(disk: Disk): Manifest | null {
  let file: number;
  try {
    file = disk.open(MANIFEST_NAME, false);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const size = disk.size(file);
    if (size > MANIFEST_BYTES_MAX) {
      throw new HearsayError('DATADIR', `the file ${MANIFEST_NAME} is ${size} bytes long: it is none of a node`);
    }
    const bytes = Buffer.alloc(size);
    let filled = 0;
    while (filled < size) {
      const count = disk.read(file, filled, bytes, filled, size - filled);
      if (count === 0) break;
      filled += count;
    }
    return decodeManifest(bytes.subarray(0, filled));
  } finally {
    disk.close(file);
  }
}

/** Replaces the manifest; durable when it returns. Throws DiskError; then either the old or the new one stands. */
export function writeManifest(disk: Disk, manifest: Manifest): void {
  const bytes = encodeManifest(manifest);
  const file = disk.open(MANIFEST_DRAFT_NAME, true);
  try {
    disk.truncate(file, 0);
    writeWhole(disk, file, 0, bytes, 0, bytes.length);
    disk.syncNow(file);
  } finally {
    disk.close(file);
  }
  disk.rename(MANIFEST_DRAFT_NAME, MANIFEST_NAME);
  disk.syncDirectory();
}

export function encodeManifest(manifest: Manifest): Buffer {
  const line = Buffer.from(JSON.stringify(manifest), 'utf8');
  const seal = crc32(line, 0, line.length).toString(16).padStart(8, '0');
  return Buffer.concat([line, Buffer.from(`\n${seal}\n`, 'latin1')]);
}

export function decodeManifest(bytes: Buffer): Manifest {
  const end = bytes.indexOf(0x0a);
  const damaged = new HearsayError(
    'DATADIR',
    `the file ${MANIFEST_NAME} is damaged, and without it nothing else can be read: put back a copy of the whole directory, or move the directory away and start empty: the other owners then bring back what they hold`,
  );
  if (end <= 0 || bytes.length !== end + 10) throw damaged;
  const seal = crc32(bytes, 0, end).toString(16).padStart(8, '0');
  if (bytes.toString('latin1', end) !== `\n${seal}\n`) throw damaged;
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8', 0, end));
  } catch {
    throw damaged;
  }
  if (hasFields(parsed, {}) && hasFields(parsed.state, {}) && parsed.state.formatVersion !== FORMAT_VERSION) {
    throw new HearsayError(
      'DATADIR',
      `the data is of format ${String(parsed.state.formatVersion)}, not ${FORMAT_VERSION}: another build wrote it; start empty`,
    );
  }
  // A manifest that does not say what was durable leaves it to the headers of the log; nor need it say how long files were made, or who had a say.
  const whole = hasFields(parsed, {})
    ? { durableBatch: 0, ...parsed, state: withMembers(parsed.state), runs: withSizes(parsed.runs) }
    : parsed;
  if (!isManifest(whole)) throw damaged;
  return whole;
}

function withMembers(state: unknown): unknown {
  return hasFields(state, {}) ? { withSay: [], ...state } : state;
}

function withSizes(runs: unknown): unknown {
  if (!Array.isArray(runs)) return runs;
  return runs.map((run) => (hasFields(run, {}) ? { madeFrom: 0, madeBytes: 0, ...run } : run));
}

function isManifest(value: unknown): value is Manifest {
  const batches = { walStart: 'number', walBatch: 'number', durableBatch: 'number' };
  if (!hasFields(value, { state: 'object', runs: 'object', ...batches })) return false;
  const texts = { nodeId: 'string', clusterId: 'string' };
  if (!hasFields(value.state, { ...texts, boot: 'number', incarnation: 'number', actor: 'number' })) return false;
  const { withSay } = value.state;
  if (!Array.isArray(withSay) || !withSay.every((id) => typeof id === 'string')) return false;
  const image = { number: 'number', salt: 'number', frames: 'number', records: 'number' };
  if (value.image !== null && !hasFields(value.image, image)) return false;
  const run = { from: 'number', salt: 'number', madeFrom: 'number', madeBytes: 'number' };
  return Array.isArray(value.runs) && value.runs.every((each) => hasFields(each, run));
}

function hasFields(value: unknown, types: Record<string, string>): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  return Object.entries(types).every(([name, type]) => {
    const field = record[name];
    return typeof field === type && field !== null && (type !== 'number' || Number.isSafeInteger(field));
  });
}
