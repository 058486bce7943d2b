/**
 * The watches of a run: checks of every node between its turns, while faults go on, where a check of the last state would come too
 * late. The cluster tells this of each start, turn and end; run.ts ticks it every virtual second and takes the lines. A watch sees
 * the rooms of real nodes (core/node/inspected.ts); a machine that shows none is let be. Guarded: a watch changes nothing that a node
 * does or a run draws, and a line is a broken promise, never a surprise: what the design leaves open each watch excuses itself.
 */
import type { Inspected } from '../../core/node/inspected.js';
import type { Store } from '../../core/store/store.js';
import type { SimMachine } from '../process.js';

/** `kind: what`, as the ledgers give their lines. */
export type Complain = (line: string) => void;

export interface Watch {
  /** A machine was made for the node, and nothing has happened to it. */
  opened?(node: number, inspected: Inspected): void;
  /** A record, at the store's `buffer` and `offset`, is about to stand for its key. */
  linking?(node: number, store: Store, partition: number, hash: number): void;
  /** Its first turn, the start, is over. */
  started?(node: number, inspected: Inspected): void;
  /** A turn is over, the first one too. */
  turned?(node: number, inspected: Inspected): void;
  /** Its process ended, between two turns. */
  ended?(node: number, inspected: Inspected): void;
  /** Its power went, whether it ran or not: what its disk had not synced may be gone. */
  crashed?(node: number): void;
  /** Its disk is another one: empty, or an earlier copy. */
  replaced?(node: number): void;
  /** A virtual second has passed; null for a node that is down. */
  second?(nodes: readonly (Inspected | null)[]): void;
}

interface Seen {
  inspected: Inspected;
  machine: SimMachine;
}

export class Watches {
  /** By node; null while it is down. */
  private readonly seen: (Seen | null)[] = [];

  constructor(private readonly watches: readonly Watch[]) {}

  opened(node: number, machine: SimMachine): void {
    const inspected = machine.inspect?.();
    if (inspected === undefined) return;
    this.seen[node] = { inspected, machine };
    for (const watch of this.watches) watch.opened?.(node, inspected);
    this.tap(node, inspected.store);
  }

  turned(node: number): void {
    const seen = this.seen[node] ?? null;
    if (seen === null) return;
    if (seen.inspected.rooms === null) {
      seen.inspected = seen.machine.inspect?.() ?? seen.inspected;
      if (seen.inspected.rooms === null) return;
      for (const watch of this.watches) watch.started?.(node, seen.inspected);
    }
    for (const watch of this.watches) watch.turned?.(node, seen.inspected);
  }

  ended(node: number): void {
    const seen = this.seen[node] ?? null;
    if (seen === null) return;
    this.seen[node] = null;
    for (const watch of this.watches) watch.ended?.(node, seen.inspected);
  }

  crashed(node: number): void {
    for (const watch of this.watches) watch.crashed?.(node);
  }

  /** What is seen of a node; null while it is down. */
  inspected(node: number): Inspected | null {
    return this.seen[node]?.inspected ?? null;
  }

  replaced(node: number): void {
    for (const watch of this.watches) watch.replaced?.(node);
  }

  second(): void {
    const nodes = Array.from(this.seen, (each) => (each?.inspected.rooms ? each.inspected : null));
    for (const watch of this.watches) watch.second?.(nodes);
  }

  /** Stands between the store and its index: so a node that nobody watches pays nothing for being watched. */
  private tap(node: number, store: Store): void {
    const { entries } = store;
    const { link } = entries;
    const watching = this.watches.filter((watch) => watch.linking !== undefined);
    entries.link = (partition, hash, segment, offset) => {
      for (const watch of watching) watch.linking?.(node, store, partition, hash);
      link.call(entries, partition, hash, segment, offset);
    };
  }
}
