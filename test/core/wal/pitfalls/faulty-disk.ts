/**
 * A disk in memory that fails as disks do and knows every state a crash may leave. The tests of this folder run the log on
 * it: `observe` is called after each change of anything, and `crashStates` then walks the legal states of that instant.
 *
 * Each 512-byte sector that was written and not yet synced stands by itself as it was durable or as any write since left it
 * (or as zeros, when `garbled`); so does each file size; changes of names not followed by a directory sync stand as a
 * prefix, or, while they are few, as any subset (after ALICE, Pillai et al., OSDI'14). What a failed sync covered may be
 * there or not for ever: only a write of the same sector that is synced later settles it (Rebello et al., ATC'20).
 * Guarded: what a returned sync covered is in every state. `lies` break that on purpose, so that a test can see the checks fail.
 */
import type { Random } from '../../../../src/core/base/random.js';
import type { Disk, DiskErrorCode, FileHandle } from '../../../../src/ports/disk.js';
import { DiskError } from '../../../../src/ports/disk.js';

export const SECTOR_BYTES = 512;

export type Files = Map<string, Buffer>;

/** Calls of the port that a fault can strike. */
export type Call = 'open' | 'read' | 'write' | 'truncate' | 'sync' | 'prepare' | 'rename' | 'remove' | 'syncDirectory';

export interface Fault {
  call: Call;
  /** Files it strikes; all if absent. A directory sync has no file. */
  name?: RegExp;
  code: DiskErrorCode;
  /** Calls let through before, and calls struck. */
  skip?: number;
  times: number;
}

interface Version {
  bytes: Buffer;
  /** When it was written, in changes of the disk. */
  at: number;
  /** A sync that covered it failed. */
  dropped: boolean;
}

interface Inode {
  cache: Buffer;
  size: number;
  durable: Buffer;
  durableSize: number;
  sectors: Map<number, Version[]>;
  sizes: { size: number; at: number }[];
}

type NameChange = (names: Map<string, Inode>) => void;

interface Flight {
  token: number;
  /** What it does when it completes; the error it ends with. */
  land(): Error | null;
}

export interface FaultyDiskOptions {
  /** Bytes that all files may have together. */
  capacityBytes: number;
  handlesMax: number;
  /** A sector under an unsynced write may also read as zeros. */
  garbled: boolean;
  /** Draws how much a read or write takes, from 1 to 4095 bytes; all of it if null. */
  shortCalls: Random | null;
  readOnly: boolean;
}

export class FaultyDisk implements Disk {
  readonly options: FaultyDiskOptions = {
    capacityBytes: Number.POSITIVE_INFINITY,
    handlesMax: Number.POSITIVE_INFINITY,
    garbled: false,
    shortCalls: null,
    readOnly: false,
  };
  readonly faults: Fault[] = [];
  /** Syncs that say done and do nothing: the drive that lies. */
  readonly lies = { sync: false, syncDirectory: false };
  /** Called after every change of a file, a name, or of what is durable. */
  observe: (() => void) | null = null;
  /** Each call that writes or makes durable, in order, with its file: what a test of order reads. */
  readonly calls: string[] = [];
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  /** Changes of names that are not durable, and how many there were before them. */
  private changes: NameChange[] = [];
  private changesBefore = 0;
  private readonly handles = new Map<FileHandle, { inode: Inode; name: string }>();
  private flights: Flight[] = [];
  private nextHandle = 1;
  private clock = 0;

  /** A disk that holds `files`, all durable. */
  constructor(files: Files = new Map()) {
    for (const [name, bytes] of files) this.names.set(name, inodeOf(bytes));
    this.durableNames = new Map(this.names);
  }

  list(): string[] {
    return [...this.names.keys()];
  }

  open(name: string, create: boolean): FileHandle {
    this.strike('open', name);
    if (this.handles.size >= this.options.handlesMax) throw new DiskError('EMFILE', 'too many open files');
    if (this.options.readOnly) throw new DiskError('EROFS', 'read-only file system');
    let inode = this.names.get(name);
    if (inode === undefined) {
      if (!create) throw new DiskError('ENOENT', `${name} is not there`);
      inode = this.create(name);
    }
    this.handles.set(this.nextHandle, { inode, name });
    return this.nextHandle++;
  }

