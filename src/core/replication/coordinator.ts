/**
 * One operation across owners: decides where a command runs, runs it here when it may, waits for as many owners as its level
 * asks, and otherwise hands it to an owner. Sessions and peers submit commands; each gets exactly one reply.
 *
 * Where a command runs (DESIGN section 5): what reads before it writes, at the first owner not suspected; other writes and
 * reads, at any owner; one that is catching up asks others before it answers a read. No owner reachable: a write is kept here as a stand-in until one is, a read is
 * answered only from what is here.
 * Guarded: at level one on an owner nothing is allocated, deferred or sent before the reply is written.
 */
import { type Command, type CommandContext, execute, lastKeyOf, READ, readsFirst, WRITE } from '../commands/command.js';
import type { Caller, CommandHost } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import type { SessionToken } from '../commands/session-token.js';
import type { CommandStats } from '../commands/stats.js';
import { partitionOf } from '../partitions/slots.js';
import type { DotVisitor } from '../record/dots.js';
import type { Args } from '../resp/args.js';
import type { Wal } from '../wal/wal.js';
import type { CallerOrder } from './caller-order.js';
import type { Forwarding } from './forwarding.js';
import type { LocalKeyspace } from './local-keyspace.js';
import type { Operation, Operations } from './operations.js';
import type { Ownership } from './ownership.js';
import type { Peer } from './peers.js';
import { OTHER_NODES, type Pending } from './pending.js';
import { keepArgs, PlacedCaller } from './placed-caller.js';
import type { QuorumReads } from './reads.js';
import type { Replicator } from './replicator.js';
import { COVERS_ALL } from './requests.js';
import type { SessionCover } from './session-cover.js';

type Writable<T> = { -readonly [Field in keyof T]: T[Field] };

export interface CoordinatorOptions {
  actor: number;
  replicas: number;
  partitions: number;
  operationTimeoutMs: number;
  durability: 'interval' | 'always' | 'off';
  mutations: ReadonlySet<string>;
}

/** Floor(N / 2) + 1 of the configured number of owners. */
export function quorumOf(replicas: number): number {
  return Math.floor(replicas / 2) + 1;
}

export class Coordinator {
  nowMs = 0;
  /** This node's clock is too far from its peers': it lets others coordinate. */
  drifted = false;
  /** One for all commands, so that none is made per command. */
  private context: Writable<CommandContext> | null = null;

  constructor(
    private readonly keyspace: LocalKeyspace,
    private readonly ownership: Ownership,
    private readonly replicator: Replicator,
    private readonly operations: Operations,
    private readonly pending: Pending,
    private readonly forwarding: Forwarding,
    private readonly reads: QuorumReads,
    private readonly wal: Wal,
    private readonly order: CallerOrder,
    private readonly cover: SessionCover,
    private readonly options: CoordinatorOptions,
    private readonly stats: CommandStats,
  ) {}

  get actor(): number {
    return this.options.actor;
  }

  /** True if every key's command may run here and now at the caller's level. */
  canRunHere(command: Command, args: Args, caller: Caller): boolean {
    if ((command.flags & READ) !== 0 && caller.readLevel !== 'one') return false;
    if ((command.flags & WRITE) !== 0 && caller.writeLevel !== 'one') return false;
    const last = lastKeyOf(command, args);
    // A session notes what it saw of each key.
    if (caller.session !== null && last > command.firstKey) return false;
    for (let index = command.firstKey; index <= last; index += command.step) {
      const partition = this.keyspace.focus(args.buffer, args.starts[index], args.ends[index]);
      const elsewhere = this.route(command, args, partition, caller) !== null;
      const waits = this.order.ahead(caller.origin, partition) !== undefined;
      if (elsewhere || waits || !this.ownership.serves || this.mustAsk(command, args, partition, caller)) {
        this.keyspace.unfocus();
        return false;
      }
    }
    this.keyspace.unfocus();
    return true;
  }

  submit(host: CommandHost, command: Command, args: Args, caller: Caller): void {
    const key = command.firstKey;
    const partition = this.keyspace.focus(args.buffer, args.starts[key], args.ends[key]);
    caller.beginReceipt((command.flags & WRITE) === 0 ? caller.readLevel : caller.writeLevel);
    this.submitTo(host, partition, command, args, caller, 0);
    this.keyspace.unfocus();
  }

