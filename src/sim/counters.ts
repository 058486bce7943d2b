/**
 * Counters in a run: INCR through every node, and what the replies and the last state may then say. The plan draws them beside the
 * other commands, run.ts keeps the ledger. Amounts are positive, so a counter holds at least what was acknowledged and at
 * most that and what may have been carried out; whatever was lost with a disk, or to a FLUSHALL, only lowers the least.
 * Guarded: soundness before sharpness, as in checkers.ts.
 */
import type { Random } from '../core/base/random.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { type Reply, textOf } from './replies.js';
import type { ClientPlan, Step } from './schedule.js';

const COUNTERS_MAX = 3;
const PER_SECOND_MAX = 20;
const AMOUNT_MAX = 9;
/** Counters with such names are given ends (variants.ts). */
const EXPIRING = 'ticket';

/** INCR and INCRBY on a few counters by all clients, in about half of the runs. */
export function drawCounts(random: Random, clients: readonly ClientPlan[], lengthMs: number): Step[] {
  const steps: Step[] = [];
  if (!random.chance(0.5)) return steps;
  const counters = random.between(1, COUNTERS_MAX);
  const perSecond = random.between(5, PER_SECOND_MAX);
  for (let left = Math.floor((lengthMs / 1_000) * perSecond); left > 0; left--) {
    const key = `count${random.below(counters)}`;
    const words = random.chance(0.5) ? ['INCR', key] : ['INCRBY', key, String(random.between(1, AMOUNT_MAX))];
    const atMs = random.below(lengthMs * 1_000) / 1_000;
    steps.push({ atMs, kind: 'command', client: random.below(clients.length), words });
  }
  return steps;
}

export function isCount(words: readonly string[]): boolean {
  return words[0] === 'INCR' || words[0] === 'INCRBY';
}

interface Tally {
  acknowledged: number;
  /** Sent and neither acknowledged nor refused: it may have been carried out, or may be yet. */
  unknown: number;
  /** It may have ended, and begun from nothing. */
  expires: boolean;
}

export class CounterLedger implements Ledger {
  /** A disk lost something, or everything was flushed: the least is nothing. */
  private lossy = false;
  private readonly tallies = new Map<string, Tally>();
  private readonly open = new Map<number, { key: string; amount: number }>();

  takes(words: readonly string[]): boolean {
    return isCount(words) || (words[0] === 'PEXPIRE' && words[1].startsWith(EXPIRING));
  }

  begin({ number, words }: Pick<Asked, 'number' | 'words'>): void {
    const [name, key, by] = words;
    if (name === 'PEXPIRE') {
      this.tally(key).expires = true;
      return;
    }
    const amount = by === undefined ? 1 : Number(by);
    this.open.set(number, { key, amount });
    this.tally(key).unknown += amount;
  }

  end({ number, outcome, reply }: Pick<Ended, 'number' | 'outcome' | 'reply'>): readonly string[] {
    const count = this.open.get(number);
    if (count === undefined) return [];
    this.open.delete(number);
    const { key, amount } = count;
    const tally = this.tally(key);
    if (outcome === 'indeterminate') return [];
    tally.unknown -= amount;
    if (outcome === 'refused') return [];
    tally.acknowledged += amount;
    const value = reply?.type === 'integer' ? reply.value : Number.NaN;
    const most = tally.acknowledged + tally.unknown;
    if (value >= amount && value <= most) return [];
    return [`count: ${key} was answered ${value} after ${amount} more; at most ${most} were ever added`];
  }

  damaged(): void {
    this.lossy = true;
  }

  restarted(): void {}

  flushed(): void {
    this.lossy = true;
  }

  questions(): readonly Question[] {
    return [...this.tallies.keys()].sort().map((key) => ({ key, words: ['GET', key], types: ['bulk', 'null'] }));
  }

  /** What is left of a counter in the end; a line if it can not be. */
  checkFinal(key: string, reply: Reply | null): string | null {
    const { acknowledged, unknown, expires } = this.tally(key);
    const value = textOf(reply);
    const found = value === null ? 0 : Number(value);
    const least = this.lossy || expires ? 0 : acknowledged;
    if (found >= least && found <= acknowledged + unknown) return null;
    return `count: ${key} is ${value} in the end, of ${acknowledged} acknowledged and ${unknown} unknown`;
  }

  private tally(key: string): Tally {
    let tally = this.tallies.get(key);
    if (tally === undefined) {
      tally = { acknowledged: 0, unknown: 0, expires: false };
      this.tallies.set(key, tally);
    }
    return tally;
  }
}
