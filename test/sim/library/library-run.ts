/**
 * One run of the client library in the simulated world: real nodes, applications that work through the library while everything goes
 * wrong that a seed draws, then all is healed and every call must succeed again, then the library is closed and nothing of it is left.
 * library.test.ts plays seeds of it. Guarded: a run depends on its seed alone; promises go on between two events of the world only.
 */
import { Client } from '../../../src/client/client.js';
import { resolveOptions } from '../../../src/client/client-options.js';
import type { Connector } from '../../../src/client/connector.js';
import { Random } from '../../../src/core/base/random.js';
import type { SimCluster } from '../../../src/sim/cluster.js';
import { Scenario } from '../scenario.js';
import { Application } from './application.js';
import { applyStep, drawNetwork, drawSteps, type LibraryStep } from './faults.js';
import { Judge } from './judge.js';
import { CountLedger, ValueLedger } from './ledgers.js';
import { Wire } from './wire.js';
import {
  abortWorker,
  type Bench,
  burstWorker,
  callsAreRefused,
  echoWorker,
  getOne,
  onceWorker,
  sessionWorker,
  setOne,
  valueWorker,
  type Worker,
} from './work.js';

export interface LibraryRunOptions {
  /** Puts something between the library and its world: a planted bug, to try the judges. */
  meddle?: (connector: Connector) => Connector;
  /** Instead of what the seed draws. */
  steps?: readonly LibraryStep[];
}

export interface LibraryResult {
  violations: string[];
  marks: Record<string, number>;
  traceHash: string;
}

const LENGTH_MS = 3_000;
const NODES = 3;
/**
 * From the end of all faults until every call succeeds at every server: a node that was suspected again and again comes back into the slot
 * map after 5 s, 10 s or 20 s, and the library asks for the map every 5 s at most.
 */
const RECOVER_MS = 30_000;
const CALM_MS = 700;
const COUNTED_MS = 20_000;
const WRONG_MAX = 20;
const LEVELS = [undefined, 'one', 'quorum'] as const;
const WORKERS: readonly Worker[] = [
  valueWorker,
  valueWorker,
  echoWorker,
  onceWorker,
  abortWorker,
  burstWorker,
  sessionWorker,
  sessionWorker,
];

export function runLibrary(seed: number, options: LibraryRunOptions = {}): Promise<LibraryResult> {
  return new LibraryRun(seed, options).play();
}

class LibraryRun {
  private readonly random: Random;
  private readonly cluster: SimCluster;
  private readonly judge = new Judge();
  private readonly values = new ValueLedger(this.judge);
  private readonly counts = new CountLedger();
  private readonly applications: Application[] = [];
  /** Nodes that are asked to leave in this run. */
  private readonly leaving = new Set<number>();
  private healed = false;

  constructor(
    private readonly seed: number,
    private readonly options: LibraryRunOptions,
  ) {
    this.random = new Random(seed, 0x11b50001);
    const { random } = this;
    const isTiny = random.chance(0.25);
    const skewMs = random.chance(0.5) ? 150 : 0;
    const clocks = Array.from({ length: NODES }, () => ({
      offsetMs: random.between(-skewMs, skewMs),
      driftPpm: 0,
      grainMs: 1,
    }));
    const settings = isTiny ? { pendingMax: 16, pendingPerPeerMax: 16 } : {};
    this.cluster = new Scenario({ seed, nodes: NODES, plan: { clocks }, settings }).cluster;
  }

