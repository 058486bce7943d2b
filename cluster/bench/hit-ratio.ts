/**
 * Hit ratios: traces replayed cache-aside against Hearsay and against Redis by allkeys-lru and allkeys-lfu. `replayAtMemory` takes
 * the memory as it is given (`hearsay bench --trace FILE --memory 64mb`); `hitRatioMatrix` gives each side an equal share of what
 * the trace needs (`--hit-ratios`).
 * Guarded: in the matrix a side's limit is what it takes empty plus the share, so that no side pays for being larger at its start;
 * a share below Hearsay's least --max-memory is raised for all alike, and the line says so.
 */
import type { BenchContext } from './context.js';
import { fill, runChild } from './load-client.js';
import type { ReplayResult, ReplaySpec } from './replay.js';
import { BenchServer, type Side } from './server.js';
import { loadTrace, type TraceSource, traceName } from './trace.js';

const REPLAY_LIMIT_MS = 900_000;
const SLACK_MS = 60_000;
/** The least share should be so much, as far as the size of values can bring it about. */
const LEAST_SHARE_BYTES = 4 * 2 ** 20;
/** At most a little below 4 KiB, so that Redis's allocator rounds it up to that and not to 5 KiB. */
const VALUE_BYTES = { min: 100, max: 4000 };
const SHARES = [0.02, 0.05, 0.1, 0.25];
const QUICK_SHARES = [0.1];
/** Points that Hearsay may be below the better of both policies. */
export const ALLOWED_POINTS = 0.5;
export const POLICIES = ['allkeys-lru', 'allkeys-lfu'] as const;

export interface HitLine {
  readonly trace: string;
  readonly requests: number;
  readonly distinct: number;
  readonly valueBytes: number;
  /** Bytes above what an empty server takes, or the whole limit with --memory. */
  readonly memoryBytes: number;
  /** Of the footprint; null with --memory. */
  readonly share: number | null;
  /** `hearsay`, `allkeys-lru`, `allkeys-lfu`. */
  readonly results: Readonly<Record<string, ReplayResult>>;
  readonly note: string;
}

export interface ReplayOptions {
  readonly sources: readonly TraceSource[];
  /** Null: chosen so that the least share is some MiB. */
  readonly valueBytes: number | null;
  /** Limits in bytes; the matrix takes shares instead. */
  readonly memoryBytes: readonly number[];
  /** The least --max-memory that Hearsay takes. */
  readonly memoryMinBytes: number;
  /** Redis beside it. */
  readonly peer: boolean;
}

export async function replayAtMemory(context: BenchContext, options: ReplayOptions): Promise<HitLine[]> {
  const lines: HitLine[] = [];
  const peer = options.peer && context.redisServer !== null;
  for (const source of options.sources) {
    for (const memoryBytes of options.memoryBytes) {
      const valueBytes = options.valueBytes ?? VALUE_BYTES.min;
      const results: Record<string, ReplayResult> = {
        hearsay: await replayOn(context, 'hearsay', null, memoryBytes, source, valueBytes),
      };
      for (const policy of peer ? POLICIES : []) {
        results[policy] = await replayOn(context, 'redis', policy, memoryBytes, source, valueBytes);
      }
      lines.push(lineOf(source, valueBytes, memoryBytes, null, results, ''));
      context.print(`  ${describeLine(lines[lines.length - 1])}`);
    }
  }
  return lines;
}

export async function hitRatioMatrix(context: BenchContext, options: ReplayOptions): Promise<HitLine[]> {
  if (context.redisServer === null) throw new Error('--hit-ratios compares with Redis: redis-server is not on PATH');
  const { memoryMinBytes } = options;
  const lines: HitLine[] = [];
  for (const source of options.sources) {
    const { distinct } = await loadTrace(source);
    const valueBytes = options.valueBytes ?? valueBytesFor(distinct);
    const { footprint, emptyBytes } = await redisFootprint(context, distinct, valueBytes);
    context.print(
      `${traceName(source)}: ${distinct} keys of ${valueBytes} B take ${(footprint / 2 ** 20).toFixed(1)} MiB in Redis`,
    );
    for (const share of context.quick ? QUICK_SHARES : SHARES) {
      const wanted = Math.round(footprint * share);
      const hearsayEmpty = await hearsayEmptyBytes(context, Math.max(memoryMinBytes, wanted));
      const memoryBytes = Math.max(wanted, memoryMinBytes - hearsayEmpty);
      const raised = memoryBytes > wanted;
      const results: Record<string, ReplayResult> = {};
      const hearsayLimit = memoryBytes + hearsayEmpty;
      results.hearsay = await replayOn(context, 'hearsay', null, hearsayLimit, source, valueBytes);
      for (const policy of POLICIES) {
        results[policy] = await replayOn(context, 'redis', policy, memoryBytes + emptyBytes, source, valueBytes);
      }
      const percent = ((memoryBytes / footprint) * 100).toFixed(1);
      const note = raised
        ? `share raised to ${percent} %: Hearsay takes no --max-memory below ${memoryMinBytes / 2 ** 20} MiB`
        : '';
      lines.push(lineOf(source, valueBytes, memoryBytes, share, results, note));
      context.print(`  ${describeLine(lines[lines.length - 1])}`);
    }
  }
  return lines;
}

