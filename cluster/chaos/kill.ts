/**
 * Chaos by kill -9: random nodes end without a goodbye and start again, mostly one at a time, sometimes several, sometimes
 * all. What was acknowledged must be there afterwards (DESIGN section 3: `interval` writes before it replies).
 */
import { type ChaosScript, inTurns, namesOf } from './disturbance.js';

const DOWN_MS = [300, 5000] as const;
const ONE_AT_A_TIME = 0.7;

export const kill: ChaosScript = {
  flags: [],
  lateEffectMs: 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, DOWN_MS, (beginsAtMs, endsAtMs) => {
      const count = draws.fraction() < ONE_AT_A_TIME ? 1 : draws.between(1, nodes);
      const victims = draws.some(count, nodes).sort();
      return {
        beginsAtMs,
        endsAtMs,
        begins: `kill -9 ${namesOf(victims)}`,
        ends: `start ${namesOf(victims)}`,
        begin: async (cluster) => {
          await Promise.all(victims.map((index) => cluster.kill(index)));
        },
        end: async (cluster) => {
          for (const index of victims) cluster.start(index);
        },
      };
    }),
};
