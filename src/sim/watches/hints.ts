/**
 * Watches hints over restarts: what a killed node owed its peers it owes them when it is back, for each hint is logged before the turn
 * ends, or, where the log has no room, as soon as it has. That the books of each peer balance the node asserts itself at the end of every turn.
 * Guarded: a loss of power, a replaced disk and a log that takes nothing, had not written its last batch, or lost some of its middle, excuse
 * it; so does a peer that has left the ring. What the node itself says is not logged yet is not looked for.
 */
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

export class HintWatch implements Watch {
  /** Hints that were owed by restarted nodes and met again. */
  kept = 0;
  /** Per node, what it owed when it was killed: peer and key of each. */
  private readonly owed: ([peer: string, key: string][] | null)[] = [];

  constructor(private readonly complain: Complain) {}

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
    const isWritten = wal.writtenBatch >= wal.lastBatch && wal.refusal === null;
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
  for (const { id, hints } of rooms?.peers.all() ?? []) {
    for (const [key] of hints.entries()) if (hints.isLogged(key)) owed.push([id, key]);
  }
  return owed;
}
