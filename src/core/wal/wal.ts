/**
 * The write-ahead log of one node: records go in during a turn, leave as one frame when it ends (a turn with more than
 * 256 KiB in several), and are durable when a sync that was started after the write has returned. Under `off` a frame
 * collects over turns, and nothing is synced. The node's spine drives it and releases what waits for `releasedBatch`.
 * Guarded: `durableBatch` never passes a batch whose bytes no returned sync (or no durable image) covers; a write that
 * may not find room is refused before it is applied; after a failed sync its file is never synced again, and what it held
 * is written to a new file from memory (Rebello et al., "Can Applications Recover from fsync Failures?", ATC'20).
 * Memory: what is unsynced is kept for that case, at most 8 MiB under `interval` (a sync starts at half of it, be the interval
 * over or not; what is older is let go and counted, and a checkpoint makes up for it if a sync fails), 16 MiB under `always` (then
 * writes are refused as BUSY), none under `off`; or twice a log file, if that is less. Chunks that wait for use: 4 MiB.
 * Recovery is in recovery.ts, what a start makes durable in rewrite.ts, the frame in frame.ts, the root in manifest.ts.
 */
import type { Disk } from '../../ports/disk.js';
import { DiskError } from '../../ports/disk.js';
import type { Log } from '../../ports/log.js';
import { assert } from '../base/assert.js';
import { HearsayError } from '../base/errors.js';
import { mix32 } from '../base/hash.js';
import type { Random } from '../base/random.js';
import { align8 } from '../record/record.js';
import type { Batch } from './batches.js';
import { BatchMemory, CHUNK_BYTES } from './batches.js';
import { Checkpoint, messageOf } from './checkpoint.js';
import type { LogFile } from './files.js';
import { LogFiles } from './files.js';
import { FRAME_HEADER_BYTES, KIND_BATCH, KIND_SHUTDOWN, SECTOR_BYTES, sealFrame } from './frame.js';
import type { ImageRef, Manifest, ManifestState } from './manifest.js';
import { freshManifest, pruneRuns, readManifest, withRun, writeManifest } from './manifest.js';
import { MANIFEST_NAME, namedFiles, writeWhole } from './names.js';
import type { RecordVisitor } from './reader.js';
import type { Fold, FoldOptions } from './recovery.js';
import { foldDirectory } from './recovery.js';
import { repairDirectory } from './repair.js';
import { rewriteDoubtful } from './rewrite.js';

export type { ManifestState } from './manifest.js';
export type { RecordVisitor } from './reader.js';

export interface WalOptions {
  /**
   * `always`: a sync whenever something is unsynced and none is in flight. `interval`: one per interval, and more under load.
   * `off`: none, and a batch is written when it is full, or at the first turn 10 ms after its first record, or at a tick.
   */
  durability: 'always' | 'interval' | 'off';
  /** Between starts of syncs under `interval`. */
  intervalMs: number;
  /** Size of one log file, from 4 KiB. */
  fileBytes: number;
  /** The log asks for no checkpoint before it has this size. */
  checkpointMinBytes: number;
  random: Random;
  /** Names of planted bugs. */
  mutations?: ReadonlySet<string>;
}

export interface WalRecovery {
  manifest: ManifestState;
  /** Records handed out, those of the image included. */
  records: number;
  batches: number;
  tornTailBytes: number;
  /** Durable frames that can not be read: the node has lost data and must ask its peers. */
  rotFrames: number;
  cleanShutdown: boolean;
  /** Greatest HLC of any record handed out. */
  maxHlc: number;
  notes: string[];
}

/** Why the log takes nothing now. NOSPACE and BUSY heal, DISKFAILED stays. */
export type WalRefusal = 'NOSPACE' | 'BUSY' | 'DISKFAILED';

const RETRY_MS = 1000;
const RUNS_MAX = 64;
/**
 * The log may be this many times what is live. A cycle then logs 1.25 x live and copies live: the disk is written 1.8 times
 * what is logged, and a start reads 2.25 x live, and what was logged while the last image was being copied. Under `off` a start
 * matters less than the work: 3 x live, the disk is written a third more than is logged.
 */
