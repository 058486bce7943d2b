/**
 * Reads above level one: the other owners' versions first, their records only where they are newer, then the command runs
 * here on the merged state. Also the question "who holds what" of HEARSAY.EXPLAIN.
 * No more owners are asked than the level needs, those first that answer soonest; another one when an answer is no vote, when
 * one can not be reached, and, within the budget of hedges, when one is late. At half of its time a read asks all that are left.
 * Enough (after riak_kv_get_core): R definite votes; or all reachable owners have answered and at least R of them did.
 * An owner that evicted from the partition and has no record says "unknown": an answer, not a vote. One that is catching up and has
 * none, or has one and may have lost a newer, says that: not even an answer, unless the partition moves and its former owners are
 * asked, too; one that may have lost its tail is none then either. A read whose ring or former owners change while it waits begins anew: what was enough before may not be.
 * Guarded: the reply comes once; owners found behind are repaired in the background, after it.
 */

import type { ErrorCode } from '../base/errors.js';
import type { HybridClock } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import { type Command, WRITE } from '../commands/command.js';
import type { Caller, CommandHost } from '../commands/host.js';
import type { SessionToken } from '../commands/session-token.js';
import { FRAME_REQUEST } from '../gossip/frames.js';
import { partitionOf } from '../partitions/slots.js';
import { recordExpireAtMs, TYPE_PUT } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Store } from '../store/store.js';
import type { CallerOrder } from './caller-order.js';
import { type Coordinator, quorumOf } from './coordinator.js';
import { writeExplanation } from './explain.js';
import { type Gathering, type Tally, tally } from './gathering.js';
import type { HedgeBudget } from './hedges.js';
import { encodeKeyRequest, type VersionAnswer } from './key-requests.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import { OTHER_NODES, type Pending } from './pending.js';
import { keepArgs, PlacedCaller } from './placed-caller.js';
import type { ReadRepair } from './read-repair.js';
import {
  COVERS_ALL,
  COVERS_DOTS,
  NO_VERSION,
  REQUEST_READ,
  REQUEST_VERSION,
  STATUS_BEHIND,
  STATUS_NEWER,
  STATUS_UNKNOWN,
  stampRing,
} from './requests.js';
import type { SessionCover } from './session-cover.js';

/** Owners that had not seen what a session has are asked again after this time. */
const COVER_RETRY_MS = 20;
/** Lesser ids are those of forwarded commands. */
const READ_ID_MIN = 0x80000000;

export interface QuorumReadsOptions {
  selfId: string;
  replicas: number;
  partitions: number;
  operationTimeoutMs: number;
}

