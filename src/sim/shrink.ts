/**
 * Shrinks a failing plan: delta debugging over its steps (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", 2002). `played.ts`, campaigns and tests call it with the question whether a plan still fails. Guarded: the result fails, and
 * it is a plain plan again; draws are keyed, so a step taken out leaves the others as they were.
 */
import type { Plan, Step } from './schedule.js';

export interface Shrunk {
  plan: Plan;
  runs: number;
}

/** A candidate to be tried: whether it fails is what the search goes on with. */
export interface Trial {
  plan: Plan;
  /** The least that is known to fail. */
  least: Plan;
  runs: number;
}

/** `fails` is asked at most `runsMax` times. */
export function shrinkPlan(plan: Plan, fails: (plan: Plan) => boolean, runsMax: number): Shrunk {
  const search = shrinkSteps(plan, runsMax);
  let next = search.next();
  while (next.done !== true) next = search.next(fails(next.value.plan));
  return next.value;
}

/** The same, one trial at a time, for who has something else to do between two of them. */
export function* shrinkSteps(plan: Plan, runsMax: number): Generator<Trial, Shrunk, boolean> {
  let steps = plan.steps;
  let runs = 0;
  let size = Math.ceil(steps.length / 2);
  while (size >= 1 && runs < runsMax) {
    let reduced = false;
    for (let from = 0; from < steps.length && runs < runsMax; ) {
      const rest: Step[] = [...steps.slice(0, from), ...steps.slice(from + size)];
      runs++;
      if (yield { plan: { ...plan, steps: rest }, least: { ...plan, steps }, runs }) {
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