const LOG_TO_LIVE = { always: 1.25, interval: 1.25, off: 3 };
/** Bytes of unsynced batches that are kept in memory, by durability. */
const KEPT_BYTES_MAX = { always: 16 * 1024 * 1024, interval: 8 * 1024 * 1024, off: 0 };
/** How long a batch collects under `off` while turns go on. */
const COLLECT_MS = 10;

export class Wal {
  /** Number of the batch that collects now. */
  batch = 1;
  /** The last batch handed to the operating system, and the last one known durable. */
  writtenBatch = 0;
  durableBatch = 0;
  private readonly disk: Disk;
  private readonly log: Log;
  private readonly options: WalOptions;
  private readonly memory = new BatchMemory();
  private readonly files: LogFiles;
  private readonly runSalt: number;
  private readonly keptBytesMax: number;
  private readonly bodyBytesMax: number;
  /** Up to this body the collecting batch has room, as far as is known until something changes; 0: not known. */
  private bodyRoomBytes = 0;
  /** When the batch that collects was first seen with a record in it. */
  private collectingSinceMs = Number.POSITIVE_INFINITY;
  private manifest: Manifest = freshManifest();
  private readonly checkpoint: Checkpoint;
  private nextImage = 1;
  /** What the log may take by now: as many files wait for reuse as it will need until the next checkpoint. */
  private budget: number;
  private sync: { token: number; file: LogFile; through: number; startedMs: number } | null = null;
  /** When the sync was started that has returned in this turn; NaN if none has. */
  private returnedStartMs = Number.NaN;
  private lastSyncMs = Number.NEGATIVE_INFINITY;
  private readonly takeToken = () => this.nextToken++;
  private nextToken = 1;
  private nowMs = 0;
  private full = false;
  private stuckUntilMs = Number.NEGATIVE_INFINITY;
  private busy = false;
  private failed = false;
  private closed = false;
  /** Batches up to here are being written again after a failed sync; 0 for none. A second failure ends the log. */
  private rescuedThrough = 0;
  /** Batches up to here may be lost from disk and are no more in memory: only a checkpoint makes them durable. */
  private holeThrough = 0;
  private syncedThrough = 0;
  private readonly counts = {
    records: 0,
    bytesWritten: 0,
    syncs: 0,
    syncsFailed: 0,
    /** How long the last sync took, and the longest since the start, ms. */
    syncTookMs: 0,
    syncTookMsMax: 0,
    batchesNotKept: 0,
    refused: 0,
  };

  constructor(ports: { disk: Disk; log: Log }, options: WalOptions) {
    assert(options.fileBytes >= 4096 && options.fileBytes % SECTOR_BYTES === 0, 'a log file has whole sectors');
    this.disk = ports.disk;
    this.log = ports.log;
    this.options = options;
    this.runSalt = options.random.uint32();
    this.keptBytesMax = Math.min(options.fileBytes * 2, KEPT_BYTES_MAX[options.durability]);
    this.bodyBytesMax = Math.min(CHUNK_BYTES, options.fileBytes) - FRAME_HEADER_BYTES;
    this.budget = options.checkpointMinBytes;
    this.checkpoint = new Checkpoint(ports);
    this.files = new LogFiles({ disk: ports.disk }, { fileBytes: options.fileBytes, runSalt: this.runSalt });
  }

  /**
   * At start, before anything else: reads manifest, image and log, hands every verified record to `visit`, repairs the
   * tail and opens the log. Reads only, until all is read; then calls `folded`, and if that throws nothing was written.
   * Throws HearsayError DATADIR with one line.
   */
  recover(visit: RecordVisitor, options: FoldOptions = {}, folded: () => void = () => {}): WalRecovery {
    try {
      return this.recoverDirectory(visit, options, folded);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      throw new HearsayError('DATADIR', `the data directory can not be used: ${error.code} ${error.message}`);
    }
  }

