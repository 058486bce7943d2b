/**
 * The four things a planner asks of a large cluster, played on virtual time: one rumor, deaths, a cut that heals, a start of all at once.
 * main.ts hands in a plan and gets the outcome. Guarded: time is counted from the event until every live node knows and goes on knowing;
 * a death is false when the member runs and the node that says so could reach it.
 */
import { update } from '../../core/membership/messages.js';
import { boundOf, pushCurve, setApart } from './formulas.js';
import { recordAt } from './member.js';
import type { ClusterPlan, CurvePoint, Outcome, Times } from './plan.js';
import { Tally } from './tally.js';
import { PlannedWorld, type Traffic } from './world.js';

/** What the start itself brings is over by then. */
const WARM_MS = 3_000;
/** So long a cluster that stands is watched at rest. */
const REST_MS = 5_000;

/** What happened when, and who had to know. */
interface Played {
  tally: Tally;
  eventMs: number;
  live: number;
  atRest: Traffic | null;
  /** What had been sent at the event. */
  sentBefore: Traffic;
}

export function playScenario(plan: ClusterPlan): Outcome {
  const world = new PlannedWorld(plan);
  const tally = new Tally(world, plan.nodes);
  world.watch = tally;
  const played = begin(plan, world, tally);
  world.run(played.eventMs + plan.durationMs, () => tally.allKnow);
  return outcomeOf(plan, world, played);
}

function begin(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Played {
  switch (plan.scenario) {
    case 'spread':
      return spread(plan, world, tally);
    case 'crash':
      return crash(plan, world, tally);
    case 'partition':
      return partition(plan, world, tally);
    case 'join-storm':
      return joinStorm(plan, world, tally);
  }
}

/** One node is accused and refutes: its new incarnation is a rumor that everybody has to hear. */
function spread(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Played {
  const atRest = rest(plan, world, tally);
  const played = eventNow(world, tally, plan.nodes, atRest);
  const [teller] = world.members;
  const { incarnation } = teller.membership.self;
  tally.awaitIncarnation(teller.membership.self.id, incarnation + 1);
  const accusation = { ...recordAt(teller.place), incarnation, state: 'suspect' as const };
  teller.accuse(update(accusation, ''), world.clock.nowMs);
  tally.turned(0);
  return played;
}

/** So many nodes, spread over all, die at the same instant without a word. */
function crash(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Played {
  const atRest = rest(plan, world, tally);
  const dying = setApart(plan);
  const played = eventNow(world, tally, plan.nodes - dying, atRest);
  for (let each = 0; each < dying; each++) {
    const node = plan.nodes - 1 - Math.floor((each * plan.nodes) / dying);
    world.crash(node);
    tally.died(node);
  }
  tally.awaitTruth();
  return played;
}

function partition(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Played {
  const atRest = rest(plan, world, tally);
  world.sides.fill(1, plan.nodes - setApart(plan));
  tally.isCut = true;
  world.run(world.clock.nowMs + plan.cutMs);
  world.sides.fill(0);
  tally.isCut = false;
  tally.isHealing = true;
  const played = eventNow(world, tally, plan.nodes, atRest);
  tally.awaitTruth();
  return played;
}

function joinStorm(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Played {
  const played = eventNow(world, tally, plan.nodes, null);
  tally.strangers();
  tally.awaitTruth();
  world.startAll();
  return played;
}

/** A cluster that stands, watched for a while. */
function rest(plan: ClusterPlan, world: PlannedWorld, tally: Tally): Traffic {
  world.startSettled();
  tally.settled();
  world.run(world.clock.nowMs + WARM_MS);
  const before = { ...world.sent };
  world.run(world.clock.nowMs + REST_MS);
  return rate(world.sent, before, plan.nodes, REST_MS);
}

function eventNow(world: PlannedWorld, tally: Tally, live: number, atRest: Traffic | null): Played {
  tally.eventMs = world.clock.nowMs;
  tally.live = live;
  return { tally, eventMs: world.clock.nowMs, live, atRest, sentBefore: { ...world.sent } };
}

function outcomeOf(plan: ClusterPlan, world: PlannedWorld, played: Played): Outcome {
  const { tally, eventMs, live, atRest, sentBefore } = played;
  const times = tally.knowingSince();
  const elapsedMs = world.clock.nowMs - eventMs;
  const bound = boundOf(plan);
  const all = tally.allKnow ? elapsedMs : null;
  return {
    plan,
    live,
    converged: tally.allKnow,
    times: timesOf(times, live, all),
    rounds: all === null ? null : all / plan.gossipIntervalMs,
    boundMs: bound.ms,
    boundText: bound.text,
    expectedMs: bound.expectedMs,
    atRest,
    meanwhile: rate(world.sent, sentBefore, live, Math.max(1, elapsedMs)),
    falseDeaths: tally.falseDeaths,
    virtualMs: elapsedMs,
    curve: curveOf(times, live, elapsedMs),
    theory: plan.scenario === 'spread' ? pushCurve(plan) : [],
  };
}

function timesOf(times: readonly number[], live: number, all: number | null): Times {
  const at = (share: number): number | null => times[Math.ceil(live * share) - 1] ?? null;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), all };
}

/** One point for each instant at which somebody came to know, and one for the end. */
function curveOf(times: readonly number[], live: number, endMs: number): CurvePoint[] {
  const points: CurvePoint[] = [];
  for (const [at, timeMs] of times.entries()) {
    if (times[at + 1] !== timeMs) points.push({ atMs: timeMs, share: (at + 1) / live });
  }
  if (points.length === 0 || points[points.length - 1].atMs < endMs)
    points.push({ atMs: endMs, share: times.length / live });
  return points;
}

function rate(sent: Traffic, before: Traffic, nodes: number, elapsedMs: number): Traffic {
  const per = (count: number): number => (count * 1_000) / (nodes * elapsedMs);
  return {
    datagrams: per(sent.datagrams - before.datagrams),
    datagramBytes: per(sent.datagramBytes - before.datagramBytes),
    streamBytes: per(sent.streamBytes - before.streamBytes),
  };
}
