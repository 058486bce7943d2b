/**
 * Chaos by ends of processes. kill: random nodes end without a goodbye and start again, mostly one at a time, sometimes several,
 * sometimes all; what was acknowledged must be there afterwards (DESIGN section 3: `interval` writes before it replies).
 * rolling-restart: one after the other is asked to stop, and is back before the next.
 */
import { type ChaosScript, inTurns, namesOf, runningOf, startAgain, startAndWait } from './disturbance.js';

const DOWN_MS = [300, 5000] as const;
const ONE_AT_A_TIME = 0.7;
/** All nodes may be down at once, and a start takes its time. */
const SILENCE_MAX_MS = 20_000;

export const kill = (): ChaosScript => ({
  lateEffectMs: 3000,
  silenceMaxMs: SILENCE_MAX_MS,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, DOWN_MS, (beginsAtMs, endsAtMs) => {
      const count = draws.fraction() < ONE_AT_A_TIME ? 1 : draws.between(1, nodes);
      const victims = draws.some(count, nodes).sort();
      return {
        beginsAtMs,
        endsAtMs,
        begins: `kill -9 ${namesOf(victims)}`,
        ends: `start ${namesOf(victims)}`,
        begin: async (arena) => {
          const running = runningOf(arena, victims);
          await Promise.all(running.map((index) => arena.cluster.kill(index)));
          return running.length > 0;
        },
        end: async (arena) => {
          for (const index of victims) startAgain(arena, index);
        },
      };
    }),
});

export const rollingRestart = (): ChaosScript => ({
  lateEffectMs: 3000,
  plan: (draws, nodes, durationMs) => {
    const first = draws.below(nodes);
    let turn = 0;
    return inTurns(draws, durationMs, [300, 1500], (beginsAtMs, endsAtMs) => {
      const victim = (first + turn++) % nodes;
      return {
        beginsAtMs,
        endsAtMs,
        begins: `stop ${namesOf([victim])}`,
        ends: `start ${namesOf([victim])}`,
        begin: async (arena) => {
          const [running] = runningOf(arena, [victim]);
          if (running === undefined) return false;
          await arena.cluster.end(running);
        },
        end: (arena) => startAndWait(arena, victim),
      };
    });
  },
});
