/**
 * The plan of a run, drawn up front from a seed as plain data: the cluster, its clocks and network, and every command and
 * fault with its time. A run (run.ts) plays it; shrink.ts takes steps out; as JSON it is a fixture that outlives the seed.
 * Guarded: faults are drawn swarm-style (Groce et al., "Swarm Testing", 2012): each family is off in a good part of the
 * seeds, because a fault that is always there hides what needs its absence.
 */
import { Random } from '../core/base/random.js';
import type { ClockPlan } from './clock.js';
import { drawCounts } from './counters.js';
import type { DiskPlan, DiskStep } from './disk-faults.js';
import { FAMILIES } from './families.js';
import { clocksStrayFar } from './faults/clocks.js';
import type { Limits } from './faults/limits.js';
import type { LiveCore } from './faults/live-core.js';
import type { LongDown } from './faults/long-down.js';
import type { MemberStep } from './faults/members.js';
import type { RenewalStep } from './faults/renewals.js';
import type { AroundStep } from './faults/steps.js';
import { CALM_NETWORK, type NetworkOptions } from './network.js';
import { drawCommands } from './workload.js';

export type Level = 'one' | 'quorum' | 'all';

export interface ClientPlan {
  node: number;
  readLevel: Level;
  writeLevel: Level;
  protocol: 2 | 3;
}

export type Step =
  | DiskStep
  | { atMs: number; kind: 'command'; client: number; words: string[] }
  /**
   * kill -9, or loss of power, of these nodes at one instant; `onAck`: at the next acknowledged write through the
   * first at level one, whose acknowledgement waits for nothing else.
   */
  | { atMs: number; kind: 'kill' | 'power'; nodes: number[]; downMs: number; onAck: boolean }
  | { atMs: number; kind: 'wipe'; node: number; downMs: number }
  | { atMs: number; kind: 'stop'; node: number; downMs: number }
  | { atMs: number; kind: 'pause'; node: number; forMs: number }
  | { atMs: number; kind: 'partition'; pairs: [number, number][]; forMs: number }
  /** No datagram to or from a node gets through; its streams do. */
  | { atMs: number; kind: 'udp'; node: number; forMs: number }
  | { atMs: number; kind: 'clock'; node: number; byMs: number }
  /** Another secret file: these keys, the first of them used. */
  | { atMs: number; kind: 'secret'; node: number; words: string[] }
  | AroundStep
  | MemberStep
  | RenewalStep;

export interface Plan {
  seed: number;
  nodes: number;
  replicas: number;
  partitions: number;
  durability: 'interval' | 'always' | 'off';
  lengthMs: number;
  network: NetworkOptions;
  /** What stands in every node's secret file at first; null: there is none. */
  secrets: string[] | null;
  receiveBufferDatagrams: number;
  turnCostMs: number;
  clocks: ClockPlan[];
  /** One per node; none: all do well. */
  disks: DiskPlan[];
  clients: ClientPlan[];
  /** Who is healed first and must get on alone; without it, nobody is. */
  core?: LiveCore;
  /** So many nodes beyond `nodes` are there to join. */
  late?: number;
  /** Who is down for longest, before all is healed; without it, nobody is. */
  longDown?: LongDown;
  /** When all is healed, what was sent long ago comes once more. */
  echoes?: boolean;
  /** Bounds of every node that are smaller than usual. */
  limits?: Limits;
  /** In order of time. */
  steps: Step[];
}

export interface PlanLimits {
  nodesMin: number;
  nodesMax: number;
  lengthMs: number;
  /** Names of the families (families.ts) that are drawn beside what is drawn here. Default: all. */
  families?: readonly string[];
}

export const PLAN_LIMITS: PlanLimits = { nodesMin: 3, nodesMax: 5, lengthMs: 8_000 };
const REPLICAS = 3;
/** Few, so that keys share them. */
const PARTITIONS = 16;
/** A loss of power this close to the end leaves nobody time to write over what it lost. */
const LAST_MS = 800;
/** Clocks closer than this never make a node refuse to coordinate (maxClockDriftMs is 500 in a run). */
const SKEW_MS = 180;
const BIG_STEP_MS = 3_000;

