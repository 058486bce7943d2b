/**
 * Brings the faults of a plan on a cluster: kills, loss of power, wipes, pauses, partitions, clocks, secrets; and takes them back when
 * all is healed. run.ts hands each step here and asks how steady a node is. (The name is Jepsen's.) Guarded: every damage to what a node
 * had acknowledged is told to the ledgers, or they would take it for a broken promise.
 */
import type { SimCluster } from './cluster.js';
import { DiskNemesis } from './disk-nemesis.js';
import { applyAround } from './faults/around.js';
import type { LiveCore } from './faults/live-core.js';
import { MemberBook, nodesOf } from './faults/members.js';
import { Renewals } from './faults/renew.js';
import { isRenewal } from './faults/renewals.js';
import { isAround } from './faults/steps.js';
import type { Ledger } from './ledger.js';
import type { Plan, Step } from './schedule.js';

/** A node started longer ago than this answers from its own memory (DESIGN.md, section 5: 1 s). */
export const STEADY_AFTER_MS = 2_000;

export type Fault = Exclude<Step, { kind: 'command' }>;

interface Strike {
  kind: 'kill' | 'power';
  nodes: readonly number[];
  downMs: number;
}

export class Nemesis {
  readonly disks: DiskNemesis;
  readonly members: MemberBook;
  readonly renewals: Renewals;
  private readonly cluster: SimCluster;
  private readonly plan: Plan;
  private readonly ledgers: readonly Ledger[];
  /** Since when each node is steady; infinite while it is down, or for good once it left or lost its disk. */
  private readonly steadySinceMs: number[];
  private readonly unsteady = new Set<number>();
  /** Nodes that were asked to leave and have not been started again. */
  private readonly leaving = new Set<number>();
  /** Nodes to strike at the next acknowledged write through the first. */
  private armed: Strike[] = [];
  private healed = false;

  constructor(cluster: SimCluster, plan: Plan, ledgers: readonly Ledger[]) {
    this.cluster = cluster;
    this.plan = plan;
    this.members = new MemberBook(plan);
    this.ledgers = ledgers;
    this.disks = new DiskNemesis(cluster, {
      kill: (node) => {
        this.kill(node);
        this.fell(node);
      },
      start: (node) => {
        this.members.killed(node);
        this.start(node);
      },
      damaged: (node) => this.damaged(node),
      later: (delayMs, action) => this.later(delayMs, action),
    });
    this.renewals = new Renewals(cluster, this.members, {
      kill: (node) => {
        this.kill(node);
        this.fell(node);
      },
      start: (node) => this.start(node),
      stop: (node, downMs) => this.stop(node, downMs),
      unsettle: (node) => this.unsteady.add(node),
      damaged: (node) => this.damaged(node),
      later: (delayMs, action) => this.later(delayMs, action),
    });
    this.disks.expectErrors(plan.disks.flatMap(({ syncErrorChance }, node) => (syncErrorChance > 0 ? node : [])));
    this.steadySinceMs = new Array(nodesOf(plan)).fill(Number.POSITIVE_INFINITY);
  }

  apply(step: Fault): void {
    const { cluster } = this;
    if (isAround(step)) {
      applyAround(cluster, step, (delayMs, action) => this.later(delayMs, action));
      return;
    }
    if (isRenewal(step)) {
      this.renewals.apply(step);
      return;
    }
    switch (step.kind) {
      case 'kill':
      case 'power':
        if (step.onAck) this.armed.push(step);
        else this.strike(step);
        break;
      case 'join':
        this.members.joins(step.node);
        this.start(step.node);
        break;
      case 'leave':
        if (!cluster.nodes[step.node].up && step.returning !== true) break;
        this.members.leaves(step.node);
        if (!cluster.nodes[step.node].up) this.members.killed(step.node);
        break;
      case 'forget':
        this.kill(step.node);
        this.fell(step.node);
        this.damaged(step.node);
        this.members.ends(step.node);
        break;
      case 'wipe':
        // Nobody empties the disk of a node that hands over what is on it.
        if (this.members.leaving.has(step.node)) break;
        cluster.wipe(step.node);
        this.fell(step.node);
        this.unsteady.add(step.node);
        this.damaged(step.node);
        this.later(step.downMs, () => this.start(step.node));
        break;
      case 'stop':
        this.stop(step.node, step.downMs);
        break;
      case 'pause':
        cluster.pause(step.node);
        this.later(step.forMs, () => cluster.resume(step.node));
        break;
      case 'partition':
        for (const [from, to] of step.pairs) cluster.network.block(from, to);
        this.later(step.forMs, () => cluster.unblock(step.pairs));
        break;
      case 'udp':
        cluster.network.blockDatagrams(step.node);
        this.later(step.forMs, () => cluster.network.unblockDatagrams(step.node));
        break;
      case 'secret':
        cluster.placeSecret(step.node, step.words);
        break;
      case 'disk':
        this.disks.apply(step);
        break;
      case 'clock':
        cluster.stepClock(step.node, step.byMs);
        break;
    }
  }

