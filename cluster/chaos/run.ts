/**
 * One chaos run: a cluster of its own, a checked load, the disturbances that a scenario plans from the seed, then all is mended, the
 * copies must become equal, and what every node answers is judged. `hearsay chaos run` and the tests call `runScenario`.
 * Guarded: a run that acknowledged nothing or disturbed nothing is no pass; a node that ends unasked is a violation, and is started
 * again so that the run goes on; processes and directories are gone at the end in every case.
 */
import { untilAgreed } from '../agreement.js';
import { TemporaryCluster } from '../temporary.js';
import { blunted } from './blunt.js';
import {
  type Arena,
  type ChaosScript,
  type Disturbance,
  NOTHING_LOST,
  type Scenario,
  SILENCE_MAX_MS,
  startAgain,
} from './disturbance.js';
import { Draws } from './draws.js';
import type { Span } from './history.js';
import { CheckedLoad, LANES } from './load.js';
import { type FaultBar, notRun, type RunRecord, type TimelineLine } from './record.js';
import { Recorder } from './recorder.js';
import { Sampler } from './sampler.js';
import { type Judgement, judgeBooks } from './verdicts.js';

const WORKERS_PER_LANE = 4;
const KEYS_PER_WORKER = 60;
const WORKER_PAUSE_MS = 4;
/** A copy goes to the other owners at once; a log is synced at this interval at the latest; an answer is noted a moment after it came. */
const SYNC_INTERVAL_MS = 1000;
const NOTED_MS = 500;
const HEAL_LIMIT_MS = 120_000;
const FLAGS = ['--enable-fault-injection', '--max-memory', '48mb'];
/** Small logs: every node preallocates its own. */
const SETTINGS = { walFileBytes: '4mb' } as const;
const NODE_LINES_SHOWN = 30;

export interface ChaosOptions {
  scenario: Scenario;
  nodes: number;
  durationMs: number;
  seed: number;
  /** Program and words that run one node; flags follow. */
  command: readonly string[];
  signal?: AbortSignal;
  /** How to run it again begins so. Default `hearsay`. */
  program?: string;
  /** Nothing is injected, and every scenario believes that it was: its own check must then find fault. For tests of the checks. */
  blunt?: boolean;
}

/** Runs it, telling the timeline to `print`. Rejects when it is stopped, or when the cluster does not start. */
export async function runScenario(options: ChaosOptions, print: (line: string) => void): Promise<RunRecord> {
  const { scenario, nodes, durationMs, seed } = options;
  const script = scenario.script();
  const reason = options.blunt ? null : ((await script.missing?.()) ?? null);
  const { name, does, expects } = scenario;
  const again = `${options.program ?? 'hearsay'} chaos run ${name} --nodes ${nodes} --duration ${durationMs}ms --seed ${seed}`;
  const heading = { scenario: name, does, expects, seed, nodes, durationMs, again };
  if (reason !== null) return notRun(heading, reason);
  const draws = new Draws(seed);
  try {
    await script.setUp?.(draws, nodes);
    const plan = script.plan(draws, nodes, durationMs);
    const run = new Run(script, options, print);
    return { ...heading, ...(await run.play(plan)) };
  } finally {
    await script.tearDown?.();
  }
}

type Played = Omit<RunRecord, 'scenario' | 'does' | 'expects' | 'seed' | 'nodes' | 'durationMs' | 'again'>;

class Run {
  private readonly signal: AbortSignal;
  private readonly recorder: Recorder;
  private readonly timeline: TimelineLine[] = [];
  private readonly faults: FaultBar[] = [];
  private readonly violations: string[] = [];
  private readonly retired = new Set<number>();
  private startedAtMs = performance.now();
  private nodeLines = 0;
  private readonly destroyedAtMs: number[] = [];

  constructor(
    private readonly script: ChaosScript,
    private readonly options: ChaosOptions,
    private readonly print: (line: string) => void,
  ) {
    this.signal = options.signal ?? new AbortController().signal;
    this.recorder = new Recorder(options.durationMs);
  }

