/**
 * A log on a faulty disk, and the oracle that every recovery is held against. A rig is one life of a process: it writes
 * versions of a few keys, knows what it was promised (`durable`, `handed`), and `judge` starts the next life from a state of
 * the disk. Guarded: what was promised is there or reported as damage; every record found was written, byte for byte; what
 * one recovery lost no later one finds; and a second recovery finds what the first one did.
 */
import { crc32 } from 'node:zlib';
import { Random } from '../../../../src/core/base/random.js';
import {
  RECORD_HEADER_BYTES,
  recordHlc,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  writeRecord,
} from '../../../../src/core/record/record.js';
import type { WalOptions, WalRecovery } from '../../../../src/core/wal/wal.js';
import { Wal } from '../../../../src/core/wal/wal.js';
import { silent } from '../harness.js';
import type { Files } from './faulty-disk.js';
import { FaultyDisk } from './faulty-disk.js';

/** The full enumeration, for whoever has minutes: HEARSAY_PITFALLS=exhaustive. */
export const EXHAUSTIVE = process.env.HEARSAY_PITFALLS === 'exhaustive';
/** Crash states looked at per change of the disk. */
export const STATES_MAX = EXHAUSTIVE ? 512 : 10;

export type Policy = WalOptions['durability'];
export const POLICIES: readonly Policy[] = ['always', 'interval', 'off'];

/** One version of one key, in the order of writing. */
export interface Entry {
  key: string;
  hlc: number;
  crc: number;
  bytes: Buffer;
  /** Batch of this life; 0 for what an earlier one left. */
  batch: number;
}

/** How much of the ledger must be there: after a loss of power, and after a mere kill. */
export interface Promised {
  durable: number;
  handed: number;
}

export class Rig {
  readonly disk: FaultyDisk;
  readonly wal: Wal;
  readonly ledger: Entry[];
  /** Records that the recovery handed out, by version. */
  readonly found = new Map<number, number>();
  recovery!: WalRecovery;
  nowMs = 0;
  readonly random = new Random(77);
  private readonly policy: Policy;
  private readonly floor: Promised;
  private nextHlc: number;

  constructor(
    disk: FaultyDisk,
    options: Partial<WalOptions> = {},
    past: readonly Entry[] = [],
    floor: Promised = { durable: 0, handed: 0 },
    seed = 1,
  ) {
    const defaults = { durability: 'always' as const, intervalMs: 10, fileBytes: 4096, checkpointMinBytes: 32_768 };
    this.disk = disk;
    this.ledger = past.map((entry) => ({ ...entry, batch: 0 }));
    this.floor = floor;
    this.nextHlc = 1 + past.reduce((most, { hlc }) => Math.max(most, hlc), 0);
    this.policy = options.durability ?? 'always';
    this.wal = new Wal({ disk, log: silent }, { ...defaults, random: new Random(seed, this.nextHlc), ...options });
  }

  start(): this {
    this.recovery = this.wal.recover((buffer, offset, length) => {
      this.found.set(recordHlc(buffer, offset), crc32(buffer.subarray(offset, offset + length)));
    });
    return this;
  }

  /** Versions that were written once are not written again. */
  skipVersions(used: Iterable<number>): void {
    for (const hlc of used) this.nextHlc = Math.max(this.nextHlc, hlc + 1);
  }

  /** What may be asked of any state of the disk that the present instant can leave. */
  get promised(): Promised {
    if (this.recovery === undefined) return this.floor;
    const upTo = (batch: number) => this.ledger.filter((entry) => entry.batch <= batch).length;
    return { durable: upTo(this.wal.durableBatch), handed: upTo(this.wal.writtenBatch) };
  }

  /** One version of `key` into the batch of this turn; a tombstone if `valueBytes` is negative. False if it was refused. */
  write(key: string, valueBytes = 40): boolean {
    const hlc = this.nextHlc;
    const bytes = recordOf(key, hlc, valueBytes);
    if (!this.wal.append(bytes, 0, bytes.length)) return false;
    this.nextHlc++;
    this.ledger.push({ key, hlc, crc: crc32(bytes), bytes, batch: this.wal.batch });
    return true;
  }

  turn(): void {
    this.wal.turnEnded(this.nowMs);
  }

  /** The oldest call in flight completes and a turn ends. False if there was none. */
  land(): boolean {
    const landed = this.disk.land();
    if (landed === null) return false;
    this.wal.completed(landed.token, landed.error);
    this.turn();
    return true;
  }

  /** Time passes in steps of a millisecond; every call completes within one. */
  pass(ms: number): void {
    for (let step = 0; step < ms; step++) {
      this.nowMs++;
      this.turn();
      this.land();
    }
  }

  /** The newest version of each key into an image, until that is the root or given up. */
  checkpoint(): void {
    this.wal.beginCheckpoint();
    for (const { bytes } of this.latest().values()) this.wal.checkpointRecord(bytes, 0, bytes.length);
    this.wal.endCheckpoint();
    for (let step = 0; step < 50 && this.wal.checkpointing; step++) this.pass(1);
  }

