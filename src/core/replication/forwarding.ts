/**
 * Commands handed to another owner, and commands that other nodes hand to us. The coordinator forwards; answers come back from
 * the spine. Guarded: every forwarded command gets exactly one reply: the owner's, another owner's, or an error at the deadline.
 * A write is sent once: its outcome is unknown when no answer comes.
 */
import type { HybridClock } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import { type Command, WRITE } from '../commands/command.js';
import type { Caller, Deferred, Level, WaitWish } from '../commands/host.js';
import { Receipt } from '../commands/receipt.js';
import type { SessionToken } from '../commands/session-token.js';
import { type WriteMark, WriteMarks } from '../commands/write-marks.js';
import { FRAME_BODY_BYTES_MAX, FRAME_REQUEST, FRAME_RESPONSE } from '../gossip/frames.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { CallerOrder } from './caller-order.js';
import type { HedgeBudget } from './hedges.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import { OTHER_NODES, type Pending } from './pending.js';
import {
  encodeForward,
  encodeReplyResponse,
  encodeWait,
  REPLY_OVERHEAD_BYTES_MAX,
  REQUEST_FORWARD,
  REQUEST_WAIT,
  type RequestHead,
  readReplyResponse,
  STATUS_OK,
  STATUS_REFUSED,
  STATUS_RING_DIFFERS,
  stampRing,
} from './requests.js';

const ATTEMPTS_MAX = 3;
/** Rings are told with a tick and one way through the network. */
const RING_MEETS_MS = 30;
const RING_DIFFERS = 'ring differs: this node and the owner do not agree yet who owns the key; nothing was done';
const NO_PARTITION = 0xffff;
/** Greater ids are those of quorum reads. */
const FORWARD_ID_MAX = 0x7fffffff;
/** A reply fits into one frame with its head. */
const REPLY_BYTES_FORWARDED_MAX = FRAME_BODY_BYTES_MAX - REPLY_OVERHEAD_BYTES_MAX;

interface Waiting {
  readonly id: number;
  peer: Peer;
  readonly partition: number;
  /** Whether it may be sent to a second owner when the first may have run it. */
  readonly repeatable: boolean;
  readonly body: Buffer;
  readonly caller: Caller;
  readonly deferred: Deferred;
  readonly receipt: Receipt;
  readonly expiresAtMs: number;
  attemptEndsAtMs: number;
  attempts: number;
  tried: Set<string> | null;
  /** When the attempt in hand was sent. */
  sentAtMs: number;
  /** When it is late enough to ask one more owner; infinite when it is not to be hedged. */
  lateAtMs: number;
  /** The owner asked besides `peer`, which is late: it is waited for as well. */
  hedge: Peer | null;
  hedgedAtMs: number;
  /** The owner goes by another ring: when to send it again, unless that is infinite. Meanwhile nobody has it. */
  resendAtMs: number;
}

export interface ForwardingOptions {
  operationTimeoutMs: number;
}

export class Forwarding {
  nowMs = 0;
  wallMs = 0;
  /** Drawn at random at the start, so that an answer meant for an earlier run of this node finds nothing. */
  private nextId: number;
  private readonly pending = new Map<number, Waiting>();
  /** No pending read is late before this. */
  private lateAtMs = Number.POSITIVE_INFINITY;
  readonly stats = { forwarded: 0, retried: 0, timeouts: 0, answered: 0, ringDiffered: 0, abandoned: 0 };

  constructor(
    private readonly peers: Peers,
    private readonly ownership: Ownership,
    private readonly clock: HybridClock,
    private readonly order: CallerOrder,
    private readonly budget: HedgeBudget,
    private readonly room: Pending,
    private readonly options: ForwardingOptions,
    random: Random,
  ) {
    this.nextId = 1 + random.below(FORWARD_ID_MAX);
  }

  get size(): number {
    return this.pending.size;
  }