  close(file: FileHandle): void {
    this.held(file);
    this.handles.delete(file);
  }

  size(file: FileHandle): number {
    return this.held(file).inode.size;
  }

  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number {
    const { inode, name } = this.held(file);
    this.strike('read', name);
    const wanted = Math.max(0, Math.min(length, inode.size - position, target.length - offset));
    const count = this.shortened(wanted);
    target.set(inode.cache.subarray(position, position + count), offset);
    return count;
  }

  write(file: FileHandle, position: number, bytes: Uint8Array, start: number, end: number): number {
    const { inode, name } = this.held(file);
    this.strike('write', name);
    this.refuseReadOnly();
    const room = inode.size + this.free() - position;
    const count = Math.min(this.shortened(end - start), room);
    if (count <= 0) throw new DiskError('ENOSPC', 'no space left on device');
    this.grow(inode, position + count);
    inode.cache.set(bytes.subarray(start, start + count), position);
    this.wrote(inode, position, position + count);
    this.note(`write ${name}`);
    return count;
  }

  truncate(file: FileHandle, size: number): void {
    const { inode, name } = this.held(file);
    this.strike('truncate', name);
    this.refuseReadOnly();
    const end = inode.size;
    this.grow(inode, size);
    inode.cache.fill(0, Math.min(size, end), Math.max(size, end));
    this.wrote(inode, Math.min(size, end), Math.max(size, end));
    inode.size = size;
    inode.sizes.push({ size, at: this.clock });
    this.note(`truncate ${name}`);
  }

  sync(file: FileHandle, token: number): void {
    const { inode, name } = this.held(file);
    const before = this.clock;
    let failure: Error | null = null;
    try {
      this.strike('sync', name);
    } catch (error) {
      failure = error as DiskError;
    }
    this.flights.push({
      token,
      land: () => {
        if (failure === null) this.makeDurable(inode, before);
        else drop(inode, before);
        this.note(`sync ${name}`);
        return failure;
      },
    });
  }

  syncNow(file: FileHandle): void {
    const { inode, name } = this.held(file);
    try {
      this.strike('sync', name);
    } catch (error) {
      drop(inode, this.clock);
      throw error;
    }
    this.makeDurable(inode, this.clock);
    this.note(`sync ${name}`);
  }

  prepare(name: string, bytes: number, token: number): void {
    let failure: Error | null = null;
    try {
      this.strike('prepare', name);
      this.refuseReadOnly();
      if (this.free() < bytes) throw new DiskError('ENOSPC', 'no space left on device');
    } catch (error) {
      failure = error as DiskError;
    }
    const inode = failure === null ? this.create(name) : null;
    this.flights.push({
      token,
      land: () => {
        if (inode === null) return failure;
        this.grow(inode, bytes);
        this.wrote(inode, 0, bytes);
        this.makeDurable(inode, this.clock + 1);
        this.note(`prepare ${name}`);
        return null;
      },
    });
  }

  rename(from: string, to: string): void {
    this.strike('rename', from);
    this.refuseReadOnly();
    const inode = this.named(from);
    this.change((names) => {
      if (names.get(from) === inode) names.delete(from);
      names.set(to, inode);
    });
    this.note(`rename ${from} ${to}`);
  }

  remove(name: string): void {
    this.strike('remove', name);
    this.refuseReadOnly();
    const inode = this.named(name);
    this.change((names) => {
      if (names.get(name) === inode) names.delete(name);
    });
    this.note(`remove ${name}`);
  }

  syncDirectory(token?: number): void {
    if (token === undefined) {
      this.strike('syncDirectory', '');
      this.settleNames(this.changesBefore + this.changes.length);
      return;
    }
    let failure: Error | null = null;
    try {
      this.strike('syncDirectory', '');
    } catch (error) {
      failure = error as DiskError;
    }
    const through = this.changesBefore + this.changes.length;
    this.flights.push({
      token,
      land: () => {
        if (failure === null) this.settleNames(through);
        return failure;
      },
    });
  }

  /** The first `through` changes of names ever made are durable. */
  private settleNames(through: number): void {
    const count = Math.max(0, through - this.changesBefore);
    if (!this.lies.syncDirectory) {
      for (const change of this.changes.splice(0, count)) change(this.durableNames);
      this.changesBefore += count;
    }
    this.note('syncDirectory');
  }

