/**
 * WAIT and WAITAOF: callers that want to know how many peers have their writes, in memory or on disk. The host adds them, the
 * spine settles them at the end of every turn in which something may have changed.
 * A peer counts when it has all of the caller's writes; where those went through several coordinators or into several
 * partitions, the answer is the least of their figures. What another node coordinated is asked of that node, for a while, and asked again
 * while the caller is there: so nothing stays at a node whose asker has let go.
 * Guarded: bounded; answered once: enough peers, time is up, or nobody listens any more. A coordinator that cannot be asked any
 * more makes the figure 0, once. The more wait, the less often they are looked at.
 */
import type { Caller, Deferred, WaitWish } from '../commands/host.js';
import { WriteMark, type WriteMarks } from '../commands/write-marks.js';
import type { Reply } from '../resp/reply.js';
import type { Coordinator } from './coordinator.js';
import type { Forwarding } from './forwarding.js';
import type { Peers } from './peers.js';
import type { Reach } from './reach.js';
import { RemoteWait } from './remote-wait.js';

export const WAITERS_MAX = 10_000;
/** Another coordinator is asked for so long at a time, however long the caller waits. */
export const ASKED_MS_MAX = 10_000;
/** Acknowledgements settle at most so many waiters a millisecond; with each tick all are looked at. */
const SETTLED_PER_MS = 500;

interface Waiter {
  readonly caller: Caller;
  readonly deferred: Deferred;
  readonly wish: WaitWish;
  /** What was coordinated here; null for nothing. */
  readonly own: WriteMark | null;
  /** The log batch that holds it. */
  readonly batch: number;
  readonly remote: readonly RemoteWait[];
  readonly gone: Set<number>;
  /** Null for a peer's question, which is about one mark only. */
  readonly marks: WriteMarks | null;
  /** Where its last write was when it asked. */
  readonly coordinator: number;
  readonly count: number;
  readonly expiresAtMs: number;
  /** The partition that lacked peers when it was last looked at. */
  lackingAt: number;
}

export interface WaitersOptions {
  replicas: number;
  operationTimeoutMs: number;
}

export class Waiters {
  private readonly open = new Set<Waiter>();
  /** Raised when a node that was asked has answered. */
  private answers = 0;
  private settledProgress = -1;
  private settlesAtMs = 0;

