/**
 * The suspicions under way: who is accused since when and by whom. Membership opens, confirms and closes them, and asks on
 * each tick which are overdue; the timeouts are those of formulas.ts, computed from who is there now.
 * Guarded: time in which we stood still counts for nobody; only accusers who probed themselves confirm; a suspect that is
 * still heard is not overdue; a node that does badly itself waits the longest time there is, whoever confirms, so that others
 * judge before it, and it still comes to a judgement where there are no others. One per member at most, so the roster's bound holds here. Lifeguard, section IV.B.
 */
import {
  CONFIRMATIONS_WANTED,
  confirmationsPossible,
  DOUBTFUL_SCORE,
  suspicionMinMs,
  suspicionTimeoutMs,
} from './formulas.js';

/** What a deadline depends on beside the suspicion itself. */
export interface Bench {
  /** Members that are alive, this one included. */
  aliveCount: number;
  /** Members alive or suspected, this one included. */
  liveCount: number;
  /** This node's own. */
  healthScore: number;
}

export interface SuspicionOptions {
  probeIntervalMs: number;
  suspicionMultiplier: number;
  suspicionFloorMs: number;
  suspicionMaxFactor: number;
}

const NOBODY: readonly string[] = [];

interface Suspicion {
  startMs: number;
  accusers: Set<string>;
}

export class Suspicions {
  private readonly options: SuspicionOptions;
  private readonly byId = new Map<string, Suspicion>();

  constructor(options: SuspicionOptions) {
    this.options = options;
  }

  get size(): number {
    return this.byId.size;
  }

  /** Opens a suspicion anew, for a new standing of the member. */
  open(id: string, accuser: string, nowMs: number): void {
    this.byId.set(id, { startMs: nowMs, accusers: new Set(accuser === '' ? [] : [accuser]) });
  }

  /** Adds an accuser; true if it is one more piece of evidence worth spreading. */
  confirm(id: string, accuser: string): boolean {
    const suspicion = this.byId.get(id);
    if (suspicion === undefined || accuser === '' || suspicion.accusers.has(accuser)) return false;
    if (suspicion.accusers.size > CONFIRMATIONS_WANTED) return false;
    suspicion.accusers.add(accuser);
    return true;
  }

  close(id: string): void {
    this.byId.delete(id);
  }

  /** The loop stood still: nobody could refute in that time. */
  postpone(gapMs: number): void {
    for (const suspicion of this.byId.values()) suspicion.startMs += gapMs;
  }

  /** Suspects that may be overdue: none is before the shortest timeout is over, so a tick passes by all that are younger. */
  candidates(nowMs: number, liveCount: number): readonly string[] {
    const { suspicionMultiplier, probeIntervalMs, suspicionFloorMs } = this.options;
    const minMs = suspicionMinMs(suspicionMultiplier, liveCount, probeIntervalMs, suspicionFloorMs);
    let found: string[] | null = null;
    for (const [id, { startMs }] of this.byId) {
      if (nowMs < startMs + minMs) continue;
      found ??= [];
      found.push(id);
    }
    return found ?? NOBODY;
  }

  /** When the suspect is to be declared dead by this node. */
  deadlineMs(id: string, lastHeardMs: number, { aliveCount, liveCount, healthScore }: Bench): number {
    const suspicion = this.byId.get(id);
    if (suspicion === undefined) return Number.POSITIVE_INFINITY;
    const { suspicionMultiplier, probeIntervalMs, suspicionFloorMs, suspicionMaxFactor } = this.options;
    const minMs = suspicionMinMs(suspicionMultiplier, liveCount, probeIntervalMs, suspicionFloorMs);
    const possible = confirmationsPossible(aliveCount - 1);
    const confirmations = Math.max(0, suspicion.accusers.size - 1);
    const maxMs = minMs * suspicionMaxFactor;
    const doubtful = healthScore >= DOUBTFUL_SCORE;
    const timeoutMs = doubtful ? maxMs : suspicionTimeoutMs(minMs, maxMs, confirmations, possible);
    return Math.max(suspicion.startMs + timeoutMs, lastHeardMs + minMs);
  }

  ids(): IterableIterator<string> {
    return this.byId.keys();
  }
}