  /** Copies a record into the batch that collects. False, and nothing taken, if there is no room; never after `hasRoom` for it. */
  append(buffer: Buffer, offset: number, length: number): boolean {
    if (!this.hasRoom(length)) return false;
    this.memory.add(buffer, offset, length);
    this.counts.records++;
    return true;
  }

  /** The same for a record that lies in `words`, at the byte `offset`, a multiple of 8: as the store has it. */
  appendWords(words: Int32Array, offset: number, length: number): boolean {
    if (!this.hasRoom(length)) return false;
    this.memory.addWords(words, offset, length);
    this.counts.records++;
    return true;
  }

  /** Whether `bytes` more can be appended; asked before a write is applied. If not, `refusal` says why. */
  hasRoom(bytes: number): boolean {
    const padded = align8(bytes);
    return this.memory.collecting.bodyBytes + padded <= this.bodyRoomBytes || this.findRoom(padded);
  }

  /** The batch that holds everything appended so far: one that was handed over if nothing collects now. */
  get lastBatch(): number {
    return this.memory.empty ? this.writtenBatch : this.batch;
  }

  /** The last batch whose writes may be answered, as the durability has it. */
  get releasedBatch(): number {
    const { durability } = this.options;
    if (durability === 'always') return this.durableBatch;
    return durability === 'interval' ? this.writtenBatch : this.lastBatch;
  }

  get refusal(): WalRefusal | null {
    if (this.failed || this.closed) return 'DISKFAILED';
    if (this.full) return 'NOSPACE';
    return this.busy ? 'BUSY' : null;
  }

  /** Writes the batch, starts the sync that the policy asks for, sees to the next file. */
  turnEnded(monotonicMs: number): void {
    this.nowMs = monotonicMs;
    if (this.returnedStartMs >= 0) this.noteSyncTime();
    if (this.failed || this.closed) return;
    if (!this.memory.empty && this.collected()) this.writeBatch();
    if (this.full && this.memory.empty && this.files.spareCount > 0) this.hasRoomAgain();
    this.bodyRoomBytes = 0;
    this.startSync();
    this.checkpoint.turnEnded(monotonicMs, this.takeToken);
    this.files.prepareNext(monotonicMs, this.takeToken);
  }

  /** A pulse: nothing collects for longer than from one to the next. */
  tick(): void {
    this.collectingSinceMs = Number.NEGATIVE_INFINITY;
  }

  /** A disk event. False if the token is none of the log's. */
  completed(token: number, error: Error | null): boolean {
    this.bodyRoomBytes = 0;
    if (this.sync !== null && this.sync.token === token) {
      this.syncCompleted(error);
      return true;
    }
    if (this.checkpoint.completed(token, error)) {
      const image = this.checkpoint.durableImage;
      if (image !== null) this.switchRoot(image);
      return true;
    }
    return this.files.prepared(token, error) || (token > 0 && token < this.nextToken);
  }

  /** True when the log has outgrown what is live, so that an image is cheaper to keep. */
  wantsCheckpoint(liveBytes: number): boolean {
    this.budget = this.budgetBytes(liveBytes);
    if (!this.checkpoint.mayBegin || this.failed || this.closed) return false;
    if (this.holeThrough > 0 || this.manifest.runs.length > RUNS_MAX) return true;
    return this.files.bytes > this.budget;
  }

  get checkpointing(): boolean {
    return this.checkpoint.running;
  }

  /** Whether the image may grow now: false while its syncs do not keep up, or none is being filled. */
  get imageHasRoom(): boolean {
    return this.checkpoint.hasRoom;
  }

  /** Bytes handed to the disk as log since the start: what a checkpoint is paced by. */
  get bytesLogged(): number {
    return this.counts.bytesWritten;
  }

  /** The size at which the log is due for a checkpoint. */
  budgetBytes(liveBytes: number): number {
    return Math.max(this.options.checkpointMinBytes, liveBytes * LOG_TO_LIVE[this.options.durability]);
  }

