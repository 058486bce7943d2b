/**
 * Chaos by disks, by HEARSAY.FAULT DISK on one node at a time: full (writes are refused by name, reads go on), slow (nothing is
 * acknowledged earlier than promised), failing what it is asked to sync (DESIGN section 7: what was not acknowledged is written to
 * another file, or the log ends by name). What was acknowledged is there afterwards, also after a restart.
 */
import { type Arena, type ChaosScript, inTurns, namesOf, startAndWait } from './disturbance.js';
import type { Draws } from './draws.js';

const LENGTH_MS = [500, 4000] as const;
const SLOW_MS = [20, 800] as const;
const EIO_CALLS = [1, 4] as const;

export const diskFull = (): ChaosScript => disturbed(() => ({ words: ['FULL'], begins: 'the disk is full' }));

export const slowDisk = (): ChaosScript =>
  disturbed((draws) => {
    const ms = draws.between(...SLOW_MS);
    return { words: ['SLOW', String(ms)], begins: `the disk takes ${ms} ms longer for each sync` };
  });

/** After a failure of the disk the node is started again, as an operator would: what it acknowledged must be on the disk. */
export const diskError = (): ChaosScript =>
  disturbed((draws) => {
    const calls = draws.between(...EIO_CALLS);
    return {
      words: ['EIO', 'ON', String(calls)],
      begins: `the disk fails ${calls} times`,
      after: async (arena, victim) => {
        if (arena.retired.has(victim)) return;
        await arena.cluster.end(victim);
        await startAndWait(arena, victim);
      },
    };
  });

interface DiskFault {
  readonly words: readonly string[];
  readonly begins: string;
  after?(arena: Arena, victim: number): Promise<void>;
}

function disturbed(draw: (draws: Draws) => DiskFault): ChaosScript {
  return {
    lateEffectMs: 4000,
    plan: (draws, nodes, durationMs) =>
      inTurns(draws, durationMs, LENGTH_MS, (beginsAtMs, endsAtMs) => {
        const victim = draws.below(nodes);
        const fault = draw(draws);
        return {
          beginsAtMs,
          endsAtMs,
          begins: `${namesOf([victim])}: ${fault.begins}`,
          ends: `${namesOf([victim])}: the disk is well again${fault.after === undefined ? '' : ', and the node restarted'}`,
          begin: async ({ cluster }) => {
            // One that is down or paused beside this has no disk to disturb.
            await cluster.ask(victim, 'HEARSAY.FAULT', 'DISK', ...fault.words).catch(() => {});
          },
          end: async (arena) => {
            await arena.cluster.ask(victim, 'HEARSAY.FAULT', 'DISK', 'CLEAR').catch(() => {});
            await fault.after?.(arena, victim);
          },
        };
      }),
  };
}
