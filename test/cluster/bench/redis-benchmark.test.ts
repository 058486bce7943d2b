import { describe, expect, it } from 'vitest';
import { parseBenchmarkCsv } from '../../../cluster/bench/redis-benchmark.js';

const HEAD =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

describe('the CSV of redis-benchmark', () => {
  it('gives throughput and latencies by the names of its columns', () => {
    expect(parseBenchmarkCsv(`${HEAD}\n"GET","152207.00","0.180","0.064","0.183","0.303","0.455","3.631"\n`)).toEqual({
      operationsPerSecond: 152_207,
      p50Ms: 0.183,
      p99Ms: 0.455,
      p999Ms: Number.NaN,
      maxMs: 3.631,
    });
  });

  it('is read past warnings, progress and a name with commas', () => {
    const text = `WARNING: Could not fetch server CONFIG\n\r${HEAD}\r\n"MSET (10 keys), x","1000.50","1","1","2","3","4","5"\r\n`;
    expect(parseBenchmarkCsv(text)).toMatchObject({ operationsPerSecond: 1000.5, p50Ms: 2, p99Ms: 4, maxMs: 5 });
  });

  it.each([
    ['nothing', ''],
    ['a head without a test', HEAD],
    ['a throughput of 0', `${HEAD}\n"GET","0.00","1","1","1","1","1","1"\n`],
    ['a line that is cut', `${HEAD}\n"GET","100.00","1"\n`],
    ['an error', 'Could not connect to Redis at 127.0.0.1:1: Connection refused'],
  ])('gives no figures for %s', (_what, text) => {
    expect(parseBenchmarkCsv(text)).toBeNull();
  });
});
