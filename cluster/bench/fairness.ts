/**
 * Fairness: how much longer a light client waits, at p99, while another sends a million commands in one go. The light client
 * sleeps between its requests, so that it does not fight with the heavy one for the clients' core.
 * Guarded: only requests that began while the heavy client was being served count; alone and beside it are one run.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill, runLoadClient } from './load-client.js';
import { alternate, noFigures, rowFrom } from './rows.js';
import { TimedLoad } from './samples.js';
import { BenchServer } from './server.js';

const KEYS = 100_000;
const VALUE_BYTES = 100;
const COMMANDS = 1_000_000;
const QUICK_COMMANDS = 200_000;
const RATE_PER_SECOND = 500;
const ALONE_MS = 2000;
const QUICK_ALONE_MS = 1000;
/** The light client's own first requests are slow. */
const CLIENT_WARM_UP_MS = 300;
const LIMIT_MS = 60_000;

export function fairnessGroup(): CaseGroup {
  return { names: ['fairness'], run: async (context) => [await measure(context)] };
}

async function measure(context: BenchContext): Promise<Row> {
  const commands = context.quick ? QUICK_COMMANDS : COMMANDS;
  const added = noFigures();
  const alone = noFigures();
  const beside = noFigures();
  const notes: string[] = [];
  const servers: BenchServer[] = [];
  try {
    await alternate(context, context.rounds, notes, async (side) => {
      let server = servers.find((one) => one.side === side);
      if (server === undefined) {
        server = await BenchServer.start(context, side, { durability: 'off', memoryBytes: 512 * 2 ** 20 });
        servers.push(server);
        await fill(context, server.port, { from: 0, to: KEYS, valueBytes: VALUE_BYTES });
      }
      server.thaw();
      const waits = await besideHeavy(context, server, commands);
      server.freeze();
      alone[side].push(waits.aloneMs);
      beside[side].push(waits.besideMs);
      added[side].push(waits.besideMs - waits.aloneMs);
    });
  } finally {
    for (const server of servers) await server.discard();
  }
  return rowFrom({
    name: 'fairness',
    title: `p99 that a light client waits longer while another pipelines ${commands} GETs`,
    unit: 'ms',
    better: 'lower',
    target: { kind: 'figure', limit: 5 },
    figures: added,
    details: [
      { name: 'p99 alone', unit: 'ms', figures: alone },
      { name: 'p99 beside it', unit: 'ms', figures: beside },
    ],
    notes,
  });
}

async function besideHeavy(
  context: BenchContext,
  server: BenchServer,
  commands: number,
): Promise<{ aloneMs: number; besideMs: number }> {
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const shared = { port: server.port, operation: 'get', keys: KEYS, valueBytes: VALUE_BYTES } as const;
  const light = TimedLoad.run(
    context,
    { ...shared, ratePerSecond: RATE_PER_SECOND, sleeps: true, durationMs: LIMIT_MS },
    stopped,
  );
  light.catch(() => {});
  try {
    await new Promise((resolve) => setTimeout(resolve, context.quick ? QUICK_ALONE_MS : ALONE_MS));
    const aloneEndMs = Date.now();
    const heavy = await runLoadClient(context, {
      ...shared,
      pipeline: commands,
      requests: commands,
      durationMs: LIMIT_MS,
      seed: 2,
    });
    stop();
    const timed = await light;
    const aloneMs = timed.p99Ms(timed.startedAtMs + CLIENT_WARM_UP_MS, aloneEndMs);
    const besideMs = timed.p99Ms(heavy.startedAtMs, heavy.startedAtMs + heavy.seconds * 1000);
    return { aloneMs, besideMs };
  } finally {
    stop();
  }
}
