/**
 * The simulated disk: the port of src/ports/disk.ts over memory, with everything that port allows to go wrong. A simulated
 * node's world makes one per node, keeps it across the node's crashes and hands its completions in as events.
 * Guarded: what a completed sync covered stays; everything else may be lost at a crash, each 512-byte sector, each file size
 * and each directory operation by itself (after ALICE, Pillai et al., OSDI'14). Pages whose sync failed are clean in the
 * cache and absent on the disk, as Linux leaves them (Rebello et al., ATC'20). The same draws give the same run.
 */
import type { Random } from '../core/base/random.js';
import type { Disk, DiskErrorCode, FileHandle } from '../ports/disk.js';
import { DiskError } from '../ports/disk.js';

export interface SimDiskOptions {
  /** Virtual time a sync takes, uniform between both, ms. Default 1 and 5. */
  syncMsMin: number;
  syncMsMax: number;
  /** Bytes that all files together may have. Default: no limit. */
  capacityBytes: number;
  /** How often a write takes only part, in [0, 1]. Default 0. */
  shortWriteChance: number;
  /** How often a sync fails with EIO, in [0, 1]. Default 0. */
  syncErrorChance: number;
  /** Whether a sector that was being written at a crash may also read as zeros. Default false. */
  garbledSectors: boolean;
}

/** Decides a crash: an integer in [0, bound). A `Random` is one; a test may enumerate all. */
export interface Chooser {
  below(bound: number): number;
}

/** Thrown by every call once the power is gone. Not a DiskError: nobody may handle it. */
export class PowerLoss extends Error {}

const SECTOR_BYTES = 512;
const NO_SPACE = 'no space left on the simulated disk';

const PERFECT: SimDiskOptions = {
  syncMsMin: 1,
  syncMsMax: 5,
  capacityBytes: Number.POSITIVE_INFINITY,
  shortWriteChance: 0,
  syncErrorChance: 0,
  garbledSectors: false,
};

/** Content of sectors before the writes that are not yet on the disk. */
type Undo = Map<number, Buffer>;

interface Inode {
  bytes: Buffer;
  size: number;
  durableSize: number;
  undo: Undo;
  /** What a sync in flight covers. */
  flight: { undo: Undo; size: number } | null;
  /** Sectors that a failed sync dropped: clean in the cache, not on the disk. */
  dropped: Undo;
}

/** Files by name. */
export type DiskCopy = ReadonlyMap<string, Buffer>;

type DirectoryChange = (names: Map<string, Inode>) => void;

export class SimDisk implements Disk {
  readonly options: SimDiskOptions;
  /** Calls made so far, and the one at which the power goes; 0 for never. */
  calls = 0;
  powerLossAtCall = 0;
  readonly counts = { syncs: 0, syncErrors: 0, shortWrites: 0, noSpace: 0, crashes: 0 };
  /** How often it has answered with each error. */
  readonly errors = { EIO: 0, ENOSPC: 0 };
  private readonly random: Random;
  private readonly schedule: (delayMs: number, run: () => void) => void;
  private readonly complete: (token: number, error: Error | null) => void;
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  /** Changes of names not yet durable, and how many were before them. */
  private changes: DirectoryChange[] = [];
  private changesDurable = 0;
  private handles = new Map<FileHandle, Inode>();
  private nextHandle = 1;
  private epoch = 0;
  private failSyncs = 0;
  private failWrites: DiskErrorCode[] = [];

  constructor(
    ports: {
      random: Random;
      schedule: (delayMs: number, run: () => void) => void;
      completed: (token: number, error: Error | null) => void;
    },
    options: Partial<SimDiskOptions> = {},
  ) {
    this.random = ports.random;
    this.schedule = ports.schedule;
    this.complete = ports.completed;
    this.options = { ...PERFECT, ...options };
  }

  list(): string[] {
    this.called();
    return [...this.names.keys()];
  }

