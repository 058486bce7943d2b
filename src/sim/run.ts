/**
 * One run of the simulator: a plan played on a cluster, with checks at every reply. Tests, the shrinker and `main.ts` call
 * `runPlan`; it gives back what was wrong, the trace's hash and how much happened. Phases: the cluster forms; faults and
 * commands; everything is healed and must converge within a bound; all nodes die at once and come back from their logs.
 * Guarded: a run depends on its plan alone.
 */
import { AppendLedger } from './appends.js';
import { checkShape, type Violation } from './checkers.js';
import { type Completion, SimClient } from './client.js';
import { addressOf, type DiskFactory, type MachineFactory, SimCluster } from './cluster.js';
import { CounterLedger } from './counters.js';
import { DotWatch } from './dots.js';
import { ECHOES_MS, Echoes } from './echoes.js';
import { Elsewhere } from './elsewhere.js';
import { forgetSoon, seeMembersOff } from './faults/farewells.js';
import { CORE_BOUND_MS, CoreTrial, coreOf } from './faults/live-core.js';
import { playLongDown } from './faults/long-down.js';
import { nodesOf } from './faults/members.js';
import type { History, Observed } from './history.js';
import { Inquiry } from './inquiry.js';
import type { Asked, Ledger } from './ledger.js';
import { Nemesis, STEADY_AFTER_MS } from './nemesis.js';
import { PacketWatch } from './packets.js';
import { isWrite, Register } from './register.js';
import type { Reply } from './replies.js';
import { type ClientPlan, hasClockTrouble, type Plan, type Step } from './schedule.js';
import { SessionLedger } from './sessions.js';
import { SiblingsLedger } from './siblings.js';
import { SketchLedger } from './sketches.js';
import { Verdict } from './verdict.js';
import { ArrivalWatch } from './watches/arrivals.js';
import { Calm } from './watches/calm.js';
import { ClockWatch } from './watches/clocks.js';
import { HintWatch } from './watches/hints.js';
import { LogWatch } from './watches/logs.js';
import { MemberWatch } from './watches/members.js';
import { SizeWatch } from './watches/sizes.js';
import { SkewWatch } from './watches/skew.js';
import { VersionWatch } from './watches/versions.js';
import { Watches } from './watches/watches.js';

export interface RunFactories {
  createMachine: (plan: Plan) => MachineFactory;
  createDisk: DiskFactory;
}

export interface RunResult {
  ok: boolean;
  violations: Violation[];
  traceHash: string;
  events: number;
  virtualMs: number;
  /** How often each thing happened that some run of a campaign must have met. */
  marks: Record<string, number>;
  /** What the clients did, for whoever explains a failure. */
  history: History;
  /** What every node answered for each key after healing; empty if the cluster never converged. */
  finalState: ReadonlyMap<string, Reply | null>;
  log: SimCluster['log'];
}

export const TICK_INTERVAL_MS = 25;
const FORM_BOUND_MS = 20_000;
const CONVERGE_BOUND_MS = 60_000;
/** Longer than any short time to live of the workload, so that what is left does not change under the last checks. */
const REST_MS = 3_500;
const POLL_MS = 500;
/** One of several values that ends sooner ends first: all is asked for meanwhile, all nodes die, and it is asked for again. */
const ENDS_AHEAD_MS = 4_000;
/** Clocks are set 5 seconds apart at most, and what ends so far ahead has then ended by all of them. */
const ENDS_BOUND_MS = 10_000;
const WATCH_INTERVAL_MS = 1_000;
/** How often the run looks at what troubles its nodes. */
const LOOK_INTERVAL_MS = 50;
const COMMAND_TIMEOUT_MS = 2_000;
const VIOLATIONS_MAX = 20;
/** Time to ask about, and to take back, what a late network may have said. */
const ECHOES_REST_MS = 900;
const EXACT_CLOCK = { offsetMs: 0, driftPpm: 0, grainMs: 1 };
export function runPlan(factories: RunFactories, plan: Plan): RunResult {
  return new Run(factories, plan).play();
}

