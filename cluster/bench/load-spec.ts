/**
 * What a load generator is told to do: the words between a benchmark and its client process, as JSON on its command line.
 */

export type Operation = 'set' | 'get' | 'incr' | 'mset' | 'mixed' | 'set-wait';

export interface LoadSpec {
  readonly port: number;
  readonly operation: Operation;
  readonly connections: number;
  /** Requests sent together on one connection; the next follow when all are answered. */
  readonly pipeline: number;
  /** Keys are `key:` and twelve digits, below this number. */
  readonly keys: number;
  /** Each key from here on once, in order; null: drawn at random. */
  readonly sequentialFrom: number | null;
  readonly valueBytes: number;
  /** SET with EX; 0 for none. */
  readonly ttlSeconds: number;
  /** The load ends after so many requests, or so much time, whichever comes first. */
  readonly requests: number;
  readonly durationMs: number;
  /** Requests start at this rate whether or not the earlier ones are answered (open loop); 0: as fast as they are answered. */
  readonly ratePerSecond: number;
  /** With a rate: sleeps between requests instead of watching the clock, and counts from the sending; for up to 1,000 a second. */
  readonly sleeps: boolean;
  /** With a rate: the file that gets a line of eight bytes for each request, start and latency in float ms; null for none. */
  readonly samplesFile: string | null;
  readonly seed: number;
}

/** Replies to one request: a `set-wait` is a SET and a WAIT 1 without a time limit, sent together. */
export function repliesPerRequest(operation: Operation): number {
  return operation === 'set-wait' ? 2 : 1;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  operationsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
  /** Replies that were errors, and one of them. */
  errors: number;
  firstError: string;
  /** GETs that found nothing. */
  misses: number;
  /** Wall clock when the first request left, ms since 1970. */
  startedAtMs: number;
}

/** Keys of one MSET, as redis-benchmark has it. */
export const MSET_KEYS = 10;
export const KEY_DIGITS = 12;
/** Shares of a mixed load: one SET in so many requests. */
export const MIXED_SET_EVERY = 10;
