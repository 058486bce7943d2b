/**
 * Disks that are full, slow, fail, rot, are swapped or set back: a cluster keeps its promises, and each planted bug in what a node does about
 * its disk is found, by a plan that is right without it. Campaigns draw such faults at random (disk-faults.ts).
 */
import { describe, expect, it } from 'vitest';
import type { DiskStep } from '../../src/sim/disk-faults.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { type RunResult, runPlan } from '../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan, type Step } from '../../src/sim/schedule.js';

const TIMEOUT_MS = 120_000;
const FAILED_SYNC_SEED = 28;
const SEEDS_MAX = 40;

/** The commands of a seed on three nodes and a calm network, and these faults of disks alone. */
function planOf(seed: number, durability: Plan['durability'], faults: Step[], disks: Plan['disks'] = []): Plan {
  const limits = { ...PLAN_LIMITS, nodesMin: 3, nodesMax: 3, lengthMs: 5_000, families: [] };
  const plan = drawPlan(seed, limits);
  const commands = plan.steps.filter((step) => step.kind === 'command');
  const steps = [...commands, ...faults].sort((left, right) => left.atMs - right.atMs);
  return { ...plan, durability, network: CALM_NETWORK, secrets: null, disks, steps };
}

function play(plan: Plan, ...mutations: string[]): RunResult {
  return runPlan(hearsayFactories(new Set(mutations)), plan);
}

/** Every 800 ms the same, from 700 ms on. */
function often(count: number, fault: (atMs: number, round: number) => Step[]): Step[] {
  return Array.from({ length: count }, (_, round) => fault(700 + round * 800, round)).flat();
}

const ROT = often(5, (atMs, round) => {
  const draws = Array.from({ length: 6 }, (_, bit) => Math.imul(round * 6 + bit + 1, 0x9e3779b1) >>> 0);
  return [{ atMs, kind: 'disk', fault: 'rot', node: 1, file: 'log', draws, downMs: 300 }];
});

/** A node that is cut off meets a sync that fails; at its next acknowledgement its power is gone. */
const FAILED_SYNCS = often(6, (atMs) => [
  { atMs: atMs - 200, kind: 'partition', pairs: apart(0, [1, 2]), forMs: 500 },
  { atMs, kind: 'disk', fault: 'sync', node: 0, count: 4 },
  { atMs: atMs + 1, kind: 'power', nodes: [0], downMs: 200, onAck: true },
]);

function apart(node: number, others: number[]): [number, number][] {
  return others.flatMap((other): [number, number][] => [
    [node, other],
    [other, node],
  ]);
}

describe('a node and its disk', () => {
  it.each<[string, string, Step[], Plan['durability']]>([
    [
      'refuses while the disk is full and goes on when there is room',
      'room again met',
      often(3, (atMs) => [{ atMs, kind: 'disk', fault: 'write', node: 0, count: 2, code: 'ENOSPC' }]),
      'always',
    ],
    ['writes elsewhere what a sync may have lost', 'sync error met', FAILED_SYNCS, 'always'],
    [
      'ends its log by name when the disk fails again, and is whole again after a start',
      'log failed for good',
      [{ atMs: 800, kind: 'disk', fault: 'sync', node: 0, count: 3 }],
      'always',
    ],
    ['fetches what has rotted, and says that it was lost', 'rot found', ROT, 'interval'],
    [
      'does not start on the directory of another node',
      'swap met',
      [{ atMs: 900, kind: 'disk', fault: 'swap', nodes: [0, 2], downMs: 400 }],
      'interval',
    ],
    [
      'takes its place again with an older copy of its directory',
      'stale restore met',
      [{ atMs: 900, kind: 'disk', fault: 'stale', node: 1, ageMs: 2_000, downMs: 200 }],
      'interval',
    ],
    [
      'keeps on when a write fails',
      'disk write',
      often(4, (atMs) => [{ atMs, kind: 'disk', fault: 'write', node: 2, count: 2, code: 'EIO' }]),
      'interval',
    ],
    [
      'ends where its manifest has rotted, and is filled again when it starts empty',
      'rotten manifest met',
      [{ atMs: 900, kind: 'disk', fault: 'rot', node: 1, file: 'manifest', draws: [77], downMs: 200 }],
      'interval',
    ],
    [
      'waits for a sync that stands, and loses nothing',
      'disk slow',
      [{ atMs: 900, kind: 'disk', fault: 'slow', node: 0, forMs: 1_500, syncMs: 4_000 } satisfies DiskStep],
      'always',
    ],
  ])(
    '%s',
    (_what, mark, faults, durability) => {
      const result = play(planOf(5, durability, faults));
      expect(result.violations).toEqual([]);
      expect(result.marks[mark]).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe('planted bugs', () => {
  const stale: Step[] = [{ atMs: 2_500, kind: 'disk', fault: 'stale', node: 1, ageMs: 1_000, downMs: 200 }];
  const swap: Step[] = [{ atMs: 900, kind: 'disk', fault: 'swap', nodes: [0, 2], downMs: 400 }];

  it.each<[string, number, Plan['durability'], Step[]]>([
    ['rot-passed-over', 5, 'interval', ROT],
    ['actor-reused-after-restart', 5, 'interval', stale],
    ['directory-of-another-taken', 5, 'interval', swap],
  ])(
    '%s is found on seed %i',
    (name, seed, durability, faults) => {
      const plan = planOf(seed, durability, faults);
      expect(play(plan, name).ok).toBe(false);
      expect(play(plan).violations).toEqual([]);
    },
    TIMEOUT_MS,
  );

  // What is lost must be held by nobody else, and not written again: that takes luck, so a few drawn plans are tried.
  it.each(['failed-sync-acknowledged', 'failed-sync-repeated'])(
    '%s is found among drawn plans',
    (name) => {
      let found = 0;
      for (let seed = FAILED_SYNC_SEED; seed < FAILED_SYNC_SEED + SEEDS_MAX && found === 0; seed++) {
        const plan = drawPlan(seed, { ...PLAN_LIMITS, families: ['disks'] });
        if (play(plan, name).ok) continue;
        expect(play(plan).violations).toEqual([]);
        found = seed;
      }
      expect(found).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
