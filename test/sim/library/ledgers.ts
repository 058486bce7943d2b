/**
 * What was written through a library and what may be read of it: a ledger of single values, one of counters, and one for the keys that a
 * session has to itself. work.ts tells them what it does. Guarded: a value is known by its text to be of one key and one call, so a reply
 * that went to the wrong call shows as such.
 */
import type { Receipt } from '../../../src/client/cache.js';
import type { Judge, Outcome } from './judge.js';

export function textOf(key: string, mark: number): string {
  return `${key}#${mark}#`;
}

function markOf(value: string): number {
  return Number(value.split('#')[1]);
}

/** Keys that anybody writes: what is read was written there, by a call that did not say that it sent nothing. */
export class ValueLedger {
  private readonly written = new Map<string, Set<number>>();
  private readonly never = new Set<number>();
  private readonly versions = new Map<string, string>();

  constructor(private readonly judge: Judge) {}

  writing(key: string, mark: number): void {
    const marks = this.written.get(key) ?? new Set();
    this.written.set(key, marks.add(mark));
  }

  wrote(mark: number, outcome: Outcome<unknown>): void {
    if (!outcome.done && !outcome.isOpen) this.never.add(mark);
  }

  read(key: string, value: unknown): void {
    if (value === undefined) return;
    const mark = typeof value === 'string' ? markOf(value) : Number.NaN;
    if (value !== textOf(key, mark) || !this.written.get(key)?.has(mark))
      this.judge.violate(`reply: ${key} gives ${JSON.stringify(value)}, which nobody wrote there`);
    else if (this.never.has(mark)) this.judge.violate(`ghost: ${key} gives ${value}, of which nothing was done`);
  }

  /** One version, one value. */
  receipt(key: string, value: unknown, receipt: Receipt): void {
    const { level, met, owners, fallbacks, synced, version } = receipt;
    if (met && level === 'quorum' && owners + fallbacks < 2)
      this.judge.violate(`receipt: quorum met by ${owners} owners and ${fallbacks} fallbacks`);
    if (synced > owners + fallbacks) this.judge.violate(`receipt: ${synced} synced of ${owners} and ${fallbacks}`);
    if (version === undefined || typeof value !== 'string') return;
    this.judge.mark('receipts with a version');
    const known = this.versions.get(`${key} ${version}`) ?? value;
    this.versions.set(`${key} ${version}`, known);
    if (known !== value) this.judge.violate(`receipt: version ${version} of ${key} is ${known} and ${value}`);
  }
}

/** Counters: what is counted is what was acknowledged, and of what is open any part, once. */
export class CountLedger {
  private readonly sums = new Map<string, { least: number; most: number }>();

  begin(key: string, by: number): void {
    this.of(key).most += by;
  }

  end(key: string, by: number, outcome: Outcome<number>): void {
    if (outcome.done) this.of(key).least += by;
    else if (!outcome.isOpen) this.of(key).most -= by;
  }

  keys(): string[] {
    return [...this.sums.keys()];
  }

  /** What is wrong with the value of a counter; null if nothing is. */
  problem(key: string, value: number): string | null {
    const { least, most } = this.of(key);
    return value >= least && value <= most ? null : `count: ${key} is ${value}, and must be ${least} to ${most}`;
  }

  private of(key: string): { least: number; most: number } {
    const sum = this.sums.get(key) ?? { least: 0, most: 0 };
    this.sums.set(key, sum);
    return sum;
  }
}

/** One key that a session has to itself: each read gives what it wrote last, or later. */
export class SessionKey {
  private readonly order: number[] = [];
  /** Writes that ended without saying whether they ran: each may run at any time. */
  private readonly open = new Set<number>();
  private floor = -1;

  constructor(
    private readonly judge: Judge,
    readonly key: string,
  ) {}

  writing(mark: number): void {
    this.order.push(mark);
  }

  wrote(mark: number, outcome: Outcome<unknown>): void {
    if (outcome.done) this.floor = Math.max(this.floor, this.order.indexOf(mark));
    else if (outcome.isOpen) this.open.add(mark);
  }

  read(value: unknown): void {
    const mark = typeof value === 'string' ? markOf(value) : Number.NaN;
    const place = this.order.indexOf(mark);
    if (value !== undefined && (value !== textOf(this.key, mark) || place < 0)) {
      this.judge.violate(`reply: ${this.key} gives ${JSON.stringify(value)}, which its session did not write`);
    } else if (place < this.floor) {
      if (this.open.has(mark)) this.judge.mark('older writes that ran late');
      else
        this.judge.violate(`session: ${this.key} gives ${value} after ${this.order[this.floor]} was written or read`);
    }
    this.floor = Math.max(this.floor, place);
  }
}
