/**
 * Faults of disks in a plan: how each node's disk is for the whole run, and what happens to it at some time. A family of the plan
 * (families.ts) draws them; disk-nemesis.ts brings them on the cluster. Guarded: swarm-style, each kind is off in most seeds, so that
 * none hides what another would show; rot meets one node of a plan, for what a level promises rests on the other copies.
 */
import type { Random } from '../core/base/random.js';
import type { Family } from './families.js';
import type { Plan, Step } from './schedule.js';

/** A disk from the start of the run until all is healed. */
export interface DiskPlan {
  /** Virtual time that a sync takes, uniform between both, ms. */
  syncMsMin: number;
  syncMsMax: number;
  shortWriteChance: number;
  syncErrorChance: number;
  /** A sector that was being written when the power went may read as zeros. */
  garbledSectors: boolean;
}

export type DiskStep = { atMs: number; kind: 'disk' } & (
  | { fault: 'full'; node: number; forMs: number; slackBytes: number }
  /** Syncs take so long; one of several seconds stands, as far as a client can tell. */
  | { fault: 'slow'; node: number; forMs: number; syncMs: number }
  /** The next so many syncs fail, or writes. */
  | { fault: 'sync'; node: number; count: number }
  | { fault: 'write'; node: number; count: number; code: 'EIO' | 'ENOSPC' }
  /** Bits turn over: in a node that is killed for it, or under one that runs on (`downMs` 0). */
  | { fault: 'rot'; node: number; file: 'log' | 'image' | 'manifest'; draws: number[]; downMs: number }
  /** Two nodes are stopped and started on each other's directories; after so long the operator puts them right. */
  | { fault: 'swap'; nodes: [number, number]; downMs: number }
  /** A copy of the running node's directory is put back so much later. */
  | { fault: 'stale'; node: number; ageMs: number; downMs: number }
);

/** A disk does well: what a plan without the family has. */
const PERFECT: DiskPlan = {
  syncMsMin: 1,
  syncMsMax: 5,
  shortWriteChance: 0,
  syncErrorChance: 0,
  garbledSectors: false,
};

export const DISK_FAMILY: Family = { name: 'disks', stream: 0x5ced0031, draw };

function draw(plan: Plan, random: Random): void {
  plan.disks = drawDisks(random, plan.nodes);
  plan.steps.push(...drawSteps(random, plan));
}

function drawDisks(random: Random, nodes: number): DiskPlan[] {
  const slow = random.chance(0.2) ? random.between(10, 120) : 0;
  const short = random.chance(0.25) ? random.between(1, 30) / 100 : 0;
  const failing = random.chance(0.12) ? random.between(1, 20) / 1_000 : 0;
  const garbledSectors = random.chance(0.4);
  return Array.from({ length: nodes }, () => {
    const disk = { ...PERFECT, garbledSectors };
    if (slow > 0 && random.chance(0.6)) disk.syncMsMax = disk.syncMsMin + slow;
    if (random.chance(0.6)) disk.shortWriteChance = short;
    if (random.chance(0.6)) disk.syncErrorChance = failing;
    return disk;
  });
}

function drawSteps(random: Random, { nodes, lengthMs }: Plan): Step[] {
  const steps: Step[] = [];
  const some = (share: number, most: number, drawn: (atMs: number) => Step[]): void => {
    if (!random.chance(share)) return;
    for (let left = random.between(1, most); left > 0; left--) steps.push(...drawn(random.below(lengthMs)));
  };
  const node = (): number => random.below(nodes);
  const rotten = node();
  some(0.18, 2, (atMs) => [
    {
      atMs,
      kind: 'disk',
      fault: 'full',
      node: node(),
      forMs: random.between(200, 4_000),
      slackBytes: random.chance(0.5) ? 0 : random.below(48 * 1024),
    },
  ]);
  some(0.18, 2, (atMs) => [
    {
      atMs,
      kind: 'disk',
      fault: 'slow',
      node: node(),
      forMs: random.between(200, 3_000),
      syncMs: random.chance(0.4) ? random.between(2_000, 6_000) : random.between(50, 800),
    },
  ]);
  some(0.2, 2, (atMs) => drawFailedSyncs(random, nodes, atMs));
  some(0.15, 3, (atMs) => [
    {
      atMs,
      kind: 'disk',
      fault: 'write',
      node: node(),
      count: random.between(1, 4),
      code: random.chance(0.6) ? 'EIO' : 'ENOSPC',
    },
  ]);
  some(0.15, 2, (atMs) => [
    {
      atMs,
      kind: 'disk',
      fault: 'rot',
      node: rotten,
      file: random.chance(0.7) ? 'log' : random.chance(0.7) ? 'image' : 'manifest',
      draws: Array.from({ length: random.between(1, 3) }, () => random.uint32()),
      downMs: random.chance(0.7) ? random.between(50, 2_000) : 0,
    },
  ]);
  if (nodes > 1) {
    some(0.06, 1, (atMs) => {
      const [left, right] = random.shuffle(Array.from({ length: nodes }, (_, index) => index));
      return [{ atMs, kind: 'disk', fault: 'swap', nodes: [left, right], downMs: random.between(200, 1_500) }];
    });
  }
  some(0.12, 1, (atMs) => [
    {
      atMs,
      kind: 'disk',
      fault: 'stale',
      node: node(),
      ageMs: random.between(200, 4_000),
      downMs: random.between(50, 1_500),
    },
  ]);
  return steps;
}

/** Syncs that fail, often followed at once by a loss of power for all: only what a good sync has covered is left then. */
function drawFailedSyncs(random: Random, nodes: number, atMs: number): Step[] {
  const node = random.below(nodes);
  const steps: Step[] = [{ atMs, kind: 'disk', fault: 'sync', node, count: random.between(1, 4) }];
  if (random.chance(0.6)) {
    const others = random.shuffle(Array.from({ length: nodes }, (_, index) => index)).filter((each) => each !== node);
    const downMs = random.between(100, 1_000);
    steps.push({ atMs: atMs + 1, kind: 'power', nodes: [node, ...others], downMs, onAck: true });
  }
  return steps;
}