class Run {
  private readonly plan: Plan;
  private readonly cluster: SimCluster;
  private readonly register: Register;
  private readonly ledgers: readonly Ledger[];
  private readonly nemesis: Nemesis;
  private readonly elsewhere: Elsewhere;
  private readonly clients: readonly SimClient[];
  private readonly inquiry: Inquiry;
  private readonly hintWatch: HintWatch;
  private readonly skewWatch: SkewWatch;
  private readonly echoes: Echoes | null;
  private readonly arrivals = new ArrivalWatch();
  private readonly calm: Calm;
  private readonly memberWatch: MemberWatch;
  private readonly verdict: Verdict;
  private readonly finished: Completion[] = [];
  private readonly pending = new Map<
    number,
    { asked: Asked; ledger: Ledger; ended: (outcome: Completion['outcome']) => void }
  >();
  private readonly violations: Violation[] = [];
  private readonly marks: Record<string, number> = {};
  private finalState: ReadonlyMap<string, Reply | null> = new Map();

  constructor(factories: RunFactories, plan: Plan) {
    const { replicas } = plan;
    const nodes = nodesOf(plan);
    this.plan = plan;
    this.elsewhere = new Elsewhere(plan.partitions);
    this.register = new Register({ nodes, replicas, clockTrouble: hasClockTrouble(plan) });
    this.ledgers = [
      new AppendLedger(),
      new SessionLedger(),
      new CounterLedger(),
      this.register,
      new SiblingsLedger({ nodes, replicas }),
      new SketchLedger({ nodes, replicas }),
    ];
    this.cluster = new SimCluster(
      { createMachine: factories.createMachine(plan), createDisk: factories.createDisk },
      {
        seed: plan.seed,
        nodes: nodesOf(plan),
        network: plan.network,
        clocks: [...plan.clocks, ...Array.from({ length: plan.late ?? 0 }, () => EXACT_CLOCK)],
        disks: plan.disks,
        tickIntervalMs: TICK_INTERVAL_MS,
        receiveBufferDatagrams: plan.receiveBufferDatagrams,
        turnCostMs: plan.turnCostMs,
        secrets: plan.secrets,
      },
    );
    this.hintWatch = new HintWatch((line) => this.violateLine(line));
    this.skewWatch = new SkewWatch(
      (line) => this.violateLine(line),
      (node) => this.cluster.nodes[node].wire !== undefined,
    );
    this.calm = new Calm(this.cluster, plan.turnCostMs);
    this.memberWatch = new MemberWatch(
      (line) => this.violateLine(line),
      this.calm,
      (id) => this.cluster.nodes.find(({ index }) => this.cluster.placeOf(index).id === id)?.index,
    );
    this.echoes = plan.echoes === true ? new Echoes(this.cluster) : null;
    this.cluster.watches = this.watchesOf();
    this.nemesis = new Nemesis(this.cluster, plan, this.ledgers, (kind) => this.mark(kind, 1));
    this.cluster.logged = (line) => this.nemesis.disks.logged(line);
    if (plan.secrets !== null) this.cluster.network.packets = new PacketWatch();
    // What is sealed shows no records.
    else this.cluster.network.dots = new DotWatch(plan.partitions);
    this.clients = plan.clients.map((client, index) =>
      this.newClient(index, client.node, client.protocol, [
        ['HEARSAY.CONSISTENCY', 'READ', client.readLevel, 'WRITE', client.writeLevel],
      ]),
    );
    this.inquiry = new Inquiry({
      members: () => this.nemesis.members.present(),
      probes: Array.from({ length: nodes }, (_, node) => this.newClient(1_000 + node, node, 2, [])),
      nowMs: () => this.cluster.clock.nowMs,
      rest: (forMs) => this.rest(forMs),
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
    this.verdict = new Verdict({
      cluster: this.cluster,
      nemesis: this.nemesis,
      inquiry: this.inquiry,
      ledgers: this.ledgers,
      violate: (kind, message) => this.violate(kind, message),
      mark: (name, count) => this.mark(name, count),
    });
  }

  play(): RunResult {
    this.playPhases();
    this.verdict.judgeNetwork();
    this.mark('hints kept over a restart', this.hintWatch.kept);
    this.mark('versions refused by the other build', this.skewWatch.refusedThere);
    this.mark('versions refused by this build', this.skewWatch.refusedHere);
    this.mark('members taken for dead', this.memberWatch.counts.deaths);
    this.mark('deaths known in time', this.memberWatch.counts.downKnown);
    for (const line of this.nemesis.disks.wrong) this.violateLine(line);
    for (const [name, count] of Object.entries(this.nemesis.disks.marks)) this.mark(name, count);
    const { cluster } = this;
    return {
      ok: this.violations.length === 0,
      violations: this.violations,
      traceHash: cluster.trace.hex,
      events: cluster.clock.events,
      virtualMs: cluster.clock.nowMs,
      marks: this.marks,
      history: this.register.history,
      finalState: this.finalState,
      log: cluster.log,
    };
  }

  /** Checks that go on at every node between its turns. */
  private watchesOf(): Watches {
    const complain = (line: string) => this.violateLine(line);
    return new Watches([
      new ClockWatch(complain),
      new VersionWatch(complain),
      new LogWatch(complain),
      new SizeWatch(complain),
      this.hintWatch,
      this.skewWatch,
      this.memberWatch,
      ...(this.echoes === null ? [] : [this.echoes, this.arrivals]),
    ]);
  }

  private playPhases(): void {
    const { inquiry, nemesis, verdict } = this;
    const hasConverged = () =>
      inquiry.hasConverged(Math.min(this.plan.replicas, nemesis.members.present().length)) ??
      this.memberWatch.differs(nemesis.members.present().map((node) => this.cluster.watches?.inspected(node) ?? null));
    nemesis.startAll();
    this.watchSoon();
    this.lookSoon();
    if (!this.settle('the cluster does not form', FORM_BOUND_MS, () => inquiry.isReady())) return;
    this.rest(STEADY_AFTER_MS);
    this.playSteps();
    if (!this.playCore()) return;
    this.playLongDown();
    nemesis.heal();
    if (!this.settle('members do not go', CONVERGE_BOUND_MS, () => seeMembersOff(this.cluster, nemesis, inquiry)))
      return;
    this.rest(REST_MS);
    if (!this.settle('the cluster does not converge', CONVERGE_BOUND_MS, hasConverged)) return;
    if (!this.playEchoes(hasConverged)) return;
    verdict.checkPackets();
    verdict.checkFrontiers();
    this.awaitEnds();
    this.finalState = verdict.checkState();
    nemesis.killAll();
    this.rest(100);
    nemesis.startAll();
    this.rest(STEADY_AFTER_MS);
    if (!this.settle('the cluster does not come back', CONVERGE_BOUND_MS, hasConverged)) return;
    verdict.checkFrontiers();
    verdict.compareStates(this.finalState, verdict.checkState());
  }

  /** Until nothing is alive by one node's clock and ended by another's. Clocks that are too far apart for that are taken as they are. */
  private awaitEnds(): void {
    const untilMs = this.cluster.clock.nowMs + ENDS_BOUND_MS;
    while (this.verdict.hasEndsAbout(ENDS_AHEAD_MS) && this.cluster.clock.nowMs < untilMs) this.rest(POLL_MS);
  }

  private playLongDown(): void {
    const { plan, cluster, nemesis, memberWatch } = this;
    if (plan.longDown === undefined) return;
    const ports = { cluster, nemesis, watch: memberWatch, rest: (forMs: number) => this.rest(forMs) };
    const known = playLongDown(plan.longDown, ports);
    this.mark('long deaths known', known ?? 0);
  }

  /** A late network brings what it still has, and nothing comes of it. */
  private playEchoes(hasConverged: () => string | null): boolean {
    const { echoes, verdict } = this;
    if (echoes === null) return true;
    const before = verdict.standing();
    this.arrivals.listen(this.nemesis.members.present());
    echoes.play();
    this.rest(ECHOES_MS + ECHOES_REST_MS);
    verdict.compareStanding(before, this.arrivals);
    this.mark('writes first met late', this.arrivals.firsts);
    this.mark('datagrams echoed', echoes.played.datagrams);
    this.mark('messages echoed', echoes.played.messages);
    return this.settle('the cluster does not converge after what came late', CONVERGE_BOUND_MS, hasConverged);
  }

  private playSteps(): void {
    const base = this.cluster.clock.nowMs;
    for (const [number, step] of this.plan.steps.entries()) {
      this.cluster.clock.scheduleAt(base + step.atMs, () => this.apply(step, number));
    }
    this.runUntil(base + this.plan.lengthMs);
  }

  private lookSoon(): void {
    this.calm.look();
    this.cluster.clock.schedule(LOOK_INTERVAL_MS, () => this.lookSoon());
  }

  private watchSoon(): void {
    this.cluster.clock.schedule(WATCH_INTERVAL_MS, () => {
      this.cluster.watches?.second();
      this.watchSoon();
    });
  }

  /** A part of the cluster is healed, and gets on by itself. */
  private playCore(): boolean {
    const core = coreOf(this.plan, hasClockTrouble(this.plan));
    if (core === null) return true;
    this.nemesis.healCore(core);
    const since = this.cluster.clock.nowMs;
    const trial = new CoreTrial(core, {
      client: (number, node, greeting) => this.newClient(number, node, 2, greeting),
      issue: (...asked) => this.issueThrough(...asked),
      rest: (forMs) => this.rest(forMs),
    });
    const isCalm = this.settle(`a live core, ${trial.name}, does not get on`, CORE_BOUND_MS, () => trial.goOn());
    this.mark('live cores', 1);
    this.mark('live cores ms', Math.ceil(this.cluster.clock.nowMs - since));
    this.rest(COMMAND_TIMEOUT_MS);
    return isCalm;
  }

  private apply(step: Step, number: number): void {
    if (step.kind === 'command') {
      this.issue(step.client, number, step.words);
      return;
    }
    if (!this.nemesis.apply(step)) return;
    if (step.kind === 'replace') forgetSoon(this.cluster, this.nemesis, this.inquiry, step.node);
    if (step.kind === 'leave') this.inquiry.tell(step.node, ['HEARSAY.LEAVE']);
  }

  private issue(client: number, number: number, words: readonly string[]): void {
    this.issueThrough(this.clients[client], client, this.plan.clients[client], number, words, () => {});
  }

  private issueThrough(
    sim: SimClient,
    client: number,
    plan: ClientPlan,
    number: number,
    planned: readonly string[],
    ended: (outcome: Completion['outcome']) => void,
  ): void {
    const ledger = this.ledgers.find((each) => each.takes(planned));
    if (ledger === undefined) throw new Error(`no ledger takes ${planned[0]}`);
    const words = ledger.wordsOf === undefined ? planned : ledger.wordsOf(planned, client);
    if (words === null) return;
    if (words[0] === 'FLUSHALL') for (const each of this.ledgers) each.flushed();
    const strayed = this.elsewhere.begin(client, number, words);
    const { connection } = sim;
    const asked: Asked = { number, client, plan, words, strayed, observed: this.observe(plan.node), connection };
    ledger.begin(asked);
    this.pending.set(number, { asked, ledger, ended });
    sim.send(number, words);
  }

  private complete(completion: Completion): void {
    if (this.inquiry.takes(completion)) return;
    const { command: number, outcome, reply } = completion;
    const pending = this.pending.get(number);
    if (pending === undefined) {
      const text = JSON.stringify(reply)?.slice(0, 120) ?? '';
      this.violate('reply', `client ${completion.client}: ${completion.why} ${text}`);
      return;
    }
    const { asked, ledger, ended } = pending;
    this.pending.delete(number);
    this.elsewhere.end(completion.client, number);
    ended(outcome);
    this.mark(`commands ${outcome}`, 1);
    if (outcome === 'ok') this.mark(`command ${asked.words[0].toLowerCase()}`, 1);
    if (reply !== null) {
      const wrong = checkShape(asked.words, reply);
      if (wrong !== null) this.violateLine(wrong);
      if (reply.type === 'error') this.mark(`error ${reply.text.split(' ', 1)[0]}`, 1);
    }
    const { node, writeLevel } = asked.plan;
    for (const line of ledger.end({ number, outcome, reply, observed: this.observe(node) })) this.violateLine(line);
    if (outcome === 'ok' && writeLevel === 'one' && isWrite(asked.words)) this.nemesis.acknowledged(node);
  }

  private observe(node: number): Observed {
    const { cluster } = this;
    return {
      nowMs: cluster.clock.nowMs,
      wallLowMs: cluster.wallLowMs(),
      wallHighMs: cluster.wallHighMs(),
      nodeWallMs: cluster.nodes[node].clock.wallMs(),
      nodeLife: cluster.nodes[node].life,
      nodeSteady: this.nemesis.isSteady(node),
    };
  }

  private runUntil(untilMs: number): void {
    for (;;) {
      const more = this.cluster.step(untilMs);
      while (this.finished.length > 0) this.complete(this.finished.shift() as Completion);
      while (this.cluster.failures.length > 0) {
        const failure = this.cluster.failures.shift();
        if (failure !== undefined && !this.nemesis.disks.explains(failure))
          this.violate('threw', `node ${failure.node}: ${failure.error.stack}`);
      }
      if (!more) return;
    }
  }

  private rest(forMs: number): void {
    this.runUntil(this.cluster.clock.nowMs + forMs);
  }

  /** Waits for a fact, with a bound; false, and a violation, if it does not come true. */
  private settle(complaint: string, boundMs: number, check: () => string | null): boolean {
    const since = this.cluster.clock.nowMs;
    let problem = check();
    while (problem !== null && this.cluster.clock.nowMs - since < boundMs) {
      this.rest(POLL_MS);
      problem = check();
    }
    if (problem !== null) this.violate('diverged', `${complaint} within ${boundMs} ms: ${problem}`);
    return problem === null;
  }

  private newClient(client: number, node: number, protocol: 2 | 3, greeting: string[][]): SimClient {
    const { cluster } = this;
    const index = cluster.network.hosts.length;
    const simClient = new SimClient(
      { clock: cluster.clock, streams: cluster.streams, trace: cluster.trace, finished: this.finished },
      {
        index,
        client,
        address: addressOf(index),
        target: cluster.nodes[node],
        greeting: protocol === 3 ? [['HELLO', '3'], ...greeting] : greeting,
        timeoutMs: COMMAND_TIMEOUT_MS,
      },
    );
    cluster.network.addHost(simClient);
    return simClient;
  }

  private mark(name: string, count: number): void {
    if (count > 0) this.marks[name] = (this.marks[name] ?? 0) + count;
  }

  private violateLine(line: string): void {
    const colon = line.indexOf(': ');
    this.violate(line.slice(0, colon), line.slice(colon + 2));
  }

  private violate(kind: string, message: string): void {
    if (this.violations.length < VIOLATIONS_MAX) {
      this.violations.push({ kind, atMs: this.cluster.clock.nowMs, message });
    }
  }
}
