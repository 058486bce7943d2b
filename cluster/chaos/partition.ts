/**
 * Chaos by partition: two groups of nodes that hear nothing of each other, by HEARSAY.FAULT on both sides, then healed.
 * Clients reach all nodes all the time. `separate` and `heal` are of use to tests too.
 */
import type { TemporaryCluster } from '../temporary.js';
import { type ChaosScript, inTurns, namesOf } from './disturbance.js';

const APART_MS = [500, 8000] as const;

export const partition: ChaosScript = {
  flags: ['--enable-fault-injection'],
  lateEffectMs: 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, APART_MS, (beginsAtMs, endsAtMs) => {
      const left = draws.some(draws.between(1, nodes - 1), nodes).sort();
      const right = Array.from({ length: nodes }, (_, index) => index).filter((index) => !left.includes(index));
      return {
        beginsAtMs,
        endsAtMs,
        begins: `part ${namesOf(left)} from ${namesOf(right)}`,
        ends: 'heal the partition',
        begin: (cluster) => separate(cluster, left, right),
        end: (cluster) => heal(cluster),
      };
    }),
};

/** Nothing passes between the two groups, in either direction, from either side. */
export async function separate(
  cluster: TemporaryCluster,
  left: readonly number[],
  right: readonly number[],
): Promise<void> {
  await Promise.all([cutOff(cluster, left, right), cutOff(cluster, right, left)]);
}

export async function heal(cluster: TemporaryCluster): Promise<void> {
  await Promise.all(cluster.running().map((index) => cluster.ask(index, 'HEARSAY.FAULT', 'CLEAR')));
}

async function cutOff(cluster: TemporaryCluster, from: readonly number[], to: readonly number[]): Promise<void> {
  for (const index of from) {
    for (const other of to) {
      const peer = `127.0.0.1:${cluster.nodes[other].gossipPort}`;
      await cluster.ask(index, 'HEARSAY.FAULT', 'DROP', peer, 'BOTH', '100');
    }
  }
}