  /** The oldest call in flight completes; null if there is none. */
  land(): { token: number; error: Error | null } | null {
    const flight = this.flights.shift();
    return flight === undefined ? null : { token: flight.token, error: flight.land() };
  }

  /** The process dies and the machine stays up: the cache is kept, handles and completions are not. */
  kill(): void {
    this.handles.clear();
    this.flights = [];
    this.faults.length = 0;
  }

  get openHandles(): number {
    return this.handles.size;
  }

  /** What the operating system sees: what a process that starts after a kill -9 finds. */
  contents(): Files {
    return new Map([...this.names].map(([name, inode]) => [name, Buffer.from(inode.cache.subarray(0, inode.size))]));
  }

  /**
   * Legal states after a loss of power now: all of them while they are at most `most`, else the two extremes, each single
   * exception from either, and seeded samples, `most` in all.
   */
  crashStates(most: number, random: Random, visit: (files: Files) => void): void {
    const bounds = [this.nameChoices()];
    const everyName = Array.from({ length: bounds[0] }, (_, choice) => [...this.chosenNames(choice).values()]);
    const inodes = [...new Set(everyName.flat())];
    for (const inode of inodes) {
      bounds.push(inode.sizes.length + 1);
      for (const versions of inode.sectors.values()) bounds.push(versions.length + (this.options.garbled ? 2 : 1));
    }
    forChoices(bounds, most, random, (choices) => visit(this.settle(inodes, choices)));
  }

  private settle(inodes: Inode[], choices: readonly number[]): Files {
    let at = 0;
    const names = this.chosenNames(choices[at++]);
    const settled = new Map<Inode, Buffer>();
    for (const inode of inodes) {
      const chosenSize = choices[at++];
      const size = chosenSize === 0 ? inode.durableSize : inode.sizes[chosenSize - 1].size;
      const bytes = Buffer.alloc(Math.max(inode.cache.length, inode.durable.length));
      bytes.set(inode.durable);
      for (const [sector, versions] of inode.sectors) {
        const chosen = choices[at++] - (this.options.garbled ? 1 : 0);
        const start = sector * SECTOR_BYTES;
        if (chosen > 0) bytes.set(versions[chosen - 1].bytes, start);
        else if (chosen < 0) bytes.fill(0, start, start + SECTOR_BYTES);
      }
      settled.set(inode, bytes.subarray(0, size));
    }
    return new Map([...names].map(([name, inode]) => [name, settled.get(inode) as Buffer]));
  }

  /** Subsets while there are few changes; beyond, prefixes. The last choice is all of them. */
  private nameChoices(): number {
    return this.changes.length <= 4 ? 2 ** this.changes.length : this.changes.length + 1;
  }

  private chosenNames(choice: number): Map<string, Inode> {
    const names = new Map(this.durableNames);
    const subset = this.changes.length <= 4;
    this.changes.forEach((change, index) => {
      if (subset ? (choice >> index) % 2 === 1 : index < choice) change(names);
    });
    return names;
  }

  private strike(call: Call, name: string): void {
    const fault = this.faults.find((each) => each.call === call && each.times > 0 && (each.name?.test(name) ?? true));
    if (fault === undefined) return;
    if ((fault.skip ?? 0) > 0) {
      fault.skip = (fault.skip ?? 0) - 1;
      return;
    }
    fault.times--;
    throw new DiskError(fault.code, `${call} of ${name} failed`);
  }

  private refuseReadOnly(): void {
    if (this.options.readOnly) throw new DiskError('EROFS', 'read-only file system');
  }

  private shortened(count: number): number {
    const { shortCalls } = this.options;
    return shortCalls === null || count <= 1 ? count : Math.min(count, shortCalls.between(1, 4095));
  }

