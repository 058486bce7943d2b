/**
 * Starts the load generator (load.ts) as a process on the clients' core and gives back what it measured.
 * Guarded: it has a time limit of its own; a load with error replies or without requests is no measurement.
 */
import type { BenchContext } from './context.js';
import type { LoadResult, LoadSpec } from './load-spec.js';

const SLACK_MS = 60_000;
/** Longest time for loading data. */
const FILL_LIMIT_MS = 600_000;

const PLAIN: LoadSpec = {
  port: 0,
  operation: 'set',
  connections: 1,
  pipeline: 1,
  keys: 1,
  sequentialFrom: null,
  valueBytes: 100,
  ttlSeconds: 0,
  requests: Number.MAX_SAFE_INTEGER,
  durationMs: FILL_LIMIT_MS,
  ratePerSecond: 0,
  sleeps: false,
  samplesFile: null,
  seed: 1,
};

/** Runs one load; what the spec leaves out is one connection, pipeline 1, SET of 100 B. It ends early when `stop` resolves. */
export async function runLoadClient(
  context: BenchContext,
  given: Partial<LoadSpec>,
  stop?: Promise<void>,
): Promise<LoadResult> {
  const spec: LoadSpec = { ...PLAIN, ...given };
  const { client } = context.pinning;
  const result = await runChild<LoadResult>(context, 'load', spec, spec.durationMs + SLACK_MS, client, stop);
  if (result.errors > 0) throw new Error(`${result.errors} requests were refused: ${result.firstError}`);
  if (result.requests === 0) throw new Error('no request was answered');
  return result;
}

/** Writes each key from `from` up to `to` once. */
export async function fill(
  context: BenchContext,
  port: number,
  range: { from: number; to: number; valueBytes: number; ttlSeconds?: number },
): Promise<LoadResult> {
  return runLoadClient(context, {
    port,
    connections: 4,
    pipeline: 64,
    sequentialFrom: range.from,
    keys: range.to,
    requests: range.to - range.from,
    valueBytes: range.valueBytes,
    ttlSeconds: range.ttlSeconds ?? 0,
  });
}

/** Runs one role of `hearsay bench-child` and reads the line of JSON that it ends with. */
export async function runChild<Result>(
  context: BenchContext,
  role: string,
  spec: object,
  limitMs: number,
  pinned: readonly string[],
  stop?: Promise<void>,
): Promise<Result> {
  const words = [...pinned, ...context.command, 'bench-child', role, JSON.stringify(spec)];
  const { out } = await context.children.runTool(words, limitMs, stop);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Result;
}