  async play(plan: readonly Disturbance[]): Promise<Played> {
    const { script, options } = this;
    const { nodes, command } = options;
    const cluster = await TemporaryCluster.start(
      {
        nodes: nodes + (script.spareNodes ?? 0),
        startedNodes: nodes,
        command,
        flags: [...FLAGS, ...(script.flags ?? [])],
        settings: { ...SETTINGS, ...script.settings },
        environmentOf: options.blunt ? undefined : script.environmentOf,
        signal: this.signal,
      },
      (line) => this.nodeLine(line),
    );
    try {
      return await this.disturb(cluster, plan);
    } finally {
      await cluster.stop();
    }
  }

  private async disturb(cluster: TemporaryCluster, plan: readonly Disturbance[]): Promise<Played> {
    const { retired, signal, options } = this;
    const arena: Arena = {
      cluster: options.blunt ? blunted(cluster) : cluster,
      tell: (what) => this.tell(what),
      complain: (violation) => this.violations.push(violation),
      signal,
      retired,
      alone: plan.every(({ lane = 0 }) => lane === 0),
      destroyed: () => this.destroyedAtMs.push(performance.now()),
    };
    this.startedAtMs = performance.now();
    this.recorder.start(this.startedAtMs);
    const load = new CheckedLoad(cluster.servers, {
      workers: WORKERS_PER_LANE,
      keysPerWorker: KEYS_PER_WORKER,
      seed: this.options.seed,
      lateEffectMs: this.script.lateEffectMs,
      lanes: LANES,
      pauseMs: WORKER_PAUSE_MS,
      recorder: this.recorder,
    });
    const sampler = new Sampler(arena, this.recorder, this.options.durationMs, (gapMs) => load.stretch(gapMs));
    try {
      await this.carryOut(plan, arena);
    } finally {
      await load.stop();
    }
    const silenceMs = this.recorder.longestSilenceMs(performance.now());
    this.tell('load stopped, mending all and waiting for agreement');
    const agreedMs = await this.comeTogether(arena);
    await sampler.stop();
    const budget = this.script.budget ?? NOTHING_LOST;
    const costs = { budget, losses: this.losses(sampler.longestGapMs) };
    const judgement = await judgeBooks(cluster, load.books, costs, retired);
    this.violations.push(...load.garbage);
    await this.attempt('the last look', async () => {
      this.violations.push(...((await this.script.check?.(arena)) ?? []));
    });
    this.look(load, silenceMs);
    this.lookForDeaths(cluster);
    return this.played(load, judgement, agreedMs, silenceMs);
  }

  private async carryOut(plan: readonly Disturbance[], arena: Arena): Promise<void> {
    const bars: FaultBar[] = [];
    const one = async (disturbance: Disturbance): Promise<void> => {
      await this.waitUntil(disturbance.beginsAtMs);
      this.tell(disturbance.begins);
      const fromMs = this.clock();
      let hasEffect = false;
      await this.attempt(disturbance.begins, async () => {
        hasEffect = (await disturbance.begin(arena)) !== false;
        if (!hasEffect) this.tell(`without effect: ${disturbance.begins}`);
      });
      await this.waitUntil(disturbance.endsAtMs);
      await this.attempt(disturbance.ends, () => disturbance.end(arena));
      this.tell(disturbance.ends);
      // From line to line of the timeline; what disturbed nothing is no disturbance.
      if (hasEffect) bars.push({ what: disturbance.begins, fromMs, untilMs: this.clock() });
    };
    // Those of one scenario follow each other; two that were mixed stand in lanes of their own.
    const lanes = new Map<number, Disturbance[]>();
    for (const step of plan) lanes.set(step.lane ?? 0, [...(lanes.get(step.lane ?? 0) ?? []), step]);
    await Promise.all(
      [...lanes.values()].map(async (steps) => {
        for (const step of steps) await one(step);
      }),
    );
    this.faults.push(...bars.sort((left, right) => left.fromMs - right.fromMs));
    await this.waitUntil(this.options.durationMs);
  }