  open(name: string, create: boolean): FileHandle {
    this.called();
    let inode = this.names.get(name);
    if (inode === undefined) {
      if (!create) throw new DiskError('ENOENT', `${name} is not there`);
      inode = this.create(name);
    }
    const handle = this.nextHandle++;
    this.handles.set(handle, inode);
    return handle;
  }

  close(file: FileHandle): void {
    this.called();
    this.inode(file);
    this.handles.delete(file);
  }

  size(file: FileHandle): number {
    this.called();
    return this.inode(file).size;
  }

  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number {
    this.called();
    const inode = this.inode(file);
    const count = Math.max(0, Math.min(length, inode.size - position, target.length - offset));
    target.set(inode.bytes.subarray(position, position + count), offset);
    return count;
  }

  write(file: FileHandle, position: number, bytes: Uint8Array, start: number, end: number): number {
    this.called();
    const inode = this.inode(file);
    const failure = this.failWrites.shift();
    if (failure !== undefined) throw this.failed(failure, 'a write failed');
    let count = end - start;
    if (count > 1 && this.options.shortWriteChance > 0 && this.random.chance(this.options.shortWriteChance)) {
      count = this.random.between(1, count - 1);
      this.counts.shortWrites++;
    }
    const room = inode.size + this.free();
    if (position + count > room) {
      this.counts.noSpace++;
      count = room - position;
      if (count <= 0) throw this.failed('ENOSPC', NO_SPACE);
    }
    this.touch(inode, position, position + count);
    inode.bytes.set(bytes.subarray(start, start + count), position);
    inode.size = Math.max(inode.size, position + count);
    return count;
  }

  truncate(file: FileHandle, size: number): void {
    this.called();
    const inode = this.inode(file);
    if (size > inode.size + this.free()) throw this.failed('ENOSPC', NO_SPACE);
    const from = Math.min(size, inode.size);
    const to = Math.max(size, inode.size);
    this.touch(inode, from, to);
    inode.bytes.fill(0, from, to);
    inode.size = size;
  }

  sync(file: FileHandle, token: number): void {
    this.called();
    const inode = this.inode(file);
    if (inode.flight !== null) throw new Error('one sync in flight per file');
    inode.flight = { undo: inode.undo, size: inode.size };
    inode.undo = new Map();
    this.later(token, () => {
      const flight = inode.flight;
      inode.flight = null;
      if (this.takeSyncError()) {
        if (flight !== null) drop(inode, flight.undo);
        return this.failed('EIO', 'a sync failed');
      }
      if (flight !== null) inode.durableSize = flight.size;
      return null;
    });
  }

  syncNow(file: FileHandle): void {
    this.called();
    const inode = this.inode(file);
    this.counts.syncs++;
    if (this.takeSyncError()) {
      drop(inode, inode.undo);
      inode.undo = new Map();
      throw this.failed('EIO', 'a sync failed');
    }
    inode.undo.clear();
    inode.flight?.undo.clear();
    inode.durableSize = inode.size;
    if (inode.flight !== null) inode.flight.size = inode.size;
  }

  prepare(name: string, bytes: number, token: number): void {
    this.called();
    const inode = this.create(name);
    this.later(token, () => {
      if (this.free() < bytes) {
        this.counts.noSpace++;
        if (this.names.get(name) === inode) this.change((names) => dropName(names, name, inode));
        return this.failed('ENOSPC', NO_SPACE);
      }
      inode.bytes = Buffer.alloc(bytes);
      inode.size = bytes;
      inode.durableSize = bytes;
      return null;
    });
  }

  rename(from: string, to: string): void {
    this.called();
    const inode = this.named(from);
    this.change((names) => {
      dropName(names, from, inode);
      names.set(to, inode);
    });
  }

  remove(name: string): void {
    this.called();
    const inode = this.named(name);
    this.change((names) => dropName(names, name, inode));
  }

  syncDirectory(token?: number): void {
    this.called();
    const through = this.changesDurable + this.changes.length;
    if (token === undefined) this.settleNames(through);
    else
      this.later(token, () => {
        this.settleNames(through);
        return null;
      });
  }