  /** Moves on to a new log file and starts an image; every record that is live from now on goes to `checkpointRecord`. */
  beginCheckpoint(): void {
    if (this.checkpoint.running || this.failed || this.closed) return;
    this.bodyRoomBytes = 0;
    const written = this.memory.empty || (!this.full && this.writeBatch());
    if (!written || (this.files.current?.position !== 0 && !this.files.roll(0))) {
      this.checkpoint.postpone('no room for the log');
      return;
    }
    const current = this.files.current;
    assert(current !== null, 'a file was opened');
    this.checkpoint.begin(this.nextImage++, this.options.random.uint32(), current.number, this.batch);
  }

  /** Puts a live record into the image. False: the checkpoint is abandoned, what stood before it stays valid. */
  checkpointRecord(buffer: Buffer, offset: number, length: number): boolean {
    return this.checkpoint.add(buffer, offset, length);
  }

  /** All live records were given. The image becomes the root when it is durable; until then `checkpointing` stays true. */
  endCheckpoint(): void {
    this.checkpoint.end(this.takeToken);
  }

  /** Changes what the manifest says of the node; durable before it returns. Throws HearsayError NOSPACE or DISKFAILED. */
  setState(patch: Partial<ManifestState>): void {
    const { durableBatch } = this;
    const next = { ...this.manifest, durableBatch, state: { ...this.manifest.state, ...patch } };
    try {
      writeManifest(this.disk, next);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const code = error.code === 'ENOSPC' ? 'NOSPACE' : 'DISKFAILED';
      throw new HearsayError(code, `the manifest could not be written: ${error.message}`);
    }
    this.manifest = next;
  }

  /**
   * Writes and syncs what is left, then a frame that says the log was closed in order: so that frame is proof of all before it. The
   * manifest says so too, for a log whose end goes missing.
   */
  close(): void {
    if (this.closed) return;
    this.checkpoint.abandon('the log is closed');
    try {
      if (!this.failed && (this.memory.empty || this.writeBatch())) {
        // A sync in flight may be the one that is told of a failure: then this one would prove nothing.
        if (this.options.durability !== 'off' && this.sync === null) this.syncAll();
        const { durableBatch } = this;
        if (this.writeFrame(this.memory.collecting, this.batch, KIND_SHUTDOWN)) this.writtenBatch = this.batch++;
        this.syncAll();
        if (durableBatch > this.manifest.durableBatch) writeManifest(this.disk, { ...this.manifest, durableBatch });
      }
    } catch (error) {
      this.log.error('log not synced at close', { why: messageOf(error) });
    }
    this.closed = true;
    this.bodyRoomBytes = 0;
    this.files.shutAll();
  }

  stats(): Record<string, number> {
    return {
      ...this.counts,
      checkpoints: this.checkpoint.completedCount,
      checkpointsAbandoned: this.checkpoint.abandonedCount,
      batch: this.batch,
      writtenBatch: this.writtenBatch,
      durableBatch: this.durableBatch,
      logBytes: this.files.bytes,
      budgetBytes: this.budget,
      logFiles: this.files.count,
      spares: this.files.spareCount,
      filesRolled: this.files.rolls,
      filesRecycled: this.files.recycled,
      keptBytes: this.memory.keptBytes,
      // How long the sync in flight has lasted: one that stands shows before it returns.
      syncWaitedMs: this.sync === null ? 0 : Math.round(this.nowMs - this.sync.startedMs),
      imageRecords: this.manifest.image?.records ?? 0,
    };
  }

  /** Syncs every open file now. Throws DiskError. */
  private syncAll(): void {
    for (const file of this.files.open) {
      this.disk.syncNow(file.handle);
      file.sectorNext = true;
    }
    if (this.holeThrough === 0) this.durableBatch = this.writtenBatch;
  }

