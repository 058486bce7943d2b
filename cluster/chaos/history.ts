/**
 * What a load did to one key, and what may be read there in the end. One worker writes a key, one write at a time, each with
 * a value of its own; load.ts records, run.ts judges what every node answers.
 *
 *     final value                                   verdict
 *     the last acknowledged write                   right
 *     a doubtful write that may have come after it  right
 *     something, after an acknowledged delete       resurrected
 *     a value this key was never given              garbage
 *     anything else                                 lost
 *
 * Guarded: a write without an answer stays doubtful for `lateEffectMs` only, so that a run with many failures still judges; nodes that
 * stood still for longer lengthen that (`stretch`).
 */

/** Beyond what any node stands still for: a doubtful write so much older than an acknowledged one is forgotten. */
const FORGOTTEN_AFTER_MS = 60_000;

/** null: deleted, or never written. */
export type Value = string | null;
export type Verdict = 'right' | 'lost' | 'resurrected' | 'garbage';

/** By the clock of the run. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Write {
  readonly value: Value;
  readonly startedAtMs: number;
}

interface DoubtfulWrite extends Write {
  readonly gaveUpAtMs: number;
}

export class KeyHistory {
  private acknowledged: Write = { value: null, startedAtMs: Number.NEGATIVE_INFINITY };
  private doubtful: DoubtfulWrite[] = [];
  private issued = 0;
  private acknowledgedAtMs = Number.NEGATIVE_INFINITY;
  private stretchMs = 0;

  constructor(
    readonly key: string,
    private readonly lateEffectMs: number,
  ) {}

  /** The value of the next write: no other write has it. */
  nextValue(): string {
    this.issued++;
    return `${this.key}=${this.issued}`;
  }

  acknowledge(value: Value, startedAtMs: number, endedAtMs: number = startedAtMs): void {
    this.acknowledged = { value, startedAtMs };
    this.acknowledgedAtMs = endedAtMs;
    this.doubtful = this.doubtful.filter((write) => this.mayFollow(write, FORGOTTEN_AFTER_MS));
  }

  /** A node stood still for so long in this run: a command in its socket ran when it went on. */
  stretch(gapMs: number): void {
    this.stretchMs = Math.max(this.stretchMs, gapMs);
  }

  /** Whether the last acknowledged write was acknowledged in one of these spans of time. */
  endsWithin(spans: readonly Span[]): boolean {
    return isWithin(spans, this.acknowledgedAtMs);
  }

  /** A write that failed, and may have been applied or still be. */
  doubt(value: Value, startedAtMs: number, gaveUpAtMs: number): void {
    this.doubtful.push({ value, startedAtMs, gaveUpAtMs });
  }

  /** Whether a value was ever given to this key. */
  knows(value: Value): boolean {
    if (value === null) return true;
    const [key, number] = value.split('=');
    return key === this.key && Number(number) >= 1 && Number(number) <= this.issued;
  }

  judge(value: Value): Verdict {
    if (!this.knows(value)) return 'garbage';
    if (value === this.acknowledged.value) return 'right';
    if (this.doubtful.some((write) => write.value === value && this.mayFollow(write))) return 'right';
    return this.acknowledged.value === null ? 'resurrected' : 'lost';
  }

  /** `k: expected a or b, found c`. */
  describe(found: Value): string {
    const legal = [this.acknowledged, ...this.doubtful.filter((write) => this.mayFollow(write))];
    const expected = [...new Set(legal.map((write) => write.value ?? 'nothing'))].slice(0, 5);
    return `${this.key}: expected ${expected.join(' or ')}, found ${found ?? 'nothing'}`;
  }

  private mayFollow(write: DoubtfulWrite, atLeastMs = 0): boolean {
    const lateMs = Math.max(atLeastMs, this.lateEffectMs + this.stretchMs);
    return write.gaveUpAtMs + lateMs >= this.acknowledged.startedAtMs;
  }
}

export function isWithin(spans: readonly Span[], atMs: number): boolean {
  return spans.some(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs);
}
