/**
 * Chaos by data directories. wipe: a node comes back with nothing. stale-restore: a node comes back with a copy of its directory that
 * was taken earlier. Both always take the same node, so that a second copy of what a quorum acknowledged is never destroyed.
 * swapped-directories: two nodes are started with each other's directory, which they must refuse, and then with their own.
 */
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Arena,
  type ChaosScript,
  type Disturbance,
  inTurns,
  namesOf,
  startAgain,
  startAndWait,
} from './disturbance.js';

const DOWN_MS = [300, 3000] as const;
const REFUSED_LIMIT_MS = 20_000;
/** What it alone had acknowledged is gone with its disk. */
const DISK_LOST = { levelOne: true, evicts: false } as const;

export const wipe = (): ChaosScript => ({
  lateEffectMs: 3000,
  budget: DISK_LOST,
  plan: (draws, nodes, durationMs) => {
    const victim = draws.below(nodes);
    return inTurns(draws, durationMs, DOWN_MS, (beginsAtMs, endsAtMs) => ({
      beginsAtMs,
      endsAtMs,
      begins: `kill -9 ${namesOf([victim])} and empty its directory`,
      ends: `start ${namesOf([victim])}`,
      begin: async ({ cluster, destroyed }) => {
        await cluster.kill(victim);
        destroyed(victim);
        await rm(cluster.nodes[victim].dataDirectory, { recursive: true, force: true, maxRetries: 3 });
      },
      end: (arena) => startAndWait(arena, victim),
    }));
  },
});

export const staleRestore = (): ChaosScript => {
  const copyOf = (arena: Arena, victim: number): string => join(arena.cluster.directory, `copy-of-node-${victim + 1}`);
  const copied = (victim: number, beginsAtMs: number, endsAtMs: number): Disturbance => ({
    beginsAtMs,
    endsAtMs,
    begins: `stop ${namesOf([victim])} and copy its directory`,
    ends: `start ${namesOf([victim])}`,
    begin: async (arena) => {
      await arena.cluster.end(victim);
      await rm(copyOf(arena, victim), { recursive: true, force: true });
      await cp(arena.cluster.nodes[victim].dataDirectory, copyOf(arena, victim), { recursive: true });
    },
    end: (arena) => startAndWait(arena, victim),
  });
  const restored = (victim: number, beginsAtMs: number, endsAtMs: number): Disturbance => ({
    beginsAtMs,
    endsAtMs,
    begins: `kill -9 ${namesOf([victim])} and put the old copy of its directory back`,
    ends: `start ${namesOf([victim])}`,
    begin: async (arena) => {
      const directory = arena.cluster.nodes[victim].dataDirectory;
      await arena.cluster.kill(victim);
      arena.destroyed(victim);
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
      await cp(copyOf(arena, victim), directory, { recursive: true });
    },
    end: (arena) => startAndWait(arena, victim),
  });
  return {
    lateEffectMs: 3000,
    budget: DISK_LOST,
    plan: (draws, nodes, durationMs) => {
      const victim = draws.below(nodes);
      const beginsAtMs = draws.between(800, 1500);
      const copiedAtMs = beginsAtMs + draws.between(300, 800);
      const later = inTurns(draws, Math.max(0, durationMs - copiedAtMs), DOWN_MS, (fromMs, untilMs) =>
        restored(victim, copiedAtMs + fromMs, copiedAtMs + untilMs),
      );
      return [copied(victim, beginsAtMs, copiedAtMs), ...later];
    },
  };
};

export const swappedDirectories = (): ChaosScript => ({
  lateEffectMs: 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, [500, 2000], (beginsAtMs, endsAtMs) => {
      const [left, right] = draws.some(2, nodes).sort();
      return {
        beginsAtMs,
        endsAtMs,
        begins: `start ${namesOf([left, right])} with each other's directory`,
        ends: `start ${namesOf([left, right])} with their own`,
        begin: async (arena) => {
          const { cluster } = arena;
          await Promise.all([cluster.end(left), cluster.end(right)]);
          await swap(arena, left, right);
          for (const index of [left, right]) await refused(arena, index);
        },
        end: async (arena) => {
          await swap(arena, left, right);
          startAgain(arena, left);
          await startAndWait(arena, right);
        },
      };
    }),
});

/** It must end by itself, before it answers anybody; a node that runs on another's data is a violation. */
async function refused({ cluster, complain }: Arena, index: number): Promise<void> {
  const node = cluster.nodes[index];
  cluster.start(index);
  node.expectedToEnd = true;
  try {
    await cluster.until(`${node.name} refuses the other's directory`, REFUSED_LIMIT_MS, () => node.process === null);
  } catch (error) {
    complain(`swapped: ${(error as Error).message}`);
    await cluster.kill(index);
  }
}

async function swap({ cluster }: Arena, left: number, right: number): Promise<void> {
  const [one, other] = [cluster.nodes[left].dataDirectory, cluster.nodes[right].dataDirectory];
  const aside = `${one}-aside`;
  await rename(one, aside);
  await rename(other, one);
  await rename(aside, other);
}
