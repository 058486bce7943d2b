/**
 * The family of long deaths: in a few plans the faults end for all nodes but one, which is killed or loses its power, and stays down for
 * longer than any other may take to see it, so that the watch of membership (watches/members.ts) asks whether all of them know. run.ts plays
 * it before everything is healed. Guarded: commands and faults stay where they were, and nobody is struck who leaves, is gone, or has
 * yet to come.
 */
import type { SimCluster } from '../cluster.js';
import type { Family } from '../families.js';
import type { Nemesis } from '../nemesis.js';
import { detectionBoundMs, type MemberWatch } from '../watches/members.js';

/** Past the bound: the watch looks once a second, and a start takes as long to be well. */
const PAST_BOUND_MS = 2_500;

export interface LongDown {
  node: number;
  /** Its power goes, so that no stream of it ends by a word of its system. */
  isSilent: boolean;
}

export const LONG_DOWN: Family = {
  name: 'long-down',
  stream: 0x5ced0132,
  draw(plan, random) {
    if (random.chance(0.05)) plan.longDown = { node: random.below(plan.nodes), isSilent: random.chance(0.5) };
  },
};

export interface LongDownPorts {
  cluster: SimCluster;
  nemesis: Nemesis;
  watch: MemberWatch;
  rest: (forMs: number) => void;
}

/** How often somebody was found to know of the death; null where it could not be brought about. */
export function playLongDown({ node, isSilent }: LongDown, ports: LongDownPorts): number | null {
  const { cluster, nemesis, watch, rest } = ports;
  if (!nemesis.members.mayRun(node)) return null;
  const others = cluster.nodes.map(({ index }) => index).filter((index) => index !== node);
  // Once all the others are healed nothing starts it again.
  nemesis.apply({ atMs: 0, kind: isSilent ? 'power' : 'kill', nodes: [node], downMs: PAST_BOUND_MS, onAck: false });
  nemesis.healCore({ nodes: others, rest: 'down' });
  const configs = others.map((other) => cluster.watches?.inspected(other)?.config);
  const config = configs.find((each) => each !== undefined);
  if (config === undefined) return null;
  const known = watch.counts.downKnown;
  rest(detectionBoundMs(cluster.nodes.length, config, true) + PAST_BOUND_MS);
  return watch.counts.downKnown - known;
}
