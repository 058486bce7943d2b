/**
 * Chaos by two scenarios at once, drawn from those that may run beside another: bugs hide where one fault meets another.
 * Guarded: what either may cost, both together may cost; each goes on in a lane of its own.
 */
import { type ChaosScript, type Disturbance, NOTHING_LOST, type Scenario } from './disturbance.js';
import type { Draws } from './draws.js';

/** Two faults at once may take every owner of a key away for as long as both last. */
const SILENCE_MAX_MS = 25_000;

export function mixOf(choices: readonly Scenario[]): ChaosScript {
  let parts: ChaosScript[] = [];
  let names: string[] = [];
  const draw = (draws: Draws): void => {
    if (parts.length > 0) return;
    const chosen = draws.some(2, choices.length).map((index) => choices[index]);
    names = chosen.map(({ name }) => name);
    parts = chosen.map((scenario) => scenario.script());
  };
  return {
    get flags() {
      return parts.flatMap((part) => part.flags ?? []);
    },
    get settings() {
      return Object.assign({}, ...parts.map((part) => part.settings ?? {}));
    },
    get environmentOf() {
      return (index: number) => Object.assign({}, ...parts.map((part) => part.environmentOf?.(index) ?? {}));
    },
    get spareNodes() {
      return Math.max(0, ...parts.map((part) => part.spareNodes ?? 0));
    },
    get lateEffectMs() {
      return Math.max(...parts.map((part) => part.lateEffectMs));
    },
    get budget() {
      const budgets = parts.map((part) => part.budget ?? NOTHING_LOST);
      return { levelOne: budgets.some(({ levelOne }) => levelOne), evicts: budgets.some(({ evicts }) => evicts) };
    },
    silenceMaxMs: SILENCE_MAX_MS,
    setUp: async (draws, nodes) => {
      draw(draws);
      for (const part of parts) await part.setUp?.(draws, nodes);
    },
    plan: (draws, nodes, durationMs) => {
      draw(draws);
      return parts.flatMap((part, lane) =>
        part.plan(draws, nodes, durationMs).map((step): Disturbance => named(step, lane, names[lane])),
      );
    },
    check: async (arena) => {
      const wrong: string[] = [];
      for (const part of parts) wrong.push(...((await part.check?.(arena)) ?? []));
      return wrong;
    },
    tearDown: async () => {
      for (const part of parts) await part.tearDown?.();
    },
  };
}

function named(step: Disturbance, lane: number, name: string): Disturbance {
  return { ...step, lane, begins: `[${name}] ${step.begins}`, ends: `[${name}] ${step.ends}` };
}
