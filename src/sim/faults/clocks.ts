/**
 * The family of troubles with wall clocks: a drift that grows, a clock that stands still, jumps ahead and back, one coarse clock among
 * fine ones, a restart into an earlier time, all clocks set at once. Guarded: `clocksStrayFar` is right about which plans take clocks so
 * far apart that the design lets later writes lose (maxClockDriftMs is 500 in a run); in those the ledgers claim less.
 */
import type { Family } from '../families.js';
import type { Plan } from '../schedule.js';

export const CLOCKS: Family = {
  name: 'clocks',
  stream: 0x5ced0104,
  draw(plan, random) {
    const { steps, lengthMs } = plan;
    const node = (): number => random.below(plan.nodes);
    if (random.chance(0.06)) {
      const which = node();
      const ppm = random.between(-8_000, 8_000);
      for (let more = 0; more < 3; more++) {
        const atMs = Math.floor((more * lengthMs) / 3);
        steps.push({ atMs, kind: 'rate', node: which, ppm, forMs: lengthMs - atMs });
      }
    }
    if (random.chance(0.08)) {
      const forMs = random.chance(0.7) ? random.between(10, 90) : random.between(200, 3_000);
      steps.push({ atMs: random.below(lengthMs), kind: 'rate', node: node(), ppm: -1_000_000, forMs });
    }
    if (random.chance(0.06)) steps.push({ atMs: 0, kind: 'grain', node: node(), grainMs: random.between(10, 50) });
    if (random.chance(0.03)) {
      const which = node();
      const byMs = random.between(600, 5_000);
      const atMs = random.below(lengthMs - 1_000);
      steps.push({ atMs, kind: 'clock', node: which, byMs });
      steps.push({ atMs: atMs + random.between(50, 1_000), kind: 'clock', node: which, byMs: -byMs });
    }
    if (random.chance(0.03)) {
      const which = node();
      const atMs = random.below(lengthMs - 1_000);
      const downMs = random.between(100, 800);
      steps.push({ atMs, kind: 'kill', nodes: [which], downMs, onAck: false });
      steps.push({ atMs: atMs + 50, kind: 'clock', node: which, byMs: -random.between(300, 4_000) });
    }
    if (random.chance(0.03)) {
      const byMs = random.between(-4_000, 4_000);
      const atMs = random.below(lengthMs);
      for (let which = 0; which < plan.nodes; which++) {
        steps.push({ atMs: atMs + random.below(100), kind: 'clock', node: which, byMs });
      }
    }
  },
};

/** So long may a run go on after its steps, with drift. */
const RUN_MS_MAX = 180_000;
/** Below what a node minds, by what a stamp may be late and a coarse clock behind. */
const APART_MS_MAX = 440;

/** Whether rates and grains take two clocks of the plan too far apart. */
export function clocksStrayFar(plan: Plan): boolean {
  const steps = plan.steps.filter((step) => step.kind === 'rate' || step.kind === 'grain');
  if (steps.length === 0) return false;
  const spans = plan.clocks.map(({ offsetMs, driftPpm, grainMs }, node) => {
    const drift = (driftPpm * RUN_MS_MAX) / 1e6;
    let [lowMs, highMs] = [offsetMs + Math.min(drift, 0) - grainMs, offsetMs + Math.max(drift, 0)];
    for (const step of steps) {
      if (step.node !== node) continue;
      if (step.kind === 'grain') lowMs -= step.grainMs;
      else if (step.ppm < 0) lowMs += (step.ppm * step.forMs) / 1e6;
      else highMs += (step.ppm * step.forMs) / 1e6;
    }
    return { lowMs, highMs };
  });
  const apartMs = Math.max(...spans.map((span) => span.highMs)) - Math.min(...spans.map((span) => span.lowMs));
  return apartMs > APART_MS_MAX;
}
