/**
 * Writes that wait for more than the local node: level quorum or all, and WAIT. The coordinator opens one, links count it down
 * as owners acknowledge, and it answers its caller exactly once: enough, or time is up.
 * Guarded: an operation is answered once; every open one is in the table, and counted in what waits on this node and for its peers.
 */
import type { Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import type { Pending } from './pending.js';

/** A node that operations wait for. */
export interface AwaitedPeer {
  readonly id: string;
  readonly pending: Pending;
}

/** An answer that waits. `reply` of the deferral already holds what success says. */
export interface Operation {
  readonly deferred: Deferred;
  /** Told at the end what the answer rests on: it begins with what this node is, an owner or a stand-in. Null: nobody asks. */
  receipt: Receipt | null;
  /** Other nodes that must have it: owners, former owners while the partition moves, stand-ins where they count. */
  needed: number;
  acked: number;
  /** The log batch that holds the local part: known once the command has run. */
  batch: number;
  readonly expiresAtMs: number;
  /** Messages per peer still to come; a peer counts when its number falls to zero. */
  readonly perPeer: Map<AwaitedPeer, number>;
  /** Peers that stand in for owners. */
  standIns: Set<string> | null;
  answered: boolean;
}

export class Operations {
  private readonly open = new Set<Operation>();
  timeouts = 0;

  constructor(private readonly pending: Pending) {}

  get size(): number {
    return this.open.size;
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
    this.pending.enter(0);
    return operation;
  }

  /** One more message to `peer` carries part of the operation; not waited for where as many wait for that peer as may. */
  expect(operation: Operation, peer: AwaitedPeer): void {
    const messages = operation.perPeer.get(peer);
    if (messages === undefined) {
      if (!peer.pending.hasRoom(0)) return;
      peer.pending.enter(0);
    }
    operation.perPeer.set(peer, (messages ?? 0) + 1);
  }

  /** A message to `peer` was acknowledged. */
  acknowledge(operation: Operation, peer: AwaitedPeer, durable: boolean): void {
    const messages = operation.perPeer.get(peer);
    if (messages === undefined || messages === 0) return;
    operation.perPeer.set(peer, messages - 1);
    if (messages > 1) return;
    if (!operation.answered) peer.pending.leave(0);
    operation.acked++;
    const { receipt } = operation;
    if (receipt === null || operation.answered) return;
    if (operation.standIns?.has(peer.id)) receipt.fallbacks++;
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
    this.pending.leave(0);
    for (const [peer, messages] of operation.perPeer) if (messages > 0) peer.pending.leave(0);
    operation.deferred.done();
  }
}
