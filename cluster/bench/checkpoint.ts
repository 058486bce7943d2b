/**
 * What a checkpoint costs while clients write: p99 of an open-loop write load during it against just before it, and the peak of
 * proportional memory (parent and children) above what there was before. Redis does BGREWRITEAOF; Hearsay begins by itself when its
 * log is longer than what lives. Both get the same load, with an AOF synced every second and durability `interval`.
 * Guarded: begin and end are seen from outside; a window that is too short, or a checkpoint that does not begin, is no measurement.
 */
import { processTree } from './accounting.js';
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill } from './load-client.js';
import { type Entries, ImageWatch, overwrite, untilCheckpointed, untilLogFull } from './log-state.js';
import { alternate, rowFrom } from './rows.js';
import { TimedLoad } from './samples.js';
import { BenchServer, type Side } from './server.js';

const ENTRIES: Entries = { keys: 500_000, valueBytes: 200 };
const QUICK_ENTRIES: Entries = { keys: 250_000, valueBytes: 200 };
const MEMORY_BYTES = 256 * 2 ** 20;
const RATE_PER_SECOND = 10_000;
const CONNECTIONS = 8;
const ROUNDS_MAX = 3;
const BASELINE_MS = 4000;
const QUICK_BASELINE_MS = 1000;
/** A checkpoint that takes longer is measured over so much of it. */
const WINDOW_MAX_MS = 30_000;
const BEGIN_LIMIT_MS = 60_000;
const SAMPLE_INTERVAL_MS = 50;
/** Share of its length at which Hearsay's log is handed to the open-loop load, which must leave time for the baseline. */
const LOG_SHARE = 0.88;

interface Observed {
  p99Ratio: number;
  baselineP99Ms: number;
  duringP99Ms: number;
  extraShare: number;
  seconds: number;
}

export function checkpointGroup(): CaseGroup {
  return { names: ['checkpoint-p99', 'checkpoint-memory'], run: measure };
}

async function measure(context: BenchContext, wanted: readonly string[]): Promise<Row[]> {
  const entries = context.quick ? QUICK_ENTRIES : ENTRIES;
  const seen: Record<Side, Observed[]> = { hearsay: [], redis: [] };
  const notes: string[] = [];
  const servers: BenchServer[] = [];
  try {
    await alternate(context, Math.min(context.rounds, ROUNDS_MAX), notes, async (side, round) => {
      let server = servers.find((one) => one.side === side);
      if (server === undefined) {
        server = await prepare(context, side, entries);
        servers.push(server);
      } else {
        server.thaw();
      }
      context.print(`  ${side}: checkpoint ${round + 1}`);
      seen[side].push(await observe(context, server, entries, notes));
      server.freeze();
    });
  } finally {
    for (const server of servers) await server.discard();
  }
  const of = (pick: (observed: Observed) => number) => ({
    hearsay: seen.hearsay.map(pick),
    redis: seen.redis.map(pick),
  });
  const load = `${entries.keys} entries of ${entries.valueBytes} B, ${RATE_PER_SECOND} SET/s, interval`;
  const rows = [
    rowFrom({
      name: 'checkpoint-p99',
      title: `p99 during a checkpoint over p99 before it, ${load}`,
      unit: 'x',
      better: 'lower',
      target: { kind: 'ratio', limit: 1 },
      figures: of((observed) => observed.p99Ratio),
      details: [
        { name: 'p99 before', unit: 'ms', figures: of((observed) => observed.baselineP99Ms) },
        { name: 'p99 during', unit: 'ms', figures: of((observed) => observed.duringP99Ms) },
        { name: 'checkpoint', unit: 's', figures: of((observed) => observed.seconds) },
      ],
      notes,
    }),
    rowFrom({
      name: 'checkpoint-memory',
      title: `peak of extra memory during a checkpoint, of what there was before, ${load}`,
      unit: '%',
      better: 'lower',
      target: { kind: 'figure', limit: 5 },
      figures: of((observed) => observed.extraShare * 100),
      notes,
    }),
  ];
  return rows.filter((row) => wanted.includes(row.name));
}

async function prepare(context: BenchContext, side: Side, entries: Entries): Promise<BenchServer> {
  const server = await BenchServer.start(context, side, {
    durability: 'interval',
    memoryBytes: MEMORY_BYTES,
    redisWords: ['--auto-aof-rewrite-percentage', '0'],
  });
  await fill(context, server.port, { from: 0, to: entries.keys, valueBytes: entries.valueBytes });
  // Memory must have come to rest: a log-structured store grows until it begins to clean.
  const passes = Math.ceil((MEMORY_BYTES * 1.2) / (entries.keys * (entries.valueBytes + 56)));
  await overwrite(context, server, entries, entries.keys * (context.quick ? 1 : passes));
  if (side === 'hearsay') await untilCheckpointed(context, server, entries);
  return server;
}

/** One checkpoint under the open-loop load. */
async function observe(
  context: BenchContext,
  server: BenchServer,
  entries: Entries,
  notes: string[],
): Promise<Observed> {
  if (server.side === 'hearsay') await untilLogFull(context, server, entries, LOG_SHARE);
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const load = TimedLoad.run(
    context,
    {
      ...entries,
      port: server.port,
      connections: CONNECTIONS,
      ratePerSecond: RATE_PER_SECOND,
      durationMs: BEGIN_LIMIT_MS + WINDOW_MAX_MS + BASELINE_MS,
    },
    stopped,
  );
  load.catch(() => {});
  const startedMs = Date.now();
  try {
    const watch = new ImageWatch(server.directory);
    const begun = (): boolean => (server.side === 'hearsay' ? watch.begun : processTree(server.pid).length > 1);
    const ended = (): boolean => (server.side === 'hearsay' ? watch.ended : !begun());
    const baselineMs = context.quick ? QUICK_BASELINE_MS : BASELINE_MS;
    if (server.side === 'redis') {
      await sleep(baselineMs);
      await server.ask('BGREWRITEAOF');
    }
    let restingBytes = server.pssBytes();
    const deadline = Date.now() + BEGIN_LIMIT_MS;
    while (!begun()) {
      if (Date.now() > deadline) throw new Error('no checkpoint began under the load');
      restingBytes = server.pssBytes();
      await sleep(SAMPLE_INTERVAL_MS);
    }
    const beganMs = Date.now();
    let peakBytes = restingBytes;
    while (!ended() && Date.now() < beganMs + WINDOW_MAX_MS) {
      peakBytes = Math.max(peakBytes, server.pssBytes());
      await sleep(SAMPLE_INTERVAL_MS);
    }
    const endedMs = Date.now();
    if (!ended()) notes.push(`${server.side}: the checkpoint took longer than the ${WINDOW_MAX_MS / 1000} s measured`);
    stop();
    const timed = await load;
    // The first half second belongs to the client's own warming up.
    const baselineP99Ms = timed.p99Ms(startedMs + 500, beganMs);
    const duringP99Ms = timed.p99Ms(beganMs, endedMs);
    return {
      p99Ratio: duringP99Ms / baselineP99Ms,
      baselineP99Ms,
      duringP99Ms,
      extraShare: (peakBytes - restingBytes) / restingBytes,
      seconds: (endedMs - beganMs) / 1000,
    };
  } finally {
    stop();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