  /** `hops`: how many nodes have passed the command on already; after two it runs where it is, or is refused. */
  submitTo(host: CommandHost, partition: number, command: Command, args: Args, caller: Caller, hops: number): void {
    if (hops === 0 && !this.ownership.serves && (command.firstKey > 0 || this.ownership.refusal !== '')) {
      caller.reply.error('LOADING', this.ownership.refusal || 'this node is joining its cluster');
      return;
    }
    const ahead = this.order.ahead(caller.origin, partition);
    if (ahead !== undefined && hops === 0) {
      if (ahead.peer !== null && ahead.followers.length === 0 && ahead.peer.state === 'alive') {
        // Behind a command at another owner: a write goes there too; a read asks there for what came of it, and here for
        // what this node wrote.
        const here = command.firstKey > 0 && (command.flags & WRITE) === 0 && this.ownership.owns(partition);
        if (!here) this.forwarding.forward(ahead.peer, partition, command, args, caller, hops, true);
        else this.reads.begin(host, partition, command, args, caller, ahead.peer);
      } else if (this.order.full) {
        caller.reply.error('BUSY', 'too many commands wait for others of their connection');
      } else {
        const placed = new PlacedCaller(caller, caller.defer());
        this.order.follow(ahead, { partition, command, args: keepArgs(args), caller: placed });
      }
      return;
    }
    // A former owner that still holds the partition answers reads that its new owner passes on.
    const handingOff = hops > 0 && (command.flags & WRITE) === 0 && this.holdsForeign(partition);
    const target = hops >= 2 || handingOff ? null : this.route(command, args, partition, caller);
    if (target !== null) {
      this.forwarding.forward(target, partition, command, args, caller, hops, false);
      return;
    }
    if ((command.flags & WRITE) === 0 && !this.ownership.owns(partition) && !this.replicator.holdsAny(partition)) {
      caller.reply.error('UNAVAILABLE', "no owner of this key's partition can be reached");
      return;
    }
    if (this.drifted && (command.flags & WRITE) !== 0) {
      caller.reply.error('CLOCKDRIFT', "this node's clock is too far from its peers' median, and no other owner is up");
      return;
    }
    const { session } = caller;
    if (
      session !== null &&
      (command.flags & WRITE) !== 0 &&
      !host.stampAbove(Math.max(session.hlc, session.watermark))
    ) {
      // Its stamp would lie below what the session has seen: acknowledged, and lost to it.
      caller.reply.error(
        'SESSION',
        "what this session has seen is further ahead of this owner's clock than the drift allowed",
      );
      return;
    }
    if (command.firstKey > 0 && this.mustAsk(command, args, partition, caller)) {
      if (this.ownership.isDeaf(partition)) {
        caller.reply.error('LOADING', 'this node has started and has yet to hear what it missed');
        return;
      }
      this.reads.begin(host, partition, command, args, caller, null);
      return;
    }
    this.runHere(host, partition, command, args, caller);
  }

  /** Runs a command on this node's data, now; the reply waits if the write level or the log asks for it. */
  runHere(host: CommandHost, partition: number, command: Command, args: Args, caller: Caller): void {
    const context = this.contextFor(host, caller);
    const before = this.replicator.writes;
    if ((command.flags & WRITE) === 0 || caller.writeLevel === 'one') {
      const { hits } = this.keyspace;
      const done = execute(command, context, args, caller.reply);
      if (this.replicator.writes !== before) {
        this.noteKeys(caller, command, args, partition, before);
        this.fillReceipt(caller.receipt, partition, done);
        if (caller.session !== null) this.noteWritten(caller.session, partition);
        caller.holdUntilDurable(this.options.mutations.has('ack-before-log') ? 0 : this.wal.lastBatch);
      } else if (done) {
        this.noteRead(caller.receipt, partition, this.keyspace.hits !== hits);
        if (caller.session !== null) this.noteSeen(caller.session, caller.receipt, partition, command, args);
      }
      return;
    }
    const operation = this.beginOperation(partition, caller);
    if (operation === null) return;
    this.keyspace.operation = operation;
    const done = execute(command, context, args, operation.deferred.reply);
    this.keyspace.operation = null;
    operation.batch = this.options.mutations.has('ack-before-log') ? 0 : this.wal.lastBatch;
    if (this.replicator.writes !== before) {
      this.noteKeys(caller, command, args, partition, before);
      if (operation.receipt !== null) this.noteVersion(operation.receipt, partition);
      if (caller.session !== null) this.noteWritten(caller.session, partition);
      return;
    }
    operation.needed = 0;
    if (done) return;
    operation.receipt?.begin(caller.writeLevel);
    operation.receipt = null;
  }

  /** What a write at level one rests on when its reply leaves: this node. */
  private fillReceipt(receipt: Receipt, partition: number, done: boolean): void {
    receipt.met = done;
    if (this.ownership.owns(partition)) receipt.owners = 1;
    else receipt.fallbacks = 1;
    receipt.synced = this.options.durability === 'always' ? 1 : 0;
    this.noteVersion(receipt, partition);
  }

  private noteWritten(session: SessionToken, partition: number): void {
    session.note(partition, this.options.actor, this.keyspace.lastSequence, this.keyspace.lastHlc);
  }

