/** Hundreds of small clusters under loss, partitions, crashes and restarts: no promise is broken, and no fault is missing. */
import { expect, it } from 'vitest';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { drawPlan } from '../../src/sim/schedule.js';

const SEEDS_PER_PART = 75;
const PARTS = [0, 1, 2, 3];
const TIMEOUT_MS = 600_000;
/** Things that some run of a campaign must have met, or its faults have quietly gone. */
const MUST_HAPPEN = [
  'commands ok',
  'commands indeterminate',
  'commands refused',
  'error NOQUORUM',
  'kill',
  'power',
  'wipe',
  'stop',
  'pause',
  'partition',
  'clock',
  'datagrams lost',
  'datagrams damaged',
  'streams reset',
  'segments held by a partition',
  'reads hedged',
  'reads repaired',
  'hints dropped',
];

const marks: Record<string, number> = {};

it.each(PARTS)(
  'keeps every promise in part %i of the seeds',
  (part) => {
    const wrong: { seed: number; violations: string[] }[] = [];
    for (let seed = part * SEEDS_PER_PART + 1; seed <= (part + 1) * SEEDS_PER_PART; seed++) {
      const result = runPlan(hearsayFactories(), drawPlan(seed));
      for (const [mark, count] of Object.entries(result.marks)) marks[mark] = (marks[mark] ?? 0) + count;
      if (!result.ok) wrong.push({ seed, violations: result.violations.slice(0, 3).map((each) => each.message) });
    }
    expect(wrong).toEqual([]);
  },
  TIMEOUT_MS,
);

it('meets every kind of fault and outcome in the course of the campaign', () => {
  expect(MUST_HAPPEN.filter((mark) => !(mark in marks))).toEqual([]);
});

it('replays a seed event by event', () => {
  for (const seed of [2, 14, 29]) {
    const hash = (): string => runPlan(hearsayFactories(), drawPlan(seed)).traceHash;
    expect(hash()).toBe(hash());
  }
});
