/**
 * Watches hints over restarts: what a killed node owed its peers it owes them when it is back, for each hint is logged before the turn
 * ends. That the books of each peer balance the node asserts itself at the end of every turn. Guarded: a loss of power, a replaced disk
 * and a log that had no room during that life, had not written its last batch, or lost some of its middle, excuse it; so does a peer
 * that has left the ring.
 */
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

export class HintWatch implements Watch {
  /** Hints that were owed by restarted nodes and met again. */
  kept = 0;
  /** Per node, what it owed when it was killed: peer and key of each. */
  private readonly owed: ([peer: string, key: string][] | null)[] = [];

  /** Nodes whose log took nothing for a while in this life: a hint of that time stands in memory alone, and is repair work after it. */
  private readonly untaken = new Set<number>();

  constructor(private readonly complain: Complain) {}

  opened(node: number): void {
    this.untaken.delete(node);
  }

  turned(node: number, { wal }: Inspected): void {
    if (wal.refusal !== null) this.untaken.add(node);
  }

  started(node: number, inspected: Inspected): void {
    const owed = this.owed[node] ?? null;
    const { rooms } = inspected;
    this.owed[node] = null;
    if (owed === null || rooms === null || inspected.damaged) return;
    const now = new Set(owedBy(inspected).map(([peer, key]) => `${peer} ${key}`));
    const members = new Set(rooms.ring.ring.members().map(({ id }) => id));
    for (const [peer, key] of owed) {
      if (!members.has(peer)) continue;
      if (now.has(`${peer} ${key}`)) this.kept++;
      else this.complain(`hint: node ${node} was killed and has forgotten that it owes ${peer} the key ${key}`);
    }
  }

  ended(node: number, inspected: Inspected): void {
    const { wal, rooms } = inspected;
    const isWritten = wal.writtenBatch >= wal.lastBatch && wal.refusal === null && !this.untaken.has(node);
    this.owed[node] = rooms === null || !isWritten ? null : owedBy(inspected);
  }

  crashed(node: number): void {
    this.owed[node] = null;
  }

  replaced(node: number): void {
    this.owed[node] = null;
  }
}

function owedBy({ rooms }: Inspected): [peer: string, key: string][] {
  const owed: [string, string][] = [];
  for (const peer of rooms?.peers.all() ?? []) for (const [key] of peer.hints.entries()) owed.push([peer.id, key]);
  return owed;
}