  async play(): Promise<LibraryResult> {
    const { random, cluster, judge } = this;
    const first = this.open('first');
    const second = this.open('second');
    cluster.network.options = drawNetwork(random);
    this.playSteps();
    const startMs = cluster.clock.nowMs;
    for (const bench of [first, second]) this.putToWork(bench);
    await this.runUntil(startMs + random.between(500, LENGTH_MS));
    await this.close(second, random.chance(0.5));
    await this.runUntil(startMs + LENGTH_MS);
    await this.stop(first);
    this.heal();
    await this.recover(first);
    await this.compareCounts(first);
    await this.close(first, true);
    for (const call of judge.open) judge.violate(`hanging: ${call.what}, made at ${call.startedMs}`);
    const violations = [...first.application.wire.wrong.slice(0, WRONG_MAX), ...judge.violations];
    return { violations, marks: judge.marks, traceHash: cluster.trace.hex };
  }

  private open(name: string): Bench {
    const { random, seed, judge, values, counts } = this;
    const wire = this.applications[0]?.wire ?? new Wire();
    const application = new Application(this.cluster, wire, seed);
    this.applications.push(application);
    const servers = this.cluster.nodes.map((node) => `${node.address}:${node.clientPort}`);
    const timeoutMs = random.between(60, 600);
    const maxInFlight = random.chance(0.5) ? random.between(12, 40) : 10_000;
    const settings = resolveOptions({
      servers: random.chance(0.5) ? servers : [servers[random.below(NODES)]],
      requestTimeout: timeoutMs,
      connectTimeout: random.between(100, 1_000),
      onError: random.chance(0.7) ? 'throw' : 'miss',
      refreshInterval: random.between(200, 5_000),
      reconnectMax: random.between(100, 2_000),
      maxInFlight,
    });
    const { meddle = (connector) => connector } = this.options;
    const client = new Client({ connector: meddle(application) }, settings);
    const throws = !settings.missOnError;
    const bench: Bench = {
      name,
      application,
      client,
      judge,
      values,
      counts,
      timeoutMs,
      maxInFlight,
      throws,
      stopped: false,
    };
    return bench;
  }

  private playSteps(): void {
    const { cluster, applications } = this;
    const steps = this.options.steps ?? drawSteps(this.random, NODES, LENGTH_MS);
    const later = (delayMs: number, action: () => void): void =>
      cluster.clock.schedule(delayMs, () => {
        if (!this.healed) action();
      });
    for (const step of steps) {
      this.judge.mark(step.kind);
      if (step.kind === 'stop') this.leaving.add(step.node);
      later(step.atMs, () => applyStep(cluster, applications, step, later));
    }
  }

  private putToWork(bench: Bench): void {
    const bursts = bench.maxInFlight < 100;
    for (const [number, worker] of WORKERS.entries()) {
      if (worker === burstWorker && !bursts) continue;
      const random = new Random(this.seed, number, bench.application.index);
      worker(bench, random).catch((error) => this.judge.violate(`worker: ${error}`));
    }
  }

  /** Its workers make no more calls, and those under way end. */
  private async stop(bench: Bench): Promise<void> {
    bench.stopped = true;
    await this.awaitFact('workers come to an end', 3_000, () => {
      for (const call of this.judge.open) if (call.application === bench.application) return call.what;
      return null;
    });
  }

  private heal(): void {
    const { cluster } = this;
    this.healed = true;
    cluster.calm();
    for (const { index } of cluster.nodes) {
      cluster.resume(index);
      // One that was asked to leave is started anew.
      if (this.leaving.has(index)) cluster.kill(index);
      cluster.start(index);
    }
  }