  /** Bytes of all files together. */
  get bytesUsed(): number {
    let used = 0;
    for (const inode of this.names.values()) used += inode.size;
    return used;
  }

  /** Nothing fails and nothing is slow from now on; what a crash may leave stays as it is. */
  calm(): void {
    const { garbledSectors } = this.options;
    Object.assign(this.options, PERFECT, { garbledSectors });
    this.failSyncs = 0;
    this.failWrites = [];
  }

  /** The next `count` syncs fail with EIO. */
  failNextSyncs(count: number): void {
    this.failSyncs = count;
  }

  /** The next write fails with `code`, having taken nothing. */
  failNextWrite(code: DiskErrorCode): void {
    this.failWrites.push(code);
  }

  /** Rot: one bit of a file turns over, on the disk and in the cache. */
  flipBit(name: string, byte: number, bit: number): void {
    this.named(name).bytes[byte] ^= 1 << bit;
  }

  /** A copy of what a file holds now. */
  contents(name: string): Buffer {
    const inode = this.named(name);
    return Buffer.from(inode.bytes.subarray(0, inode.size));
  }

  /**
   * The power goes and comes back: handles and syncs in flight are gone, and of what was not durable any part is left, as
   * `chooser` decides.
   */
  crash(chooser: Chooser): void {
    this.epoch++;
    this.counts.crashes++;
    this.powerLossAtCall = 0;
    this.handles.clear();
    this.failWrites = [];
    const names = new Map(this.durableNames);
    for (const change of this.changes) if (chooser.below(2) === 1) change(names);
    this.changesDurable += this.changes.length;
    this.changes = [];
    for (const inode of new Set(names.values())) settle(inode, chooser, this.options.garbledSectors);
    this.names = names;
    this.durableNames = new Map(names);
  }

  /** The process dies and the machine stays up: handles are gone, every write stays. */
  kill(): void {
    this.epoch++;
    this.powerLossAtCall = 0;
    this.handles.clear();
    for (const inode of this.names.values()) {
      if (inode.flight === null) continue;
      for (const [sector, before] of inode.flight.undo) inode.undo.set(sector, before);
      inode.flight = null;
    }
  }

  /** A copy of every file, as a tool that copies the directory of a running node takes it. */
  copy(): DiskCopy {
    return new Map([...this.names].map(([name, inode]) => [name, Buffer.from(inode.bytes.subarray(0, inode.size))]));
  }

  /** Puts a copy in the place of what is there, durable; no process has the files open. */
  putBack(copy: DiskCopy): void {
    this.kill();
    this.names = new Map();
    for (const [name, bytes] of copy) {
      const { length } = bytes;
      const empty = { undo: new Map(), flight: null, dropped: new Map() };
      this.names.set(name, { bytes: Buffer.from(bytes), size: length, durableSize: length, ...empty });
    }
    this.durableNames = new Map(this.names);
    this.changesDurable += this.changes.length;
    this.changes = [];
  }

  private called(): void {
    this.calls++;
    if (this.powerLossAtCall > 0 && this.calls >= this.powerLossAtCall) throw new PowerLoss('the power is gone');
  }

  private failed(code: DiskErrorCode, message: string): DiskError {
    if (code === 'EIO' || code === 'ENOSPC') this.errors[code]++;
    return new DiskError(code, message);
  }

  private free(): number {
    if (this.options.capacityBytes === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.options.capacityBytes - this.bytesUsed);
  }

  private later(token: number, run: () => Error | null): void {
    const epoch = this.epoch;
    this.counts.syncs++;
    this.schedule(this.random.between(this.options.syncMsMin, this.options.syncMsMax), () => {
      if (epoch === this.epoch) this.complete(token, run());
    });
  }

  private takeSyncError(): boolean {
    const fails =
      this.failSyncs > 0 || (this.options.syncErrorChance > 0 && this.random.chance(this.options.syncErrorChance));
    if (this.failSyncs > 0) this.failSyncs--;
    if (fails) this.counts.syncErrors++;
    return fails;
  }

