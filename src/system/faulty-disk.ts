/**
 * The disk under faults: full, failing what it is asked to make durable, or slow to do so, by the rules that HEARSAY.FAULT DISK
 * sets (the grammar is in ports/faults.ts). Outward it is the disk port of the machine, inward it takes the completions of the real one.
 * Guarded: without rules every call passes untouched; a sync that is to fail or to be late has really been done, so the data
 * directory stays one that a node without faults can read; no completion comes from within a call.
 */
import type { Disk, FileHandle, SyncUrgency } from '../ports/disk.js';
import { DiskError } from '../ports/disk.js';
import { oneOf, wholeNumber, wrong } from './fault-rules.js';

const SLOW_MS_MAX = 600_000;
const CALLS_MAX = 1_000_000_000;
const KINDS = ['FULL', 'EIO', 'SLOW'] as const;

type Kind = (typeof KINDS)[number];
type Completed = (token: number, error: Error | null) => void;

interface Rule {
  /** For SLOW; 0 for the others. */
  readonly ms: number;
  /** Calls that it still disturbs; infinite until it is lifted. */
  callsLeft: number;
}

/** What becomes of a call that is under way. */
interface Fate {
  fails: boolean;
  lateMs: number;
}

const WORDS = 'DISK FULL [ON calls], DISK EIO [ON calls], DISK SLOW ms [ON calls], or DISK CLEAR';

export class FaultyDisk implements Disk {
  private readonly completed: Completed;
  private readonly rules = new Map<Kind, Rule>();
  /** Of calls under way that a rule met: as many as the log has under way, a handful. */
  private readonly fates = new Map<number, Fate>();
  private readonly held = new Set<NodeJS.Timeout>();
  private disk: Disk | null = null;

  /** `completed` takes what the machine is to hear. */
  constructor(completed: Completed) {
    this.completed = completed;
  }

  /** Gives it the real disk, whose completions come to `diskCompleted`. */
  attach(disk: Disk): this {
    this.disk = disk;
    return this;
  }

  /** Nothing held is delivered any more. */
  stop(): void {
    for (const timer of this.held) clearTimeout(timer);
    this.held.clear();
  }

  /** The words behind DISK. Throws HearsayError ERR with nothing changed. */
  change(words: readonly string[]): void {
    if (words.length === 0) throw wrong(WORDS);
    if (words[0].toUpperCase() === 'CLEAR' && words.length === 1) {
      this.clear();
      return;
    }
    const kind = oneOf(words[0], [...KINDS, 'CLEAR'] as const);
    if (kind === 'CLEAR') throw wrong(WORDS);
    const [value, rest] = kind === 'SLOW' ? [words[1], words.slice(2)] : ['0', words.slice(1)];
    if (value === undefined) throw wrong(WORDS);
    const ms = wholeNumber(value, 0, SLOW_MS_MAX);
    if (rest.length > 2 || (rest.length > 0 && rest[0].toUpperCase() !== 'ON')) throw wrong(WORDS);
    const callsLeft = rest.length === 0 ? Number.POSITIVE_INFINITY : wholeNumber(rest[1], 0, CALLS_MAX);
    if (callsLeft === 0 || (kind === 'SLOW' && ms === 0)) this.rules.delete(kind);
    else this.rules.set(kind, { ms, callsLeft });
  }

  /** Lifts every rule; what is late by then stays so. */
  clear(): void {
    this.rules.clear();
  }

  lines(): string[] {
    return KINDS.filter((kind) => this.rules.has(kind)).map((kind) => {
      const { ms, callsLeft } = this.rules.get(kind) as Rule;
      const calls = callsLeft === Number.POSITIVE_INFINITY ? '' : ` ON ${callsLeft}`;
      return `DISK ${kind}${kind === 'SLOW' ? ` ${ms}` : ''}${calls}`;
    });
  }

  /** A completion of the real disk. */
  diskCompleted(token: number, error: Error | null): void {
    const fate = this.fates.get(token);
    if (fate === undefined) {
      this.completed(token, error);
      return;
    }
    this.fates.delete(token);
    const outcome = error ?? (fate.fails ? failed() : null);
    if (fate.lateMs === 0) this.completed(token, outcome);
    else this.after(fate.lateMs, () => this.completed(token, outcome));
  }

  list(): string[] {
    return this.real.list();
  }

  open(name: string, create: boolean): FileHandle {
    return this.real.open(name, create);
  }

  close(file: FileHandle): void {
    this.real.close(file);
  }

  size(file: FileHandle): number {
    return this.real.size(file);
  }

  read(file: FileHandle, position: number, target: Uint8Array, offset: number, length: number): number {
    return this.real.read(file, position, target, offset, length);
  }

  write(file: FileHandle, position: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.rules.size > 0 && this.meets('FULL') !== null) throw noRoom();
    return this.real.write(file, position, bytes, start, end);
  }

  truncate(file: FileHandle, size: number): void {
    if (this.rules.size > 0 && size > this.real.size(file) && this.meets('FULL') !== null) throw noRoom();
    this.real.truncate(file, size);
  }

  sync(file: FileHandle, token: number, urgency?: SyncUrgency): void {
    if (this.rules.size > 0) this.decide(token, this.meets('EIO') !== null);
    this.real.sync(file, token, urgency);
  }

  syncNow(file: FileHandle): void {
    this.real.syncNow(file);
    if (this.rules.size > 0 && this.meets('EIO') !== null) throw failed();
  }

  prepare(name: string, bytes: number, token: number): void {
    if (this.rules.size > 0 && this.meets('FULL') !== null) {
      this.after(0, () => this.completed(token, noRoom()));
      return;
    }
    if (this.rules.size > 0) this.decide(token, false);
    this.real.prepare(name, bytes, token);
  }

  rename(from: string, to: string): void {
    this.real.rename(from, to);
  }

  remove(name: string): void {
    this.real.remove(name);
  }

  syncDirectory(token?: number): void {
    if (this.rules.size > 0 && token !== undefined) this.decide(token, false);
    this.real.syncDirectory(token);
  }

  private get real(): Disk {
    if (this.disk === null) throw new Error('no disk is attached');
    return this.disk;
  }

  /** Writes down what becomes of a call that will complete. */
  private decide(token: number, fails: boolean): void {
    const lateMs = this.meets('SLOW')?.ms ?? 0;
    if (fails || lateMs > 0) this.fates.set(token, { fails, lateMs });
  }

  /** The rule of this kind, if one stands: a call has met it. */
  private meets(kind: Kind): Rule | null {
    const rule = this.rules.get(kind);
    if (rule === undefined) return null;
    if (--rule.callsLeft <= 0) this.rules.delete(kind);
    return rule;
  }

  private after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.held.delete(timer);
      run();
    }, ms);
    this.held.add(timer);
  }
}

function noRoom(): DiskError {
  return new DiskError('ENOSPC', 'no space left on the disk, by HEARSAY.FAULT');
}

function failed(): DiskError {
  return new DiskError('EIO', 'the disk failed, by HEARSAY.FAULT');
}