  private recoverDirectory(visit: RecordVisitor, options: FoldOptions, folded: () => void): WalRecovery {
    const read = readManifest(this.disk);
    const names = namedFiles(this.disk.list());
    const orphan = names.find((file) => file.kind === 'log' || file.kind === 'image');
    if (read === null && orphan !== undefined) {
      throw new HearsayError(
        'DATADIR',
        `the data directory holds ${orphan.name} but no file ${MANIFEST_NAME}: put that back, or move the directory away and start empty`,
      );
    }
    const manifest = read ?? freshManifest();
    const fold = foldDirectory(this.disk, manifest, visit, options);
    folded();
    const { fileBytes } = this.options;
    this.budget = this.budgetBytes(fold.imageBytes);
    const { sparesMax } = this;
    const { logs, spares, nextNumber } = repairDirectory(this.disk, manifest, fold, { fileBytes, sparesMax });
    const rewritten = this.rewrite(manifest, fold, nextNumber);
    const made = { madeFrom: nextNumber + rewritten.length, madeBytes: fileBytes };
    const runs = withRun(manifest.runs, fold.logs, { from: nextNumber, salt: this.runSalt, ...made });
    this.manifest = { ...manifest, runs, durableBatch: this.durableBatch };
    writeManifest(this.disk, this.manifest);
    this.nextImage = nextNumber + rewritten.length;
    this.files.adopt([...logs, ...rewritten], spares, this.nextImage);
    this.batch = fold.lastBatch + 1;
    this.writtenBatch = fold.lastBatch;
    if (!this.files.rollFirst()) this.refuseForRoom();
    for (const note of fold.notes) this.log.warn('log damaged', { note });
    const { records, batches, tornTailBytes, maxHlc, notes } = fold;
    const rotFrames = this.options.mutations?.has('rot-passed-over') ? 0 : fold.rotFrames;
    // A run of which nothing is left has not ended as cleanly as the one before it.
    const lastRun = manifest.runs[manifest.runs.length - 1];
    const lastLog = fold.logs[fold.logs.length - 1];
    const cleanShutdown = fold.cleanShutdown && lastRun !== undefined && lastLog >= lastRun.madeFrom;
    return { manifest: manifest.state, records, batches, tornTailBytes, rotFrames, cleanShutdown, maxHlc, notes };
  }

  /**
   * Makes what was found durable; returns the files written. Under `off`, which promises nothing, it stays as it is and is not called
   * durable; nor is it when there is no room, and then a checkpoint makes up for it.
   */
  private rewrite(manifest: Manifest, fold: Fold, nextNumber: number): { number: number; bytes: number }[] {
    const { fileBytes, durability } = this.options;
    let rewritten: { number: number; bytes: number }[] | null = null;
    if (durability !== 'off') {
      const saltOf = (number: number) => mix32(this.runSalt, number);
      rewritten = rewriteDoubtful(this.disk, manifest, fold, { nextNumber, fileBytes, saltOf });
      if (rewritten === null) {
        fold.notes.push('what the last run left unsynced could not be written again: no room');
        this.holeThrough = fold.lastBatch;
      }
    }
    const through = rewritten === null ? fold.provenBatch : fold.lastBatch;
    this.durableBatch = through;
    this.syncedThrough = through;
    return rewritten ?? [];
  }

  /** Makes room for `padded` bytes more if it can be had, and notes how much there is. */
  private findRoom(padded: number): boolean {
    this.bodyRoomBytes = 0;
    if (this.failed || this.closed || this.full || !this.findChunk(padded)) {
      this.counts.refused++;
      return false;
    }
    const { bodyBytes } = this.memory.collecting;
    const needed = bodyBytes + padded;
    const { keptBytes } = this.memory;
    const unkept = this.keptBytesMax - keptBytes - FRAME_HEADER_BYTES;
    const bounded = this.options.durability === 'always' && keptBytes > 0;
    const filed = this.files.frameBytesMax - FRAME_HEADER_BYTES;
    this.busy = bounded && needed > unkept;
    if (!this.busy && needed > filed) this.refuseForRoom();
    if (this.busy || needed > filed) {
      this.counts.refused++;
      return false;
    }
    const { bodyBytesMax } = this.memory;
    this.bodyRoomBytes = Math.min(bodyBytesMax, this.bodyBytesMax, filed, bounded ? unkept : bodyBytesMax);
    return true;
  }

