/**
 * One run of the simulator: a plan played on a cluster, with checks at every reply. Tests, the shrinker and `main.ts` call
 * `runPlan`; it gives back what was wrong, the trace's hash and how much happened. Phases: the cluster forms; faults and
 * commands; everything is healed and must converge within a bound; all nodes die at once and come back from their logs.
 * Guarded: a run depends on its plan alone.
 */
import { checkFinal, checkRead, checkShape, type Violation } from './checkers.js';
import { type Completion, SimClient } from './client.js';
import { addressOf, type DiskFactory, type MachineFactory, SimCluster } from './cluster.js';
import { CounterLedger, isCount } from './counters.js';
import { DotWatch } from './dots.js';
import { Elsewhere } from './elsewhere.js';
import { History, type Observed, type Operation } from './history.js';
import { PacketWatch } from './packets.js';
import type { Reply } from './replies.js';
import { hasClockTrouble, type Plan, type Step } from './schedule.js';

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
  /** Every key's value after healing, by name; empty if the cluster never converged. */
  finalState: ReadonlyMap<string, string | null>;
  log: SimCluster['log'];
}

export const TICK_INTERVAL_MS = 25;
const FORM_BOUND_MS = 20_000;
const CONVERGE_BOUND_MS = 60_000;
/** A node started longer ago than this answers from its own memory (DESIGN.md, section 5: 1 s). */
const STEADY_AFTER_MS = 2_000;
/** Longer than any short time to live of the workload, so that what is left does not change under the last checks. */
const REST_MS = 3_500;
const POLL_MS = 250;
const COMMAND_TIMEOUT_MS = 2_000;
const VIOLATIONS_MAX = 20;
/** Counters of the nodes that a campaign shows. */
const MARKED = [
  'catch_up_joined',
  'catch_up_records',
  'catch_up_walks',
  'repair_leaves_compared',
  'repair_gaps_pulled',
  'reads_hedged',
  'reads_repaired',
  'hints_dropped',
];
/** Commands of the run's own, as against the plan's, have numbers from here. */
const PROBE_BASE = 1_000_000;

export function runPlan(factories: RunFactories, plan: Plan): RunResult {
  return new Run(factories, plan).play();
}

interface Strike {
  kind: 'kill' | 'power';
  nodes: readonly number[];
  downMs: number;
}

class Run {
  private readonly plan: Plan;
  private readonly cluster: SimCluster;
  private readonly history: History;
  private readonly counters = new CounterLedger();
  private readonly elsewhere: Elsewhere;
  private readonly clients: SimClient[];
  private readonly probes: SimClient[] = [];
  private readonly finished: Completion[] = [];
  private readonly pending = new Map<number, { words: string[]; operations: Operation[] }>();
  private readonly probeReplies = new Map<number, Completion>();
  private readonly violations: Violation[] = [];
  private readonly marks: Record<string, number> = {};
  /** Since when each node is steady; infinite while it is down, or for good once it left or lost its disk. */
  private readonly steadySinceMs: number[];
  private readonly unsteady = new Set<number>();
  /** Nodes that were asked to leave and have not been started again. */
  private readonly leaving = new Set<number>();
  /** Nodes to strike at the next acknowledged write through the first. */
  private armed: Strike[] = [];
  private probeNumber = PROBE_BASE;
  private healed = false;
  private finalState: ReadonlyMap<string, string | null> = new Map();

  constructor(factories: RunFactories, plan: Plan) {
    this.plan = plan;
    this.elsewhere = new Elsewhere(plan.partitions);
    this.history = new History({
      nodes: plan.nodes,
      replicas: plan.replicas,
      clockTrouble: hasClockTrouble(plan),
    });
    this.cluster = new SimCluster(
      { createMachine: factories.createMachine(plan), createDisk: factories.createDisk },
      {
        seed: plan.seed,
        nodes: plan.nodes,
        network: plan.network,
        clocks: plan.clocks,
        tickIntervalMs: TICK_INTERVAL_MS,
        receiveBufferDatagrams: plan.receiveBufferDatagrams,
        turnCostMs: plan.turnCostMs,
        secrets: plan.secrets,
      },
    );
    if (plan.secrets !== null) this.cluster.network.packets = new PacketWatch();
    // What is sealed shows no records.
    else if (plan.steps.some((step) => step.kind === 'power' || step.kind === 'wipe')) {
      this.cluster.network.dots = new DotWatch(plan.partitions);
    }
    this.steadySinceMs = new Array(plan.nodes).fill(Number.POSITIVE_INFINITY);
    this.clients = plan.clients.map((client, index) =>
      this.newClient(index, client.node, client.protocol, [
        ['HEARSAY.CONSISTENCY', 'READ', client.readLevel, 'WRITE', client.writeLevel],
      ]),
    );
    for (let node = 0; node < plan.nodes; node++) this.probes.push(this.newClient(1_000 + node, node, 2, []));
  }