export function drawPlan(seed: number, limits: PlanLimits = PLAN_LIMITS): Plan {
  const random = new Random(seed, 0x5ced0001);
  const nodes = random.chance(0.6) ? limits.nodesMin : random.between(limits.nodesMin, limits.nodesMax);
  const clocks = drawClocks(random, nodes);
  const clients = drawClients(random, nodes);
  const secured = drawSecurity(new Random(seed, 0x5ced0013), nodes);
  const steps = [
    ...drawFaults(random, nodes, limits.lengthMs),
    ...drawUdpBlocks(new Random(seed, 0x5ced0003), nodes, limits.lengthMs),
    ...secured.steps,
    ...drawCommands(new Random(seed, 0x5ced0002), clients, limits.lengthMs),
    ...drawCounts(new Random(seed, 0x5ced0021), clients, limits.lengthMs),
  ];
  const plan: Plan = {
    seed,
    nodes,
    replicas: REPLICAS,
    partitions: PARTITIONS,
    durability: random.chance(0.6) ? 'interval' : random.chance(0.75) ? 'always' : 'off',
    lengthMs: limits.lengthMs,
    network: { ...drawNetwork(random), replay: secured.replay },
    secrets: secured.secrets,
    receiveBufferDatagrams: random.chance(0.2) ? random.between(4, 40) : 92,
    turnCostMs: random.chance(0.2) ? 2 : 0.1,
    clocks,
    disks: [],
    clients,
    steps,
  };
  for (const family of FAMILIES) {
    if (limits.families?.includes(family.name) ?? true) family.draw(plan, new Random(seed, family.stream));
  }
  plan.steps.sort((left, right) => left.atMs - right.atMs);
  return plan;
}

/** A plan from a file, which may be older than some of its fields: what it lacks is what leaves the run as it was. */
export function completePlan(plan: Partial<Plan> & Pick<Plan, 'seed' | 'steps' | 'clients'>): Plan {
  return { ...drawPlan(plan.seed, { ...PLAN_LIMITS, families: [] }), ...plan };
}

/** Drawn apart from the rest, so that a seed has the same faults with and without a secret. */
function drawSecurity(random: Random, nodes: number): { secrets: string[] | null; replay: number; steps: Step[] } {
  if (!random.chance(0.4)) return { secrets: null, replay: 0, steps: [] };
  const replay = random.chance(0.6) ? random.between(1, 30) / 100 : 0;
  const steps: Step[] = [];
  if (random.chance(0.5)) {
    // Add, use, remove: each brought to every node before the next, as an operator does.
    const files = [['first', 'second'], ['second', 'first'], ['second']];
    for (const [phase, words] of files.entries()) {
      const phaseMs = random.between(100, 600) + phase * 2_200;
      for (let node = 0; node < nodes; node++) {
        steps.push({ atMs: phaseMs + random.below(500), kind: 'secret', node, words });
      }
    }
  }
  return { secrets: ['first'], replay, steps };
}

/** Whether some clock of the plan strays so far that the design lets later writes lose. */
export function hasClockTrouble(plan: Plan): boolean {
  return plan.steps.some((step) => step.kind === 'clock') || clocksStrayFar(plan);
}

function drawNetwork(random: Random): NetworkOptions {
  const options = { ...CALM_NETWORK };
  if (random.chance(0.5)) options.loss = random.below(40) / 100;
  if (random.chance(0.4)) options.duplicate = random.below(50) / 100;
  if (random.chance(0.3)) options.corrupt = random.between(1, 20) / 1_000;
  if (random.chance(0.3)) options.truncate = random.between(1, 20) / 1_000;
  if (random.chance(0.15)) options.mtuBytes = random.between(600, 1_199);
  if (random.chance(0.5)) {
    options.lagMinMs = random.below(15);
    options.lagMeanMs = random.between(1, 40);
  }
  if (random.chance(0.4)) options.segmentCut = random.below(60) / 100;
  if (random.chance(0.3)) options.segmentOneByte = random.below(30) / 100;
  if (random.chance(0.3)) options.reset = random.between(1, 20) / 1_000;
  return options;
}

function drawClocks(random: Random, nodes: number): ClockPlan[] {
  const coarse = random.chance(0.35);
  const skewed = !coarse && random.chance(0.6);
  const drifting = random.chance(0.4);
  const grainMs = coarse ? 50 : 1;
  return Array.from({ length: nodes }, () => ({
    offsetMs: skewed ? random.between(-SKEW_MS, SKEW_MS) : 0,
    driftPpm: drifting ? random.between(-500, 500) : 0,
    grainMs,
  }));
}

