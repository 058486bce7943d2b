/**
 * What theory says of gossip and of SWIM's detection: bounds to hold a run against, as pure formulas. scenarios.ts asks for the bound of
 * its plan, chart.ts for the curve. Guarded: every figure is finite for 3 to 2,000 nodes, any loss below 1 and any fan-out.
 *
 * Push gossip reaches n nodes in log2 n + ln n + O(1) rounds (Frieze and Grimmett 1985; Pittel 1987). With a fan-out f of which a share
 * q = 1 - loss arrives, each round multiplies those who know by 1 + fq and then divides those who do not by e^(fq):
 * log_{1+fq} n + ln n / (fq) + 1. News of m members is more than a datagram holds: each is sent L = 4 x ceil(log10(n + 1)) times, and a
 * round carries f datagrams of k updates, so m news need up to m L / (f k) rounds more. SWIM (Das et al. 2002): with every member
 * probing one other a period, one is probed first after e/(e-1) periods on average, and the last of d after about ln d more; a
 * suspicion lasts from 4 x max(1, log10 n) periods, at least 5 s, to six times that without confirmation (Lifeguard, section IV.B).
 */
import { pushPullPeriodMs, retransmitLimit, suspicionMinMs } from '../../core/membership/formulas.js';
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import type { ClusterPlan, CurvePoint } from './plan.js';

/** Updates of members with short names and addresses that one datagram of gossip holds, at least. */
const UPDATES_PER_DATAGRAM = 8;
/** SWIM's mean time to the first probe of one member, in periods. */
const FIRST_PROBE_PERIODS = Math.E / (Math.E - 1);
/** Contact points and the dead are tried give or take a quarter of their interval. */
const RETRY_STRETCH = 1.25;
/** How often a round of whole lists is waited for: contact points are asked again after a second at first. */
const FIRST_RETRY_MS = 1_000;

export interface Bound {
  ms: number;
  /** What is to be expected where a bound is far above it. */
  expectedMs: number | null;
  /** The formula with its figures. */
  text: string;
}

/** Rounds of push gossip until all of `nodes` know, with high probability. */
export function pushRounds(nodes: number, fanout: number, loss: number): number {
  const arriving = fanout * (1 - loss);
  return Math.log(nodes) / Math.log(1 + arriving) + Math.log(nodes) / arriving + 1;
}

/** Rounds that the news of `members` members take beyond those of one. */
export function backlogRounds(members: number, nodes: number, fanout: number): number {
  return Math.floor((members * retransmitLimit(nodes)) / (fanout * UPDATES_PER_DATAGRAM));
}

/** One round: an interval, and the way of a message with the most that it takes. */
function roundMs(plan: ClusterPlan): number {
  return plan.gossipIntervalMs + MEMBERSHIP_TIMINGS.tickIntervalMs + 1.5 * plan.latencyMs;
}

/** Nodes that a rumor misses on average, sent so often by each: they hear of it in the next exchange of whole lists. */
export function missedOnAverage(nodes: number, loss: number): number {
  return nodes * Math.exp(-retransmitLimit(nodes) * (1 - loss));
}

export function boundOf(plan: ClusterPlan): Bound {
  const { nodes, fanout, loss } = plan;
  const push = pushRounds(nodes, fanout, loss);
  const arriving = (fanout * (1 - loss)).toFixed(2);
  const pushText = `log_{1+${arriving}} ${nodes} + ln ${nodes} / ${arriving} + 1 = ${push.toFixed(1)} rounds`;
  switch (plan.scenario) {
    case 'spread':
      return { ms: push * roundMs(plan), expectedMs: null, text: `push gossip: ${pushText}` };
    case 'crash':
      return crashBound(plan, push);
    case 'partition':
      return partitionBound(plan, push);
    case 'join-storm':
      return joinBound(plan, push);
  }
}

/** Those that die, or the smaller side of a cut: at least one, and never all. */
export function setApart({ nodes, share }: ClusterPlan): number {
  return Math.min(nodes - 2, Math.max(1, Math.round(nodes * share)));
}

function crashBound(plan: ClusterPlan, push: number): Bound {
  const { nodes, fanout, probeIntervalMs } = plan;
  const dead = setApart(plan);
  const { suspicionFloorMs, suspicionMultiplier, suspicionMaxFactor } = MEMBERSHIP_TIMINGS;
  const minMs = suspicionMinMs(suspicionMultiplier, nodes - dead, probeIntervalMs, suspicionFloorMs);
  const periods = FIRST_PROBE_PERIODS + Math.log(dead) + 1;
  const backlog = backlogRounds(2 * dead, nodes, fanout);
  const spreadMs = (push + backlog) * roundMs(plan);
  const text =
    `SWIM and Lifeguard: (e/(e-1) + ln ${dead} + 1) probe periods = ${periods.toFixed(1)}, a suspicion of ` +
    `${seconds(minMs)} to ${seconds(minMs * suspicionMaxFactor)}, ${(push + backlog).toFixed(1)} rounds`;
  const ms = periods * probeIntervalMs + minMs * suspicionMaxFactor + spreadMs;
  return { ms, expectedMs: periods * probeIntervalMs + minMs + push * roundMs(plan), text };
}

function partitionBound(plan: ClusterPlan, push: number): Bound {
  const { nodes, fanout } = plan;
  const { seedRetryMs } = MEMBERSHIP_TIMINGS;
  // Either side hears first of the other's deaths, then of the refutations.
  const rounds = 2 * push + backlogRounds(2 * nodes, nodes, fanout);
  const text = `one dead member is tried every ${seconds(seedRetryMs)}; then deaths and refutations of ${nodes}: ${rounds.toFixed(1)} rounds`;
  return { ms: seedRetryMs * RETRY_STRETCH + rounds * roundMs(plan), expectedMs: null, text };
}

function joinBound(plan: ClusterPlan, push: number): Bound {
  const { nodes, fanout } = plan;
  const rounds = push + backlogRounds(nodes, nodes, fanout);
  const listsMs = pushPullPeriodMs(MEMBERSHIP_TIMINGS.pushPullIntervalMs, nodes);
  const text =
    `a contact point is asked each second; then news of ${nodes} members: ${rounds.toFixed(1)} rounds; ` +
    `what rumors miss comes with whole lists, exchanged every ${seconds(listsMs)}`;
  const expectedMs = 2 * FIRST_RETRY_MS * RETRY_STRETCH + rounds * roundMs(plan);
  return { ms: expectedMs + listsMs, expectedMs, text };
}

/**
 * The share that knows one rumor after each round of synchronous push gossip, in the mean: s' = s e^(-fq (1 - s)), where s is the
 * share that does not (Pittel 1987, section 2; Demers et al. 1987).
 */
export function pushCurve(plan: ClusterPlan): CurvePoint[] {
  const arriving = plan.fanout * (1 - plan.loss);
  const points: CurvePoint[] = [];
  let without = 1 - 1 / plan.nodes;
  for (let round = 0; round <= Math.ceil(pushRounds(plan.nodes, plan.fanout, plan.loss)); round++) {
    points.push({ atMs: round * roundMs(plan), share: 1 - without });
    without *= Math.exp(-arriving * (1 - without));
  }
  return points;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