  /** `ordered`: it follows others of its connection to this very owner, and is asked of no other beside it. */
  forward(
    peer: Peer,
    partition: number,
    command: Command,
    args: Args,
    caller: Caller,
    hops: number,
    ordered: boolean,
  ): void {
    const head = this.head(REQUEST_FORWARD, partition, caller, hops + 1);
    const body = encodeForward(head, args, caller.session);
    if (body.length > FRAME_BODY_BYTES_MAX) {
      caller.reply.error('ERR', 'command is too long');
      return;
    }
    // A write is never sent twice: the first copy may wait in a stream that stands still, and run later, above what was
    // written since.
    const repeatable = (command.flags & WRITE) === 0;
    const hedgeable = repeatable && !ordered && caller.readLevel === 'one' && command.firstKey > 0;
    if (hedgeable) this.budget.earn();
    const avoids = hedgeable && (peer.answers.isSilent(this.nowMs) || !peer.pending.hasRoom(body.length));
    const target = avoids ? this.livelier(peer, partition, body.length) : peer;
    if (this.refuses(target, body, caller)) return;
    this.begin(target, partition, repeatable, hedgeable, body, caller, this.options.operationTimeoutMs);
  }

  /** Another owner, if there is one that is not silent or crowded too. */
  private livelier(peer: Peer, partition: number, bytes: number): Peer {
    const other = this.ownership.otherOwner(partition, new Set([peer.id]));
    if (other === undefined || other.answers.isSilent(this.nowMs) || !other.pending.hasRoom(bytes)) return peer;
    return other;
  }

  /** Answers -BUSY where too much waits already, for all nodes or for this one. */
  private refuses(peer: Peer, body: Buffer, caller: Caller): boolean {
    if (!this.room.hasRoom(body.length)) caller.reply.error('BUSY', this.room.refuse(OTHER_NODES));
    else if (!peer.pending.hasRoom(body.length)) caller.reply.error('BUSY', peer.pending.refuse(peer.id));
    else return false;
    return true;
  }

  private enter({ peer, body }: Waiting): void {
    this.room.enter(body.length);
    peer.pending.enter(body.length);
  }

  /** The peer, which has room, is waited for from now on. */
  private move(waiting: Waiting, peer: Peer): void {
    waiting.peer.pending.leave(waiting.body.length);
    peer.pending.enter(waiting.body.length);
    waiting.peer = peer;
  }

  private end(waiting: Waiting): void {
    this.pending.delete(waiting.id);
    this.room.leave(waiting.body.length);
    waiting.peer.pending.leave(waiting.body.length);
    waiting.hedge?.pending.leave(waiting.body.length);
    this.order.end(waiting.caller.origin, waiting.partition);
  }

  /**
   * WAIT or WAITAOF for writes that another node coordinated, with a timeout: the caller asks again. False if it could not begin: the
   * caller's reply says why.
   */
  forwardWait(peer: Peer, mark: WriteMark, wish: WaitWish, caller: Caller): boolean {
    const body = encodeWait(this.head(REQUEST_WAIT, NO_PARTITION, caller, 0), mark, wish);
    if (this.refuses(peer, body, caller)) return false;
    this.begin(peer, -1, false, false, body, caller, wish.timeoutMs + this.options.operationTimeoutMs);
    return true;
  }

