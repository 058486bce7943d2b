/**
 * What a chaos script gives: disturbances in time, each with a beginning and an end. kill.ts, pause.ts and partition.ts plan
 * them from a seed; run.ts carries them out.
 */
import type { TemporaryCluster } from '../temporary.js';
import type { Draws } from './draws.js';

export interface Disturbance {
  /** From the start of the load. */
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
  /** For the timeline: what happens at its beginning and at its end. */
  readonly begins: string;
  readonly ends: string;
  begin(cluster: TemporaryCluster): Promise<void>;
  end(cluster: TemporaryCluster): Promise<void>;
}

export interface ChaosScript {
  /** Flags that the nodes need for it. */
  readonly flags: readonly string[];
  /** The longest time for which a command may wait in a node before it runs. */
  readonly lateEffectMs: number;
  plan(draws: Draws, nodes: number, durationMs: number): Disturbance[];
}

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

/** `node-1 and node-3`. */
export function namesOf(indexes: readonly number[]): string {
  return indexes.map((index) => `node-${index + 1}`).join(' and ');
}
