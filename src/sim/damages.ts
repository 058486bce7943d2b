/**
 * What a run did to disks and memories, for ledgers: which nodes lost what they had acknowledged, and when, and how many copies an
 * acknowledgement promises. Guarded: an acknowledged write is protected only while fewer nodes were damaged since it began than
 * have it for sure.
 */
import type { ClientPlan, Level } from './schedule.js';

/** Owners that have a write which was acknowledged at this level. */
export function copiesOf(level: Level, replicas: number): number {
  return level === 'all' ? replicas : level === 'quorum' ? (replicas >> 1) + 1 : 1;
}

export class Damages {
  private readonly done: { node: number; atMs: number }[] = [];

  note(node: number, atMs: number): void {
    this.done.push({ node, atMs });
  }

  /** Nodes that were damaged at that time or later. */
  since(sinceMs: number): number {
    return new Set(this.done.filter(({ atMs }) => atMs >= sinceMs).map(({ node }) => node)).size;
  }
}

/** One acknowledged write, as far as its promise goes. */
export interface Promised {
  readonly invokedMs: number;
  readonly completedMs: number;
  readonly level: Level;
}

/**
 * Whether whoever reads so must find what was written so: a quorum of readers meets a quorum of writers, and everybody meets what all
 * have. Only where every node owns every key, for elsewhere stand-ins count for writes.
 */
export function mustMeet(write: Promised, read: { plan: ClientPlan; invokedMs: number; steady: boolean }): boolean {
  if (write.completedMs > read.invokedMs) return false;
  if (write.level === 'all' && read.steady) return true;
  return write.level !== 'one' && read.plan.readLevel !== 'one';
}