  /** The answer to one of ours. */
  answered(peer: Peer, id: number, status: number, body: Buffer): void {
    const pending = this.pending.get(id);
    if (pending === undefined) return;
    const isHedge = pending.hedge === peer;
    if (pending.peer !== peer && !isHedge) return;
    if (Number.isFinite(pending.lateAtMs)) {
      peer.answers.answered(this.nowMs - (isHedge ? pending.hedgedAtMs : pending.sentAtMs), this.nowMs);
    }
    if (status === STATUS_RING_DIFFERS) {
      this.ringDiffers(pending, peer);
      return;
    }
    const answer = status === STATUS_OK ? readReplyResponse(body) : null;
    if (answer === null) {
      if (this.goesOn(pending, peer)) return;
      pending.lateAtMs = Number.POSITIVE_INFINITY;
      const isRefused = status === STATUS_REFUSED;
      this.failed(
        pending,
        isRefused ? 'the owner refused the command' : 'the answer can not be read; the outcome is unknown',
      );
      return;
    }
    if (pending.hedge !== null) {
      if (isHedge) this.budget.won++;
      const [loser, sentAtMs] = isHedge ? [pending.peer, pending.sentAtMs] : [pending.hedge, pending.hedgedAtMs];
      loser.answers.givenUp(this.nowMs - sentAtMs, this.nowMs);
    }
    this.end(pending);
    this.stats.answered++;
    if (pending.partition >= 0) {
      const { receipt } = answer;
      pending.receipt.assign(receipt);
      const { session } = pending.caller;
      session?.note(pending.partition, receipt.actor, receipt.sequence, receipt.hlc);
      // A value that merges holds the writes of many actors: the receipt names the latest only.
      if (answer.session !== null) session?.noteAll(answer.session);
    }
    if (answer.coordinator !== 0 && pending.partition >= 0) {
      pending.caller.wrote.note(answer.coordinator, answer.writes, pending.partition);
    }
    pending.deferred.reply.raw(body, answer.replyStart, body.length);
    pending.deferred.done();
  }

  /** The owner has done nothing, for it goes by another ring: it, or who is an owner then, is asked once the rings had time to meet. */
  private ringDiffers(pending: Waiting, peer: Peer): void {
    this.stats.ringDiffered++;
    if (this.goesOn(pending, peer)) return;
    pending.lateAtMs = Number.POSITIVE_INFINITY;
    pending.resendAtMs = this.nowMs + RING_MEETS_MS;
  }

  private resend(pending: Waiting): void {
    pending.resendAtMs = Number.POSITIVE_INFINITY;
    const { partition, peer } = pending;
    const isOwner = peer.state === 'alive' && this.ownership.otherOwners(partition).includes(peer);
    const next = isOwner ? peer : (this.ownership.otherOwner(partition, null) ?? peer);
    if (next !== peer) {
      if (!next.pending.hasRoom(pending.body.length)) {
        this.refuse(pending, next);
        return;
      }
      this.move(pending, next);
    }
    pending.sentAtMs = this.nowMs;
    if (!this.send(pending.peer, pending.body)) this.failed(pending, 'the owner can not be reached');
  }

  private send(peer: Peer, body: Buffer): boolean {
    stampRing(body, this.ownership.ringHash);
    return this.peers.sendFrame(peer, FRAME_REQUEST, body);
  }

  /** Our stream to a peer broke: what it had may or may not have arrived. */
  peerLost(peer: Peer): void {
    for (const pending of this.pending.values()) {
      if (pending.peer !== peer && pending.hedge !== peer) continue;
      if (Number.isFinite(pending.resendAtMs)) continue;
      if (this.goesOn(pending, peer)) peer.answers.givenUp(0, this.nowMs);
      else this.failed(pending, 'the connection to the owner was lost; the outcome is unknown');
    }
  }

  /** One of the two owners asked comes to nothing: true if the other is still waited for. */
  private goesOn(pending: Waiting, lost: Peer): boolean {
    const { hedge } = pending;
    if (hedge === null) return false;
    pending.hedge = null;
    lost.pending.leave(pending.body.length);
    if (hedge !== lost) {
      pending.peer = hedge;
      pending.sentAtMs = pending.hedgedAtMs;
    }
    return true;
  }