  /** Every call succeeds again, at each level, for a while, and every server is connected. */
  private async recover(bench: Bench): Promise<void> {
    const { cluster, judge } = this;
    const healedMs = cluster.clock.nowMs;
    let calmSinceMs = healedMs;
    let last = '';
    let prober = 0;
    const isCalm = (): boolean => cluster.clock.nowMs - calmSinceMs >= CALM_MS;
    const probe = async (): Promise<void> => {
      while (!isCalm() && cluster.clock.nowMs - healedMs < RECOVER_MS) {
        const key = `probe${prober++ % 30}`;
        const consistency = LEVELS[prober % LEVELS.length];
        const written = await setOne(bench, key, { consistency });
        const read = await getOne(bench, key, { consistency });
        const servers = bench.client.stats().readyServers.length;
        if (written.done && read.done && servers === NODES) {
          if (consistency === 'quorum' && read.value === undefined && bench.throws)
            judge.violate(`quorum: ${key} is not there`);
        } else {
          calmSinceMs = cluster.clock.nowMs;
          const errors = [written, read].map((outcome) => (outcome.done ? 'done' : String(outcome.error)));
          last = `at ${consistency}: ${errors.join(', ')}; ${servers} servers`;
        }
        await bench.application.sleep(15);
      }
    };
    const done = probe();
    await this.during(done);
    judge.mark('ms to recover', Math.ceil(calmSinceMs - healedMs));
    if (!isCalm()) judge.violate(`recovery: not within ${RECOVER_MS} ms: ${last}`);
  }

  private async compareCounts(bench: Bench): Promise<void> {
    for (const key of this.counts.keys()) {
      const sinceMs = this.cluster.clock.nowMs;
      let problem: string | null = 'not read';
      const compare = async (): Promise<void> => {
        while (problem !== null && this.cluster.clock.nowMs - sinceMs < COUNTED_MS) {
          const value = await bench.client.get<number>(key, { consistency: 'all' }).catch(String);
          problem = this.counts.problem(key, Number(value ?? 0));
          if (problem !== null) await bench.application.sleep(250);
        }
      };
      await this.during(compare());
      if (problem !== null) this.judge.violate(problem);
    }
  }

  /** Ends a client: with `drain` its calls end as they would, else at once; then nothing of it is left. */
  private async close(bench: Bench, drain: boolean): Promise<void> {
    const { application, client, judge, name } = bench;
    bench.stopped = true;
    const underWay = [...judge.open].filter((call) => call.application === application);
    const closing = client.close({ drain });
    if (!drain) {
      await closing;
      await immediate();
    } else await this.during(closing, bench.timeoutMs + 1_500);
    for (const call of underWay) {
      if (judge.open.has(call)) judge.violate(`close: ${call.what} is not settled, drain ${drain}`);
    }
    await callsAreRefused(bench);
    judge.mark(drain ? 'closed by draining' : 'closed at once', 1);
    if (application.timersSet > 0) judge.violate(`close: ${name} has ${application.timersSet} timers set`);
    await this.runUntil(this.cluster.clock.nowMs + 1);
    await this.awaitFact('sockets are closed', 800, () => (application.sockets.size > 0 ? 'some are open' : null));
    if (client.stats().inFlight > 0) judge.violate(`close: ${name} has ${client.stats().inFlight} calls under way`);
  }

  private async awaitFact(what: string, boundMs: number, problem: () => string | null): Promise<void> {
    const sinceMs = this.cluster.clock.nowMs;
    let wrong = problem();
    while (wrong !== null && this.cluster.clock.nowMs - sinceMs < boundMs) {
      await this.runUntil(this.cluster.clock.nowMs + 10);
      wrong = problem();
    }
    if (wrong !== null) this.judge.violate(`${what} not within ${boundMs} ms: ${wrong}`);
  }

  private async during(work: Promise<void>, boundMs = 60_000): Promise<void> {
    const untilMs = this.cluster.clock.nowMs + boundMs;
    let isDone = false;
    void work.then(() => {
      isDone = true;
    });
    await immediate();
    while (!isDone && this.cluster.clock.nowMs < untilMs) await this.runUntil(untilMs, () => isDone);
    if (!isDone) this.judge.violate(`hanging: something was not done within ${boundMs} ms`);
  }

  private async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    const { cluster } = this;
    for (;;) {
      const more = cluster.step(untilMs);
      for (const application of this.applications) if (application.due) await application.turn();
      for (const { error } of cluster.failures.splice(0)) this.judge.violate(`node: threw: ${error.stack}`);
      if (!more || isDone()) return;
    }
  }
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