  constructor(
    private readonly coordinator: Pick<Coordinator, 'actor' | 'progress' | 'lastBatch' | 'isDurable'>,
    private readonly forwarding: Pick<Forwarding, 'forwardWait'>,
    private readonly peers: Pick<Peers, 'withActor'>,
    private readonly reach: Reach,
    private readonly options: WaitersOptions,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /** For a client's connection: answers in `caller.reply` if it can at once, else in a place taken for later. */
  wait(wish: WaitWish, caller: Caller, nowMs: number): void {
    const marks = caller.wrote;
    let own: WriteMark | null = null;
    const others: WriteMark[] = [];
    for (const mark of marks.all()) {
      if (mark.coordinator === this.coordinator.actor) own = mark;
      else others.push(mark);
    }
    // Who has written nothing asks how many peers there are.
    if (own === null && others.length === 0) own = new WriteMark(this.coordinator.actor, 0, -1);
    if (others.length === 0 && this.answerNow(wish, own, caller)) return;
    if (this.open.size >= WAITERS_MAX) {
      caller.reply.error('BUSY', 'too many connections wait; try again later, or with fewer connections');
      return;
    }
    const deferred = caller.defer();
    const remote = others.map((mark) => new RemoteWait(caller, mark.copy(), () => this.answers++));
    const expiresAtMs = wish.timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + wish.timeoutMs;
    const waiter = this.add({ caller, deferred, wish, own: own?.copy() ?? null, remote, marks, expiresAtMs });
    for (const part of remote) this.ask(waiter, part, nowMs);
  }

  /** For a peer that asks on behalf of a connection of its own: the answer is two numbers, the log here and the peers. */
  waitFor(mark: WriteMark, wish: WaitWish, caller: Caller, nowMs: number): void {
    if (this.open.size >= WAITERS_MAX) {
      caller.reply.error('BUSY', 'too many connections wait');
      return;
    }
    // Nothing tells this node that the connection has gone.
    const timeoutMs = wish.timeoutMs === 0 ? ASKED_MS_MAX : Math.min(wish.timeoutMs, ASKED_MS_MAX);
    const deferred = caller.defer();
    this.add({ caller, deferred, wish, own: mark, remote: [], marks: null, expiresAtMs: nowMs + timeoutMs });
  }

  /** Answers whoever may be answered. `pulse`: time has passed, too. */
  settle(nowMs: number, pulse: boolean): void {
    if (this.open.size === 0) return;
    const progress = this.coordinator.progress + this.answers;
    if (!pulse && (progress === this.settledProgress || nowMs < this.settlesAtMs)) return;
    this.settledProgress = progress;
    this.settlesAtMs = nowMs + Math.floor(this.open.size / SETTLED_PER_MS);
    for (const waiter of this.open) {
      if (pulse) this.askAgain(waiter, nowMs);
      if (waiter.caller.gone || this.isOver(waiter, nowMs)) this.answer(waiter);
    }
  }

  /** Whether there are enough, can not be enough any more, or time is up. */
  private isOver(waiter: Waiter, nowMs: number): boolean {
    const { wish, remote, own } = waiter;
    let isAwaiting = false;
    let isShort = false;
    for (const part of remote) {
      if (part.failed) return true;
      if (!part.answered) isAwaiting = true;
      else if (isTooFew(part, wish)) isShort = true;
    }
    // Who was asked is given time to say that time is up.
    if (nowMs >= waiter.expiresAtMs + (isAwaiting ? this.options.operationTimeoutMs : 0)) return true;
    if (isAwaiting || isShort) return false;
    if (wish.local > 0 && own !== null && !this.coordinator.isDurable(waiter.batch)) return false;
    if (own === null) return true;
    const lackingAt = this.reach.lacking(own, wish.durable, wish.peers, waiter.lackingAt);
    if (lackingAt < 0) return true;
    waiter.lackingAt = lackingAt;
    return false;
  }

  private answer(waiter: Waiter): void {
    const { wish, remote, marks } = waiter;
    this.open.delete(waiter);
    let { local, peers } = this.figures(waiter.own, wish, waiter.batch);
    for (const part of remote) {
      local = Math.min(local, part.local);
      peers = Math.min(peers, part.peers);
    }
    if (marks?.forgotten) peers = 0;
    this.write(waiter.deferred.reply, wish, local, peers, marks === null);
    const unchanged = marks?.coordinator === waiter.coordinator && marks.count === waiter.count;
    if (unchanged) marks.answered(this.isEverything(wish, local, peers), waiter.gone);
    waiter.deferred.done();
  }

  /** Asks those again that had too few when their time was up, while the caller waits on. */
  private askAgain(waiter: Waiter, nowMs: number): void {
    if (waiter.caller.gone || nowMs >= waiter.expiresAtMs) return;
    for (const part of waiter.remote) {
      if (part.answered && !part.failed && isTooFew(part, waiter.wish)) this.ask(waiter, part, nowMs);
    }
  }

  private ask(waiter: Waiter, part: RemoteWait, nowMs: number): void {
    const { mark } = part;
    const peer = this.peers.withActor(mark.coordinator);
    part.begin();
    if (peer === undefined) waiter.gone.add(mark.coordinator);
    const timeoutMs = Math.min(Math.ceil(waiter.expiresAtMs - nowMs), ASKED_MS_MAX);
    const wish = { ...waiter.wish, timeoutMs };
    if (peer === undefined || !this.forwarding.forwardWait(peer, mark, wish, part)) part.done();
  }

  private isEverything(wish: WaitWish, local: number, peers: number): boolean {
    return peers >= this.options.replicas - 1 && (!wish.durable || local > 0);
  }

  private add(waiter: Omit<Waiter, 'batch' | 'coordinator' | 'count' | 'gone' | 'lackingAt'>): Waiter {
    const { coordinator, count } = waiter.caller.wrote;
    const added = {
      ...waiter,
      coordinator,
      count,
      batch: this.coordinator.lastBatch,
      gone: new Set<number>(),
      lackingAt: 0,
    };
    this.open.add(added);
    this.settledProgress = -1;
    return added;
  }

  private answerNow(wish: WaitWish, own: WriteMark | null, caller: Caller): boolean {
    const { local, peers } = this.figures(own, wish, this.coordinator.lastBatch);
    if (caller.wrote.forgotten || peers < wish.peers || local < wish.local) return false;
    this.write(caller.reply, wish, local, peers, false);
    caller.wrote.answered(this.isEverything(wish, local, peers), NOBODY);
    return true;
  }

  private figures(own: WriteMark | null, wish: WaitWish, batch: number): { local: number; peers: number } {
    const most = this.options.replicas - 1;
    const peers = own === null ? most : Math.min(most, this.reach.peersWith(own, wish.durable));
    return { local: own === null || this.coordinator.isDurable(batch) ? 1 : 0, peers };
  }

  private write(reply: Reply, wish: WaitWish, local: number, peers: number, both: boolean): void {
    if (wish.durable || both) {
      reply.array(2);
      reply.integer(local);
    }
    reply.integer(peers);
  }
}

const NOBODY: ReadonlySet<number> = new Set();

function isTooFew(part: RemoteWait, wish: WaitWish): boolean {
  return part.peers < wish.peers || part.local < wish.local;
}