  /** A write through this node was acknowledged at level one. */
  acknowledged(node: number): void {
    const due = this.armed.filter((armed) => armed.nodes[0] === node);
    this.armed = this.armed.filter((armed) => armed.nodes[0] !== node);
    for (const armed of due) this.strike(armed);
  }

  /** The node has been up, and not asked to leave, for the time in which it may still hand reads on. */
  isSteady(node: number): boolean {
    return !this.unsteady.has(node) && this.cluster.clock.nowMs >= this.steadySinceMs[node];
  }

  startAll(): void {
    for (const { index } of this.cluster.nodes) this.start(index);
  }

  killAll(): void {
    for (const { index } of this.cluster.nodes) {
      this.kill(index);
      this.fell(index);
    }
  }

  /** Every fault ends for these nodes, which run; the others are dead, or out of their reach, until all is healed. */
  healCore({ nodes, rest }: LiveCore): void {
    this.heal(nodes);
    for (const { index } of this.cluster.nodes) {
      if (nodes.includes(index)) continue;
      if (rest === 'down') {
        this.kill(index);
        this.fell(index);
      }
      for (const node of nodes) {
        this.cluster.network.block(index, node);
        this.cluster.network.block(node, index);
      }
    }
  }

  /** Every fault ends, and every node runs; or those alone that are named. */
  heal(nodes: readonly number[] = this.cluster.nodes.map(({ index }) => index)): void {
    this.healed = true;
    this.armed = [];
    this.cluster.calm();
    this.disks.heal();
    // Whoever took steps out of a plan may have left nodes without a key in common.
    if (this.plan.steps.some((step) => step.kind === 'secret')) {
      for (const { index } of this.cluster.nodes) this.cluster.placeSecret(index, ['second', 'first']);
    }
    for (const index of nodes) {
      this.members.joins(index);
      this.cluster.resume(index);
      this.renewals.heal(index);
      this.start(index);
    }
  }

  /** Nodes that are to leave and died before they had are started to go on with it. */
  resumeLeaving(): void {
    for (const [node, leaving] of this.members.leaving) {
      if (!leaving.interrupted || this.cluster.nodes[node].up) continue;
      leaving.interrupted = false;
      this.disks.starting(node);
      this.cluster.start(node);
      for (const ledger of this.ledgers) ledger.restarted(this.cluster.wallHighMs());
    }
  }

  /** A graceful stop; what has not ended by then is killed and started. */
  private stop(node: number, downMs: number): void {
    if (!this.members.mayRun(node)) return;
    this.cluster.stop(node);
    this.leaving.add(node);
    this.unsteady.add(node);
    this.later(downMs, () => this.start(node));
  }

  private start(node: number): void {
    if (!this.members.mayRun(node)) return;
    if (this.leaving.delete(node)) this.kill(node);
    if (this.cluster.nodes[node].up) return;
    this.disks.starting(node);
    this.cluster.start(node);
    for (const ledger of this.ledgers) ledger.restarted(this.cluster.wallHighMs());
    this.steadySinceMs[node] = this.cluster.clock.nowMs + STEADY_AFTER_MS;
  }

  private strike({ kind, nodes, downMs }: Strike): void {
    for (const node of nodes) {
      if (kind === 'kill') this.kill(node);
      else {
        this.noteKill(node);
        this.cluster.cutPower(node);
      }
      this.fell(node);
      if (kind === 'power' && this.plan.durability !== 'always') this.damaged(node, true);
    }
    this.later(downMs, () => {
      for (const node of nodes) this.start(node);
    });
  }

  /** With durability off the process takes with it what it had not yet written. */
  private kill(node: number): void {
    this.noteKill(node);
    this.cluster.kill(node);
    if (this.plan.durability === 'off') this.damaged(node, true);
  }

  private noteKill(node: number): void {
    if (this.cluster.nodes[node].up) this.members.killed(node);
  }

  private fell(node: number): void {
    this.steadySinceMs[node] = Number.POSITIVE_INFINITY;
  }

  private damaged(node: number, keepsSynced = false): void {
    for (const ledger of this.ledgers) ledger.damaged(node, this.cluster.clock.nowMs, keepsSynced);
  }

  /** Does something later, unless everything has been healed by then. */
  private later(delayMs: number, action: () => void): void {
    this.cluster.clock.schedule(delayMs, () => {
      if (!this.healed) action();
    });
  }
}
