/**
 * Throughput over sockets: one operation at a depth of pipelining, a number of connections, a value size and a durability.
 * Lines of one durability and value size share two servers with the same million keys. redis-benchmark drives both sides where it
 * is present and knows the operation; the load generator of this folder does the rest.
 * Guarded: rounds alternate, the side that rests is frozen; a round that fails makes the line not measured, and says why.
 */
import type { BenchContext, CaseGroup, Detail, Row, Target } from './context.js';
import { fill, runLoadClient } from './load-client.js';
import { MSET_KEYS, type Operation } from './load-spec.js';
import { BENCHMARK_OPERATIONS, type LoadFigures, runRedisBenchmark } from './redis-benchmark.js';
import { BenchServer, type Durability, type Side, sidesOf } from './server.js';
import { ratioOf, sampleOf } from './statistics.js';

const KEYS = 1_000_000;
const QUICK_KEYS = 20_000;
const RUN_MS = 1500;
const QUICK_RUN_MS = 200;
const WARM_UP_REQUESTS = 200_000;
const QUICK_WARM_UP_REQUESTS = 20_000;
const RUN_LIMIT_MS = 60_000;
const MEMORY_BYTES = 4 * 2 ** 30;
const QUICK_MEMORY_BYTES = 256 * 2 ** 20;

interface Line {
  readonly name: string;
  readonly operation: Operation;
  readonly pipeline: number;
  readonly connections: number;
  readonly valueBytes: number;
  readonly durability: Durability;
}

/** What one side did in one round. */
interface Round extends LoadFigures {
  cpuMicroseconds: number;
}

/** Lines with a target, and those that a default run measures besides. */
const TARGETS: Readonly<Record<string, number>> = {
  'set-p16-c50-100b-off': 0.9,
  'get-p16-c50-100b-off': 0.9,
  'set-p1-c50-100b-off': 0.95,
  'get-p1-c50-100b-off': 0.95,
  'set-p1-c50-100b-always': 1,
  'set-p16-c50-100b-always': 1.3,
};
const ALSO_BY_DEFAULT = [
  ...['incr-p16-c50-100b-off', 'mset-p1-c50-100b-off', 'mixed-p16-c50-100b-off', 'mixed-p1-c50-100b-off'],
  ...['set-p1-c1-100b-off', 'get-p1-c1-100b-off', 'set-p16-c50-100b-interval', 'set-p1-c50-100b-interval'],
  ...['set-p1-c1-100b-always', 'set-p16-c50-1kib-off', 'get-p16-c50-1kib-off'],
];

export const THROUGHPUT_DEFAULT: readonly string[] = [...Object.keys(TARGETS), ...ALSO_BY_DEFAULT];

/** All lines, by durability and value size. */
export function throughputGroups(): CaseGroup[] {
  const groups: CaseGroup[] = [];
  for (const durability of ['off', 'interval', 'always'] as const) {
    for (const valueBytes of [100, 1024]) {
      const lines = linesOf(durability, valueBytes);
      groups.push({
        names: lines.map((line) => line.name),
        run: (context, wanted) =>
          measureLines(
            context,
            lines.filter((line) => wanted.includes(line.name)),
          ),
      });
    }
  }
  return groups;
}

function linesOf(durability: Durability, valueBytes: number): Line[] {
  const lines: Line[] = [];
  for (const operation of ['set', 'get', 'incr', 'mset', 'mixed'] as const) {
    for (const pipeline of [1, 16]) {
      for (const connections of [1, 50]) {
        const size = valueBytes === 1024 ? '1kib' : `${valueBytes}b`;
        const name = `${operation}-p${pipeline}-c${connections}-${size}-${durability}`;
        lines.push({ name, operation, pipeline, connections, valueBytes, durability });
      }
    }
  }
  return lines;
}

async function measureLines(context: BenchContext, lines: readonly Line[]): Promise<Row[]> {
  if (lines.length === 0) return [];
  const { durability, valueBytes } = lines[0];
  const keys = context.quick ? QUICK_KEYS : KEYS;
  const servers: BenchServer[] = [];
  try {
    for (const side of sidesOf(context)) {
      const memoryBytes = context.quick ? QUICK_MEMORY_BYTES : MEMORY_BYTES;
      const server = await BenchServer.start(context, side, { durability, memoryBytes });
      servers.push(server);
      context.print(`  ${side}: ${keys} keys of ${valueBytes} B, durability ${durability}`);
      await fill(context, server.port, { from: 0, to: keys, valueBytes });
      server.freeze();
    }
    const rows: Row[] = [];
    for (const line of lines) rows.push(await measureLine(context, servers, line, keys));
    return rows;
  } finally {
    for (const server of servers) await server.discard();
  }
}

