/**
 * Members that come and go: a penalty for each time, decaying with a half-life, says how long one must be steadily alive before
 * it counts again, as a name in the slot map and as a helper of probes. Membership feeds it every step of a member; the
 * routes of replication and the prober ask `isOut`. What it holds back is only that: a member that is out is still probed,
 * owns what it owned and is sent every write. Compare the damping of routes in BGP (RFC 2439).
 * Guarded: the delay grows with the penalty and is bounded; one entry per member, gone with it.
 */

/** A member that was out counts again after this time steadily alive; doubled by each flap that is not forgotten. */
const REENTRY_FLOOR_MS = 5_000;
const REENTRY_CEILING_MS = 60_000;
const HALF_LIFE_MS = 300_000;
/** From this penalty on a member is held back until what is left of it has fallen to the lower one. */
const SUPPRESS_PENALTY = 5;
const REUSE_PENALTY = 2.5;
const PENALTY_MAX = 10;

interface Standing {
  out: boolean;
  /** Infinite while the member is not alive. */
  reentryAtMs: number;
  penalty: number;
  penaltyAtMs: number;
}

/** How long a member of this penalty has to be steadily alive: 5 s after the first flap, 10 min at most. */
export function reentryDelayMs(penalty: number): number {
  if (penalty < SUPPRESS_PENALTY) {
    return Math.min(REENTRY_CEILING_MS, REENTRY_FLOOR_MS * 2 ** Math.max(0, Math.round(penalty) - 1));
  }
  return Math.max(REENTRY_CEILING_MS, HALF_LIFE_MS * Math.log2(penalty / REUSE_PENALTY));
}

/** What is left of a penalty after a while. */
export function decayedPenalty(penalty: number, elapsedMs: number): number {
  return penalty * 2 ** (-Math.max(0, elapsedMs) / HALF_LIFE_MS);
}

export class Flaps {
  /** Raised whenever `isOut` changes for somebody. */
  version = 0;
  private readonly standings = new Map<string, Standing>();
  private waiting = 0;

  /** A member is not alive any more, or was exchanged for a later life of itself. */
  wentOut(id: string, nowMs: number): void {
    let standing = this.standings.get(id);
    if (standing === undefined) {
      standing = { out: false, reentryAtMs: Number.NEGATIVE_INFINITY, penalty: 0, penaltyAtMs: nowMs };
      this.standings.set(id, standing);
    }
    if (standing.out && standing.reentryAtMs === Number.POSITIVE_INFINITY) return;
    standing.penalty = Math.min(PENALTY_MAX, this.penaltyOf(id, nowMs) + 1);
    standing.penaltyAtMs = nowMs;
    if (!standing.out) {
      standing.out = true;
      this.waiting++;
      this.version++;
    }
    standing.reentryAtMs = Number.POSITIVE_INFINITY;
  }

  /** A member is alive, again or for the first time. */
  cameBack(id: string, nowMs: number): void {
    const standing = this.standings.get(id);
    if (standing === undefined || !standing.out || standing.reentryAtMs !== Number.POSITIVE_INFINITY) return;
    standing.reentryAtMs = nowMs + reentryDelayMs(standing.penalty);
  }

  /** Whether a member is held back: not alive, or not steadily so for long enough. */
  isOut(id: string): boolean {
    return this.standings.get(id)?.out ?? false;
  }

  /** Lets those in again whose time has come. */
  tick(nowMs: number): void {
    if (this.waiting === 0) return;
    for (const standing of this.standings.values()) {
      if (!standing.out || nowMs < standing.reentryAtMs) continue;
      standing.out = false;
      this.waiting--;
      this.version++;
    }
  }

  penaltyOf(id: string, nowMs: number): number {
    const standing = this.standings.get(id);
    return standing === undefined ? 0 : decayedPenalty(standing.penalty, nowMs - standing.penaltyAtMs);
  }

  /** Milliseconds until a member that is alive counts again; 0 when it does, -1 while it is not alive. */
  reentryInMs(id: string, nowMs: number): number {
    const standing = this.standings.get(id);
    if (standing === undefined || !standing.out) return 0;
    return standing.reentryAtMs === Number.POSITIVE_INFINITY ? -1 : Math.max(0, standing.reentryAtMs - nowMs);
  }

  /** Members held back although they are alive. */
  get heldBack(): number {
    let count = 0;
    for (const { out, reentryAtMs } of this.standings.values()) {
      if (out && reentryAtMs !== Number.POSITIVE_INFINITY) count++;
    }
    return count;
  }

  forget(id: string): void {
    const standing = this.standings.get(id);
    if (standing === undefined) return;
    if (standing.out) {
      this.waiting--;
      this.version++;
    }
    this.standings.delete(id);
  }
}
