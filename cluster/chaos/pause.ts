/**
 * Chaos by SIGSTOP and SIGCONT. pause: a node stands still for seconds, then goes on as if nothing had been; it must not think the
 * others dead, and what waited in its sockets must do no harm (DESIGN section 4). stall: short stops of all nodes again and again, as
 * collections or a busy machine make them; nobody may be declared dead by it.
 */
import { type ChaosScript, inTurns, namesOf, passing, runningOf, throughout } from './disturbance.js';

const PAUSE_MS = [200, 6000] as const;
const STALL_MS = [20, 250] as const;
const BETWEEN_STALLS_MS = [50, 400] as const;

export const pause = (): ChaosScript => ({
  lateEffectMs: PAUSE_MS[1] + 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, PAUSE_MS, (beginsAtMs, endsAtMs) => {
      const victim = draws.below(nodes);
      return {
        beginsAtMs,
        endsAtMs,
        begins: `pause ${namesOf([victim])}`,
        ends: `continue ${namesOf([victim])}`,
        begin: async (arena) => {
          const running = runningOf(arena, [victim]);
          for (const index of running) arena.cluster.pause(index);
          return running.length > 0;
        },
        end: async ({ cluster }) => cluster.resume(victim),
      };
    }),
});

export const stall = (): ChaosScript => {
  let stalling: Promise<void>[] = [];
  let on = true;
  let stalled = 0;
  return {
    lateEffectMs: 3000,
    plan: (draws, nodes, durationMs) => {
      const stalls = Array.from({ length: 200 }, () => ({
        victim: draws.below(nodes),
        forMs: draws.between(...STALL_MS),
        afterMs: draws.between(...BETWEEN_STALLS_MS),
      }));
      return throughout(
        durationMs,
        { begins: 'stop random nodes for 20 to 250 ms, again and again', ends: 'no stops any more' },
        async (arena) => {
          const { cluster } = arena;
          const going = async (): Promise<void> => {
            for (let turn = 0; on; turn++) {
              const { victim, forMs, afterMs } = stalls[turn % stalls.length];
              if (runningOf(arena, [victim]).length > 0) stalled++;
              cluster.pause(victim);
              await passing(forMs);
              cluster.resume(victim);
              await passing(afterMs);
            }
          };
          stalling = [going()];
        },
        async () => {
          on = false;
          await Promise.all(stalling);
        },
      );
    },
    check: async () => (stalled === 0 ? ['stall: no node that ran was stopped'] : []),
  };
};
