/**
 * WAIT and WAITAOF: callers that want to know how many peers have their writes, in memory or on disk. The host adds them, the
 * spine settles them at the end of every turn in which something may have changed.
 * A peer counts when it has all of the caller's writes; where those went through several coordinators or into several
 * partitions, the answer is the least of their figures. What another node coordinated is asked of that node.
 * Guarded: bounded; answered once: enough peers, time is up, or nobody listens any more. A coordinator that cannot be asked any
 * more makes the figure 0, once.
 */
import type { Caller, Deferred, WaitWish } from '../commands/host.js';
import { Receipt } from '../commands/receipt.js';
import { WriteMark, type WriteMarks } from '../commands/write-marks.js';
import { readInteger } from '../resp/integer.js';
import { Reply } from '../resp/reply.js';
import type { Coordinator } from './coordinator.js';
import type { Forwarding } from './forwarding.js';
import type { Peers } from './peers.js';
import type { Reach } from './reach.js';

const WAITERS_MAX = 10_000;

interface Waiter {
  readonly caller: Caller;
  readonly deferred: Deferred;
  readonly wish: WaitWish;
  /** The marks coordinated here. */
  readonly own: readonly WriteMark[];
  /** The log batch that holds them. */
  readonly batch: number;
  readonly remote: readonly RemoteWait[];
  readonly gone: Set<number>;
  /** Null for a peer's question, which is about one mark only. */
  readonly marks: WriteMarks | null;
  /** Where its last write was when it asked. */
  readonly coordinator: number;
  readonly count: number;
  readonly expiresAtMs: number;
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

