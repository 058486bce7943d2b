/**
 * Chaos by disks, by HEARSAY.FAULT DISK on one node at a time: full (writes are refused by name, reads go on), slow (nothing is
 * acknowledged earlier than promised), failing what it is asked to sync (DESIGN section 7: what was not acknowledged is written to
 * another file, or the log ends by name). What was acknowledged is there afterwards, also after a restart.
 */
import type { ChildProcess } from 'node:child_process';
import { ErrorReply, type ProbeReply, recordOf } from '../probe.js';
import { type Arena, type ChaosScript, inTurns, namesOf, startAndWait, tellFault } from './disturbance.js';
import type { Draws } from './draws.js';
import { answerOf, probeKeys, Witness, Writes } from './witness.js';

const LENGTH_MS = [500, 4000] as const;
const SLOW_MS = [20, 800] as const;
const EIO_CALLS = [1, 4] as const;
/** From here on a reply that waited for the disk would be told from a busy machine. */
const HELD_UP_MS = 300;
const SEEN_LIMIT_MS = 5000;

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

/** The log of the one node waits for its disk, and no reply does: under `interval` they are sent before the sync. */
export const slowDisk = (): ChaosScript => {
  const witness = new Witness('slow-disk: no sync was seen to take longer');
  const script = disturbed((draws) => {
    const ms = draws.between(...SLOW_MS);
    return {
      words: ['SLOW', String(ms)],
      begins: `the disk takes ${ms} ms longer for each sync`,
      before: async (arena, victim) => {
        if (!arena.alone) return;
        witness.note(await comesTrue(arena, async () => Number((await logOf(arena, victim)).syncTookMsMax) >= ms));
        if (ms < HELD_UP_MS) return;
        for (const index of arena.cluster.running()) {
          const tookMs = await medianReplyMs(arena, index);
          if (tookMs < ms) continue;
          const who = `${namesOf([index])} took ${Math.round(tookMs)} ms to answer`;
          arena.complain(`slow-disk: ${who} while syncs of ${namesOf([victim])} took ${ms} ms`);
        }
      },
    };
  });
  return { ...script, check: async (arena) => witness.violations(arena) };
};

/** After a failure of the disk the node is started again, as an operator would: what it acknowledged must be on the disk. */
export const diskError = (): ChaosScript => {
  const witness = new Witness('disk-error: no sync of a log was seen to fail');
  const script = disturbed((draws) => {
    const calls = draws.between(...EIO_CALLS);
    return {
      words: ['EIO', 'ON', String(calls)],
      begins: `the disk fails ${calls} times`,
      before: async (arena, victim) => {
        if (!arena.alone) return;
        const failed = await comesTrue(arena, async () => Number((await logOf(arena, victim)).syncsFailed) > 0);
        witness.note(failed);
        if (failed) await lookAround(arena, victim);
      },
      after: async (arena, victim) => {
        if (arena.retired.has(victim)) return;
        await arena.cluster.end(victim);
        await startAndWait(arena, victim);
      },
    };
  });
  return { ...script, check: async (arena) => witness.violations(arena) };
};

/** A log that has ended is named by what it refuses; one that was rescued takes writes; the other nodes go on whatever became of it. */
async function lookAround(arena: Arena, victim: number): Promise<void> {
  const { cluster, complain } = arena;
  for (const index of cluster.running()) {
    const refusal = index === victim ? String((await cluster.status(victim)).log_refusal) : '';
    const keys = probeKeys(cluster, `disk:${index}`);
    const { taken, refusals } = await new Writes(cluster, index, keys, 'disk').all();
    const unnamed = refusals.find((message) => !message.startsWith('DISKFAILED') && !message.startsWith('BUSY'));
    if (unnamed !== undefined) complain(`disk-error: ${namesOf([index])} refused a write by another name: ${unnamed}`);
    const isNamed = refusals.some((message) => message.startsWith(refusal));
    if (refusal !== '' && taken.length < keys.length && !isNamed) {
      complain(
        `disk-error: the log of ${namesOf([index])} has ended by ${refusal}, and no write was refused by that name`,
      );
    }
    if (refusal === '' && taken.length === 0) {
      complain(`disk-error: ${namesOf([index])} took no write while the disk of ${namesOf([victim])} failed`);
    }
    if ((await answerOf(cluster, index, 'EXISTS', ...keys.slice(0, 1))) instanceof Error) {
      complain(`disk-error: ${namesOf([index])} refused a read`);
    }
  }
}

/** The figures of its log. */
async function logOf({ cluster }: Arena, index: number): Promise<Readonly<Record<string, ProbeReply>>> {
  const rows = (await cluster.status(index)).log;
  return (Array.isArray(rows) ? recordOf(rows[0]) : null) ?? {};
}

/** While the fault stands: a log is synced every second, and what it shows comes after that. */
function comesTrue({ cluster, signal }: Arena, fact: () => Promise<boolean>): Promise<boolean> {
  return cluster.until('it is seen', SEEN_LIMIT_MS, fact).then(
    () => true,
    () => {
      signal.throwIfAborted();
      return false;
    },
  );
}

/** Half of its replies to writes come sooner. */
async function medianReplyMs({ cluster }: Arena, index: number): Promise<number> {
  const tookMs: number[] = [];
  for (const key of probeKeys(cluster, `slow:${index}`)) {
    const beganMs = performance.now();
    await answerOf(cluster, index, 'SET', key, 'slow');
    tookMs.push(performance.now() - beganMs);
  }
  return tookMs.sort((left, right) => left - right)[Math.floor(tookMs.length / 2)];
}

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