  /** A batch ends where its chunk or its file would: it is written, and the next one begins. False if it can not be. */
  private findChunk(padded: number): boolean {
    const { memory } = this;
    const bodyBytesMax = Math.min(memory.bodyBytesMax, this.bodyBytesMax);
    if (!memory.empty && memory.collecting.bodyBytes + padded > bodyBytesMax && !this.writeBatch()) return false;
    if (memory.empty) memory.open(padded);
    return true;
  }

  /** Whether the batch is to be written at the end of this turn. */
  private collected(): boolean {
    if (this.nowMs < this.stuckUntilMs) return false;
    if (this.options.durability !== 'off') return true;
    if (this.collectingSinceMs === Number.POSITIVE_INFINITY) this.collectingSinceMs = this.nowMs;
    return this.nowMs - this.collectingSinceMs >= COLLECT_MS;
  }

  private writeBatch(): boolean {
    this.collectingSinceMs = Number.POSITIVE_INFINITY;
    this.bodyRoomBytes = 0;
    if (!this.writeFrame(this.memory.collecting, this.batch, KIND_BATCH)) {
      this.stuckUntilMs = this.nowMs + RETRY_MS;
      this.refuseForRoom();
      return false;
    }
    this.memory.seal(this.batch);
    this.writtenBatch = this.batch++;
    if (this.options.durability === 'interval') this.counts.batchesNotKept += this.memory.dropBeyond(this.keptBytesMax);
    if (this.options.durability === 'off') this.memory.dropBeyond(0);
    if (this.stuckUntilMs > Number.NEGATIVE_INFINITY) {
      this.stuckUntilMs = Number.NEGATIVE_INFINITY;
      this.hasRoomAgain();
    }
    return true;
  }

  /** Writes one frame from memory where the log stands, moving on to a new file if it must. False if the disk refuses. */
  private writeFrame(batch: Batch, number: number, kind: number): boolean {
    const position = this.placeFrame(batch);
    const file = this.files.current;
    if (position < 0 || file === null) return false;
    if (!this.writeAt(file, position, batch, number, kind)) {
      this.files.withdraw(file);
      return false;
    }
    this.advance(file, position, batch, number);
    return true;
  }

  /** Where the next frame goes in the current file, which may be a new one; -1 if none could be made. */
  private placeFrame(batch: Batch): number {
    const length = FRAME_HEADER_BYTES + batch.bodyBytes;
    const position = this.files.place(length);
    if (position >= 0) return position;
    return this.files.roll(length) ? 0 : -1;
  }

  private writeAt(file: LogFile, position: number, batch: Batch, number: number, kind: number): boolean {
    const length = FRAME_HEADER_BYTES + batch.bodyBytes;
    const place = { file: file.number, offset: position, salt: file.salt };
    sealFrame(batch.chunk.bytes, batch.start, kind, batch.bodyBytes, number, this.durableBatch, place);
    try {
      writeWhole(this.disk, file.handle, position, batch.chunk.bytes, batch.start, batch.start + length);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.files.failure = error;
      return false;
    }
    this.counts.bytesWritten += length;
    return true;
  }

  private advance(file: LogFile, position: number, batch: Batch, number: number): void {
    file.position = position + FRAME_HEADER_BYTES + batch.bodyBytes;
    file.sectorNext = false;
    file.lastBatch = number;
  }

  /** One sync in flight at a time, the oldest file first, so that durability advances in order. */
  private startSync(): void {
    if (this.sync !== null || this.failed) return;
    if (this.options.durability === 'off' && this.rescuedThrough === 0) {
      this.files.abandonOlder();
      return;
    }
    const file = this.files.firstUnsynced();
    if (file === null) return;
    const urgent = this.options.durability === 'always' || this.rescuedThrough > 0 || file !== this.files.current;
    const due = this.nowMs - this.lastSyncMs >= this.options.intervalMs;
    if (!urgent && !due && this.memory.keptBytes * 2 < this.keptBytesMax) return;
    this.lastSyncMs = this.nowMs;
    this.sync = { token: this.takeToken(), file, through: file.lastBatch, startedMs: this.nowMs };
    file.sectorNext = true;
    this.counts.syncs++;
    this.disk.sync(file.handle, this.sync.token);
  }