export class QuorumReads {
  nowMs = 0;
  /** Drawn at random at the start, from READ_ID_MIN up: an answer meant for an earlier run of this node finds nothing. */
  private nextId: number;
  private readonly open = new Map<number, Gathering>();
  private coordinator: Coordinator | null = null;
  readonly stats = { begun: 0, timeouts: 0, widened: 0, sessionsBehind: 0, ringDiffered: 0, begunAnew: 0 };
  /** No read that may be asked of one more owner is late before this. */
  private lateAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly store: Store,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    readonly repair: ReadRepair,
    private readonly clock: HybridClock,
    private readonly order: CallerOrder,
    private readonly budget: HedgeBudget,
    private readonly pending: Pending,
    private readonly cover: SessionCover,
    private readonly options: QuorumReadsOptions,
    random: Random,
  ) {
    this.nextId = READ_ID_MIN + random.below(READ_ID_MIN);
  }

  /** The coordinator that runs the command once enough is known; the two know each other. */
  attach(coordinator: Coordinator): void {
    this.coordinator = coordinator;
  }

  get size(): number {
    return this.open.size;
  }

  /** True if the id is one of ours, not a forwarded command's. */
  owns(id: number): boolean {
    return id >= READ_ID_MIN;
  }

  /** Asks the other owners, or `only` one of them, then runs the command here. */
  begin(host: CommandHost, partition: number, command: Command, args: Args, caller: Caller, only: Peer | null): void {
    const kept = keepArgs(args);
    const index = command.firstKey;
    const key = Buffer.from(kept.buffer.subarray(kept.starts[index], kept.ends[index]));
    if (this.refuses(kept.buffer.length + key.length, caller)) return;
    const wanted = this.wanted(partition, caller);
    this.order.begin(caller.origin, partition, null);
    const gathering = this.gather(REQUEST_READ, partition, key, command, kept, caller, wanted, only);
    this.conclude(host, gathering);
  }

  /** Votes that a level asks for. At level one somebody else's: this node asks because it is catching up. */
  private wanted(partition: number, caller: Caller): number {
    switch (caller.readLevel) {
      case 'one':
        // A ready owner asks only for what a session has seen.
        return this.ownership.owns(partition) && this.ownership.isReady(partition) && caller.session !== null ? 0 : 1;
      case 'quorum':
        return quorumOf(this.options.replicas) + this.ownership.formers(partition).length;
      case 'all':
        return Math.max(this.ownership.ownerCount(partition), 1) + this.ownership.formers(partition).length;
    }
  }

  explain(host: CommandHost, key: Buffer, start: number, end: number, caller: Caller): void {
    const copy = Buffer.from(key.subarray(start, end));
    if (this.refuses(copy.length, caller)) return;
    const partition = partitionOf(copy, 0, copy.length, this.options.partitions);
    const gathering = this.gather(REQUEST_VERSION, partition, copy, null, null, caller, Number.POSITIVE_INFINITY, null);
    this.conclude(host, gathering);
  }

  private refuses(bytes: number, caller: Caller): boolean {
    if (this.pending.hasRoom(bytes)) return false;
    caller.reply.error('BUSY', this.pending.refuse(OTHER_NODES));
    return true;
  }

  /** An owner's answer. A newer record was merged, and a flush that was not known here was taken in, before this call. */
  answered(host: CommandHost, peer: Peer, id: number, status: number, answer: VersionAnswer, adopted: boolean): void {
    const gathering = this.open.get(id);
    const leg = gathering?.asked.get(peer);
    if (gathering === undefined || leg === undefined || leg.vote !== null) return;
    peer.answers.answered(this.nowMs - leg.sentAtMs, this.nowMs);
    peer.pending.leave(0);
    const { version, type, floor, flushed, covers, isTorn } = answer;
    const isBehind = status === STATUS_BEHIND;
    const definite = status !== STATUS_UNKNOWN && !isBehind;
    const newer = status === STATUS_NEWER;
    leg.vote = { definite, isBehind, isTorn, version, type, covers, absentBelow: floor, flushed, newer, adopted };
    this.conclude(host, gathering);
  }

  /** An owner goes by another ring: it is asked again, and whoever is an owner too by then, once the rings had time to meet. */
  ringDiffers(peer: Peer, id: number): void {
    const gathering = this.open.get(id);
    if (gathering?.asked.get(peer)?.vote !== null) return;
    this.stats.ringDiffered++;
    gathering.apart.add(peer);
  }

  private askApart(gathering: Gathering): void {
    const apart = [...gathering.apart];
    gathering.apart.clear();
    for (const peer of apart) this.send(peer, gathering.body);
    for (const peer of this.candidates(gathering)) {
      if (!gathering.asked.has(peer) && !gathering.spare.includes(peer)) gathering.spare.push(peer);
    }
    while (this.askNext(gathering));
  }

  private send(peer: Peer, body: Buffer): boolean {
    stampRing(body, this.ownership.ringHash);
    return this.peers.sendFrame(peer, FRAME_REQUEST, body);
  }

  peerLost(host: CommandHost, peer: Peer): void {
    for (const gathering of this.open.values()) this.legLost(host, gathering, peer);
  }

  /** An owner will not answer: it has no room, or did not understand. */
  refused(host: CommandHost, peer: Peer, id: number): void {
    const gathering = this.open.get(id);
    if (gathering !== undefined) this.legLost(host, gathering, peer);
  }

  private legLost(host: CommandHost, gathering: Gathering, peer: Peer): void {
    const leg = gathering.asked.get(peer);
    if (leg === undefined || leg.vote !== null) return;
    gathering.asked.delete(peer);
    gathering.apart.delete(peer);
    peer.pending.leave(0);
    peer.answers.givenUp(0, this.nowMs);
    this.conclude(host, gathering);
  }

  tick(host: CommandHost): void {
    for (const gathering of this.open.values()) {
      if (gathering.expiresAtMs > this.nowMs) {
        if (gathering.apart.size > 0 || gathering.isAnew) this.askApart(gathering);
        if (gathering.isAnew || this.isVoid(gathering)) this.conclude(host, gathering);
        continue;
      }
      this.stats.timeouts++;
      gathering.spare.length = 0;
      this.giveUpOpen(gathering, true);
      this.conclude(host, gathering);
    }
  }

  /** Reads whose owners are late are asked of one more. Call at the end of a turn: almost always one comparison. */
  hedge(host: CommandHost): void {
    if (this.nowMs < this.lateAtMs) return;
    this.lateAtMs = Number.POSITIVE_INFINITY;
    for (const gathering of this.open.values()) {
      if (this.nowMs >= gathering.retryAtMs) this.askAgain(host, gathering);
      else this.lateAtMs = Math.min(this.lateAtMs, gathering.retryAtMs);
      if (gathering.spare.length === 0) continue;
      const wideAtMs = gathering.expiresAtMs - this.options.operationTimeoutMs / 2;
      if (this.nowMs >= wideAtMs) {
        this.stats.widened++;
        while (this.askNext(gathering));
        continue;
      }
      if (gathering.hedge === null && !gathering.denied && this.isLate(gathering)) {
        gathering.denied = !this.budget.take();
        if (!gathering.denied) gathering.hedge = this.askNext(gathering);
      }
      this.lateAtMs = Math.min(this.lateAtMs, wideAtMs);
      if (gathering.hedge === null && !gathering.denied) this.watch(gathering);
    }
  }

  /** No owner had seen what the session has: all of them are asked once more. */
  private askAgain(host: CommandHost, gathering: Gathering): void {
    gathering.retryAtMs = Number.POSITIVE_INFINITY;
    gathering.asked.clear();
    gathering.spare.push(...this.candidates(gathering));
    this.conclude(host, gathering);
  }

  /**
   * Whom a read may ask, the soonest last, as they are taken from the end. Above level one those alone that count for it: who owned the
   * partition longer ago has given it up.
   */
  private candidates({ partition, command, caller, formers }: Gathering): Peer[] {
    let candidates = this.ownership.sources(partition);
    if (command !== null && caller.readLevel !== 'one') {
      const owners = this.ownership.otherOwners(partition);
      candidates = candidates.filter((peer) => owners.includes(peer) || formers.includes(peer));
    }
    // Unless the partition moves, who catches up gives no vote for what it lacks: asked before another, it costs a way there and back.
    const isLast = (peer: Peer): number =>
      formers.length === 0 && this.ownership.isCatchingUp(peer, partition) ? 1 : 0;
    return candidates.sort(
      (left, right) =>
        isLast(right) - isLast(left) || right.answers.expectedMs(this.nowMs) - left.answers.expectedMs(this.nowMs),
    );
  }

  /** Whether others count for it now than did when it asked. */
  private isVoid({ command, caller, partition, placement, formers }: Gathering): boolean {
    if (command === null || caller.readLevel === 'one') return false;
    const now = this.ownership.formers(partition);
    if (placement !== this.ownership.placement || now.length !== formers.length) return true;
    return now !== formers && !now.every((peer) => formers.includes(peer));
  }

  /** What was answered so far counts for nothing: those that count now are asked under another id. */
  private beginAnew(gathering: Gathering): void {
    this.stats.begunAnew++;
    gathering.isAnew = true;
    this.giveUpOpen(gathering, true);
    gathering.asked.clear();
    gathering.apart.clear();
    gathering.hedge = null;
    this.open.delete(gathering.id);
    gathering.id = this.takeId();
    gathering.body.writeUInt32LE(gathering.id, 0);
    this.open.set(gathering.id, gathering);
    gathering.placement = this.ownership.placement;
    gathering.formers = this.ownership.formers(gathering.partition);
    gathering.wanted = this.wanted(gathering.partition, gathering.caller);
    gathering.spare.length = 0;
    if (this.nowMs < gathering.expiresAtMs) gathering.spare.push(...this.candidates(gathering));
  }

  private takeId(): number {
    const id = this.nextId;
    this.nextId = id === 0xffffffff ? READ_ID_MIN : id + 1;
    return id;
  }

  /** Whether this node, or one that has answered, has seen all that the session has. */
  private isCovered(gathering: Gathering, session: SessionToken): boolean {
    const { asked, partition } = gathering;
    let best = this.cover.cover(partition, session);
    for (const { vote } of asked.values()) if (vote !== null && vote.covers > best) best = vote.covers;
    if (best === COVERS_ALL) return true;
    // What lies below the watermark is with some owner: if all have answered, nothing of it is missing.
    return best === COVERS_DOTS && this.ownership.otherOwners(partition).every((peer) => asked.get(peer)?.vote);
  }

  private isLate(gathering: Gathering): boolean {
    for (const [peer, leg] of gathering.asked) {
      if (leg.vote === null && this.nowMs >= leg.sentAtMs + peer.answers.lateAfterMs) return true;
    }
    return false;
  }

  private watch(gathering: Gathering): void {
    for (const [peer, leg] of gathering.asked) {
      if (leg.vote === null) this.lateAtMs = Math.min(this.lateAtMs, leg.sentAtMs + peer.answers.lateAfterMs);
    }
  }

  /** Asks the next owner that can be asked; null if none is left. */
  private askNext(gathering: Gathering): Peer | null {
    for (let peer = gathering.spare.pop(); peer !== undefined; peer = gathering.spare.pop()) {
      if (!peer.pending.hasRoom(0)) {
        gathering.crowded = peer;
        continue;
      }
      if (!this.send(peer, gathering.body)) continue;
      peer.pending.enter(0);
      peer.answers.asked(this.nowMs);
      gathering.asked.set(peer, { sentAtMs: this.nowMs, vote: null });
      return peer;
    }
    return null;
  }

  private giveUpOpen(gathering: Gathering, forget: boolean): void {
    for (const [peer, leg] of gathering.asked) {
      if (leg.vote !== null) continue;
      peer.pending.leave(0);
      peer.answers.givenUp(this.nowMs - leg.sentAtMs, this.nowMs);
      if (forget) gathering.asked.delete(peer);
    }
  }

  private gather(
    what: number,
    partition: number,
    key: Buffer,
    command: Command | null,
    args: Args | null,
    caller: Caller,
    wanted: number,
    only: Peer | null,
  ): Gathering {
    const id = this.takeId();
    this.stats.begun++;
    const mine = this.repair.held(partition, key);
    const seen = command === null ? null : caller.session;
    const session = seen !== null && this.cover.cover(partition, seen) !== COVERS_ALL ? seen : null;
    const head = {
      id,
      what,
      protocol: caller.protocol,
      readLevel: caller.readLevel,
      writeLevel: caller.writeLevel,
      strict: false,
      session: session !== null,
      hops: 0,
      hlc: this.clock.last,
      sentMs: 0,
      partition,
    };
    const atOne = caller.readLevel === 'one';
    const bytes = (args?.buffer.length ?? 0) + key.length;
    const deferred = caller.defer();
    const gathering: Gathering = {
      id,
      partition,
      key,
      command,
      args,
      caller: new PlacedCaller(caller, deferred),
      deferred,
      receipt: caller.receipt,
      asked: new Map(),
      apart: new Set(),
      crowded: null,
      bytes,
      spare: [],
      body: encodeKeyRequest(head, mine?.version ?? NO_VERSION, this.store, key, session),
      hedge: null,
      denied: false,
      session,
      retryAtMs: Number.POSITIVE_INFINITY,
      wanted,
      placement: this.ownership.placement,
      formers: this.ownership.formers(partition),
      isAnew: false,
      expiresAtMs: this.nowMs + this.options.operationTimeoutMs,
    };
    gathering.spare.push(...(only !== null && atOne ? [only] : this.candidates(gathering)));
    this.open.set(id, gathering);
    this.pending.enter(bytes);
    // At level one this node is catching up, and asks whoever may know more.
    if (command === null || (atOne && !this.ownership.isReady(partition))) while (this.askNext(gathering));
    else this.budget.earn();
    return gathering;
  }

  /** Answers when enough is known. */
  private conclude(host: CommandHost, gathering: Gathering): void {
    if (this.isVoid(gathering)) this.beginAnew(gathering);
    this.repair.heedAbsence(gathering);
    const mine = this.repair.held(gathering.partition, gathering.key);
    const { caller, partition, wanted } = gathering;
    const atOne = gathering.command !== null && caller.readLevel === 'one';
    const count = this.count(gathering, mine !== null, atOne);
    const { votes, answers, behind: catchingUp } = count;
    let { open } = count;
    while (votes + open < wanted && this.askNext(gathering) !== null) open++;
    if (votes < wanted && open > 0) {
      if (gathering.spare.length > 0 && gathering.hedge === null && !gathering.denied) this.watch(gathering);
      return;
    }
    const isOver = this.nowMs >= gathering.expiresAtMs;
    // Those that count since the ring has changed may not be known to be there yet.
    if (votes < wanted && gathering.isAnew && !isOver) return;
    const behind = gathering.session !== null && !this.isCovered(gathering, gathering.session);
    if (behind && !isOver) {
      if (open > 0 || this.askNext(gathering) !== null) {
        if (gathering.spare.length > 0 && gathering.hedge === null && !gathering.denied) this.watch(gathering);
      } else {
        gathering.retryAtMs = this.nowMs + COVER_RETRY_MS;
        this.lateAtMs = Math.min(this.lateAtMs, gathering.retryAtMs);
      }
      return;
    }
    this.open.delete(gathering.id);
    this.pending.leave(gathering.bytes);
    if (gathering.hedge !== null && gathering.asked.get(gathering.hedge)?.vote && open > 0) this.budget.won++;
    this.giveUpOpen(gathering, false);
    if (gathering.command === null) {
      this.writeExplanation(gathering);
      gathering.deferred.done();
      return;
    }
    this.order.end(caller.origin, partition);
    gathering.receipt.owners = answers;
    const { crowded } = gathering;
    if (crowded !== null && answers < wanted) {
      this.refuse(gathering, 'BUSY', crowded.pending.refuse(crowded.id));
    } else if (votes < wanted && answers < wanted && !atOne) {
      const others = catchingUp > 0 ? `; ${catchingUp} more are catching up` : '';
      this.refuse(
        gathering,
        'NOQUORUM',
        `${answers} of the ${wanted} owners that this level asks for answered${others}`,
      );
    } else if (behind) {
      this.stats.sessionsBehind++;
      this.refuse(gathering, 'SESSION', 'no owner that can be reached has caught up with this session; try again');
    } else if (atOne && wanted > 0 && answers === 0 && this.ownership.sources(partition).length > 0) {
      this.refuse(gathering, 'UNAVAILABLE', 'this node is catching up, and no other owner has answered');
    } else if (this.repair.isBehind(gathering, mine?.version ?? NO_VERSION)) {
      this.refuse(gathering, 'UNAVAILABLE', 'a newer record is known and can not be taken in here');
    } else {
      this.repair.mend(gathering);
      this.runGathered(host, gathering, answers);
    }
  }

  private count({ partition, asked, formers }: Gathering, found: boolean, atOne: boolean): Tally {
    // At level one another's vote is asked for: this node's own record may be an old one.
    const counts = this.ownership.owns(partition) && !atOne;
    const definite = found || this.isDefinite(partition);
    const isTorn = this.ownership.mayLackTail(partition);
    const own = counts ? { definite, isBehind: this.isBehind(partition, found), isTorn } : null;
    const sum = tally(asked, own, formers.length > 0 && !atOne);
    if (atOne) sum.answers += sum.behind;
    return sum;
  }

  private refuse({ deferred }: Gathering, code: ErrorCode, text: string): void {
    deferred.reply.error(code, text);
    deferred.done();
  }

  private runGathered(host: CommandHost, gathering: Gathering, answers: number): void {
    const { command, args, partition, caller, receipt } = gathering;
    if (this.coordinator === null || command === null || args === null) return;
    this.coordinator.runHere(host, partition, command, args, caller);
    // A write rests on who has taken it, a read on who has answered.
    if ((command.flags & WRITE) === 0) {
      receipt.owners = answers;
      receipt.fallbacks = 0;
    }
    this.coordinator.finishPlaced(caller, gathering.expiresAtMs);
  }

  /** Whether this node would know if there were a record. */
  isDefinite(partition: number): boolean {
    return this.ownership.owns(partition) && this.ownership.isReady(partition) && !this.store.isLossy(partition);
  }

  /** Whether this node owns a partition, or did, and may lack what it should have of a key. `found`: it has a record, of before or after that. */
  isBehind(partition: number, found: boolean): boolean {
    if (found) return this.ownership.isPartial(partition);
    if (this.ownership.mayLackTail(partition)) return true;
    return this.ownership.owns(partition) && !this.ownership.isReady(partition);
  }

  private writeExplanation(gathering: Gathering): void {
    const { partition, key } = gathering;
    const mine = this.repair.held(partition, key);
    const expireAtMs =
      mine !== null && mine.type === TYPE_PUT ? recordExpireAtMs(this.store.buffer, this.store.offset) : 0;
    const holding = { selfId: this.options.selfId, mine, definite: this.isDefinite(partition), expireAtMs };
    writeExplanation(gathering, holding, this.ownership, gathering.deferred.reply);
  }
}
