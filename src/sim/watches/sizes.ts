/**
 * Watches the sizes of a node against their bounds (core/node/bounds.ts), every virtual second and at each end of a node: each row has a
 * finite bound and keeps within it. Guarded: sizes are read between turns, where what a turn collects has left.
 */
import type { Bound } from '../../core/node/bounds.js';
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

export class SizeWatch implements Watch {
  constructor(private readonly complain: Complain) {}

  ended(node: number, inspected: Inspected): void {
    this.check(node, inspected.bounds());
  }

  second(nodes: readonly (Inspected | null)[]): void {
    for (const [node, inspected] of nodes.entries()) if (inspected !== null) this.check(node, inspected.bounds());
  }

  check(node: number, rows: readonly Bound[]): void {
    for (const { name, size, bound } of rows) {
      if (!Number.isFinite(bound) || !(bound > 0)) this.complain(`bound: ${name} of node ${node} has no bound`);
      else if (!(size >= 0 && size <= bound)) {
        this.complain(`bound: ${name} of node ${node} is ${size}, past its bound of ${bound}`);
      }
    }
  }
}
