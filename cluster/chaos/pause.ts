/**
 * Chaos by SIGSTOP and SIGCONT: a node stands still, then goes on as if nothing had been. It must not think the others dead,
 * and what waited in its sockets must do no harm (DESIGN section 4).
 */
import { type ChaosScript, inTurns, namesOf } from './disturbance.js';

const PAUSE_MS = [200, 6000] as const;

export const pause: ChaosScript = {
  flags: [],
  lateEffectMs: PAUSE_MS[1] + 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, PAUSE_MS, (beginsAtMs, endsAtMs) => {
      const victims = draws.some(1, nodes);
      return {
        beginsAtMs,
        endsAtMs,
        begins: `pause ${namesOf(victims)}`,
        ends: `continue ${namesOf(victims)}`,
        begin: async (cluster) => {
          for (const index of victims) cluster.pause(index);
        },
        end: async (cluster) => {
          for (const index of victims) cluster.resume(index);
        },
      };
    }),
};