  /** Keeps the content of the sectors in `[from, to)` as it is on the disk, and makes room. */
  private touch(inode: Inode, from: number, to: number): void {
    if (to > inode.bytes.length) {
      const grown = Buffer.alloc(Math.max(to, inode.bytes.length * 2, SECTOR_BYTES));
      grown.set(inode.bytes);
      inode.bytes = grown;
    }
    for (let sector = Math.floor(from / SECTOR_BYTES); sector * SECTOR_BYTES < to; sector++) {
      if (inode.undo.has(sector)) continue;
      const start = sector * SECTOR_BYTES;
      const before = inode.dropped.get(sector) ?? Buffer.from(inode.bytes.subarray(start, start + SECTOR_BYTES));
      inode.dropped.delete(sector);
      inode.undo.set(sector, before);
    }
  }

  private create(name: string): Inode {
    const inode: Inode = {
      bytes: Buffer.alloc(0),
      size: 0,
      durableSize: 0,
      undo: new Map(),
      flight: null,
      dropped: new Map(),
    };
    this.change((names) => names.set(name, inode));
    return inode;
  }

  private change(change: DirectoryChange): void {
    change(this.names);
    this.changes.push(change);
  }

  /** The first `through` changes of names are durable. */
  private settleNames(through: number): void {
    const count = Math.max(0, through - this.changesDurable);
    for (const change of this.changes.splice(0, count)) change(this.durableNames);
    this.changesDurable += count;
  }

  private named(name: string): Inode {
    const inode = this.names.get(name);
    if (inode === undefined) throw new DiskError('ENOENT', `${name} is not there`);
    return inode;
  }

  private inode(file: FileHandle): Inode {
    const inode = this.handles.get(file);
    if (inode === undefined) throw new Error(`file handle ${file} is not open`);
    return inode;
  }
}

function dropName(names: Map<string, Inode>, name: string, inode: Inode): void {
  if (names.get(name) === inode) names.delete(name);
}

/** A failed sync: the pages count as clean, so no later sync writes them. */
function drop(inode: Inode, undo: Undo): void {
  for (const [sector, before] of undo) {
    if (inode.undo.has(sector)) inode.undo.set(sector, before);
    else inode.dropped.set(sector, before);
  }
}

/** After a crash: each sector as it was durable, as the sync in flight had it, as it was written last, or garbled. */
function settle(inode: Inode, chooser: Chooser, garbled: boolean): void {
  const flight = inode.flight;
  const sectors = [...new Set([...(flight?.undo.keys() ?? []), ...inode.undo.keys()])].sort((a, b) => a - b);
  const restore = (sector: number, bytes: Buffer) => {
    const start = sector * SECTOR_BYTES;
    const end = Math.min(start + SECTOR_BYTES, inode.bytes.length);
    if (start >= end) return;
    inode.bytes.fill(0, start, end);
    inode.bytes.set(bytes.subarray(0, end - start), start);
  };
  const sizes = [...new Set([inode.durableSize, flight?.size ?? inode.durableSize, inode.size])];
  const size = sizes[chooser.below(sizes.length)];
  for (const sector of sectors) {
    if (sector * SECTOR_BYTES >= Math.max(size, 1)) continue;
    const old = [flight?.undo.get(sector), inode.undo.get(sector)].filter((bytes) => bytes !== undefined);
    const versions = garbled ? [...old, Buffer.alloc(SECTOR_BYTES)] : old;
    const chosen = chooser.below(versions.length + 1);
    if (chosen < versions.length) restore(sector, versions[chosen]);
  }
  for (const [sector, before] of inode.dropped) restore(sector, before);
  inode.bytes.fill(0, size);
  inode.size = size;
  inode.durableSize = size;
  inode.undo = new Map();
  inode.dropped = new Map();
  inode.flight = null;
}