  play(): RunResult {
    const { cluster } = this;
    for (const node of cluster.nodes) this.start(node.index);
    if (this.settle('the cluster does not form', FORM_BOUND_MS, () => this.isReady())) {
      this.rest(STEADY_AFTER_MS);
      this.playSteps();
      this.heal();
      this.rest(REST_MS);
      if (this.settle('the cluster does not converge', CONVERGE_BOUND_MS, () => this.hasConverged())) {
        this.checkPackets();
        this.checkFrontiers();
        const before = this.checkState();
        this.finalState = before;
        this.restartAll();
        if (this.settle('the cluster does not come back', CONVERGE_BOUND_MS, () => this.hasConverged())) {
          this.checkFrontiers();
          this.compareStates(before, this.checkState());
        }
      }
    }
    this.mark('datagrams lost', cluster.network.counters.lost + cluster.network.counters.blocked);
    this.mark('datagrams damaged', cluster.network.counters.corrupted + cluster.network.counters.truncated);
    this.mark('datagrams replayed', cluster.network.counters.replayed);
    this.mark('streams reset', cluster.streams.counters.resets);
    this.mark('segments held by a partition', cluster.streams.counters.heldSegments);
    for (const line of cluster.network.dots?.reused ?? []) this.violate('dot', line);
    const changed = cluster.network.counters.changed + cluster.streams.counters.changed;
    if (changed > 0) this.violate('buffer', `${changed} buffers were changed after they were given away or lent`);
    if (cluster.network.counters.oversized > 0) {
      this.violate('datagram', `${cluster.network.counters.oversized} datagrams above 1,200 bytes`);
    }
    return {
      ok: this.violations.length === 0,
      violations: this.violations,
      traceHash: cluster.trace.hex,
      events: cluster.clock.events,
      virtualMs: cluster.clock.nowMs,
      marks: this.marks,
      history: this.history,
      finalState: this.finalState,
      log: cluster.log,
    };
  }

  private playSteps(): void {
    const base = this.cluster.clock.nowMs;
    for (const [number, step] of this.plan.steps.entries()) {
      this.cluster.clock.scheduleAt(base + step.atMs, () => this.apply(step, number));
    }
    this.runUntil(base + this.plan.lengthMs);
  }

  private apply(step: Step, number: number): void {
    const { cluster } = this;
    if (step.kind !== 'command') this.mark(step.kind, 1);
    switch (step.kind) {
      case 'command':
        this.issue(step.client, number, step.words);
        break;
      case 'kill':
      case 'power':
        if (step.onAck) this.armed.push(step);
        else this.strike(step);
        break;
      case 'wipe':
        cluster.wipe(step.node);
        this.fell(step.node);
        this.unsteady.add(step.node);
        this.damaged(step.node);
        this.later(step.downMs, () => this.start(step.node));
        break;
      case 'stop':
        cluster.stop(step.node);
        this.leaving.add(step.node);
        this.unsteady.add(step.node);
        this.later(step.downMs, () => this.start(step.node));
        break;
      case 'pause':
        cluster.pause(step.node);
        this.later(step.forMs, () => cluster.resume(step.node));
        break;
      case 'partition':
        for (const [from, to] of step.pairs) cluster.network.block(from, to);
        this.later(step.forMs, () => cluster.unblock(step.pairs));
        break;
      case 'udp':
        cluster.network.blockDatagrams(step.node);
        this.later(step.forMs, () => cluster.network.unblockDatagrams(step.node));
        break;
      case 'secret':
        cluster.placeSecret(step.node, step.words);
        break;
      case 'clock':
        cluster.stepClock(step.node, step.byMs);
        break;
    }
  }

