/**
 * What the clients of a run did and learned: operations on keys with their intervals, and the order of versions as far as it is
 * certain. run.ts records, checkers.ts asks. Guarded: nothing is claimed that the design does not promise. Versions are ordered
 * by hybrid logical clock, so one write certainly precedes another only if
 * (a) every wall clock of the cluster, at the end of the first, was below the second's coordinator at its beginning; or
 * (b) one node coordinated both, the second after the first was acknowledged; or
 * (c) the second's coordinator certainly held the first when it began (DESIGN.md, sections 1 and 5).
 * (b) and (c) need to know the coordinator: with no more nodes than replicas every steady node owns every key, and coordinates
 * what does not go elsewhere behind a count (elsewhere.ts).
 */
import { copiesOf } from './damages.js';
import { type Parsed, parseCommand, saysNothing } from './parse.js';
import type { Reply } from './replies.js';
import type { ClientPlan, Level } from './schedule.js';

export interface Operation extends Parsed {
  number: number;
  node: number;
  level: Level;
  /** Keys of its command. */
  keys: number;
  invokedMs: number;
  completedMs: number;
  /** `idle`: acknowledged, without effect as far as the reply tells (DEL of nothing). */
  outcome: 'pending' | 'ok' | 'idle' | 'refused' | 'indeterminate';
  /**
   * The node was up for long enough before and until the end, so it coordinated the operation itself; a write that may have followed
   * another command of its connection to another owner is not.
   */
  steady: boolean;
  life: number;
  /** Bounds of the stamp, ms of wall clock; the upper one infinite while the outcome is open. */
  stampLowMs: number;
  stampHighMs: number;
  /** Least wall clock by which the operation may have judged expiry. */
  judgedAtMs: number;
  /** What its node certainly held of the key when it began, and what a quorum did. */
  seen: readonly Operation[];
  seenByQuorum: readonly Operation[];
  /** Nodes that have it by what was answered to the client: at its level, or to a WAIT behind it. */
  copies: number;
  /** Of them, those that have it on their disks: WAITAOF. */
  copiesOnDisk: number;
}

/** What the run knows of the cluster at one instant. */
export interface Observed {
  nowMs: number;
  wallLowMs: number;
  wallHighMs: number;
  /** Of the node that the operation goes through. */
  nodeWallMs: number;
  nodeLife: number;
  /** It has been up, and not asked to leave, for the time in which a restarted node may still hand reads on. */
  nodeSteady: boolean;
}

export interface HistoryOptions {
  nodes: number;
  replicas: number;
  clockTrouble: boolean;
}

/** A node starts its clock at most this far above what it knows (DESIGN.md, section 1). */
const STAMP_LEASE_MS = 250;
const CHAIN_DEPTH_MAX = 6;
/** The place of what a quorum holds, beside the nodes. */
const QUORUM = -1;

export class History {
  readonly options: HistoryOptions;
  /** Every node owns every key, so whoever is asked is the coordinator. */
  readonly everywhere: boolean;
  readonly byKey = new Map<string, Operation[]>();
  readonly byValue = new Map<string, Operation>();
  readonly damages: { atMs: number; node: number; keepsSynced: boolean }[] = [];
  private readonly flushes: Operation[] = [];
  private readonly known = new Map<number, Map<string, Operation[]>>();
  private stampCeilingMs = 0;

  constructor(options: HistoryOptions) {
    this.options = options;
    this.everywhere = options.nodes <= options.replicas;
  }