  latest(entries: readonly Entry[] = this.ledger): Map<string, Entry> {
    return new Map(entries.map((entry) => [entry.key, entry]));
  }

  /** The next life, on `files`, with this one's past. */
  next(files: Files, seed = 2): Rig {
    return new Rig(new FaultyDisk(files), { durability: this.policy }, this.ledger, this.promised, seed);
  }
}

export interface Judgement {
  /** Whether only a kill -9 lies between: then everything handed over must be there. */
  killed?: boolean;
  /** Without a checkpoint what is found is a prefix of what was written. */
  prefix: boolean;
  /** Whether the disk may have lost more than a crash can; then a loss must be reported. */
  damaged?: boolean;
}

/** Starts from `files` what `rig` left behind, holds it to the promise, writes on, and starts once more. */
export function judge(rig: Rig, files: Files, asked: Judgement, context = ''): Rig {
  const where = () => `${context}, after ${rig.disk.calls.slice(-3).join(', ')}`;
  const next = rig.next(files).start();
  const promised = asked.killed ? rig.promised.handed : rig.promised.durable;
  const { rotFrames, tornTailBytes } = next.recovery;
  assertWritten(next, where);
  const lost = missing(next, promised);
  if (asked.damaged) {
    if (lost.length > 0 && rotFrames === 0 && tornTailBytes === 0) fail(`${lost} are lost and not a word`, where);
  } else {
    if (lost.length > 0) fail(`${lost} are lost`, where);
    if (rotFrames > 0) fail('a crash is taken for rot', where);
    if (asked.prefix && !isPrefix(next)) fail(`found ${[...next.found.keys()]}: no prefix`, where);
  }
  writeOn(next, where);
  return next;
}

/** One more write; then a kill, and the third life finds what the second one did and what it wrote. */
function writeOn(rig: Rig, where: () => string): void {
  const known = new Set(rig.found.keys());
  const past = rig.ledger.filter(({ hlc }) => known.has(hlc));
  if (!rig.write('more', 8)) fail(`refused: ${rig.wal.refusal}`, where);
  rig.pass(25);
  const more = rig.ledger.at(-1) as Entry;
  const third = new Rig(new FaultyDisk(rig.disk.contents()), {}, [...past, more], undefined, 3).start();
  assertWritten(third, where);
  for (const { hlc } of third.ledger) if (!third.found.has(hlc)) fail(`a second recovery lost ${hlc}`, where);
}

function assertWritten(rig: Rig, where: () => string): void {
  const written = new Map(rig.ledger.map(({ hlc, crc }) => [hlc, crc]));
  for (const [hlc, crc] of rig.found) if (written.get(hlc) !== crc) fail(`${hlc} was never written like this`, where);
}

/** Keys whose newest version found is older than the first `promised` entries of the ledger say. */
function missing(rig: Rig, promised: number): string[] {
  const newest = new Map<string, number>();
  for (const { key, hlc } of rig.ledger) if (rig.found.has(hlc)) newest.set(key, hlc);
  return [...rig.latest(rig.ledger.slice(0, promised))].flatMap(([key, { hlc }]) =>
    (newest.get(key) ?? 0) < hlc ? [`${key}@${hlc}`] : [],
  );
}

function isPrefix(rig: Rig): boolean {
  return rig.ledger.slice(0, rig.found.size).every(({ hlc }) => rig.found.has(hlc));
}

function fail(what: string, where: () => string): never {
  throw new Error(`${what}: ${where()}`);
}

/** Plays `script` and judges, at every change of the disk, a kill and the legal states of a loss of power. Returns how many. */
export function judgeAll(rig: Rig, asked: Judgement, script: (rig: Rig) => void, most = STATES_MAX): number {
  const seen = new Set<string>();

  let states = 0;
  const look = (files: Files, judgement: Judgement) => {
    const { durable, handed } = rig.promised;
    const key = `${signature(files)} ${judgement.killed ? handed : durable} ${judgement.killed}`;
    if (seen.has(key)) return;
    seen.add(key);
    states++;
    judge(rig, files, judgement, `state ${states}`);
  };
  rig.disk.observe = () => {
    look(rig.disk.contents(), { ...asked, killed: true });
    rig.disk.crashStates(most, rig.random, (files) => look(files, asked));
  };
  script(rig);
  rig.disk.observe = null;
  return states;
}

export function signature(files: Files): string {
  return [...files].map(([name, bytes]) => `${name}:${bytes.length}:${crc32(bytes)}`).join(' ');
}

function recordOf(key: string, hlc: number, valueBytes: number): Buffer {
  const name = Buffer.from(key);
  const value = Buffer.alloc(Math.max(0, valueBytes), hlc & 0xff);
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + name.length + value.length);
  const type = valueBytes < 0 ? TYPE_TOMBSTONE : TYPE_PUT;
  const fields = { type, hlc, actor: 7, sequence: hlc, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, name, 0, name.length, value, 0, value.length);
  return bytes;
}
