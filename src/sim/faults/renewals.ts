/**
 * The family of renewals, what operators do to nodes of a cluster in service: they restart all of them one after the other, give one another
 * address, put a new one in the place of one that died, and install a build that speaks another version of the wire. renew.ts carries
 * these steps out. Guarded: a plan whose members change already is given no replacement, so that no more nodes go than replicas may.
 */
import { WIRE, type WireRange } from '../../core/gossip/packet.js';
import type { Family } from '../families.js';

export type RenewalStep =
  /** These nodes stop gracefully, one every so often, and each comes back after `downMs`, as in an upgrade. */
  | { atMs: number; kind: 'roll'; nodes: number[]; everyMs: number; downMs: number }
  /** A node comes back with its disk at another address, which is in nobody's settings. */
  | { atMs: number; kind: 'move'; node: number; downMs: number; graceful: boolean }
  /** A node dies for good; on its machine, with its clock, another with an empty disk, `by`, joins, and the dead one is forgotten. */
  | { atMs: number; kind: 'replace'; node: number; by: number }
  /** A node comes back as a build that speaks other versions, and after `forMs` as it was. */
  | { atMs: number; kind: 'skew'; node: number; wire: WireRange; downMs: number; forMs: number };

const KINDS: ReadonlySet<string> = new Set<RenewalStep['kind']>(['roll', 'move', 'replace', 'skew']);
/** A newer one that is not known here, one that reads this build and is not read by it, and older ones that are spoken no more. */
const RANGES: readonly WireRange[] = [
  { oldest: WIRE.newest + 1, newest: WIRE.newest + 1 },
  { oldest: WIRE.newest, newest: WIRE.newest + 2 },
  { oldest: WIRE.oldest - 1, newest: WIRE.oldest - 1 },
  { oldest: WIRE.oldest - 2, newest: WIRE.oldest - 1 },
];

export const RENEWALS: Family = {
  name: 'renewals',
  stream: 0x5ced0108,
  draw(plan, random) {
    if (!random.chance(0.24)) return;
    const { steps, nodes, lengthMs } = plan;
    const kind = random.below(4);
    const node = random.below(nodes);
    const downMs = random.between(100, 1_200);
    if (kind === 0) {
      const order = random.shuffle(Array.from({ length: nodes }, (_, index) => index));
      const everyMs = downMs + random.between(100, 1_000);
      steps.push({ atMs: random.below(lengthMs / 4), kind: 'roll', nodes: order, everyMs, downMs });
    } else if (kind === 1) {
      const atMs = random.below(lengthMs);
      steps.push({ atMs, kind: 'move', node, downMs, graceful: random.chance(0.5) });
    } else if (kind === 2) {
      const atMs = random.below(lengthMs / 2);
      const wire = RANGES[random.below(RANGES.length)];
      steps.push({ atMs, kind: 'skew', node, wire, downMs, forMs: random.between(1_000, 5_000) });
    } else if (plan.late === undefined) {
      plan.late = 1;
      steps.push({ atMs: random.below(lengthMs), kind: 'replace', node, by: nodes });
    }
  },
};

export function isRenewal(step: { kind: string }): step is RenewalStep {
  return KINDS.has(step.kind);
}
