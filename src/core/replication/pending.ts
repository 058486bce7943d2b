/**
 * What waits for other nodes at once: operations, and the bytes that are kept for them. A node has one for all of it and one per peer;
 * whoever begins something that waits asks both first, and answers -BUSY where there is no room. Writes above level one, reads that
 * ask other owners and forwarded commands count, each until its reply; what replication itself has under way is bounded by the links.
 * Guarded: what enters leaves once; one alone always has room, however large it is.
 */
import { assert } from '../base/assert.js';

/** Whom operations of a node wait for, in the words of its -BUSY. */
export const OTHER_NODES = 'other nodes';
/** Commands and keys kept for all that waits. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;
export const PENDING_BYTES_PER_PEER_MAX = 32 * 1024 * 1024;

export class Pending {
  waiting = 0;
  bytes = 0;
  /** The most that ever waited at once. */
  most = 0;
  /** What was not begun for want of room. */
  refused = 0;

  constructor(
    private readonly countMax = 65_536,
    private readonly bytesMax = PENDING_BYTES_MAX,
  ) {}

  hasRoom(bytes: number): boolean {
    return this.waiting < this.countMax && (this.bytes === 0 || this.bytes + bytes <= this.bytesMax);
  }

  enter(bytes: number): void {
    this.waiting++;
    if (this.waiting > this.most) this.most = this.waiting;
    this.bytes += bytes;
  }

  leave(bytes: number): void {
    this.waiting--;
    this.bytes -= bytes;
    assert(this.waiting >= 0 && this.bytes >= 0, 'pending: more has left than came');
  }

  /** Counts what could not begin; the words of its -BUSY. `whom`: who is waited for. */
  refuse(whom: string): string {
    this.refused++;
    return `${this.waiting} operations wait for ${whom}, and no more may; nothing was done: try again later, or at level one`;
  }
}
