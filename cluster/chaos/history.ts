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
 * Guarded: a write without an answer stays doubtful for `lateEffectMs` only, so that a run with many failures still judges.
 */

/** null: deleted, or never written. */
export type Value = string | null;
export type Verdict = 'right' | 'lost' | 'resurrected' | 'garbage';

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

  constructor(
    readonly key: string,
    private readonly lateEffectMs: number,
  ) {}

  /** The value of the next write: no other write has it. */
  nextValue(): string {
    this.issued++;
    return `${this.key}=${this.issued}`;
  }

  acknowledge(value: Value, startedAtMs: number): void {
    this.acknowledged = { value, startedAtMs };
    this.doubtful = this.doubtful.filter((write) => this.mayFollow(write));
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

  private mayFollow(write: DoubtfulWrite): boolean {
    return write.gaveUpAtMs + this.lateEffectMs >= this.acknowledged.startedAtMs;
  }
}