  /** Notes the beginning of a command; one operation per key that it names. `strayed`: keys that may be written elsewhere. */
  begin(
    number: number,
    words: readonly string[],
    client: ClientPlan,
    observed: Observed,
    strayed: ReadonlySet<string> = new Set(),
  ): Operation[] {
    const operations = parseCommand(words).map((parsed, _place, { length: keys }): Operation => {
      const level = parsed.kind === 'read' ? client.readLevel : parsed.key === null ? 'one' : client.writeLevel;
      const isHere = parsed.kind === 'read' || parsed.key === null || !strayed.has(parsed.key);
      const steady = this.everywhere && observed.nodeSteady && isHere && !this.options.clockTrouble;
      return {
        ...parsed,
        number,
        node: client.node,
        level,
        invokedMs: observed.nowMs,
        completedMs: Number.POSITIVE_INFINITY,
        outcome: 'pending',
        steady,
        life: observed.nodeLife,
        stampLowMs: steady ? observed.nodeWallMs : observed.wallLowMs,
        stampHighMs: Number.POSITIVE_INFINITY,
        judgedAtMs: steady ? observed.nodeWallMs : observed.wallLowMs,
        seen: steady && parsed.key !== null ? this.knownAt(client.node, parsed.key) : [],
        seenByQuorum: parsed.key !== null ? this.knownAt(QUORUM, parsed.key) : [],
        keys,
        copies: copiesOf(level, this.options.replicas),
        copiesOnDisk: 0,
      };
    });
    for (const operation of operations) this.index(operation);
    return operations;
  }

  /** Notes the end of a command's operation. `reply` is its own, cut out of the command's. */
  end(
    operation: Operation,
    outcome: 'ok' | 'refused' | 'indeterminate',
    reply: Reply | null,
    observed: Observed,
  ): void {
    operation.completedMs = observed.nowMs;
    const idle = saysNothing(operation, reply, operation.keys);
    operation.outcome = outcome === 'ok' && idle ? 'idle' : outcome;
    operation.steady &&= observed.nodeSteady && observed.nodeLife === operation.life;
    const wallMs = operation.steady ? observed.nodeWallMs : observed.wallLowMs;
    operation.stampLowMs = Math.min(operation.stampLowMs, wallMs);
    operation.judgedAtMs = Math.min(operation.judgedAtMs, wallMs);
    if (operation.outcome !== 'ok') return;
    operation.stampHighMs = Math.max(this.stampCeilingMs, observed.wallHighMs) + 1;
    if (operation.kind !== 'write' && operation.kind !== 'erase') return;
    if (operation.steady) this.learn(operation.node, operation);
    const damaged = this.damagedSince(operation.invokedMs);
    if (this.everywhere && operation.level !== 'one' && damaged.size === 0) this.learn(QUORUM, operation);
    if (this.everywhere && operation.level === 'all') {
      for (let node = 0; node < this.options.nodes; node++) if (!damaged.has(node)) this.learn(node, operation);
    }
  }

  /** A steady node answered at level one with this write's value, so it holds it. */
  sawAt(node: number, write: Operation): void {
    this.learn(node, write);
  }

  /** A node starts: its clock may be ahead of every clock there was by the lease, until wall clocks have caught up. */
  restarted(wallHighMs: number): void {
    this.stampCeilingMs = Math.max(this.stampCeilingMs, wallHighMs) + STAMP_LEASE_MS;
  }

  /** So many nodes beside the coordinator have the operation; `onDisk`: so many have it on their disks. */
  spread(operation: Operation, others: number, onDisk: number): void {
    const { everywhere } = this;
    operation.copies = Math.max(operation.copies, others + 1);
    operation.copiesOnDisk = Math.max(operation.copiesOnDisk, onDisk);
    const damaged = this.damagedSince(operation.invokedMs);
    const isQuorum = operation.copies >= copiesOf('quorum', this.options.replicas);
    if (everywhere && isQuorum && damaged.size === 0) this.learn(QUORUM, operation);
    if (!everywhere || operation.copies < this.options.nodes) return;
    for (let node = 0; node < this.options.nodes; node++) if (!damaged.has(node)) this.learn(node, operation);
  }