  /** What a session has read: the record of the key, a tombstone too. */
  private noteSeen(session: SessionToken, receipt: Receipt, partition: number, command: Command, args: Args): void {
    if (this.options.mutations.has('session-reads-unnoted')) return;
    const key = command.firstKey;
    const note: DotVisitor = (actor, sequence, hlc) => session.note(partition, actor, sequence, hlc);
    if (key === 0 || !this.keyspace.seen(args.buffer, args.starts[key], args.ends[key], note)) return;
    const { actor, sequence, hlc } = this.keyspace.seenDot;
    receipt.hlc = hlc;
    receipt.actor = actor;
    receipt.sequence = sequence;
  }

  private noteVersion(receipt: Receipt, partition: number): void {
    receipt.hlc = this.keyspace.lastHlc;
    receipt.actor = this.options.actor;
    receipt.sequence = this.keyspace.lastSequence;
    receipt.partition = partition;
  }

  /** What a reply from this node's memory rests on. `found`: the version read stands in the keyspace's entry. */
  private noteRead(receipt: Receipt, partition: number, found: boolean): void {
    receipt.met = true;
    receipt.partition = partition;
    if (this.ownership.owns(partition)) receipt.owners = 1;
    else receipt.fallbacks = 1;
    if (!found) return;
    receipt.hlc = this.keyspace.entry.hlc;
    receipt.actor = this.keyspace.entry.actor;
  }

  /** Commands that waited for those ahead of them on their connection run now. */
  runFollowers(host: CommandHost): void {
    for (const { partition, command, args, caller } of this.order.takeReleased()) {
      // A write at level one that runs here waits for the log, and is counted only once it has run.
      const isRefused = (command.flags & WRITE) !== 0 && this.refuses(caller);
      if (!isRefused) this.submitTo(host, partition, command, args, caller, 0);
      this.keyspace.unfocus();
      this.finishPlaced(caller, this.nowMs + this.options.operationTimeoutMs);
    }
  }

  /** The command of a placed caller has run: its reply leaves once it is whole and its batch is safe. */
  finishPlaced(caller: PlacedCaller, expiresAtMs: number): void {
    // What was written at level one waits for the log alone: an operation that needs no other owner.
    if (caller.batch > 0) this.operations.begin(caller.defer(), null, 0, caller.batch, expiresAtMs);
    caller.finish();
  }

  /** Opens an operation for a write above level one; null if it was refused with a reply. */
  beginOperation(partition: number, caller: Caller): Operation | null {
    if (this.refuses(caller)) return null;
    const { ownership } = this;
    const all = caller.writeLevel === 'all';
    const strict = caller.strict || all;
    const owns = ownership.owns(partition);
    const formers = ownership.formers(partition);
    const quorum = quorumOf(this.options.replicas);
    const wanted = (all ? Math.max(ownership.ownerCount(partition), 1) : quorum) + formers.length;
    // A stand-in counts as one of the quorum, unless the caller is strict.
    const self = owns || !strict ? 1 : 0;
    let reachable = this.countReachable([...ownership.otherOwners(partition), ...formers], self, wanted, caller);
    if (reachable < 0) return null;
    const standIns: Peer[] = strict || reachable >= wanted ? [] : ownership.fallbacks(partition, wanted - reachable);
    reachable += standIns.length;
    if (reachable < wanted) {
      const what = strict && !all ? 'owners that a strict quorum' : 'nodes that this level';
      caller.reply.error('NOQUORUM', `${reachable} of the ${wanted} ${what} asks for can be reached`);
      return null;
    }
    const operation = this.openOperation(caller, owns, wanted - self);
    if (standIns.length > 0) operation.standIns = new Set(standIns.map((peer) => peer.id));
    return operation;
  }

  /**
   * Opens an operation for a flush above level one; null if it was refused with a reply. It concerns every partition, so at quorum no
   * more of all that hold any may lack it than of the owners of one: whichever a read at quorum asks, one of them has it.
   */
  beginFlush(caller: Caller): Operation | null {
    if (this.refuses(caller)) return null;
    const { ownership } = this;
    if (!ownership.met || ownership.isUnaware) {
      caller.reply.error(
        'LOADING',
        'this node is joining its cluster, and does not know yet who holds what is to be flushed',
      );
      return null;
    }
    const holders = ownership.holders();
    const members = holders.size + 1;
    const { replicas } = this.options;
    const quorum = quorumOf(replicas);
    const wanted = caller.writeLevel === 'all' ? members : Math.max(members - (replicas - quorum), quorum);
    const reachable = this.countReachable(holders, 1, wanted, caller);
    if (reachable < 0) return null;
    if (reachable < wanted) {
      caller.reply.error(
        'NOQUORUM',
        `${reachable} of the ${wanted} nodes that a flush at this level asks for can be reached`,
      );
      return null;
    }
    return this.openOperation(caller, true, wanted - 1);
  }