  /** Reads whose owner is late are asked of one more. Call at the end of a turn: almost always one comparison. */
  hedge(): void {
    if (this.nowMs < this.lateAtMs) return;
    this.lateAtMs = Number.POSITIVE_INFINITY;
    for (const pending of this.pending.values()) {
      if (pending.lateAtMs > this.nowMs) {
        this.lateAtMs = Math.min(this.lateAtMs, pending.lateAtMs);
        continue;
      }
      if (pending.hedge !== null || pending.hedgedAtMs > 0 || pending.attempts > 1) continue;
      pending.hedgedAtMs = Math.max(this.nowMs, 1);
      const other = this.ownership.otherOwner(pending.partition, new Set([pending.peer.id]));
      if (other === undefined || !other.pending.hasRoom(pending.body.length) || !this.budget.take()) continue;
      if (!this.send(other, pending.body)) continue;
      other.pending.enter(pending.body.length);
      other.answers.asked(this.nowMs);
      pending.hedge = other;
    }
  }

  tick(): void {
    for (const pending of this.pending.values()) {
      if (pending.partition < 0 && pending.caller.gone) {
        this.abandoned(pending);
        continue;
      }
      if (pending.attemptEndsAtMs > this.nowMs) {
        if (pending.resendAtMs <= this.nowMs) this.resend(pending);
        continue;
      }
      this.stats.timeouts++;
      const isParked = Number.isFinite(pending.resendAtMs);
      pending.resendAtMs = Number.POSITIVE_INFINITY;
      this.failed(pending, isParked ? RING_DIFFERS : 'the owner did not answer in time; the outcome is unknown');
    }
  }

  /** Whoever waited for others to have its writes has gone: nobody is to be told. */
  private abandoned(pending: Waiting): void {
    this.stats.abandoned++;
    this.end(pending);
    pending.deferred.done();
  }

  private head(what: number, partition: number, caller: Caller, hops: number): RequestHead {
    const id = this.nextId;
    this.nextId = this.nextId === FORWARD_ID_MAX ? 1 : this.nextId + 1;
    return {
      id,
      what,
      protocol: caller.protocol,
      readLevel: caller.readLevel,
      writeLevel: caller.writeLevel,
      strict: caller.strict,
      session: caller.session !== null,
      hops,
      hlc: this.clock.last,
      sentMs: this.wallMs,
      partition,
    };
  }

  private begin(
    peer: Peer,
    partition: number,
    repeatable: boolean,
    hedgeable: boolean,
    body: Buffer,
    caller: Caller,
    timeoutMs: number,
  ): void {
    const expiresAtMs = this.nowMs + timeoutMs;
    const pending: Waiting = {
      id: body.readUInt32LE(0),
      peer,
      partition,
      repeatable,
      body,
      caller,
      deferred: caller.defer(),
      receipt: caller.receipt,
      expiresAtMs,
      attemptEndsAtMs: repeatable ? Math.min(expiresAtMs, this.nowMs + timeoutMs / 2) : expiresAtMs,
      attempts: 1,
      tried: null,
      sentAtMs: this.nowMs,
      lateAtMs: hedgeable ? this.nowMs + peer.answers.lateAfterMs : Number.POSITIVE_INFINITY,
      hedge: null,
      hedgedAtMs: 0,
      resendAtMs: Number.POSITIVE_INFINITY,
    };
    if (hedgeable) {
      peer.answers.asked(this.nowMs);
      this.lateAtMs = Math.min(this.lateAtMs, pending.lateAtMs);
    }
    pending.receipt.kept = true;
    this.pending.set(pending.id, pending);
    this.enter(pending);
    this.order.begin(caller.origin, partition, peer);
    this.stats.forwarded++;
    if (!this.send(peer, body)) this.failed(pending, 'the owner can not be reached');
  }

