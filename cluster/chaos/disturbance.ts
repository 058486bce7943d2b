/**
 * What a chaos scenario is made of: disturbances in time, each with a beginning and an end, and what it asks of the cluster and of the
 * judgement. The files beside this one plan them from a seed; run.ts carries them out and catalogue.ts names them.
 * Guarded: a plan comes from the draws alone, so that a seed names a schedule.
 */
import { ErrorReply } from '../probe.js';
import type { TemporaryCluster } from '../temporary.js';
import type { Draws } from './draws.js';
import type { Budget } from './ledgers.js';

/** What a disturbance acts on. */
export interface Arena {
  readonly cluster: TemporaryCluster;
  /** A line for the timeline. */
  tell(what: string): void;
  /** A promise that was broken. */
  complain(violation: string): void;
  readonly signal: AbortSignal;
  /** No other scenario runs beside this one: what a node does not do is then its own doing. */
  readonly alone: boolean;
  /** Indexes of nodes that left for good, or that are not to be started again. */
  readonly retired: Set<number>;
  /** The disk of a node was lost or put back: what it alone had acknowledged of late may be gone. Told when its process has ended. */
  destroyed(index: number): void;
}

export interface Disturbance {
  /** From the start of the load. */
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
  /** Disturbances of one lane follow each other; lanes go on side by side. Default 0. */
  readonly lane?: number;
  /** For the timeline: what happens at its beginning and at its end. */
  readonly begins: string;
  readonly ends: string;
  /** Resolves with false when nothing was disturbed, since those it was meant for were down or paused beside it. */
  begin(arena: Arena): Promise<unknown>;
  end(arena: Arena): Promise<void>;
}

export interface ChaosScript {
  /** Flags that the nodes need for it, beside those of every run. Read when `setUp` is done. */
  readonly flags?: readonly string[];
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** What one node finds in its environment. Read when `setUp` is done. */
  readonly environmentOf?: (index: number) => Readonly<Record<string, string>>;
  /** Nodes beside those asked for, which do not start with the others. */
  readonly spareNodes?: number;
  /** The longest time for which a command may wait in a node before it runs. */
  readonly lateEffectMs: number;
  /** What it may cost. Default: nothing. */
  readonly budget?: Budget;
  /** The longest time without one acknowledged write at level one through the client library. */
  readonly silenceMaxMs?: number;
  /** What this machine lacks for it; null when it can be run. */
  missing?(): Promise<string | null>;
  /** Before the nodes start. */
  setUp?(draws: Draws, nodes: number): Promise<void>;
  plan(draws: Draws, nodes: number, durationMs: number): Disturbance[];
  /** Further promises, looked at when all is healed. */
  check?(arena: Arena): Promise<string[]>;
  /** When the nodes have ended, or never started; also after a failure. */
  tearDown?(): Promise<void>;
}

/** One entry of `hearsay chaos list`. A script is made anew for each run: it may keep what it did. */
export interface Scenario {
  readonly name: string;
  /** What it does, and what is expected of the cluster. */
  readonly does: string;
  readonly expects: string;
  /** Whether it may run beside another one. */
  readonly mixes: boolean;
  script(): ChaosScript;
}

/** Nothing is lost at any level. */
export const NOTHING_LOST: Budget = { levelOne: false, evicts: false };
export const SILENCE_MAX_MS = 10_000;

const CALM_MS = [800, 2500] as const;

/** Disturbances one after the other, with calm between them, until the time is used up. */
export function inTurns(
  draws: Draws,
  durationMs: number,
  lengthMs: readonly [number, number],
  make: (beginsAtMs: number, endsAtMs: number) => Disturbance,
): Disturbance[] {
  const plan: Disturbance[] = [];
  for (let at = draws.between(...CALM_MS); ; ) {
    const end = at + draws.between(...lengthMs);
    if (end > durationMs && plan.length > 0) return plan;
    plan.push(make(at, end));
    at = end + draws.between(...CALM_MS);
  }
}

/** One disturbance for nearly all of the time. */
export function throughout(
  durationMs: number,
  words: { begins: string; ends: string },
  begin: Disturbance['begin'],
  end: (arena: Arena) => Promise<void>,
): Disturbance[] {
  const beginsAtMs = Math.min(800, Math.floor(durationMs / 4));
  return [{ beginsAtMs, endsAtMs: Math.max(beginsAtMs + 500, durationMs - 500), ...words, begin, end }];
}

export function indexesTo(nodes: number): number[] {
  return Array.from({ length: nodes }, (_, index) => index);
}

/** `node-1 and node-3`. */
export function namesOf(indexes: readonly number[]): string {
  return indexes.map((index) => `node-${index + 1}`).join(' and ');
}

export function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Those whose process runs: the others are down already, or never were up. */
export function runningOf({ cluster, retired }: Arena, indexes: readonly number[]): number[] {
  return indexes.filter((index) => !retired.has(index) && cluster.nodes[index].process !== null);
}

/** Two scenarios at once may both have ended a node: it is started once, and not at all when it has left for good. */
export function startAgain({ cluster, retired }: Arena, index: number): void {
  if (!retired.has(index) && cluster.nodes[index].process === null) cluster.start(index);
}

/**
 * HEARSAY.FAULT to one node; false when that is down or paused beside this and has no part in it. A node that refuses the words is a
 * mistake of the scenario, and thrown.
 */
export async function tellFault({ cluster }: Arena, index: number, ...words: string[]): Promise<boolean> {
  if (cluster.nodes[index].process === null) return false;
  try {
    await cluster.ask(index, 'HEARSAY.FAULT', ...words);
    return true;
  } catch (error) {
    if (error instanceof ErrorReply) throw error;
    return false;
  }
}

const TAKEN_LIMIT_MS = 30_000;

/** One command to whichever running node takes it: others may be down, paused or leaving beside this. */
export async function untilTaken({ cluster }: Arena, ...words: string[]): Promise<void> {
  let turn = 0;
  await cluster.until(`a node takes ${words.slice(0, 2).join(' ')}`, TAKEN_LIMIT_MS, async () => {
    const running = cluster.running();
    if (running.length === 0) return false;
    await cluster.ask(running[turn++ % running.length], ...words);
    return true;
  });
}

const READY_LIMIT_MS = 60_000;

export async function startAndWait(arena: Arena, index: number): Promise<void> {
  if (arena.retired.has(index)) return;
  startAgain(arena, index);
  const isReady = async (): Promise<boolean> => (await arena.cluster.status(index)).ready === 1;
  await arena.cluster.until(`${namesOf([index])} is ready again`, READY_LIMIT_MS, isReady);
}
