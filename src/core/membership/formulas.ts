/**
 * The figures of SWIM and Lifeguard as pure formulas: suspicion timeout, retransmit budget, health scaling, probe timeouts.
 * The machines beside this file call them with what they count; nothing here keeps state.
 * Sources: SWIM (Das, Gupta, Motivala, 2002); Lifeguard (Dadgar, Phillips, Currey, arXiv:1707.00788), sections III and IV.
 * Guarded: at 1 to 8 members, the common case, every formula gives a finite, useful figure.
 */

/** Health scores run from 0 (healthy) to this. */
export const HEALTH_SCORE_MAX = 7;
/** Independent confirmations after which a suspicion is as short as it gets. */
export const CONFIRMATIONS_WANTED = 2;

/** From this score on a node doubts itself more than the silent: it suspects, and leaves it to others to call dead. */
export const DOUBTFUL_SCORE = 2;

const RETRANSMIT_MULTIPLIER = 4;
const NACK_SHARE = 0.8;
const RTT_P99_MULTIPLIER = 4;
const PUSH_PULL_MEMBERS = 32;
const LINGER_ROUNDS = 3;

/** Shortest time to refute: multiplier x max(1, log10 N) x probe interval, not below the floor. */
export function suspicionMinMs(
  multiplier: number,
  liveCount: number,
  probeIntervalMs: number,
  floorMs: number,
): number {
  return Math.max(floorMs, multiplier * Math.max(1, Math.log10(Math.max(1, liveCount))) * probeIntervalMs);
}

/** How many independent confirmations a suspicion can hope for: members other than accuser and suspect, at most two. */
export function confirmationsPossible(otherMembers: number): number {
  return Math.max(0, Math.min(CONFIRMATIONS_WANTED, otherMembers));
}

/**
 * Lifeguard's suspicion timeout: `maxMs` without confirmation, falling with the logarithm of `confirmations` to `minMs` at
 * `possible`. With nobody to confirm it starts at the minimum, so that two members do not wait for a third.
 */
export function suspicionTimeoutMs(minMs: number, maxMs: number, confirmations: number, possible: number): number {
  if (possible <= 0) return minMs;
  const fraction = Math.log(confirmations + 1) / Math.log(possible + 1);
  return Math.max(minMs, maxMs - (maxMs - minMs) * fraction);
}

/** How often one update rides on datagrams: 4 x ceil(log10(N + 1)). */
export function retransmitLimit(liveCount: number): number {
  return RETRANSMIT_MULTIPLIER * Math.max(1, Math.ceil(Math.log10(liveCount + 1)));
}

/** An interval or timeout as the own health score stretches it. */
export function scaledByHealth(durationMs: number, healthScore: number): number {
  return durationMs * (healthScore + 1);
}

/** Silence after which helpers are asked: at least `floorMs`, four times the slow round trips, at most `ceilingMs`. */
export function directTimeoutMs(floorMs: number, rttP99Ms: number, ceilingMs: number): number {
  return Math.max(floorMs, Math.min(ceilingMs, RTT_P99_MULTIPLIER * rttP99Ms));
}

/** When a helper that heard nothing says so: in time for the nack to arrive within the requester's remaining budget. */
export function nackAfterMs(budgetMs: number): number {
  return budgetMs * NACK_SHARE;
}

/** Whole lists are exchanged at this period; above 32 members it grows with log2 N, to bound the load of all of them. */
export function pushPullPeriodMs(intervalMs: number, liveCount: number): number {
  if (liveCount <= PUSH_PULL_MEMBERS) return intervalMs;
  return intervalMs * (Math.ceil(Math.log2(liveCount) - Math.log2(PUSH_PULL_MEMBERS)) + 1);
}

/** A tick that comes this late says that the loop stood still, not that others were silent. */
export function stallThresholdMs(tickIntervalMs: number): number {
  return Math.max(1.5 * tickIntervalMs, 200);
}

/**
 * For how long a node that stood still originates no death: one round of probes, in which those it wronged can answer; not
 * longer than the shortest suspicion, so that a large cluster is not left without a judge.
 */
export function deathHoldMs(liveCount: number, probeIntervalMs: number, healthScore: number, minMs: number): number {
  return Math.min(minMs, Math.max(1, liveCount - 1) * scaledByHealth(probeIntervalMs, healthScore));
}

/** How long who leaves goes on answering: three times what its last word needs to reach everybody, log2(N + 1) rounds. */
export function lingerMs(liveCount: number, gossipIntervalMs: number): number {
  return LINGER_ROUNDS * Math.ceil(Math.log2(Math.max(1, liveCount) + 1)) * gossipIntervalMs;
}

/** The median, the lower one of two; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1];
}

/**
 * The median of how far others are ahead of what one goes by oneself, whose own word is nothing: of an even number of others it is the one of the
 * two in the middle that is nearer to nothing, or nothing between them. So of three nodes the one that is wrong is outvoted, on
 * whichever side of the others it is.
 */
export function medianBesideOwn(offsets: readonly number[]): number | null {
  if (offsets.length % 2 === 1) return median(offsets);
  return median([...offsets, 0]);
}
