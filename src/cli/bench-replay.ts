/**
 * The flags of `hearsay bench` that replay traces: which traces, at which memory, beside whom. bench.ts asks whether any of them
 * was given and hands the answer to cluster/bench/replay-run.ts.
 */
import type { ReplayOptions } from '../../cluster/bench/hit-ratio.js';
import type { TraceSource } from '../../cluster/bench/trace.js';
import { settingNamed } from '../core/config.js';
import { formatBytes, parseBytes } from '../core/setting.js';

const ZIPF_KEYS = 1_000_000;
const ZIPF_REQUESTS = 3_000_000;
const QUICK_REQUESTS = 100_000;
const QUICK_KEYS = 20_000;
const KEYS_MAX = 10_000_000;
const REQUESTS_MAX = 50_000_000;
const VALUE_BYTES_MAX = 1024 * 1024;
const ZIPF_OF_MATRIX = [0.9, 1, 1.2];
const ALPHA_MAX = 5;
/** Flags that mean nothing without a replay, as they are written and as commander calls them. */
const REPLAY_FLAGS = {
  memory: 'memory',
  keys: 'keys',
  requests: 'requests',
  'value-bytes': 'valueBytes',
  peer: 'peer',
};

export interface ReplayPlan extends ReplayOptions {
  /** Shares of the footprint instead of limits. */
  readonly matrix: boolean;
}

/** Null when no flag asks for a replay. Adds a line to `problems` for each flag that is wrong. */
export function replayPlan(flags: Readonly<Record<string, unknown>>, problems: string[]): ReplayPlan | null {
  const files = Array.isArray(flags.trace) ? flags.trace.map(String) : [];
  const matrix = flags.hitRatios === true;
  if (files.length === 0 && flags.zipf === undefined && !matrix) {
    for (const [flag, name] of Object.entries(REPLAY_FLAGS)) {
      if (flags[name] !== undefined) problems.push(`--${flag} is of replays: say --trace, --zipf or --hit-ratios, too`);
    }
    return null;
  }
  const quick = flags.quick === true;
  const number = (flag: string, raw: unknown, fallback: number, max: number): number => {
    if (raw === undefined) return fallback;
    const value = /^\d{1,9}$/.test(String(raw)) ? Number(raw) : Number.NaN;
    if (!(value >= 1 && value <= max)) problems.push(`--${flag}: ${raw} is not from 1 to ${max}`);
    return value;
  };
  const keys = number('keys', flags.keys, quick ? QUICK_KEYS : ZIPF_KEYS, KEYS_MAX);
  const requests = number('requests', flags.requests, quick ? QUICK_REQUESTS : ZIPF_REQUESTS, REQUESTS_MAX);
  const requestsMax = flags.requests === undefined && !quick ? null : requests;
  const valueBytes = number('value-bytes', flags.valueBytes, 0, VALUE_BYTES_MAX);
  const sources: TraceSource[] = files.map((path) => ({ kind: 'file', path, requestsMax }));
  const alphas = alphasOf(flags.zipf, matrix);
  if (!alphas.every((alpha) => alpha >= 0 && alpha <= ALPHA_MAX)) {
    problems.push(`--zipf: ${flags.zipf} holds what is not from 0 to ${ALPHA_MAX}`);
  }
  for (const alpha of alphas) sources.push({ kind: 'zipf', alpha, keys, requests, seed: 1 });
  const memoryBytes = String(flags.memory ?? '')
    .split(',')
    .filter(Boolean)
    .map(parseBytes);
  const memoryMinBytes = settingNamed('maxMemory')?.min ?? 0;
  if (matrix && memoryBytes.length > 0) problems.push('--memory and --hit-ratios exclude each other');
  if (!matrix && memoryBytes.length === 0) problems.push('--memory: say at which memory to replay, as 64mb');
  if (memoryBytes.some((bytes) => !(bytes >= memoryMinBytes))) {
    problems.push(`--memory: ${flags.memory} holds what is no size from ${formatBytes(memoryMinBytes)}`);
  }
  return {
    sources,
    memoryBytes,
    memoryMinBytes,
    matrix,
    valueBytes: valueBytes === 0 ? null : valueBytes,
    peer: flags.peer === true,
  };
}

function alphasOf(raw: unknown, matrix: boolean): number[] {
  if (raw === undefined) return matrix ? ZIPF_OF_MATRIX : [];
  return String(raw)
    .split(',')
    .map((alpha) => (/^\d{1,2}(?:\.\d{1,4})?$/.test(alpha) ? Number(alpha) : Number.NaN));
}
