/**
 * One chaos run: a cluster of its own, a checked load, the disturbances that a script plans from the seed, then heal, wait for
 * agreement, and judge what every node answers for every key. `hearsay chaos` and the tests call `runChaos`.
 * Guarded: a run that acknowledged nothing or disturbed nothing is no pass; the cluster is gone at the end in every case.
 */
import { untilAgreed } from '../agreement.js';
import { TemporaryCluster } from '../temporary.js';
import type { ChaosScript, Disturbance } from './disturbance.js';
import { Draws } from './draws.js';
import { judgeEverywhere } from './judgement.js';
import { kill } from './kill.js';
import { CheckedLoad, type LoadTally } from './load.js';
import { partition } from './partition.js';
import { pause } from './pause.js';

export const CHAOS_SCRIPTS: Readonly<Record<string, ChaosScript>> = { kill, pause, partition };

const WORKERS = 8;
const KEYS_PER_WORKER = 150;
const HEAL_LIMIT_MS = 120_000;
const VIOLATIONS_SHOWN = 10;

export interface ChaosOptions {
  script: ChaosScript;
  nodes: number;
  durationMs: number;
  seed: number;
  /** Program and words that run one node; flags follow. */
  command: readonly string[];
  signal?: AbortSignal;
}

export interface ChaosReport {
  tally: LoadTally;
  disturbances: number;
  keys: number;
  violations: string[];
}

/** Runs it, telling the timeline to `print`. Rejects when the cluster does not come together again. */
export async function runChaos(options: ChaosOptions, print: (line: string) => void): Promise<ChaosReport> {
  const { script } = options;
  const plan = script.plan(new Draws(options.seed), options.nodes, options.durationMs);
  const { nodes, command } = options;
  const cluster = await TemporaryCluster.start({ nodes, command, flags: script.flags }, print);
  try {
    const load = new CheckedLoad(cluster.servers, {
      workers: WORKERS,
      keysPerWorker: KEYS_PER_WORKER,
      seed: options.seed,
      lateEffectMs: script.lateEffectMs,
    });
    const startedAtMs = performance.now();
    const clock = (): number => performance.now() - startedAtMs;
    const tell = (what: string): void => print(`${(clock() / 1000).toFixed(1).padStart(6)} s  ${what}`);
    let tally: LoadTally;
    try {
      await carryOut(plan, cluster, clock, tell, options);
    } finally {
      tally = await load.stop();
    }
    tell('load stopped, waiting for agreement');
    await cluster.untilReady(HEAL_LIMIT_MS);
    const { partitions, digests } = await untilAgreed(cluster, HEAL_LIMIT_MS);
    tell(`owners agree: ${digests} digests of ${partitions} partitions`);
    const violations = [
      ...load.garbage.map((line) => `garbage ${line}`),
      ...(await judgeEverywhere(cluster, load.histories)),
    ];
    if (tally.acknowledged === 0) violations.push('nothing was acknowledged: the run proves nothing');
    return { tally, disturbances: plan.length, keys: load.histories.length, violations };
  } finally {
    await cluster.stop();
  }
}

/** The report for people; the last line is the verdict. */
export function describeReport({ tally, disturbances, keys, violations }: ChaosReport): string[] {
  return [
    `${disturbances} disturbances; writes: ${tally.acknowledged} acknowledged, ${tally.doubtful} doubtful, ` +
      `${tally.unsent} not sent; reads: ${tally.reads}, ${tally.readsFailed} failed`,
    ...violations.slice(0, VIOLATIONS_SHOWN),
    violations.length === 0
      ? `verdict: right. ${keys} keys read from every node, no acknowledged write lost, nothing resurrected, no garbage`
      : `verdict: WRONG. ${violations.length} violations`,
  ];
}

async function carryOut(
  plan: readonly Disturbance[],
  cluster: TemporaryCluster,
  clock: () => number,
  tell: (what: string) => void,
  options: ChaosOptions,
): Promise<void> {
  const waitUntil = async (atMs: number): Promise<void> => {
    while (clock() < atMs && options.signal?.aborted !== true) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, Math.max(1, atMs - clock()))));
    }
    options.signal?.throwIfAborted();
  };
  for (const disturbance of plan) {
    await waitUntil(disturbance.beginsAtMs);
    tell(disturbance.begins);
    await disturbance.begin(cluster);
    await waitUntil(disturbance.endsAtMs);
    tell(disturbance.ends);
    await disturbance.end(cluster);
  }
  await waitUntil(options.durationMs);
}