/** Value size at which 2 % of the footprint is some MiB. */
export function valueBytesFor(distinct: number): number {
  const wanted = Math.round(LEAST_SHARE_BYTES / SHARES[0] / distinct);
  return Math.min(VALUE_BYTES.max, Math.max(VALUE_BYTES.min, wanted));
}

/** How far Hearsay is above the better policy, in points; null without both. */
export function pointsAbove(line: HitLine): number | null {
  const others = POLICIES.map((policy) => line.results[policy]?.hitRatio);
  const ours = line.results.hearsay?.hitRatio;
  if (ours === undefined || others.some((ratio) => ratio === undefined)) return null;
  return (ours - Math.max(...(others as number[]))) * 100;
}

export function describeLine(line: HitLine): string {
  const percent = (ratio: number | undefined): string => (ratio === undefined ? '-' : (ratio * 100).toFixed(2));
  const sides = Object.entries(line.results).map(
    ([name, result]) => `${name} ${percent(result.hitRatio)} % (second half ${percent(result.hitRatioSecondHalf)} %)`,
  );
  const points = pointsAbove(line);
  const verdict =
    points === null
      ? ''
      : `; ${points >= 0 ? '+' : ''}${points.toFixed(2)} points, ${points >= -ALLOWED_POINTS ? 'reached' : 'missed'}`;
  const memory = `${(line.memoryBytes / 2 ** 20).toFixed(1)} MiB`;
  const share = line.share === null ? '' : ` (${line.share * 100} %)`;
  return `${line.trace} at ${memory}${share}: ${sides.join(', ')}${verdict}${line.note === '' ? '' : `; ${line.note}`}`;
}

/** A table of hit ratios, throughput and latencies. */
export function hitTable(lines: readonly HitLine[]): string[] {
  const cells = [
    ['TRACE', 'MEMORY', 'SERVER', 'HIT %', '2ND HALF %', 'POINTS', 'REQ/S', 'P50 MS', 'P99 MS', 'P99.9 MS'],
    ...lines.flatMap((line) =>
      Object.entries(line.results).map(([server, result]) => [
        line.trace,
        `${(line.memoryBytes / 2 ** 20).toFixed(1)} MiB${line.share === null ? '' : ` (${line.share * 100} %)`}`,
        server,
        (result.hitRatio * 100).toFixed(2),
        (result.hitRatioSecondHalf * 100).toFixed(2),
        server === 'hearsay' ? (pointsAbove(line)?.toFixed(2) ?? '') : '',
        String(Math.round(result.requestsPerSecond)),
        ...[result.p50Ms, result.p99Ms, result.p999Ms].map((ms) => ms.toFixed(3)),
      ]),
    ),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

function lineOf(
  source: TraceSource,
  valueBytes: number,
  memoryBytes: number,
  share: number | null,
  results: Readonly<Record<string, ReplayResult>>,
  note: string,
): HitLine {
  const { requests, distinct } = results.hearsay;
  return { trace: traceName(source), requests, distinct, valueBytes, memoryBytes, share, results, note };
}

async function replayOn(
  context: BenchContext,
  side: Side,
  policy: string | null,
  limitBytes: number,
  source: TraceSource,
  valueBytes: number,
): Promise<ReplayResult> {
  const server = await BenchServer.start(context, side, {
    durability: 'off',
    memoryBytes: limitBytes,
    ...(policy === null ? {} : { limitRedis: { bytes: limitBytes, policy } }),
  });
  try {
    const spec: ReplaySpec = { port: server.port, source, valueBytes, limitMs: REPLAY_LIMIT_MS };
    return await runChild<ReplayResult>(context, 'replay', spec, REPLAY_LIMIT_MS + SLACK_MS, context.pinning.client);
  } finally {
    await server.discard();
  }
}

/** What Redis takes for all keys of a trace above what it takes empty. */
async function redisFootprint(
  context: BenchContext,
  distinct: number,
  valueBytes: number,
): Promise<{ footprint: number; emptyBytes: number }> {
  const server = await BenchServer.start(context, 'redis', { durability: 'off', memoryBytes: 0 });
  try {
    const emptyBytes = await server.info('used_memory');
    await fill(context, server.port, { from: 0, to: distinct, valueBytes });
    return { footprint: (await server.info('used_memory')) - emptyBytes, emptyBytes };
  } finally {
    await server.discard();
  }
}

async function hearsayEmptyBytes(context: BenchContext, limitBytes: number): Promise<number> {
  const server = await BenchServer.start(context, 'hearsay', { durability: 'off', memoryBytes: limitBytes });
  try {
    return (await server.status()).memory_bytes;
  } finally {
    await server.discard();
  }
}
