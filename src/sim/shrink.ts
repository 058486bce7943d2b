/**
 * Shrinks a failing plan: delta debugging over its steps (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", 2002). `main.ts` and tests call it with the question whether a plan still fails. Guarded: the result fails, and
 * it is a plain plan again; draws are keyed, so a step taken out leaves the others as they were.
 */
import type { Plan, Step } from './schedule.js';

export interface Shrunk {
  plan: Plan;
  runs: number;
}

/** `fails` is asked at most `runsMax` times. */
export function shrinkPlan(plan: Plan, fails: (plan: Plan) => boolean, runsMax: number): Shrunk {
  let steps = plan.steps;
  let runs = 0;
  let size = Math.ceil(steps.length / 2);
  const failsWith = (candidate: Step[]): boolean => {
    runs++;
    return fails({ ...plan, steps: candidate });
  };
  while (size >= 1 && runs < runsMax) {
    let reduced = false;
    for (let from = 0; from < steps.length && runs < runsMax; ) {
      const rest = [...steps.slice(0, from), ...steps.slice(from + size)];
      if (failsWith(rest)) {
        steps = rest;
        reduced = true;
      } else {
        from += size;
      }
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!reduced) break;
  }
  return { plan: { ...plan, steps }, runs };
}