  /** Does something later, unless everything has been healed by then. */
  private later(delayMs: number, action: () => void): void {
    this.cluster.clock.schedule(delayMs, () => {
      if (!this.healed) action();
    });
  }

  private start(node: number): void {
    if (this.leaving.delete(node)) this.kill(node);
    if (this.cluster.nodes[node].up) return;
    this.cluster.start(node);
    this.history.restarted(this.cluster.wallHighMs());
    this.steadySinceMs[node] = this.cluster.clock.nowMs + STEADY_AFTER_MS;
  }

  private startAll(nodes: readonly number[]): void {
    for (const node of nodes) this.start(node);
  }

  private fell(node: number): void {
    this.steadySinceMs[node] = Number.POSITIVE_INFINITY;
  }

  private strike({ kind, nodes, downMs }: Strike): void {
    for (const node of nodes) {
      if (kind === 'kill') this.kill(node);
      else this.cluster.cutPower(node);
      this.fell(node);
      if (kind === 'power' && this.plan.durability !== 'always') this.damaged(node);
    }
    this.later(downMs, () => this.startAll(nodes));
  }

  /** With durability off the process takes with it what it had not yet written. */
  private kill(node: number): void {
    this.cluster.kill(node);
    if (this.plan.durability === 'off') this.damaged(node);
  }

  /** The disk of a node lost what it had acknowledged. */
  private damaged(node: number): void {
    this.history.damaged(node, this.cluster.clock.nowMs);
    this.counters.lossy = true;
  }

  private heal(): void {
    this.healed = true;
    this.armed = [];
    this.cluster.calm();
    // Whoever took steps out of a plan may have left nodes without a key in common.
    if (this.plan.steps.some((step) => step.kind === 'secret')) {
      for (const node of this.cluster.nodes) this.cluster.placeSecret(node.index, ['second', 'first']);
    }
    for (const node of this.cluster.nodes) {
      this.cluster.resume(node.index);
      this.start(node.index);
    }
  }

  private restartAll(): void {
    for (const node of this.cluster.nodes) {
      this.kill(node.index);
      this.fell(node.index);
    }
    this.rest(100);
    for (const node of this.cluster.nodes) this.start(node.index);
    this.rest(STEADY_AFTER_MS);
  }

  private issue(clientIndex: number, number: number, words: string[]): void {
    const client = this.plan.clients[clientIndex];
    if (words[0] === 'FLUSHALL') this.counters.lossy = true;
    if (isCount(words)) this.counters.begin(number, words);
    const strayed = this.elsewhere.begin(clientIndex, number, words);
    const observed = this.observe(client.node);
    const operations = isCount(words) ? [] : this.history.begin(number, words, client, observed, strayed);
    this.pending.set(number, { words, operations });
    this.clients[clientIndex].send(number, words);
  }

  private complete(completion: Completion): void {
    if (completion.command >= PROBE_BASE) {
      this.probeReplies.set(completion.command, completion);
      return;
    }
    const pending = this.pending.get(completion.command);
    if (pending === undefined) {
      const reply = JSON.stringify(completion.reply)?.slice(0, 120) ?? '';
      this.violate('reply', `client ${completion.client}: ${completion.why} ${reply}`);
      return;
    }
    this.pending.delete(completion.command);
    this.elsewhere.end(completion.client, completion.command);
    this.mark(`commands ${completion.outcome}`, 1);
    const { reply } = completion;
    if (reply !== null) {
      const wrong = checkShape(pending.words, reply);
      if (wrong !== null) this.violateLine(wrong);
      if (reply.type === 'error') this.mark(`error ${reply.text.split(' ', 1)[0]}`, 1);
    }
    const miscounted = this.counters.end(completion.command, completion.outcome, reply);
    if (miscounted !== null) this.violateLine(miscounted);
    for (const [place, operation] of pending.operations.entries()) {
      const own = reply?.type === 'array' ? (reply.items[place] ?? null) : reply;
      this.settleOperation(operation, completion.outcome, own);
    }
  }

