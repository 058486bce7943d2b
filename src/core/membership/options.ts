/**
 * The options of membership, with their defaults: the spine fills them from the configuration, Membership and its rooms read
 * them. Durations in ms. Guarded: defaults suit 3 to 8 members on one network. Figures: Lifeguard and common practice.
 */
import type { Random } from '../base/random.js';

export interface MembershipSelf {
  /** Name of the node, unique in the cluster, 1 to 128 characters. */
  id: string;
  /** Gossip address as others reach it. */
  host: string;
  port: number;
  respPort: number;
  zone: string;
  /** Relative share of partitions, in (0, 1024]. */
  weight: number;
}

/** Durations in ms. */
export interface MembershipTimings {
  /** Period of the spine's ticks; a gap over 1.5 of it (and over 200) is a stall. */
  tickIntervalMs: number;
  probeIntervalMs: number;
  /** Silence after which helpers are asked; 4 x p99 of the round trip if that is more. */
  probeTimeoutMs: number;
  /** Helpers asked per probe. */
  indirectProbes: number;
  gossipIntervalMs: number;
  /** Members gossiped to per interval. */
  gossipFanout: number;
  suspicionMultiplier: number;
  suspicionFloorMs: number;
  suspicionMaxFactor: number;
  /** Whole lists are exchanged with one member at this interval. */
  pushPullIntervalMs: number;
  /** How long the dead and those who left are remembered. */
  tombstoneMs: number;
  /** Contact points and one dead member are tried at this interval for ever; every second while alone. */
  seedRetryMs: number;
  /** Members and tombstones held at most. */
  membersMax: number;
}

export interface MembershipOptions extends MembershipTimings {
  self: MembershipSelf;
  /** Random id of this run, never used before. */
  actor: number;
  /** Starts of this node, counted durably. */
  boot: number;
  incarnation: number;
  /** `host:port` to join by. */
  contactPoints: readonly string[];
  random: Random;
  /** Up to which boot the lives of an id are known for good to have ended, also by who has met none of them; 0: none. */
  endedBootOf?: (id: string) => number;
  /** Names of planted bugs: what the tests of lasting faults are tried on. */
  mutations?: ReadonlySet<string>;
}

export const MEMBERSHIP_TIMINGS: Readonly<MembershipTimings> = {
  tickIntervalMs: 25,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 300,
  indirectProbes: 3,
  gossipIntervalMs: 200,
  gossipFanout: 3,
  suspicionMultiplier: 4,
  suspicionFloorMs: 5_000,
  suspicionMaxFactor: 6,
  pushPullIntervalMs: 30_000,
  tombstoneMs: 86_400_000,
  seedRetryMs: 30_000,
  membersMax: 1_024,
};
