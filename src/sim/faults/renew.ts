/**
 * Carries out renewals (renewals.ts) on a cluster through the hands of the nemesis, which knows what the ledgers must be told. Guarded: a
 * node that speaks another version, or is about to move, is never taken for one that answers from its own memory; at the end every node
 * that is a member runs as this build.
 */
import type { SimCluster } from '../cluster.js';
import type { Later } from './around.js';
import type { MemberBook } from './members.js';
import type { RenewalStep } from './renewals.js';

export interface RenewalHands {
  kill(node: number): void;
  /** Starts a node that may run. */
  start(node: number): void;
  /** Stops it gracefully, and starts it after so long; false if there was nothing to stop. */
  stop(node: number, downMs: number): boolean;
  /** From now on its reads may be others'. */
  unsettle(node: number): void;
  /** What it had acknowledged may be lost. */
  damaged(node: number): void;
  /** A step of this kind has been done, or its first part. */
  mark(kind: RenewalStep['kind']): void;
  later: Later;
}

export class Renewals {
  constructor(
    private readonly cluster: SimCluster,
    private readonly members: MemberBook,
    private readonly hands: RenewalHands,
  ) {}

  apply(step: RenewalStep): void {
    const { members, hands } = this;
    switch (step.kind) {
      case 'roll':
        this.roll(step);
        break;
      case 'move':
        if (members.mayRun(step.node)) this.move(step.node, step.downMs, step.graceful);
        break;
      case 'replace':
        if (!members.mayRun(step.node)) break;
        hands.kill(step.node);
        hands.damaged(step.node);
        members.ends(step.node);
        members.joins(step.by);
        this.cluster.takeOver(step.by, step.node);
        hands.start(step.by);
        hands.mark('replace');
        break;
      case 'skew':
        if (members.mayRun(step.node)) this.skew(step);
        break;
    }
  }

  /** Everything is healed: the build that belongs there is installed again. */
  heal(node: number): void {
    const { wire } = this.cluster.nodes[node];
    if (wire === undefined) return;
    this.hands.kill(node);
    this.cluster.nodes[node].wire = undefined;
  }

  private roll({ nodes, everyMs, downMs }: Extract<RenewalStep, { kind: 'roll' }>): void {
    let stopped = 0;
    for (const [turn, node] of nodes.entries()) {
      this.hands.later(turn * everyMs, () => {
        if (this.hands.stop(node, downMs) && ++stopped === 1) this.hands.mark('roll');
      });
    }
  }

  private move(node: number, downMs: number, graceful: boolean): void {
    const { cluster, hands } = this;
    hands.unsettle(node);
    if (graceful) hands.stop(node, downMs);
    hands.later(graceful ? downMs : 0, () => {
      hands.kill(node);
      cluster.move(node);
      hands.mark('move');
      hands.later(downMs, () => hands.start(node));
    });
  }

  private skew({ node, wire, downMs, forMs }: Extract<RenewalStep, { kind: 'skew' }>): void {
    const { cluster, hands } = this;
    hands.unsettle(node);
    hands.kill(node);
    cluster.nodes[node].wire = wire;
    hands.mark('skew');
    hands.later(downMs, () => hands.start(node));
    hands.later(downMs + forMs, () => {
      this.heal(node);
      hands.later(downMs, () => hands.start(node));
    });
  }
}