  /** A node has lost what it held, or may have; `keepsSynced`: but for what was synced to its disk. */
  damaged(node: number, nowMs: number, keepsSynced = false): void {
    this.damages.push({ atMs: nowMs, node, keepsSynced });
    this.known.delete(node);
    this.known.delete(QUORUM);
  }

  /** Writes and erasures that a read of the key through this node must not fall behind. */
  mustSee(read: Operation): readonly Operation[] {
    if (!this.everywhere || this.options.clockTrouble) return [];
    const local = read.steady ? read.seen : [];
    const byQuorum = read.level !== 'one' && this.damagedSince(read.invokedMs).size === 0 ? read.seenByQuorum : [];
    return [...local, ...byQuorum];
  }

  /** Acknowledged writes and erasures of a key that its level protects against every damage there has been. */
  protectedOn(key: string): Operation[] {
    return this.changesOf(key).filter((operation) => operation.outcome === 'ok' && this.isProtected(operation));
  }

  /** Every write and erasure that may have touched the key. */
  changesOf(key: string): Operation[] {
    const own = (this.byKey.get(key) ?? []).filter((operation) => isChange(operation));
    return this.flushes.length === 0 ? own : [...own, ...this.flushes];
  }

  /** Expiry changes of the key that were asked for and not refused. */
  touchesOf(key: string): Operation[] {
    return (this.byKey.get(key) ?? []).filter(
      (operation) => operation.kind === 'touch' && operation.outcome !== 'refused',
    );
  }

  /** Whether the first's version is certainly below the second's. */
  isBefore(first: Operation, second: Operation, depth = 0): boolean {
    if (first === second || first.outcome === 'pending') return false;
    if (first.stampHighMs < second.stampLowMs) return true;
    if (!second.steady) return false;
    if (first.steady && first.outcome === 'ok' && first.node === second.node && first.completedMs <= second.invokedMs) {
      return true;
    }
    if (depth >= CHAIN_DEPTH_MAX) return false;
    return second.seen.some((seen) => seen === first || this.isBefore(first, seen, depth + 1));
  }

  private isProtected(operation: Operation): boolean {
    const damaged = this.damagedSince(operation.invokedMs);
    if (damaged.size === 0) return true;
    if (this.everywhere && operation.steady && !damaged.has(operation.node)) return true;
    const wiped = this.damagedSince(operation.invokedMs, true);
    return damaged.size < operation.copies || wiped.size < operation.copiesOnDisk;
  }

  /** `synced`: only those that lost what was on their disks, too. */
  private damagedSince(sinceMs: number, synced = false): Set<number> {
    const nodes = new Set<number>();
    for (const { atMs, node, keepsSynced } of this.damages) {
      if (atMs >= sinceMs && !(synced && keepsSynced)) nodes.add(node);
    }
    return nodes;
  }

  /** Lists are replaced, never changed, so an operation may keep one. */
  private knownAt(place: number, key: string): readonly Operation[] {
    return this.known.get(place)?.get(key) ?? [];
  }

  private learn(place: number, operation: Operation): void {
    const keys = operation.key === null ? [...this.byKey.keys()] : [operation.key];
    let there = this.known.get(place);
    if (there === undefined) {
      there = new Map();
      this.known.set(place, there);
    }
    for (const key of keys) {
      const known = there.get(key) ?? [];
      if (known.some((other) => other === operation || this.isBefore(operation, other))) continue;
      there.set(key, [...known.filter((other) => !this.isBefore(other, operation)), operation]);
    }
  }

  private index(operation: Operation): void {
    if (operation.key === null) {
      this.flushes.push(operation);
      return;
    }
    const list = this.byKey.get(operation.key);
    if (list === undefined) this.byKey.set(operation.key, [operation]);
    else list.push(operation);
    if (operation.value !== null) this.byValue.set(operation.value, operation);
  }
}

function isChange(operation: Operation): boolean {
  return (operation.kind === 'write' || operation.kind === 'erase') && operation.outcome !== 'refused';
}
