/**
 * One block of a campaign: plays its seeds, some of them twice, and shrinks what fails. The campaign's processes call `playBlock`.
 * Guarded: a run that goes differently the second time is a failure like a broken promise: nothing else could be trusted then.
 */
import { hearsayFactories } from './hearsay.js';
import { type RunResult, runPlan } from './run.js';
import { drawPlan, type Plan } from './schedule.js';
import { shrinkPlan } from './shrink.js';
import { addRun, newTally, type Tally } from './tally.js';

/** One seed of so many is played twice. */
const TWICE_EVERY = 20;

/** Seeds `from` to `to`, both included. `workClockMs` gives the processor time that this process has used. */
export function playBlock(from: number, to: number, workClockMs: () => number): Tally {
  const tally = newTally();
  for (let seed = from; seed <= to; seed++) {
    try {
      playSeed(tally, seed, workClockMs);
    } catch (error) {
      // A mistake of the simulator's own: it takes this seed, not the campaign.
      tally.failures.push({ seed, violations: [`threw: ${(error as Error).stack ?? error}`] });
    }
  }
  return tally;
}

function playSeed(tally: Tally, seed: number, workClockMs: () => number): void {
  const began = workClockMs();
  const result = runPlan(hearsayFactories(), drawPlan(seed));
  addRun(tally, seed, result, workClockMs() - began);
  if (seed % TWICE_EVERY !== 0) return;
  const again = runPlan(hearsayFactories(), drawPlan(seed));
  if (again.traceHash === result.traceHash) return;
  const violations = [`determinism: the trace is ${result.traceHash} once and ${again.traceHash} the second time`];
  tally.failures.push({ seed, violations });
}

/** The least plan that still breaks the same promise, as a fixture of test/fixtures/plans; null if the seed breaks none. */
export function shrinkSeed(seed: number, runsMax: number): { found: string; plan: Plan } | null {
  const play = (plan: Plan): RunResult => runPlan(hearsayFactories(), plan);
  const plan = drawPlan(seed);
  const kind = play(plan).violations[0]?.kind;
  if (kind === undefined) return null;
  const shrunk = shrinkPlan(plan, (one) => play(one).violations.some((each) => each.kind === kind), runsMax).plan;
  return { found: play(shrunk).violations[0].message, plan: shrunk };
}
