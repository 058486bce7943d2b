/**
 * Get and set inside one process, without sockets: the node's keyspace driven in turns of 64 operations by a child process on the
 * servers' core (the command line's `bench-child in-process`). Redis has no such door, so the target is a figure.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { runChild } from './load-client.js';
import { sampleOf } from './statistics.js';

const ENTRIES = 1_000_000;
const QUICK_ENTRIES = 20_000;
const RUN_MS = 2000;
const QUICK_RUN_MS = 100;
const LIMIT_MS = 120_000;
const TARGETS = { get: 1.5e6, set: 0.8e6 } as const;

export interface InProcessSpec {
  readonly directory: string;
  readonly entries: number;
  readonly valueBytes: number;
  readonly operationsPerTurn: number;
  readonly rounds: number;
  readonly runMs: number;
  readonly seed: number;
}

/** Operations per second, a figure for each round. */
export interface InProcessResult {
  get: number[];
  set: number[];
}

export function inProcessGroup(): CaseGroup {
  return { names: ['in-process-get', 'in-process-set'], run: measure };
}

async function measure(context: BenchContext, wanted: readonly string[]): Promise<Row[]> {
  const spec: InProcessSpec = {
    directory: `${context.directory}/in-process`,
    entries: context.quick ? QUICK_ENTRIES : ENTRIES,
    valueBytes: 100,
    operationsPerTurn: 64,
    rounds: context.rounds,
    runMs: context.quick ? QUICK_RUN_MS : RUN_MS,
    seed: 1,
  };
  const notes = [
    `a turn of the node ends after every ${spec.operationsPerTurn} operations; a get copies the value out`,
  ];
  let result: InProcessResult = { get: [], set: [] };
  try {
    result = await runChild<InProcessResult>(context, 'in-process', spec, LIMIT_MS, context.pinning.server);
  } catch (error) {
    if (context.children.ended) throw error;
    notes.push(`not measured: ${(error as Error).message}`);
  }
  return (['get', 'set'] as const)
    .filter((operation) => wanted.includes(`in-process-${operation}`))
    .map((operation) => ({
      name: `in-process-${operation}`,
      title: `in-process ${operation} of ${spec.valueBytes} B, ${spec.entries} entries, off`,
      unit: 'op/s',
      better: 'higher',
      hearsay: sampleOf(result[operation]),
      redis: null,
      ratio: null,
      target: { kind: 'figure', limit: TARGETS[operation] },
      details: [],
      notes,
    }));
}