  private settleOperation(operation: Operation, outcome: Completion['outcome'], reply: Reply | null): void {
    const { history } = this;
    history.end(operation, outcome, reply, this.observe(operation.node));
    if (outcome === 'ok' && operation.kind === 'read' && (reply?.type === 'bulk' || reply?.type === 'null')) {
      const value = reply.type === 'bulk' ? reply.text : null;
      const wrong = checkRead(history, operation, value, this.cluster.wallHighMs());
      if (wrong !== null) this.violateLine(wrong);
      const write = value === null ? undefined : history.byValue.get(value);
      if (write !== undefined && operation.level === 'one' && operation.steady) history.sawAt(operation.node, write);
    }
    if (outcome === 'ok' && operation.kind === 'write' && operation.level === 'one') this.trigger(operation.node);
  }

  private trigger(node: number): void {
    const due = this.armed.filter((armed) => armed.nodes[0] === node);
    this.armed = this.armed.filter((armed) => armed.nodes[0] !== node);
    for (const armed of due) this.strike(armed);
  }

  private observe(node: number): Observed {
    const { cluster } = this;
    return {
      nowMs: cluster.clock.nowMs,
      wallLowMs: cluster.wallLowMs(),
      wallHighMs: cluster.wallHighMs(),
      nodeWallMs: cluster.nodes[node].clock.wallMs(),
      nodeLife: cluster.nodes[node].life,
      nodeSteady: !this.unsteady.has(node) && cluster.clock.nowMs >= this.steadySinceMs[node],
    };
  }

