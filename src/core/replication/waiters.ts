/**
 * WAIT: callers that want to know how many peers have their writes. The host adds them, the spine settles them at the end of
 * every turn. Guarded: bounded; answered once: enough peers, time is up, or nobody listens any more.
 */
import type { Caller, Deferred } from '../commands/host.js';
import type { Coordinator } from './coordinator.js';

const WAITERS_MAX = 10_000;

interface Waiter {
  readonly caller: Caller;
  readonly deferred: Deferred;
  /** Peers wanted. */
  readonly count: number;
  /** The coordinator's count of writes at the caller's last one, and its partition. */
  readonly writes: number;
  readonly partition: number;
  readonly expiresAtMs: number;
}

export class Waiters {
  private readonly open = new Set<Waiter>();

  get size(): number {
    return this.open.size;
  }

  /** Takes a place for the answer; false if too many wait. A timeout of 0 ms waits for as long as it takes. */
  add(caller: Caller, count: number, timeoutMs: number, nowMs: number): boolean {
    if (this.open.size >= WAITERS_MAX) return false;
    const { count: writes, partition } = caller.wrote;
    const expiresAtMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
    this.open.add({ caller, deferred: caller.defer(), count, writes, partition, expiresAtMs });
    return true;
  }

  settle(coordinator: Coordinator, nowMs: number): void {
    for (const waiter of this.open) {
      const acknowledged = coordinator.acknowledgedBy(waiter.writes, waiter.partition);
      const over = nowMs >= waiter.expiresAtMs || waiter.caller.gone;
      if (acknowledged < waiter.count && !over) continue;
      this.open.delete(waiter);
      waiter.deferred.reply.integer(acknowledged);
      waiter.deferred.done();
    }
  }
}