  /** What can not be done, as a node that does not come back, is a finding like any other; the run goes on. */
  private async attempt(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.signal.throwIfAborted();
      this.violations.push(`${what}: ${(error as Error).message}`);
    }
  }

  /** Ms until all copies were equal; null when they did not become so, or need not. */
  private async comeTogether(arena: Arena): Promise<number | null> {
    const { cluster, retired } = arena;
    const stoppedAtMs = performance.now();
    for (const index of cluster.nodes.keys()) {
      if (retired.has(index)) continue;
      cluster.resume(index);
      if (cluster.wasStarted(index)) startAgain(arena, index);
    }
    try {
      await cluster.until('no fault stands', HEAL_LIMIT_MS, async () => {
        for (const index of cluster.running()) await cluster.ask(index, 'HEARSAY.FAULT', 'CLEAR');
        return true;
      });
      await cluster.untilReady(HEAL_LIMIT_MS);
      if (this.script.budget?.evicts) return null;
      const { partitions, digests } = await untilAgreed(cluster, HEAL_LIMIT_MS);
      this.tell(`owners agree: ${digests} digests of ${partitions} partitions`);
      return performance.now() - stoppedAtMs;
    } catch (error) {
      this.signal.throwIfAborted();
      this.violations.push(`did not come together: ${(error as Error).message}`);
      return null;
    }
  }

  /** When what a node alone had acknowledged may not have been with any other one. */
  private losses(longestGapMs: number): Span[] {
    const beforeMs = this.script.lateEffectMs + longestGapMs + SYNC_INTERVAL_MS;
    return this.destroyedAtMs.map((atMs) => ({ fromMs: atMs - beforeMs, untilMs: atMs + NOTED_MS }));
  }

  private lookForDeaths(cluster: TemporaryCluster): void {
    for (const { name, unaskedEnds } of cluster.nodes) {
      if (unaskedEnds > 0)
        this.violations.push(`${name} ended by itself${unaskedEnds > 1 ? ` ${unaskedEnds} times` : ''}`);
    }
  }

  private look(load: CheckedLoad, silenceMs: number): void {
    const bound = this.script.silenceMaxMs ?? SILENCE_MAX_MS;
    if (silenceMs > bound) {
      const measured = (silenceMs / 1000).toFixed(1);
      this.violations.push(`unavailable: ${measured} s without a write at level one, more than ${bound / 1000} s`);
    }
    if (load.tally.acknowledged === 0) this.violations.push('nothing was acknowledged: the run proves nothing');
    if (this.faults.length === 0) this.violations.push('nothing was disturbed: the run proves nothing');
  }

  private played(load: CheckedLoad, judgement: Judgement, agreedMs: number | null, silenceMs: number): Played {
    const violations = [...this.violations, ...judgement.violations];
    return {
      verdict: violations.length === 0 ? 'right' : 'wrong',
      reason: null,
      violations,
      excused: judgement.excused,
      tally: load.tally,
      keys: judgement.keys,
      faults: this.faults,
      timeline: this.timeline,
      sliceMs: this.recorder.sliceMs,
      slices: this.recorder.slices(),
      divergence: this.recorder.divergence,
      agreedMs,
      silenceMs,
    };
  }

  private clock(): number {
    return performance.now() - this.startedAtMs;
  }

  private tell(what: string): void {
    const atMs = this.clock();
    this.timeline.push({ atMs, what });
    this.print(`${(atMs / 1000).toFixed(1).padStart(6)} s  ${what}`);
  }

  /** What nodes warn of under faults fills screens. */
  private nodeLine(line: string): void {
    this.nodeLines++;
    if (this.nodeLines <= NODE_LINES_SHOWN) this.print(line);
    if (this.nodeLines === NODE_LINES_SHOWN) this.print('further lines of nodes are not shown');
  }

  private async waitUntil(atMs: number): Promise<void> {
    while (this.clock() < atMs && !this.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, Math.max(1, atMs - this.clock()))));
    }
    this.signal.throwIfAborted();
  }
}