  private free(): number {
    if (this.options.capacityBytes === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    let used = 0;
    for (const inode of this.names.values()) used += inode.size;
    return Math.max(0, this.options.capacityBytes - used);
  }

  private grow(inode: Inode, size: number): void {
    if (size > inode.cache.length) {
      const grown = Buffer.alloc(Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES);
      grown.set(inode.cache);
      inode.cache = grown;
    }
    if (size <= inode.size) return;
    inode.size = size;
    inode.sizes.push({ size, at: this.clock });
  }

  private wrote(inode: Inode, from: number, to: number): void {
    for (let sector = Math.floor(from / SECTOR_BYTES); sector * SECTOR_BYTES < to; sector++) {
      const start = sector * SECTOR_BYTES;
      const bytes = Buffer.from(inode.cache.subarray(start, start + SECTOR_BYTES));
      const versions = inode.sectors.get(sector) ?? [];
      versions.push({ bytes, at: this.clock, dropped: false });
      inode.sectors.set(sector, versions);
    }
  }

  /** All that was written before `before` and that no failed sync covered. */
  private makeDurable(inode: Inode, before: number): void {
    if (this.lies.sync) return;
    if (inode.durable.length < inode.cache.length) {
      const grown = Buffer.alloc(inode.cache.length);
      grown.set(inode.durable);
      inode.durable = grown;
    }
    for (const [sector, versions] of inode.sectors) {
      const last = versions.findLastIndex((version) => version.at < before && !version.dropped);
      if (last < 0) continue;
      inode.durable.set(versions[last].bytes, sector * SECTOR_BYTES);
      versions.splice(0, last + 1);
      if (versions.length === 0) inode.sectors.delete(sector);
    }
    const covered = inode.sizes.findLastIndex(({ at }) => at < before);
    if (covered < 0) return;
    inode.durableSize = inode.sizes[covered].size;
    inode.sizes.splice(0, covered + 1);
  }

  private create(name: string): Inode {
    this.refuseReadOnly();
    const inode = inodeOf(Buffer.alloc(0));
    this.change((names) => names.set(name, inode));
    this.note(`create ${name}`);
    return inode;
  }

  private change(change: NameChange): void {
    change(this.names);
    this.changes.push(change);
  }

  private note(call: string): void {
    this.clock++;
    this.calls.push(call);
    this.observe?.();
  }

  private named(name: string): Inode {
    const inode = this.names.get(name);
    if (inode === undefined) throw new DiskError('ENOENT', `${name} is not there`);
    return inode;
  }

  private held(file: FileHandle): { inode: Inode; name: string } {
    const held = this.handles.get(file);
    if (held === undefined) throw new Error(`file handle ${file} is not open`);
    return held;
  }
}

function inodeOf(bytes: Buffer): Inode {
  const cache = Buffer.alloc(Math.ceil(bytes.length / SECTOR_BYTES) * SECTOR_BYTES);
  cache.set(bytes);
  const state = { durable: Buffer.from(cache), durableSize: bytes.length, sectors: new Map(), sizes: [] };
  return { cache, size: bytes.length, ...state };
}

/** A sync that covered everything up to `before` failed. */
function drop(inode: Inode, before: number): void {
  for (const versions of inode.sectors.values()) {
    for (const version of versions) if (version.at < before) version.dropped = true;
  }
}

/** Visits vectors of choices, each below its bound: all if they are at most `most`, else extremes, exceptions and samples. */
export function forChoices(
  bounds: readonly number[],
  most: number,
  random: Random,
  visit: (choices: readonly number[]) => void,
): void {
  const all = bounds.reduce((product, bound) => Math.min(product * bound, Number.MAX_SAFE_INTEGER), 1);
  if (all <= most) {
    const choices = bounds.map(() => 0);
    for (let at = 0; at >= 0; ) {
      visit(choices);
      for (at = bounds.length - 1; at >= 0 && ++choices[at] === bounds[at]; at--) choices[at] = 0;
    }
    return;
  }
  const oldest = bounds.map(() => 0);
  const newest = bounds.map((bound) => bound - 1);
  visit(oldest);
  visit(newest);
  let left = most - 2;
  const free = bounds.flatMap((bound, index) => (bound > 1 ? [index] : []));
  for (let step = 0; step < free.length && left * 2 > most; step++) {
    const index = free[(step + random.below(free.length)) % free.length];
    visit(newest.with(index, 0));
    visit(oldest.with(index, bounds[index] - 1));
    left -= 2;
  }
  for (; left > 0; left--) visit(bounds.map((bound) => random.below(bound)));
}