/** Two clients beside each node: one at level one, one at levels of its own. */
function drawClients(random: Random, nodes: number): ClientPlan[] {
  const pairs: [Level, Level][] = [
    ['quorum', 'quorum'],
    ['one', 'all'],
    ['one', 'quorum'],
    ['all', 'one'],
    ['quorum', 'all'],
  ];
  const clients: ClientPlan[] = [];
  for (let node = 0; node < nodes; node++) {
    const [readLevel, writeLevel] = pairs[random.below(pairs.length)];
    clients.push({ node, readLevel: 'one', writeLevel: 'one', protocol: 2 });
    clients.push({ node, readLevel, writeLevel, protocol: random.chance(0.3) ? 3 : 2 });
  }
  return clients;
}

function drawFaults(random: Random, nodes: number, lengthMs: number): Step[] {
  const steps: Step[] = [];
  const some = (share: number, most: number, draw: (atMs: number) => Step): void => {
    if (!random.chance(share)) return;
    for (let left = random.between(1, most); left > 0; left--) steps.push(draw(random.below(lengthMs)));
  };
  const node = (): number => random.below(nodes);
  some(0.6, 4, (atMs) => ({
    atMs,
    kind: 'partition',
    pairs: drawPartition(random, nodes),
    forMs: random.between(100, 3_000),
  }));
  some(0.5, 3, (atMs) => ({
    atMs,
    kind: 'kill',
    nodes: [node()],
    downMs: random.between(50, 2_500),
    onAck: random.chance(0.5),
  }));
  some(0.3, 3, (atMs) => ({
    atMs,
    kind: 'kill',
    nodes: random.shuffle(Array.from({ length: nodes }, (_, index) => index)),
    downMs: random.between(50, 1_000),
    onAck: random.chance(0.8),
  }));
  some(0.25, 2, (atMs) => ({
    atMs,
    kind: 'power',
    nodes: [node()],
    downMs: random.between(100, 2_500),
    onAck: random.chance(0.3),
  }));
  some(0.12, 2, (atMs) => ({
    atMs,
    kind: 'power',
    nodes: random.shuffle(Array.from({ length: nodes }, (_, index) => index)),
    downMs: random.between(100, 1_000),
    onAck: random.chance(0.8),
  }));
  some(0.3, 1, (atMs) => ({
    atMs: lengthMs - 1 - (atMs % LAST_MS),
    kind: 'power',
    nodes: random.shuffle(Array.from({ length: nodes }, (_, index) => index)),
    downMs: 500,
    onAck: true,
  }));
  some(0.1, 1, (atMs) => ({ atMs, kind: 'wipe', node: node(), downMs: random.between(100, 2_500) }));
  some(0.2, 1, (atMs) => ({ atMs, kind: 'stop', node: node(), downMs: random.between(300, 2_500) }));
  some(0.35, 3, (atMs) => ({ atMs, kind: 'pause', node: node(), forMs: random.between(50, 2_500) }));
  some(0.12, 2, (atMs) => ({ atMs, kind: 'clock', node: node(), byMs: random.between(-BIG_STEP_MS, BIG_STEP_MS) }));
  return steps;
}

/** A generator of its own, so that the other faults of a seed stay as they were. */
function drawUdpBlocks(random: Random, nodes: number, lengthMs: number): Step[] {
  if (!random.chance(0.12)) return [];
  return [{ atMs: random.below(lengthMs), kind: 'udp', node: random.below(nodes), forMs: random.between(500, 6_000) }];
}

/** Directed pairs to block: one node apart, a split of any size, or one way only. */
function drawPartition(random: Random, nodes: number): [number, number][] {
  const order = random.shuffle(Array.from({ length: nodes }, (_, index) => index));
  const size = random.between(1, nodes - 1);
  const kind = random.below(4);
  const pairs: [number, number][] = [];
  for (const left of order.slice(0, kind === 0 ? 1 : size)) {
    for (const right of order.slice(kind === 0 ? 1 : size)) {
      if (kind !== 3 || pairs.length === 0) pairs.push([left, right]);
      if (kind < 2) pairs.push([right, left]);
    }
  }
  return pairs;
}
