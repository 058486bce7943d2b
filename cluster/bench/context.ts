/**
 * What every case of the benchmark suite is given, and the shape of what it gives back. run.ts makes the context, cases.ts
 * names the cases, report.ts prints the results.
 */
import type { Pinning } from './machine.js';
import type { Children } from './processes.js';
import type { Sample } from './statistics.js';

export interface BenchContext {
  /** Program and words of the command line: a verb follows. */
  readonly command: readonly string[];
  /** Paths of the peer's programs; null when it is not on PATH. */
  readonly redisServer: string | null;
  readonly redisBenchmark: string | null;
  readonly pinning: Pinning;
  readonly children: Children;
  /** For data; removed at the end. */
  readonly directory: string;
  readonly rounds: number;
  readonly quick: boolean;
  /** One line of progress. */
  print(line: string): void;
}

/** What was to be reached: of the ratio to the peer, of Hearsay's own figure, or of what it has above the peer's. */
export interface Target {
  readonly kind: 'ratio' | 'figure' | 'excess';
  readonly limit: number;
}

/** A further figure of a row: processor time, percentiles, bytes. */
export interface Detail {
  readonly name: string;
  readonly unit: string;
  readonly hearsay: Sample | null;
  readonly redis: Sample | null;
}

/** One line of the report. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly hearsay: Sample | null;
  readonly redis: Sample | null;
  /** Hearsay over Redis, round by round. */
  readonly ratio: Sample | null;
  readonly target: Target | null;
  readonly details: readonly Detail[];
  /** What a reader must know: deviations, and why a figure is missing. */
  readonly notes: readonly string[];
}

/** Cases that share servers, so that these are loaded once. */
export interface CaseGroup {
  /** Names of the rows it gives. */
  readonly names: readonly string[];
  /** Measures the wanted ones. */
  run(context: BenchContext, wanted: readonly string[]): Promise<Row[]>;
}
