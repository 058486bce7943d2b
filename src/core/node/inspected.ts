/**
 * A node as its checkers see it between two turns: its rooms, its store and its log. `HearsayNode.inspect` gives it; the watches of
 * the simulator read it. Guarded: nobody changes the node through it, and nothing of it is computed before somebody asks.
 */
import type { NodeConfig } from '../config.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { Bound } from './bounds.js';
import type { Rooms } from './rooms.js';

export interface Inspected {
  readonly config: NodeConfig;
  readonly store: Store;
  readonly wal: Wal;
  /** Null until it has started. */
  readonly rooms: Rooms | null;
  /** Something was missing from the middle of its log when it started. */
  readonly damaged: boolean;
  /** Every size that has a bound; empty until it has started. */
  bounds(): readonly Bound[];
}
