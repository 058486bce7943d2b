/**
 * What is asked of the planner, what a run of it gives back, and the bounds of both. words.ts fills a plan from a command line,
 * scenarios.ts plays it, report.ts and chart.ts show the outcome. Guarded: an outcome depends on its plan alone, so it holds no
 * wall time and no memory.
 */
import type { Traffic } from './world.js';

export const SCENARIOS = ['spread', 'crash', 'partition', 'join-storm'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export const NODES_MIN = 3;
export const NODES_MAX = 2_000;

export interface ClusterPlan {
  scenario: ScenarioName;
  nodes: number;
  seed: number;
  /** Probability that a datagram is lost; a message on a stream hit by it comes a retransmission later. */
  loss: number;
  /** Members gossiped to per interval. */
  fanout: number;
  /** Mean one-way delay between two nodes; each message takes half of it to one and a half times it. */
  latencyMs: number;
  gossipIntervalMs: number;
  probeIntervalMs: number;
  /** Of all nodes: those that die, or are cut off from the others. */
  share: number;
  /** How long the halves are apart. */
  cutMs: number;
  /** Virtual time after the event in which it has to be over. */
  durationMs: number;
}

/** Times after the event at which so many of the nodes had come to know; null: not within the bound of the run. */
export interface Times {
  p50: number | null;
  p90: number | null;
  p99: number | null;
  all: number | null;
}

export interface CurvePoint {
  atMs: number;
  share: number;
}

export interface Outcome {
  plan: ClusterPlan;
  /** Nodes that count: the live ones. */
  live: number;
  converged: boolean;
  times: Times;
  /** Intervals of gossip until all know. */
  rounds: number | null;
  boundMs: number;
  boundText: string;
  expectedMs: number | null;
  /** Per live node and second before the event; null where nothing was at rest. */
  atRest: Traffic | null;
  /** The same from the event until all know, or until the bound of the run. */
  meanwhile: Traffic;
  /** Live members that somebody declared dead without a cause. */
  falseDeaths: number;
  virtualMs: number;
  /** Share of the nodes that know, at each step of it. */
  curve: CurvePoint[];
  theory: CurvePoint[];
}
