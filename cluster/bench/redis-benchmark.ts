/**
 * Runs redis-benchmark and reads its CSV: the same client, written in C, drives both sides.
 * Guarded: it always has a time limit, as it spins for ever when its connection is refused; a reply that is an error ends it.
 */
import type { BenchContext } from './context.js';
import type { Operation } from './load-spec.js';
import { HOST } from './server.js';

export interface BenchmarkRun {
  readonly connections: number;
  readonly pipeline: number;
  readonly valueBytes: number;
  readonly keys: number;
  readonly requests: number;
}

/** What a load generator measured; latencies in ms. */
export interface LoadFigures {
  operationsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** NaN where the generator does not say. */
  p999Ms: number;
  maxMs: number;
}

/** Operations that redis-benchmark knows. */
export const BENCHMARK_OPERATIONS: readonly Operation[] = ['set', 'get', 'incr', 'mset'];

export async function runRedisBenchmark(
  context: BenchContext,
  port: number,
  operation: Operation,
  run: BenchmarkRun,
  limitMs: number,
): Promise<LoadFigures> {
  const words = [
    ...[...context.pinning.client, String(context.redisBenchmark), '-h', HOST, '-p', String(port)],
    ...['-c', String(run.connections), '-P', String(run.pipeline), '-d', String(run.valueBytes)],
    ...['-r', String(run.keys), '-n', String(run.requests), '-t', operation, '--csv', '--threads', '1'],
  ];
  const { out, error } = await context.children.runTool(words, limitMs);
  const figures = parseBenchmarkCsv(out);
  if (figures === null) throw new Error(`redis-benchmark gave no figures: ${(error || out).trim().slice(-300)}`);
  return figures;
}

/** The figures of the one test in the output; null if there is none. Columns are found by their names. */
export function parseBenchmarkCsv(text: string): LoadFigures | null {
  const lines = text.split(/[\r\n]+/).filter((line) => line.startsWith('"'));
  if (lines.length < 2) return null;
  const names = cellsOf(lines[0]);
  const cells = cellsOf(lines[lines.length - 1]);
  const figure = (name: string): number => Number.parseFloat(cells[names.indexOf(name)] ?? '');
  const figures = {
    operationsPerSecond: figure('rps'),
    p50Ms: figure('p50_latency_ms'),
    p99Ms: figure('p99_latency_ms'),
    p999Ms: Number.NaN,
    maxMs: figure('max_latency_ms'),
  };
  const needed = [figures.operationsPerSecond, figures.p50Ms, figures.p99Ms, figures.maxMs];
  return needed.every(Number.isFinite) && figures.operationsPerSecond > 0 ? figures : null;
}

function cellsOf(line: string): string[] {
  return line.split('","').map((cell) => cell.replaceAll('"', ''));
}
