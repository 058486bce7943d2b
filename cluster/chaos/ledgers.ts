/**
 * Books beside the history of a key (history.ts): counters that several workers increment, keys that live for a short time, and what
 * a fault may cost. load.ts writes them, judgement.ts reads them. Pure.
 *
 *     a counter in the end    between what was acknowledged, and that with all that is in doubt on top
 *     a key past its end      never given by anybody
 *
 * Guarded: an increment or a key without an answer is in doubt, never "failed".
 */

import { isWithin, type Span } from './history.js';

/** What a scenario may cost: the rest is a broken promise. */
export interface Budget {
  /** A node's disk is lost or put back to what it was: what was acknowledged at level one shortly before that may be gone. */
  readonly levelOne: boolean;
  /** Memory is too small for what is written: values may be gone, but nothing wrong may be read. */
  readonly evicts: boolean;
}

export class CounterLedger {
  definite = 0;
  doubtful = 0;
  /** When each of the certain ones was acknowledged, where anybody wants to know. */
  private readonly acknowledgedAtMs: number[] = [];

  constructor(readonly key: string) {}

  acknowledge(atMs: number): void {
    this.definite++;
    this.acknowledgedAtMs.push(atMs);
  }

  /** How many were acknowledged in one of these spans of time. */
  countWithin(spans: readonly Span[]): number {
    return this.acknowledgedAtMs.filter((atMs) => isWithin(spans, atMs)).length;
  }

  /** Null when it is right. `mayBeGone`: so many acknowledged increments may be gone. */
  judge(found: string | null, mayBeGone: number): string | null {
    const value = found === null ? 0 : /^\d{1,15}$/.test(found) ? Number(found) : Number.NaN;
    const most = this.definite + this.doubtful;
    if (value <= most && value >= Math.max(0, this.definite - mayBeGone)) return null;
    const verdict = Number.isNaN(value) ? 'garbage' : value > most ? 'counted too much' : 'lost';
    return `${verdict} ${this.key}: expected ${this.definite} to ${most}, found ${found ?? 'nothing'}`;
  }
}

/** A key that was acknowledged with an end. */
export interface Mortal {
  readonly key: string;
  /** By the clock of the run: the node stamped the end before it answered. */
  readonly endsAtMs: number;
}

const MORTALS_MAX = 50_000;
/** What a turn of a node may take: a read that was taken in before the end may be answered behind it. */
const GRACE_MS = 100;

export class MortalLedger {
  /** Keys whose writes were acknowledged, oldest first. */
  readonly mortals: Mortal[] = [];
  private issued = 0;

  constructor(private readonly prefix: string) {}

  /** A key that nobody has had before; null when there are enough. */
  nextKey(): string | null {
    if (this.issued >= MORTALS_MAX) return null;
    return `${this.prefix}:${++this.issued}`;
  }

  acknowledge(key: string, endsAtMs: number): void {
    this.mortals.push({ key, endsAtMs });
  }

  /** Whether a value that was read by a question of this time was given too late. */
  static isLate({ endsAtMs }: Mortal, askedAtMs: number): boolean {
    return askedAtMs > endsAtMs + GRACE_MS;
  }
}

/** A value with what stands behind it: a length by its number, so that a cut or mixed up value is told from a whole one. */
export function padded(value: string): string {
  const number = Number(value.slice(value.lastIndexOf('=') + 1));
  return `${value}|${'x'.repeat((number * 37) % 400)}`;
}

/** What was written for what was read: a value whose padding is not its own stays as it is, and no history knows it. */
export function unpadded(found: unknown): string | null {
  if (found === undefined || found === null) return null;
  const text = String(found);
  const value = text.split('|')[0];
  return text === value || text === padded(value) ? value : text;
}