  /** An attempt came to nothing: another owner, or the error. */
  private failed(pending: Waiting, why: string): void {
    if (pending.hedge !== null) {
      pending.tried ??= new Set();
      pending.tried.add(pending.hedge.id);
      pending.hedge.answers.givenUp(this.nowMs - pending.hedgedAtMs, this.nowMs);
      pending.hedge.pending.leave(pending.body.length);
      pending.hedge = null;
    }
    if (Number.isFinite(pending.lateAtMs)) {
      pending.peer.answers.givenUp(this.nowMs - pending.sentAtMs, this.nowMs);
      pending.lateAtMs = Number.POSITIVE_INFINITY;
    }
    const isWanted = pending.repeatable && !pending.caller.gone;
    if (isWanted && pending.attempts < ATTEMPTS_MAX && this.nowMs < pending.expiresAtMs) {
      pending.tried ??= new Set();
      pending.tried.add(pending.peer.id);
      const next = this.ownership.otherOwner(pending.partition, pending.tried);
      if (next !== undefined && !next.pending.hasRoom(pending.body.length)) {
        this.refuse(pending, next);
        return;
      }
      if (next !== undefined) {
        this.move(pending, next);
        pending.sentAtMs = this.nowMs;
        pending.attempts++;
        pending.attemptEndsAtMs = pending.expiresAtMs;
        this.stats.retried++;
        if (this.send(next, pending.body)) return;
      }
    }
    this.end(pending);
    pending.deferred.reply.error('UNAVAILABLE', why);
    pending.deferred.done();
  }

  /** Nobody has carried it out, and as much as may waits for the owner that is next. */
  private refuse(pending: Waiting, next: Peer): void {
    this.end(pending);
    pending.deferred.reply.error('BUSY', next.pending.refuse(next.id));
    pending.deferred.done();
  }
}

/** A peer as the caller of a command: its one reply goes back in a RESPONSE frame once whole and as durable as asked. */
export class PeerCaller implements Caller {
  readonly reply: Reply;
  readonly wrote = new WriteMarks();
  readonly receipt = new Receipt();
  /** The log batch that the reply waits for; 0 for none. */
  batch = 0;
  private deferrals = 0;
  private sent = false;
  /** Of the reply, as far as the peer's `owed` counts it. */
  private heldBytes = 0;
  /** The run of the peer that asked: a later one knows nothing of it. */
  private readonly actor: number;

  constructor(
    private readonly peers: Peers,
    readonly peer: Peer,
    private readonly id: number,
    readonly protocol: 2 | 3,
    readonly readLevel: Level,
    readonly writeLevel: Level,
    readonly strict: boolean,
    readonly session: SessionToken | null,
    private readonly clock: HybridClock,
  ) {
    this.reply = new Reply(protocol, null);
    this.actor = peer.actor;
  }

  get origin(): object {
    return this;
  }

  /** The run of the peer that asked has ended. */
  get gone(): boolean {
    return this.peer.actor !== this.actor;
  }

  defer(): Deferred {
    this.deferrals++;
    return this;
  }

  beginReceipt(level: Level): Receipt {
    this.receipt.begin(level);
    return this.receipt;
  }

  done(): void {
    this.deferrals--;
  }

  holdUntilDurable(batch: number): void {
    if (batch > this.batch) this.batch = batch;
  }

  /** The command has run: what it has answered at once is held until it is sent. */
  hold(): void {
    this.heldBytes = this.reply.length;
    this.peer.owed.heldBytes += this.heldBytes;
  }

  /** Sends the reply if it is whole and durable; true when it has left. */
  release(releasedBatch: number): boolean {
    if (this.sent) return true;
    if (this.deferrals > 0 || this.batch > releasedBatch) return false;
    this.sent = true;
    this.peer.owed.heldBytes -= this.heldBytes;
    if (this.gone) return true;
    if (this.reply.overflowed || this.reply.length > REPLY_BYTES_FORWARDED_MAX) {
      this.reply.truncate(0);
      this.reply.overflowed = false;
      this.reply.error('ERR', 'the reply is too long to be passed on by another node');
    }
    const bytes = this.reply.buffer.subarray(0, this.reply.length);
    const head = { id: this.id, status: bytes.length === 0 ? STATUS_REFUSED : STATUS_OK, hlc: this.clock.last };
    const { coordinator, count } = this.wrote;
    const { receipt, session } = this;
    const body = encodeReplyResponse(head, coordinator, count, receipt, bytes, session);
    this.peers.sendFrame(this.peer, FRAME_RESPONSE, body);
    return true;
  }
}
