/**
 * An open-loop load whose every request is kept with its time, so that latencies inside a window can be told from those outside.
 * Checkpoint and fairness cases compare windows of one run.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext } from './context.js';
import { runLoadClient } from './load-client.js';
import type { LoadSpec } from './load-spec.js';
import { percentileOf } from './statistics.js';

const FLOAT_BYTES = 4;
/** A window of fewer requests has no p99. */
const REQUESTS_MIN = 100;

export class TimedLoad {
  private constructor(
    /** Start and latency of each request, ms; the start since `startedAtMs`. */
    private readonly samples: Float32Array,
    readonly startedAtMs: number,
  ) {}

  static async run(context: BenchContext, spec: Partial<LoadSpec>, stop?: Promise<void>): Promise<TimedLoad> {
    const samplesFile = join(context.directory, `samples-${spec.port}`);
    const { startedAtMs } = await runLoadClient(context, { ...spec, samplesFile }, stop);
    const bytes = readFileSync(samplesFile);
    rmSync(samplesFile);
    const aligned = new Float32Array(Math.floor(bytes.length / FLOAT_BYTES));
    new Uint8Array(aligned.buffer).set(bytes.subarray(0, aligned.byteLength));
    return new TimedLoad(aligned, startedAtMs);
  }

  /** p99 of the requests that began in a window of wall time. Throws when there were too few. */
  p99Ms(fromMs: number, toMs: number): number {
    const found: number[] = [];
    for (let at = 0; at < this.samples.length; at += 2) {
      const beganMs = this.startedAtMs + this.samples[at];
      if (beganMs >= fromMs && beganMs < toMs) found.push(this.samples[at + 1]);
    }
    if (found.length < REQUESTS_MIN)
      throw new Error(`${found.length} requests fell into the window: too few for a p99`);
    return percentileOf(
      found.sort((left, right) => left - right),
      0.99,
    );
  }
}
