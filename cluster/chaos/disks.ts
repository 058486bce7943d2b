/**
 * Chaos by disks, by HEARSAY.FAULT DISK on one node at a time: full (writes are refused by name, reads go on), slow (nothing is
 * acknowledged earlier than promised), failing what it is asked to sync (DESIGN section 7: what was not acknowledged is written to
 * another file, or the log ends by name). What was acknowledged is there afterwards, also after a restart.
 */
import type { ChildProcess } from 'node:child_process';
import { ErrorReply } from '../probe.js';
import { type Arena, type ChaosScript, inTurns, namesOf, startAndWait, tellFault } from './disturbance.js';
import type { Draws } from './draws.js';

const LENGTH_MS = [500, 4000] as const;
const SLOW_MS = [20, 800] as const;
const EIO_CALLS = [1, 4] as const;

export const diskFull = (): ChaosScript => {
  let whole = 0;
  let refused = 0;
  const script = disturbed(() => ({
    words: ['FULL'],
    begins: 'the disk is full',
    before: async (arena, victim) => {
      whole++;
      refused += (await refusesByName(arena, victim)) ? 1 : 0;
    },
  }));
  const check = async (): Promise<string[]> =>
    whole > 0 && refused === 0 ? [`disk-full: no node said NOSPACE, with ${whole} times a full disk`] : [];
  return { ...script, check };
};

/** The load has written on it meanwhile: it refuses writes by NOSPACE, and no read. */
async function refusesByName({ cluster, complain }: Arena, victim: number): Promise<boolean> {
  try {
    if ((await cluster.status(victim)).log_refusal !== 'NOSPACE') return false;
    await cluster.ask(victim, 'GET', 'disk-full:nothing');
  } catch (error) {
    // One that is paused beside this says nothing, and what it passes on may fail at others.
    if (!(error instanceof ErrorReply)) return false;
    if (error.message.startsWith('NOSPACE')) complain(`disk-full: a read was refused: ${error.message}`);
  }
  return true;
}

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
  /** At the end, before it is lifted, when it stood for all of the time. */
  before?(arena: Arena, victim: number): Promise<void>;
  after?(arena: Arena, victim: number): Promise<void>;
}

function disturbed(draw: (draws: Draws) => DiskFault): ChaosScript {
  return {
    lateEffectMs: 4000,
    plan: (draws, nodes, durationMs) =>
      inTurns(draws, durationMs, LENGTH_MS, (beginsAtMs, endsAtMs) => {
        const victim = draws.below(nodes);
        const fault = draw(draws);
        let disturbedProcess: ChildProcess | null = null;
        return {
          beginsAtMs,
          endsAtMs,
          begins: `${namesOf([victim])}: ${fault.begins}`,
          ends: `${namesOf([victim])}: the disk is well again${fault.after === undefined ? '' : ', and the node restarted'}`,
          begin: async (arena) => {
            const taken = await tellFault(arena, victim, 'DISK', ...fault.words);
            disturbedProcess = taken ? arena.cluster.nodes[victim].process : null;
            return taken;
          },
          end: async (arena) => {
            const { process } = arena.cluster.nodes[victim];
            if (process !== null && process === disturbedProcess) await fault.before?.(arena, victim);
            await tellFault(arena, victim, 'DISK', 'CLEAR');
            await fault.after?.(arena, victim);
          },
        };
      }),
  };
}
