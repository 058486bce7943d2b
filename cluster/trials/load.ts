/**
 * A load at a set rate that keeps a book: writes, deletes and reads of its own keys through chosen nodes, the history of each key,
 * and how long each operation took. Trials disturb the cluster under it and judge the book afterwards.
 * Guarded: no write is sent twice, and one key has one operation under way at most, so that each write is acknowledged, known not
 * to be sent, or doubtful; what could not be started at its time is counted, not started later.
 */
import { Draws } from '../chaos/draws.js';
import { KeyHistory, type Value } from '../chaos/history.js';
import { withoutPadding } from '../chaos/judgement.js';
import { refusalText } from './bulk.js';
import { type Level, NoAnswer } from './connection.js';
import { Doors } from './doors.js';
import { quantile } from './finding.js';

const PULSE_MS = 5;
const UNDER_WAY_MAX = 1500;
const LATENCIES_KEPT_MAX = 2_000_000;
const REFUSALS_KEPT = 5;

export interface PacedLoadOptions {
  /** RESP ports of the nodes to speak to, asked for every operation. */
  ports: () => readonly number[];
  level: Level;
  /** Of its keys; two loads at once have different ones. */
  prefix: string;
  keys: number;
  ratePerSecond: number;
  /** Parts of the operations, from 0 to 1; the rest are SETs. */
  deletePart?: number;
  readPart?: number;
  seed: number;
  timeoutMs?: number;
  /** The longest time for which a command may wait in a node before it runs. */
  lateEffectMs?: number;
  /** Bytes behind each value; what is read is judged without them. */
  padding?: number;
  /** Words after `SET key value`. */
  setWords?: readonly string[];
}

export interface PacedTally {
  acknowledged: number;
  doubtful: number;
  unsent: number;
  reads: number;
  readsFailed: number;
  /** Operations that found no free key, or too many under way. */
  skipped: number;
}

export class PacedLoad {
  readonly tally: PacedTally = { acknowledged: 0, doubtful: 0, unsent: 0, reads: 0, readsFailed: 0, skipped: 0 };
  readonly histories: KeyHistory[];
  /** Reads that gave what nobody wrote. */
  readonly garbage: string[] = [];
  /** Error replies, and calls without an answer: the first few. */
  readonly refusals: string[] = [];
  private readonly startedAtMs: number[] = [];
  private readonly tookMs: number[] = [];
  private readonly doors: Doors;
  private readonly draws: Draws;
  private readonly busy = new Set<number>();
  private readonly pad: string;
  private readonly beganAtMs = performance.now();
  private begun = 0;
  private ended = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: PacedLoadOptions) {
    const lateEffectMs = options.lateEffectMs ?? 3000;
    this.doors = new Doors(options.level, options.timeoutMs ?? 1500);
    this.draws = new Draws(options.seed);
    this.pad = options.padding === undefined ? '' : `|${'x'.repeat(options.padding)}`;
    this.histories = Array.from(
      { length: options.keys },
      (_, index) => new KeyHistory(`${options.prefix}:${index}`, lateEffectMs),
    );
    this.timer = setInterval(() => this.pulse(), PULSE_MS);
  }

  /** Resolves when the last operation has ended; a second time at once. */
  async stop(): Promise<PacedTally> {
    clearInterval(this.timer);
    while (this.busy.size > 0) await new Promise((resolve) => setTimeout(resolve, PULSE_MS));
    this.ended ||= performance.now();
    this.doors.close();
    return this.tally;
  }

  /** Ms that acknowledged writes took which began from one moment to another, by performance.now(). */
  latenciesMs(fromMs = 0, untilMs = Number.POSITIVE_INFINITY): number[] {
    return this.tookMs.filter((_, index) => this.startedAtMs[index] >= fromMs && this.startedAtMs[index] < untilMs);
  }

  /** What it did, for the notes of a report. */
  describe(): string {
    const seconds = ((this.ended || performance.now()) - this.beganAtMs) / 1000;
    const { acknowledged, doubtful, unsent, reads, readsFailed, skipped } = this.tally;
    const all = this.latenciesMs();
    const times =
      all.length === 0 ? '' : `; p50 ${quantile(all, 0.5).toFixed(1)} ms, p99 ${quantile(all, 0.99).toFixed(1)} ms`;
    return (
      `load ${this.options.prefix}, level ${this.options.level}: ${acknowledged} writes acknowledged (${Math.round(acknowledged / seconds)}/s), ` +
      `${doubtful} doubtful, ${unsent} not sent, ${reads} reads, ${readsFailed} failed, ${skipped} not started${times}` +
      `${this.refusals.length === 0 ? '' : `; as: ${this.refusals.join(', ')}`}`
    );
  }

  private pulse(): void {
    const { ratePerSecond, keys } = this.options;
    const due = Math.floor(((performance.now() - this.beganAtMs) * ratePerSecond) / 1000);
    for (; this.begun < due; this.begun++) {
      const key = this.draws.below(keys);
      if (this.busy.size >= UNDER_WAY_MAX || this.busy.has(key)) {
        this.tally.skipped++;
        continue;
      }
      this.busy.add(key);
      this.operate(this.histories[key]).finally(() => this.busy.delete(key));
    }
  }

  private async operate(history: KeyHistory): Promise<void> {
    const { deletePart = 0, readPart = 0 } = this.options;
    const ports = this.options.ports();
    if (ports.length === 0) {
      this.tally.skipped++;
      return;
    }
    const port = ports[this.draws.below(ports.length)];
    const choice = this.draws.fraction();
    if (choice < readPart) await this.read(port, history);
    else await this.write(port, history, choice < readPart + deletePart ? null : history.nextValue());
  }

  private async write(port: number, history: KeyHistory, value: Value): Promise<void> {
    const { setWords = [] } = this.options;
    const startedAtMs = performance.now();
    const words = value === null ? ['DEL', history.key] : ['SET', history.key, `${value}${this.pad}`, ...setWords];
    try {
      await this.doors.call(port, ...words);
      history.acknowledge(value, startedAtMs);
      this.tally.acknowledged++;
      if (this.tookMs.length >= LATENCIES_KEPT_MAX) return;
      this.startedAtMs.push(startedAtMs);
      this.tookMs.push(performance.now() - startedAtMs);
    } catch (error) {
      this.refused(error as Error);
      if (error instanceof NoAnswer && !error.sent) {
        this.tally.unsent++;
      } else {
        history.doubt(value, startedAtMs, performance.now());
        this.tally.doubtful++;
      }
    }
  }

  private async read(port: number, history: KeyHistory): Promise<void> {
    try {
      const reply = await this.doors.call(port, 'GET', history.key);
      this.tally.reads++;
      const value = withoutPadding(reply);
      if (!history.knows(value)) this.garbage.push(history.describe(value));
    } catch (error) {
      this.refused(error as Error);
      this.tally.readsFailed++;
    }
  }

  private refused(error: Error): void {
    const line = refusalText(error).slice(0, 80);
    if (this.refusals.length < REFUSALS_KEPT && !this.refusals.includes(line)) this.refusals.push(line);
  }
}