  private noteSyncTime(): void {
    this.counts.syncTookMs = Math.round(this.nowMs - this.returnedStartMs);
    this.counts.syncTookMsMax = Math.max(this.counts.syncTookMsMax, this.counts.syncTookMs);
    this.returnedStartMs = Number.NaN;
  }

  private syncCompleted(error: Error | null): void {
    const { file, through, startedMs } = this.sync as NonNullable<typeof this.sync>;
    this.sync = null;
    this.returnedStartMs = startedMs;
    if (this.failed || this.closed) return;
    if (error === null || this.options.mutations?.has('failed-sync-acknowledged')) {
      file.syncedBatch = through;
      this.syncedThrough = Math.max(this.syncedThrough, through);
      this.memory.release(through);
      this.advanceDurable();
      return;
    }
    this.counts.syncsFailed++;
    if (through <= this.durableBatch || this.options.mutations?.has('failed-sync-repeated')) return;
    this.log.error('sync of the log failed', { file: file.number, why: error.message });
    if (this.rescuedThrough > 0 || !this.rescue()) {
      this.failed = true;
      this.log.error('log failed', { durableBatch: this.durableBatch, writtenBatch: this.writtenBatch });
    }
  }

  private advanceDurable(): void {
    if (this.holeThrough === 0) this.durableBatch = Math.max(this.durableBatch, this.syncedThrough);
    if (this.syncedThrough >= this.rescuedThrough) this.rescuedThrough = 0;
  }

  /**
   * Writes every batch that is not known durable to a new file, from memory, and syncs that. The last frame goes first: the
   * one at the front of a file takes the doubtful ones out of force, so it is written when all that replace them stand.
   */
  private rescue(): boolean {
    const kept = this.memory.keptBatches();
    const firstKept = kept.length > 0 ? kept[0].number : this.writtenBatch + 1;
    if (firstKept > this.syncedThrough + 1) this.holeThrough = firstKept - 1;
    if (!this.files.roll(0)) return false;
    this.files.abandonOlder();
    const places: { file: LogFile; position: number }[] = [];
    for (const batch of kept) {
      const position = this.placeFrame(batch);
      const file = this.files.current;
      if (position < 0 || file === null) return false;
      this.advance(file, position, batch, batch.number);
      places.push({ file, position });
    }
    for (let index = kept.length - 1; index >= 0; index--) {
      const { file, position } = places[index];
      if (!this.writeAt(file, position, kept[index], kept[index].number, KIND_BATCH)) return false;
    }
    this.rescuedThrough = this.writtenBatch;
    this.startSync();
    return true;
  }

  /** The image is durable: its name first, then the manifest that names it, and only then what it replaces goes. */
  private switchRoot(image: ImageRef): void {
    const { walStart, walBatch } = this.checkpoint;
    const previous = this.manifest.image;
    const runs = pruneRuns(this.manifest.runs, walStart);
    const next = { ...this.manifest, image, walStart, walBatch, durableBatch: this.durableBatch, runs };
    try {
      this.disk.syncDirectory();
      writeManifest(this.disk, next);
    } catch (error) {
      this.checkpoint.leave(messageOf(error));
      return;
    }
    this.manifest = next;
    this.checkpoint.adopted();
    if (this.holeThrough < walBatch) this.holeThrough = 0;
    this.syncedThrough = Math.max(this.syncedThrough, walBatch - 1);
    this.memory.release(walBatch - 1);
    this.advanceDurable();
    if (previous !== null) this.checkpoint.removeImage(previous.number);
    this.files.retire(walStart, this.sparesMax);
  }

  /** Files that the log goes through from one checkpoint to the next: its budget, and parts of a file at both ends. */
  private get sparesMax(): number {
    return Math.ceil(this.budget / this.options.fileBytes) + 2;
  }

  private refuseForRoom(): void {
    if (!this.full)
      this.log.error('log has no room', { why: this.files.failure?.message ?? 'the next file is not ready' });
    this.full = true;
  }

  private hasRoomAgain(): void {
    if (this.full) this.log.info('log has room again');
    this.full = false;
  }
}