  constructor(
    private readonly coordinator: Coordinator,
    private readonly forwarding: Forwarding,
    private readonly peers: Peers,
    private readonly reach: Reach,
    private readonly options: WaitersOptions,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /** For a client's connection: answers in `caller.reply` if it can at once, else in a place taken for later. */
  wait(wish: WaitWish, caller: Caller, nowMs: number): void {
    const marks = caller.wrote;
    const own: WriteMark[] = [];
    const others: WriteMark[] = [];
    for (const mark of marks.all()) (mark.coordinator === this.coordinator.actor ? own : others).push(mark);
    // Who has written nothing asks how many peers there are.
    if (own.length + others.length === 0) own.push(new WriteMark(this.coordinator.actor, 0, -1));
    if (others.length === 0 && this.answerNow(wish, own, caller)) return;
    if (this.open.size >= WAITERS_MAX) {
      caller.reply.error('BUSY', 'too many connections wait; try again later, or with fewer connections');
      return;
    }
    const deferred = caller.defer();
    const gone = new Set<number>();
    const remote: RemoteWait[] = [];
    for (const mark of others) {
      const peer = this.peers.withActor(mark.coordinator);
      const part = new RemoteWait(caller, () => this.answers++);
      remote.push(part);
      if (peer === undefined) gone.add(mark.coordinator);
      if (peer === undefined || !this.forwarding.forwardWait(peer, mark, wish, part)) part.done();
    }
    this.add({ caller, deferred, wish, own: own.map((mark) => mark.copy()), remote, gone, marks }, nowMs);
  }

  /** For a peer that asks on behalf of a connection of its own: the answer is two numbers, the log here and the peers. */
  waitFor(mark: WriteMark, wish: WaitWish, caller: Caller, nowMs: number): void {
    if (this.open.size >= WAITERS_MAX) {
      caller.reply.error('BUSY', 'too many connections wait');
      return;
    }
    const deferred = caller.defer();
    this.add({ caller, deferred, wish, own: [mark], remote: [], gone: new Set(), marks: null }, nowMs);
  }

  /** Answers whoever may be answered. `pulse`: time has passed, too. */
  settle(nowMs: number, pulse: boolean): void {
    if (this.open.size === 0) return;
    const progress = this.coordinator.progress + this.answers;
    if (!pulse && progress === this.settledProgress) return;
    this.settledProgress = progress;
    for (const waiter of this.open) {
      const { wish, remote, own, marks } = waiter;
      let { local, peers } = this.figures(own, wish, waiter.batch);
      const open = remote.some((part) => !part.answered);
      const hopeless = remote.some((part) => part.answered && (part.peers < wish.peers || part.local < wish.local));
      for (const part of remote) {
        local = Math.min(local, part.local);
        peers = Math.min(peers, part.peers);
      }
      const enough = !open && (hopeless || (peers >= wish.peers && local >= wish.local));
      // Who was asked is given time to say that time is up.
      const late = nowMs >= waiter.expiresAtMs + (open ? this.options.operationTimeoutMs : 0);
      if (!enough && !late && !waiter.caller.gone) continue;
      this.open.delete(waiter);
      if (marks?.forgotten) peers = 0;
      this.write(waiter.deferred.reply, wish, local, peers, marks === null);
      const unchanged = marks?.coordinator === waiter.coordinator && marks.count === waiter.count;
      if (unchanged) marks.answered(this.isEverything(wish, peers), waiter.gone);
      waiter.deferred.done();
    }
  }

  private isEverything(wish: WaitWish, peers: number): boolean {
    return !wish.durable && peers >= this.options.replicas - 1;
  }

  private add(waiter: Omit<Waiter, 'batch' | 'expiresAtMs' | 'coordinator' | 'count'>, nowMs: number): void {
    const { timeoutMs } = waiter.wish;
    const { coordinator, count } = waiter.caller.wrote;
    const expiresAtMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
    this.open.add({ ...waiter, coordinator, count, batch: this.coordinator.lastBatch, expiresAtMs });
    this.settledProgress = -1;
  }

  private answerNow(wish: WaitWish, own: readonly WriteMark[], caller: Caller): boolean {
    const { local, peers } = this.figures(own, wish, this.coordinator.lastBatch);
    if (caller.wrote.forgotten || peers < wish.peers || local < wish.local) return false;
    this.write(caller.reply, wish, local, peers, false);
    caller.wrote.answered(this.isEverything(wish, peers), NOBODY);
    return true;
  }

  private figures(own: readonly WriteMark[], wish: WaitWish, batch: number): { local: number; peers: number } {
    let peers = this.options.replicas - 1;
    for (const mark of own) peers = Math.min(peers, this.reach.peersWith(mark, wish.durable));
    return { local: own.length === 0 || this.coordinator.isDurable(batch) ? 1 : 0, peers };
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

/** Stands in for the caller in the question to one other coordinator. */
class RemoteWait implements Caller, Deferred {
  readonly reply = new Reply(2, null);
  readonly protocol = 2;
  readonly receipt = new Receipt();
  readonly strict = false;
  readonly session = null;
  answered = false;
  local = 0;
  peers = 0;

  constructor(
    private readonly caller: Caller,
    private readonly tell: () => void,
  ) {}

  get origin(): object {
    return this;
  }

  get gone(): boolean {
    return this.caller.gone;
  }

  get readLevel(): Caller['readLevel'] {
    return this.caller.readLevel;
  }

  get writeLevel(): Caller['writeLevel'] {
    return this.caller.writeLevel;
  }

  get wrote(): WriteMarks {
    return this.caller.wrote;
  }

  defer(): Deferred {
    return this;
  }

  beginReceipt(): Receipt {
    return this.receipt;
  }

  holdUntilDurable(): void {}

  /** `*2 :local :peers`; anything else is an error, and counts as nobody. */
  done(): void {
    if (this.answered) return;
    this.answered = true;
    const [, local, peers] = this.reply.buffer.latin1Slice(0, this.reply.length).split('\r\n');
    this.local = numberIn(local);
    this.peers = numberIn(peers);
    this.tell();
  }
}

function numberIn(line: string | undefined): number {
  if (line === undefined || !line.startsWith(':')) return 0;
  const value = readInteger(Buffer.from(line, 'latin1'), 1, line.length);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