  private refuses(caller: Caller): boolean {
    if (this.pending.hasRoom(0)) return false;
    caller.reply.error('BUSY', this.pending.refuse(OTHER_NODES));
    return true;
  }

  /** How many nodes can be reached, `self` included; -1 if that is too few because of those for which too much waits, and was answered. */
  private countReachable(peers: Iterable<Peer>, self: number, wanted: number, caller: Caller): number {
    let reachable = self;
    let crowded: Peer | null = null;
    for (const peer of peers) {
      if (peer.state !== 'alive') continue;
      if (peer.pending.hasRoom(0)) reachable++;
      else crowded = peer;
    }
    if (reachable >= wanted || crowded === null) return reachable;
    caller.reply.error('BUSY', crowded.pending.refuse(crowded.id));
    return -1;
  }

  private openOperation(caller: Caller, owns: boolean, needed: number): Operation {
    const deferred = caller.defer();
    const { receipt } = caller;
    receipt.kept = true;
    if (owns) receipt.owners = 1;
    else receipt.fallbacks = 1;
    const expiresAtMs = this.nowMs + this.options.operationTimeoutMs;
    return this.operations.begin(deferred, receipt, needed, this.wal.batch, expiresAtMs);
  }

  /** The writes of a command, counted from `before` on: for one on many keys, into the partitions of all. */
  private noteKeys(caller: Caller, command: Command, args: Args, partition: number, before: number): void {
    const { actor, partitions } = this.options;
    const { writes } = this.replicator;
    if (writes > before + 1) caller.wrote.note(actor, before + 1, partition);
    caller.wrote.note(actor, writes, partition);
    if (command.lastKey === command.firstKey && command.keysCounted !== true) return;
    const last = lastKeyOf(command, args);
    for (let index = command.firstKey + command.step; index <= last; index += command.step) {
      caller.wrote.note(actor, writes, partitionOf(args.buffer, args.starts[index], args.ends[index], partitions));
    }
  }

  /** `partition` -1: a write that concerns all of them. */
  noteWrite(caller: Caller, partition: number): void {
    caller.wrote.note(this.options.actor, this.replicator.writes, partition);
  }

  /** Raised by whatever may let a WAIT end. */
  get progress(): number {
    return this.replicator.progress + this.wal.durableBatch;
  }

  get lastBatch(): number {
    return this.wal.lastBatch;
  }

  isDurable(batch: number): boolean {
    return this.wal.durableBatch >= batch;
  }

  /**
   * Whether other owners are asked before a command that reads runs here: at the caller's level, or because this node owns the
   * partition and is still catching up. It then answers with the newer of what it and another owner have.
   */
  private mustAsk(command: Command, args: Args, partition: number, caller: Caller): boolean {
    const { session } = caller;
    const uncovered = session !== null && this.cover.cover(partition, session) !== COVERS_ALL;
    const atOne = caller.readLevel === 'one';
    if (atOne && !uncovered && (!this.ownership.owns(partition) || this.ownership.isReady(partition))) return false;
    return (command.flags & READ) !== 0 || readsFirst(command, args);
  }

  /** Whether others know better than this node, which has just joined, who counts for this command at the caller's level. */
  private isUnaware(command: Command, args: Args, caller: Caller): boolean {
    if (!this.ownership.isUnaware) return false;
    const reads = (command.flags & READ) !== 0 || readsFirst(command, args);
    return (reads && caller.readLevel !== 'one') || ((command.flags & WRITE) !== 0 && caller.writeLevel !== 'one');
  }

  private holdsForeign(partition: number): boolean {
    return !this.ownership.owns(partition) && this.replicator.holdsAny(partition);
  }

  /** Null: run it here. Otherwise the owner to run it at. */
  private route(command: Command, args: Args, partition: number, caller: Caller): Peer | null {
    const ownership = this.ownership;
    if (this.isUnaware(command, args, caller)) {
      return ownership.otherOwner(partition, null) ?? null;
    }
    if (this.drifted && (command.flags & WRITE) !== 0) return ownership.otherOwner(partition, null) ?? null;
    if (readsFirst(command, args)) {
      const first = ownership.firstOwner(partition);
      return first === undefined ? (ownership.otherOwner(partition, null) ?? null) : first;
    }
    // A command over a whole partition, as SCAN is, goes to an owner that has all of it.
    if (ownership.owns(partition) && (command.firstKey > 0 || ownership.isReady(partition))) return null;
    return ownership.otherOwner(partition, null) ?? null;
  }

  private contextFor(host: CommandHost, caller: Caller): CommandContext {
    if (this.context === null) {
      this.context = { host, keyspace: this.keyspace, stats: this.stats, caller, connection: null };
    } else {
      this.context.caller = caller;
    }
    return this.context;
  }
}
