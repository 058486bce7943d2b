/** A log on a simulated disk with a hand-driven clock: what the tests of the log share. */
import { Random } from '../../../src/core/base/random.js';
import { RECORD_HEADER_BYTES, readHlc, TYPE_PUT, writeRecord } from '../../../src/core/record/record.js';
import { decodeManifest, saltOf } from '../../../src/core/wal/manifest.js';
import { FrameReader } from '../../../src/core/wal/reader.js';
import type { WalOptions, WalRecovery } from '../../../src/core/wal/wal.js';
import { Wal } from '../../../src/core/wal/wal.js';
import type { Log } from '../../../src/ports/log.js';
import type { SimDiskOptions } from '../../../src/sim/disk.js';
import { SimDisk } from '../../../src/sim/disk.js';

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A record whose HLC is `id` and whose value has `valueBytes` bytes. */
export function record(id: number, valueBytes = 40): Buffer {
  const key = Buffer.from(`key-${id}`);
  const value = Buffer.alloc(valueBytes, id & 0xff);
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + key.length + valueBytes);
  const fields = { type: TYPE_PUT, hlc: id, actor: 7, sequence: id, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, key, 0, key.length, value, 0, value.length);
  return bytes;
}

export class Bench {
  readonly disk: SimDisk;
  readonly random: Random;
  wal!: Wal;
  recovery!: WalRecovery;
  /** Ids handed out by the last recovery, in order. */
  ids: number[] = [];
  /** Greatest id whose batch was reported durable, and the ids by batch. */
  durableId = 0;
  nowMs = 0;
  private readonly options: Partial<WalOptions>;
  private readonly batchOf = new Map<number, number>();
  private events: { atMs: number; run: () => void }[] = [];

  constructor(options: Partial<WalOptions> = {}, disk: Partial<SimDiskOptions> = {}, seed = 1) {
    this.options = options;
    this.random = new Random(seed);
    this.disk = new SimDisk(
      {
        random: new Random(seed, 1),
        schedule: (delayMs, run) => this.events.push({ atMs: this.nowMs + delayMs, run }),
        completed: (token, error) => {
          this.wal.completed(token, error);
        },
      },
      disk,
    );
  }

  /** Starts a process: a new log over whatever the disk holds. */
  start(): this {
    const defaults = { durability: 'always' as const, intervalMs: 100, fileBytes: 8192, checkpointMinBytes: 32768 };
    this.wal = new Wal({ disk: this.disk, log: silent }, { ...defaults, random: this.random, ...this.options });
    this.ids = [];
    this.batchOf.clear();
    this.recovery = this.wal.recover((buffer, offset) => this.ids.push(readHlc(buffer, offset + 12)));
    return this;
  }

  /** One turn that appends these ids; false if one was refused. */
  turn(ids: number[], valueBytes = 40): boolean {
    let taken = true;
    for (const id of ids) {
      const bytes = record(id, valueBytes);
      if (this.wal.append(bytes, 0, bytes.length)) this.batchOf.set(id, this.wal.batch);
      else taken = false;
    }
    this.wal.turnEnded(this.nowMs);
    this.note();
    return taken;
  }

  /** Time passes; what the disk completes is handed in, a turn each. */
  pass(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      this.events.sort((left, right) => left.atMs - right.atMs);
      const next = this.events[0];
      if (next === undefined || next.atMs > until) break;
      this.events.shift();
      this.nowMs = next.atMs;
      next.run();
      this.wal.turnEnded(this.nowMs);
      this.note();
    }
    this.nowMs = until;
    this.wal.turnEnded(until);
    this.note();
  }

  /** A checkpoint of these ids, until it is the root or abandoned. */
  checkpoint(ids: number[]): void {
    this.wal.beginCheckpoint();
    for (const id of ids) {
      const bytes = record(id);
      this.wal.checkpointRecord(bytes, 0, bytes.length);
    }
    this.wal.endCheckpoint();
    for (let step = 0; step < 20 && this.wal.checkpointing; step++) this.pass(10);
  }

  /** Ids whose batches the log called durable. */
  durableIds(): number[] {
    return [...this.batchOf].filter(([, batch]) => batch <= this.wal.durableBatch).map(([id]) => id);
  }

  private note(): void {
    for (const id of this.durableIds()) this.durableId = Math.max(this.durableId, id);
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_unused, index) => from + index);
}

/** Positions of the frames in the newest log file that has any. */
export function frames(bench: Bench): { name: string; starts: number[]; ends: number[] } {
  const manifest = decodeManifest(bench.disk.contents('manifest'));
  for (const name of bench.disk
    .list()
    .filter((name) => name.startsWith('log-'))
    .sort()
    .reverse()) {
    const number = Number(name.slice(4));
    const file = bench.disk.open(name, false);
    const reader = new FrameReader({ disk: bench.disk }, file, number, saltOf(manifest.runs, number));
    const starts: number[] = [];
    const ends: number[] = [];
    for (let from = 0; reader.find(from); from = reader.end) {
      starts.push(reader.position);
      ends.push(reader.end);
    }
    bench.disk.close(file);
    if (starts.length > 0) return { name, starts, ends };
  }
  throw new Error('no frames');
}
