/**
 * Writes that wait for more than the local node: level quorum or all, and WAIT. The coordinator opens one, links count it down
 * as owners acknowledge, and it answers its caller exactly once: enough, or time is up.
 * Guarded: an operation is answered once; every open one is in the table, which is bounded.
 */
import type { Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';

/** Operations open at once on one node; past it -BUSY. */
export const OPERATIONS_MAX = 65_536;

/** An answer that waits. `reply` of the deferral already holds what success says. */
export interface Operation {
  readonly deferred: Deferred;
  /** Told at the end what the answer rests on: it begins with what this node is, an owner or a stand-in. Null: nobody asks. */
  receipt: Receipt | null;
  /** Owners other than this node that must have it. */
  needed: number;
  acked: number;
  /** The log batch that holds the local part: known once the command has run. */
  batch: number;
  readonly expiresAtMs: number;
  /** Messages per peer still to come; a peer counts when its number falls to zero. */
  readonly perPeer: Map<string, number>;
  /** Peers that stand in for owners. */
  standIns: Set<string> | null;
  answered: boolean;
}

export class Operations {
  private readonly open = new Set<Operation>();
  timeouts = 0;

  get size(): number {
    return this.open.size;
  }

  get full(): boolean {
    return this.open.size >= OPERATIONS_MAX;
  }

  /** Opens one; it settles no earlier than its batch is released. */
  begin(deferred: Deferred, receipt: Receipt | null, needed: number, batch: number, expiresAtMs: number): Operation {
    const operation: Operation = {
      deferred,
      receipt,
      needed,
      acked: 0,
      batch,
      expiresAtMs,
      perPeer: new Map(),
      standIns: null,
      answered: false,
    };
    this.open.add(operation);
    return operation;
  }

  /** One more message to `peerId` carries part of the operation. */
  expect(operation: Operation, peerId: string): void {
    operation.perPeer.set(peerId, (operation.perPeer.get(peerId) ?? 0) + 1);
  }

  /** A message to `peerId` was acknowledged. */
  acknowledge(operation: Operation, peerId: string, durable: boolean): void {
    const left = (operation.perPeer.get(peerId) ?? 0) - 1;
    operation.perPeer.set(peerId, left);
    if (left !== 0) return;
    operation.acked++;
    const { receipt } = operation;
    if (receipt === null || operation.answered) return;
    if (operation.standIns?.has(peerId)) receipt.fallbacks++;
    else receipt.owners++;
    if (durable) receipt.synced++;
  }

  /** Answers whatever has enough: acknowledgements by others, and the log here (`releasedBatch`). */
  settle(releasedBatch: number, durableBatch: number): void {
    for (const operation of this.open) {
      if (operation.acked < operation.needed || operation.batch > releasedBatch) continue;
      const { receipt } = operation;
      if (receipt !== null) {
        receipt.met = true;
        if (operation.batch > 0 && operation.batch <= durableBatch) receipt.synced++;
      }
      this.finish(operation);
    }
  }

  /** Answers what has run out of time with -NOQUORUM. */
  expire(nowMs: number): void {
    for (const operation of this.open) {
      if (operation.expiresAtMs > nowMs) continue;
      this.timeouts++;
      operation.deferred.reply.truncate(0);
      if (operation.needed === 0) {
        operation.deferred.reply.error('UNAVAILABLE', 'the log did not take it in time; the outcome is unknown');
        this.finish(operation);
        continue;
      }
      operation.deferred.reply.error(
        'NOQUORUM',
        `only ${operation.acked} of ${operation.needed} other nodes acknowledged in time; the write is applied here and will spread`,
      );
      this.finish(operation);
    }
  }

  private finish(operation: Operation): void {
    this.open.delete(operation);
    operation.answered = true;
    operation.deferred.done();
  }
}
