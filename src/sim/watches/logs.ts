/**
 * Watches the logs: a start has read every batch that the one before had made durable, and after a kill every batch that it had handed
 * to the operating system; and once a log has failed, nothing more of it is acknowledged. Guarded: a disk that was replaced, or whose
 * log is missing a part from its middle, starts anew; the store's own content is what checkers.ts and the digests compare.
 */
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

export class LogWatch implements Watch {
  /** Per node, the batch that the next start has to reach; 0 for none. */
  private readonly through: number[] = [];
  /** Per node, the batch that a loss of power must leave. */
  private readonly synced: number[] = [];
  /** Per node, what was released when its log failed; -1 while it works. */
  private readonly failedAt: number[] = [];

  constructor(private readonly complain: Complain) {}

  started(node: number, { wal, damaged }: Inspected): void {
    this.failedAt[node] = -1;
    const through = this.through[node] ?? 0;
    this.through[node] = 0;
    // What the start itself has logged is one batch more.
    if (!damaged && wal.writtenBatch < through) {
      this.complain(`log: node ${node} has read batch ${wal.writtenBatch}, and ${through} was safe when it ended`);
    }
  }

  turned(node: number, { wal }: Inspected): void {
    if (wal.refusal !== 'DISKFAILED') return;
    if ((this.failedAt[node] ?? -1) < 0) this.failedAt[node] = wal.releasedBatch;
    else if (wal.releasedBatch > this.failedAt[node]) {
      this.complain(`log: node ${node} acknowledges batch ${wal.releasedBatch} after its log has failed`);
    }
  }

  ended(node: number, { wal }: Inspected): void {
    // The last frame of a log that was closed is no batch.
    const spare = wal.refusal === 'DISKFAILED' ? 1 : 0;
    this.through[node] = wal.writtenBatch - spare;
    this.synced[node] = wal.durableBatch - spare;
  }

  crashed(node: number): void {
    this.through[node] = this.synced[node] ?? 0;
  }

  replaced(node: number): void {
    this.through[node] = 0;
    this.synced[node] = 0;
  }
}