  private runUntil(untilMs: number): void {
    for (;;) {
      const more = this.cluster.step(untilMs);
      while (this.finished.length > 0) this.complete(this.finished.shift() as Completion);
      while (this.cluster.failures.length > 0) {
        const failure = this.cluster.failures.shift();
        if (failure !== undefined) this.violate('threw', `node ${failure.node}: ${failure.error.stack}`);
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

  /** Asks every node the same; null where no reply came. */
  private askAll(words: string[]): (Reply | null)[] {
    const numbers = this.probes.map((probe) => {
      const number = this.probeNumber++;
      probe.send(number, words);
      return number;
    });
    const deadline = this.cluster.clock.nowMs + COMMAND_TIMEOUT_MS + 100;
    while (numbers.some((number) => !this.probeReplies.has(number)) && this.cluster.clock.nowMs < deadline) {
      this.rest(1);
    }
    const replies = numbers.map((number) => this.probeReplies.get(number)?.reply ?? null);
    this.probeReplies.clear();
    return replies;
  }

  /** Every node knows every other, and nobody thinks anybody failed. */
  private hasFormed(): string | null {
    for (const [node, reply] of this.askAll(['CLUSTER', 'NODES']).entries()) {
      const lines = reply?.type === 'bulk' ? reply.text.trim().split('\n') : [];
      const good = lines.filter((line) => !/\b(fail\??|handshake|noaddr)\b/.test(line.split(' ')[2] ?? ''));
      if (good.length !== this.plan.nodes) return `node ${node} sees ${good.length} of ${this.plan.nodes} members`;
    }
    return null;
  }

  /** Every node has caught up with what it owns, so it answers from its own memory. */
  private isReady(): string | null {
    const unformed = this.hasFormed();
    if (unformed !== null) return unformed;
    for (const [node, reply] of this.askAll(['HEARSAY.STATUS']).entries()) {
      const words = reply?.type === 'array' ? reply.items.map(textOf) : [];
      const ready = words[words.indexOf('ready') + 1];
      if (words.indexOf('ready') < 0 || !['1', 'true', 't'].includes(ready)) return `node ${node} is not ready`;
    }
    return null;
  }

  /** The cluster has formed, and all who hold a partition hold the same of it. */
  private hasConverged(): string | null {
    const unready = this.isReady();
    if (unready !== null) return unready;
    const holders = new Map<string, { digest: string; node: number; count: number }>();
    for (const [node, reply] of this.askAll(['HEARSAY.DIGEST']).entries()) {
      if (reply?.type !== 'array') return `node ${node} gives no digests: ${JSON.stringify(reply)?.slice(0, 120)}`;
      for (const item of reply.items) {
        if (item.type !== 'array' || item.items.length < 2) return `node ${node} gives a digest of no known shape`;
        const [partition, digest] = item.items.map(textOf);
        const first = holders.get(partition);
        if (first === undefined) holders.set(partition, { digest, node, count: 1 });
        else if (first.digest === digest) first.count++;
        else return `partition ${partition}: node ${first.node} has ${first.digest}, node ${node} has ${digest}`;
      }
    }
    const owners = Math.min(this.plan.replicas, this.plan.nodes);
    for (const [partition, { count }] of holders) {
      if (count < owners) return `partition ${partition} is held by ${count} nodes`;
    }
    return holders.size === 0 ? 'nobody holds a partition' : null;
  }

  /** No node has taken in more packets than were different. */
  private checkPackets(): void {
    const { packets } = this.cluster.network;
    if (packets === null) return;
    for (const [node, reply] of this.askAll(['HEARSAY.STATUS']).entries()) {
      const words = reply?.type === 'array' ? reply.items.map(textOf) : [];
      const accepted = Number(words[words.indexOf('packets_accepted') + 1]);
      const met = packets.count(node);
      if (!(accepted <= met))
        this.violate('replay', `node ${node} took in ${accepted} packets of ${met} different ones`);
      this.mark('packets accepted sealed', accepted);
    }
  }

  /** Reads every key at every node; they must agree, and break no promise. */
  private checkState(): Map<string, string | null> {
    const state = new Map<string, string | null>();
    for (const key of [...this.history.byKey.keys()].sort()) {
      const value = this.valueEverywhere(key);
      const wrong = checkFinal(this.history, key, value, this.cluster.wallHighMs());
      if (wrong !== null) this.violateLine(wrong);
      state.set(key, value);
    }
    for (const key of this.counters.keys) {
      const value = this.valueEverywhere(key);
      const wrong = this.counters.checkFinal(key, value);
      if (wrong !== null) this.violateLine(wrong);
      state.set(key, value);
    }
    return state;
  }

  /** What every node says a key is; a violation if they do not agree. */
  private valueEverywhere(key: string): string | null {
    const values = this.askAll(['GET', key]).map((reply, node) => {
      if (reply?.type === 'bulk') return reply.text;
      if (reply?.type !== 'null') this.violate('reply', `healed node ${node} answers ${JSON.stringify(reply)}`);
      return null;
    });
    const other = values.findIndex((value) => value !== values[0]);
    if (other > 0) this.violate('diverged', `${key} is ${values[0]} at node 0 and ${values[other]} at node ${other}`);
    return values[0];
  }

  /**
   * Who has seen the same holds the same: in a run that takes nothing from a node behind its back, the comparison of what is held
   * never finds a thing to repair. If it did, a frontier has claimed what was not there.
   */
  private checkFrontiers(): void {
    for (const [node, reply] of this.askAll(['HEARSAY.STATUS']).entries()) {
      const status = statusOf(reply);
      const found = (status.repair_records_wanted ?? 0) + (status.repair_records_pushed ?? 0);
      if (found > 0) this.violate('frontier', `node ${node} found ${found} records that its frontier had covered`);
      for (const name of MARKED) this.mark(name.replaceAll('_', ' '), status[name] ?? 0);
    }
  }

  private compareStates(before: Map<string, string | null>, after: Map<string, string | null>): void {
    for (const [key, value] of before) {
      const now = after.get(key) ?? null;
      if (now !== value)
        this.violate('restart', `${key} was ${value} before all nodes were killed, and is ${now} after`);
    }
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

/** The numbers of a HEARSAY.STATUS, by name. */
function statusOf(reply: Reply | null): Record<string, number> {
  const status: Record<string, number> = {};
  const items = reply?.type === 'array' ? reply.items : [];
  for (let at = 0; at + 1 < items.length; at += 2) {
    const value = items[at + 1];
    if (value.type === 'integer' || value.type === 'bulk' || value.type === 'status') {
      status[textOf(items[at])] = Number(textOf(value));
    }
  }
  return status;
}

function textOf(reply: Reply): string {
  if (reply.type === 'integer') return String(reply.value);
  return reply.type === 'bulk' || reply.type === 'status' ? reply.text : reply.type;
}