async function measureLine(
  context: BenchContext,
  servers: readonly BenchServer[],
  line: Line,
  keys: number,
): Promise<Row> {
  const rounds: Record<Side, Round[]> = { hearsay: [], redis: [] };
  const requests: Record<Side, number> = { hearsay: 0, redis: 0 };
  const notes: string[] = [];
  try {
    for (let round = 0; round < context.rounds; round++) {
      for (const server of servers) {
        server.thaw();
        if (round === 0) requests[server.side] = await requestsFor(context, server, line, keys);
        const figures = await runRound(context, server, line, keys, requests[server.side]);
        server.freeze();
        rounds[server.side].push(figures);
      }
    }
  } catch (error) {
    if (context.children.ended) throw error;
    rounds.hearsay.length = 0;
    rounds.redis.length = 0;
    notes.push(`not measured: ${(error as Error).message}`);
  }
  const row = rowOf(line, rounds, notes);
  context.print(`  ${line.name}: ${row.ratio === null ? 'no ratio' : `${row.ratio.median.toFixed(2)} x`}`);
  return row;
}

/** Warms the side up, and finds how many requests fill the time of a round. */
async function requestsFor(context: BenchContext, server: BenchServer, line: Line, keys: number): Promise<number> {
  const warmUp = context.quick ? QUICK_WARM_UP_REQUESTS : WARM_UP_REQUESTS;
  const slow = line.durability === 'always' ? 10 : 1;
  const figures = await runRound(context, server, line, keys, warmUp / slow);
  const wanted = (figures.operationsPerSecond * (context.quick ? QUICK_RUN_MS : RUN_MS)) / 1000;
  return Math.max(1000, Math.ceil(wanted / 1000) * 1000);
}

async function runRound(
  context: BenchContext,
  server: BenchServer,
  line: Line,
  keys: number,
  requests: number,
): Promise<Round> {
  const before = server.cpuSeconds();
  const figures = drivenByRedisBenchmark(context, line)
    ? await runRedisBenchmark(context, server.port, line.operation, { ...line, keys, requests }, RUN_LIMIT_MS)
    : await runLoadClient(context, { ...line, port: server.port, keys, requests, durationMs: RUN_LIMIT_MS });
  const cpuMicroseconds = ((server.cpuSeconds() - before) * 1e6) / requests;
  return { ...figures, cpuMicroseconds };
}

function drivenByRedisBenchmark(context: BenchContext, line: Line): boolean {
  return context.redisBenchmark !== null && BENCHMARK_OPERATIONS.includes(line.operation);
}

function rowOf(line: Line, rounds: Record<Side, readonly Round[]>, notes: string[]): Row {
  const sampled = (side: Side, of: (round: Round) => number) => sampleOf(rounds[side].map(of));
  const detail = (name: string, unit: string, of: (round: Round) => number): Detail => ({
    name,
    unit,
    hearsay: sampled('hearsay', of),
    redis: sampled('redis', of),
  });
  const hearsay = sampled('hearsay', (round) => round.operationsPerSecond);
  const redis = sampled('redis', (round) => round.operationsPerSecond);
  const limit = TARGETS[line.name];
  const target: Target | null = limit === undefined ? null : { kind: 'ratio', limit };
  if (line.operation === 'mset') notes.push(`an operation is one MSET of ${MSET_KEYS} keys`);
  return {
    name: line.name,
    title: titleOf(line),
    unit: 'op/s',
    better: 'higher',
    hearsay,
    redis,
    ratio: ratioOf(hearsay, redis),
    target,
    details: [
      detail('server CPU per operation', 'us', (round) => round.cpuMicroseconds),
      detail('p50', 'ms', (round) => round.p50Ms),
      detail('p99', 'ms', (round) => round.p99Ms),
      detail('p99.9', 'ms', (round) => round.p999Ms),
      detail('max', 'ms', (round) => round.maxMs),
    ].filter((one) => one.hearsay !== null),
    notes,
  };
}

function titleOf({ operation, pipeline, connections, valueBytes, durability }: Line): string {
  const what = operation === 'mixed' ? 'GET:SET 90:10' : operation.toUpperCase();
  return `${what}, pipeline ${pipeline}, ${connections} connections, ${valueBytes} B, ${durability}`;
}
