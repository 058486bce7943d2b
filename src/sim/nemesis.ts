/**
 * Brings the faults of a plan on a cluster: kills, loss of power, wipes, pauses, partitions, clocks, secrets; and takes them back when
 * all is healed. run.ts hands each step here and asks how steady a node is. (The name is Jepsen's.) Guarded: every damage to what a node
 * had acknowledged is told to the ledgers, or they would take it for a broken promise; and a step is marked where it does something.
 */
import type { SimCluster, SimNode } from './cluster.js';
import { DiskNemesis } from './disk-nemesis.js';
import { applyAround } from './faults/around.js';
import type { LiveCore } from './faults/live-core.js';
import { MemberBook, nodesOf } from './faults/members.js';
import { Renewals } from './faults/renew.js';
import { isRenewal, type RenewalStep } from './faults/renewals.js';
import { type AroundStep, isAround } from './faults/steps.js';
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
  /** Nodes that were asked to stop and have not been started again. */
  private readonly leaving = new Set<number>();
  /** Nodes to strike at the next acknowledged write through the first. */
  private armed: Strike[] = [];
  private healed = false;

  /** `mark` hears of each step that did something, by its kind. */
  constructor(
    cluster: SimCluster,
    plan: Plan,
    ledgers: readonly Ledger[],
    private readonly mark: (kind: string) => void,
  ) {
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
      mark,
      later: (delayMs, action) => this.later(delayMs, action),
    });
    this.steadySinceMs = new Array(nodesOf(plan)).fill(Number.POSITIVE_INFINITY);
  }

  /** False where a step of this kind meets nobody that it could be done to. */
  apply(step: Fault): boolean {
    const { cluster } = this;
    if (isAround(step)) {
      const acted = (): void => this.mark(step.kind);
      applyAround(cluster, step, (delayMs, action) => this.later(delayMs, action), acted);
      return true;
    }
    if (isRenewal(step)) {
      this.renewals.apply(step);
      return true;
    }
    // What strikes later is marked when it does; what meets disks, by its fault.
    const marks = step.kind !== 'kill' && step.kind !== 'power' && step.kind !== 'disk';
    const acts = this.act(step);
    if (acts && marks) this.mark(step.kind);
    return acts;
  }

  private act(step: Exclude<Fault, AroundStep | RenewalStep>): boolean {
    const { cluster } = this;
    switch (step.kind) {
      case 'kill':
      case 'power':
        if (step.onAck) this.armed.push(step);
        else this.strike(step);
        return true;
      case 'join':
        this.members.joins(step.node);
        return this.start(step.node);
      case 'leave':
        return this.takeLeave(step.node, step.returning === true);
      case 'forget':
        if (this.members.isGone(step.node)) return false;
        this.kill(step.node);
        this.fell(step.node);
        this.damaged(step.node);
        this.members.ends(step.node);
        return true;
      case 'wipe':
        // Nobody empties the disk of a node that hands over what is on it.
        if (this.members.leaving.has(step.node)) return false;
        cluster.wipe(step.node);
        this.fell(step.node);
        this.unsteady.add(step.node);
        this.damaged(step.node);
        this.later(step.downMs, () => this.start(step.node));
        return true;
      case 'stop':
        return this.stop(step.node, step.downMs);
      case 'pause':
        cluster.pause(step.node);
        this.later(step.forMs, () => cluster.resume(step.node));
        return cluster.nodes[step.node].up;
      case 'partition':
        for (const [from, to] of step.pairs) cluster.network.block(from, to);
        this.later(step.forMs, () => cluster.unblock(step.pairs));
        return true;
      case 'udp':
        cluster.network.blockDatagrams(step.node);
        this.later(step.forMs, () => cluster.network.unblockDatagrams(step.node));
        return true;
      case 'secret':
        cluster.placeSecret(step.node, step.words);
        return true;
      case 'disk':
        this.disks.apply(step);
        return true;
      case 'clock':
        cluster.stepClock(step.node, step.byMs);
        return true;
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

  /** A node is asked to leave for good; false if there is none that could be. */
  private takeLeave(node: number, returning: boolean): boolean {
    const { up } = this.cluster.nodes[node];
    if (!up && !returning) return false;
    if (!this.members.leaves(node)) return false;
    // One that is stopping may end before it hears of it, and is then not started again but to leave.
    if (!up || this.leaving.has(node)) this.members.killed(node);
    return true;
  }

  /** A graceful stop; what has not ended by then is killed and started. False if nothing ran. */
  private stop(node: number, downMs: number): boolean {
    if (!this.members.mayRun(node)) return false;
    const { up } = this.cluster.nodes[node];
    this.cluster.stop(node);
    this.leaving.add(node);
    this.unsteady.add(node);
    this.later(downMs, () => this.start(node));
    return up;
  }

  /** False if it runs already, or may not. */
  private start(node: number): boolean {
    if (!this.members.mayRun(node)) return false;
    if (this.leaving.delete(node)) this.kill(node);
    if (this.cluster.nodes[node].up) return false;
    this.disks.starting(node);
    this.cluster.start(node);
    for (const ledger of this.ledgers) ledger.restarted(this.cluster.wallHighMs());
    this.steadySinceMs[node] = this.cluster.clock.nowMs + STEADY_AFTER_MS;
    return true;
  }

  private strike({ kind, nodes, downMs }: Strike): void {
    // The power of a node that is down takes what its system had not yet written.
    const strikes = ({ up, disk }: SimNode): boolean => up || (kind === 'power' && disk !== null);
    if (nodes.some((node) => strikes(this.cluster.nodes[node]))) this.mark(kind);
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
