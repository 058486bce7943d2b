/**
 * Do few entries and many behave alike: p99.9 and the longest wait of a light open-loop load (GET and SET, 90:10) at ten thousand
 * and at ten million entries, in the same servers. The longest wait is the longest time for which the server's loop did not come
 * round to a client, seen from the client, which is the same measure for both sides.
 * Guarded: rounds alternate, the side that rests is frozen.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill, runLoadClient } from './load-client.js';
import { alternate, noFigures, rowFrom, type SideFigures } from './rows.js';
import { BenchServer } from './server.js';

const FEW = 10_000;
const MANY = 10_000_000;
const QUICK_MANY = 100_000;
const VALUE_BYTES = 32;
const MEMORY_BYTES = 6 * 2 ** 30;
const QUICK_MEMORY_BYTES = 256 * 2 ** 20;
const RATE_PER_SECOND = 5000;
const CONNECTIONS = 4;
const RUN_MS = 4000;
const QUICK_RUN_MS = 400;

export const PAUSES_DEFAULT: readonly string[] = ['pause-p999-growth', 'pause-longest'];

interface Waits {
  p999: SideFigures;
  longest: SideFigures;
}

export function pausesGroup(): CaseGroup {
  return { names: PAUSES_DEFAULT, run: measure };
}

async function measure(context: BenchContext, wanted: readonly string[]): Promise<Row[]> {
  const many = context.quick ? QUICK_MANY : MANY;
  const notes: string[] = [];
  const servers: BenchServer[] = [];
  const filling = noFigures();
  try {
    const few = await waitsAt(context, servers, FEW, 0, notes, filling);
    const full = await waitsAt(context, servers, many, FEW, notes, filling);
    const growth = noFigures();
    for (const side of ['hearsay', 'redis'] as const) {
      growth[side].push(...full.p999[side].map((value, round) => value / few.p999[side][round]));
    }
    const load = `${RATE_PER_SECOND} requests/s, 90:10, off`;
    const rows = [
      rowFrom({
        name: 'pause-p999-growth',
        title: `p99.9 at ${many} entries over p99.9 at ${FEW}, ${load}`,
        unit: 'x',
        better: 'lower',
        target: { kind: 'figure', limit: 1.5 },
        figures: growth,
        details: [
          { name: `p99.9 at ${FEW}`, unit: 'ms', figures: few.p999 },
          { name: `p99.9 at ${many}`, unit: 'ms', figures: full.p999 },
        ],
        notes,
      }),
      rowFrom({
        name: 'pause-longest',
        title: `longest wait at ${many} entries, ${load}`,
        unit: 'ms',
        better: 'lower',
        target: { kind: 'excess', limit: 10 },
        figures: full.longest,
        details: [
          { name: `longest wait at ${FEW}`, unit: 'ms', figures: few.longest },
          { name: `longest wait while filling to ${many}, pipeline 64`, unit: 'ms', figures: filling },
        ],
        notes,
      }),
    ];
    return rows.filter((row) => wanted.includes(row.name));
  } finally {
    for (const server of servers) await server.discard();
  }
}

async function waitsAt(
  context: BenchContext,
  servers: BenchServer[],
  keys: number,
  from: number,
  notes: string[],
  filling: SideFigures,
): Promise<Waits> {
  const waits: Waits = { p999: noFigures(), longest: noFigures() };
  await alternate(context, context.rounds, notes, async (side, round) => {
    let server = servers.find((one) => one.side === side);
    if (server === undefined) {
      const memoryBytes = context.quick ? QUICK_MEMORY_BYTES : MEMORY_BYTES;
      server = await BenchServer.start(context, side, { durability: 'off', memoryBytes });
      servers.push(server);
    }
    server.thaw();
    if (round === 0) {
      context.print(`  ${side}: ${keys} entries`);
      const filled = await fill(context, server.port, { from, to: keys, valueBytes: VALUE_BYTES });
      if (from > 0) filling[side].push(filled.maxMs);
    }
    const load = {
      port: server.port,
      operation: 'mixed',
      connections: CONNECTIONS,
      keys,
      valueBytes: VALUE_BYTES,
      ratePerSecond: RATE_PER_SECOND,
    } as const;
    // What the client has to warm up is its own.
    await runLoadClient(context, { ...load, durationMs: QUICK_RUN_MS });
    const run = await runLoadClient(context, {
      ...load,
      durationMs: context.quick ? QUICK_RUN_MS : RUN_MS,
      seed: round,
    });
    waits.p999[side].push(run.p999Ms);
    waits.longest[side].push(run.maxMs);
    server.freeze();
  });
  return waits;
}
