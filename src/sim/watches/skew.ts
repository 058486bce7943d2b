/**
 * Watches a node that speaks no version of the wire that the others do: it meets nobody and takes no record in, and both sides count what
 * they refuse. Guarded: only the lives that began with such a build are judged; damage on the way may make a packet look like one, so
 * counts are marks and no more.
 */
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

export class SkewWatch implements Watch {
  /** Packets and streams of the others that such nodes refused, and of theirs that the others did. */
  refusedThere = 0;
  refusedHere = 0;
  private readonly skewed = new Set<number>();
  private met = false;

  constructor(
    private readonly complain: Complain,
    private readonly isSkewed: (node: number) => boolean,
  ) {}

  opened(node: number): void {
    this.skewed.delete(node);
    if (!this.isSkewed(node)) return;
    this.skewed.add(node);
    this.met = true;
  }

  ended(node: number, { rooms }: Inspected): void {
    if (rooms === null || !this.met) return;
    const { version } = rooms.refusals.counts;
    if (!this.skewed.has(node)) {
      this.refusedHere += version;
      return;
    }
    this.refusedThere += version;
    const taken = rooms.replicator.stats.recordsReceived;
    if (taken > 0) this.complain(`version: node ${node} took in ${taken} records from nodes of another version`);
    const known = rooms.membership.members().length - 1;
    if (known > 0) this.complain(`version: node ${node} has met ${known} nodes of another version`);
  }
}
