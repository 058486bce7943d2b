/**
 * One call on its way: a request, its deadline, the attempts made for it, and the promise of its reply. The dispatcher
 * creates it, places it on links and hears from it when an attempt is lost, half the time is gone or all of it.
 * Guarded: it settles exactly once, in time even if nothing answers; what comes later is dropped and counted.
 */
import { HearsayError } from '../core/base/errors.js';
import type { Aborts } from './aborts.js';
import type { Fate, ReplyTaker } from './connection.js';
import type { ClientTimer, Connector } from './connector.js';
import type { ConsistencyLevel } from './greeting.js';
import type { Link } from './link.js';
import type { Reply } from './reply-parser.js';

/**
 * Whether a request may be sent a second time when the fate of the first is unknown. A read changes nothing. SET and DEL have the same
 * effect twice, unless the first runs so late that it undoes what was written after the second: they are sent again only when the node
 * itself ended the connection, never while it may only be slow. Anything else is sent once.
 */
export type Repeat = 'read' | 'idempotent' | 'once';

export interface Request {
  /** The command's bytes. */
  bytes: Buffer;
  /** The slot of its key; -1 without one. */
  slot: number;
  repeat: Repeat;
  /** Commands in `bytes`, which no other request comes between, and which of them is the call's own. */
  commands: number;
  own: number;
  /** Whether a node that is busy is asked again, or another one, while there is time. */
  waitsWhenBusy: boolean;
}

export interface CallSettings {
  timeoutMs: number;
  /** None: the client's own. */
  level: ConsistencyLevel | null;
  signal: AbortSignal | null;
  /** A call of the application keeps the process alive; the client's own do not. */
  internal: boolean;
}

/** What the dispatcher does about a call. */
export interface CallOwner {
  /** Its last attempt under way ended without a reply; `sent`: it may have been executed. */
  attemptLost(call: Call, sent: boolean, reason: HearsayError): void;
  /** A node has too much to do and did nothing; no attempt is under way. */
  refusedBusy(call: Call, reason: HearsayError): void;
  /** Half its time is gone without a reply; not told of what is sent once. */
  halfTime(call: Call): void;
  /** Its time is over: fail it. */
  deadline(call: Call): void;
  /** It is settled, one way or the other. */
  settled(call: Call): void;
  /** A reply came after it was settled. */
  lateReply(): void;
}

export interface CallPorts {
  connector: Connector;
  aborts: Aborts;
  owner: CallOwner;
}

export class Call implements ReplyTaker {
  readonly promise: Promise<Reply>;
  done = false;
  /** Links it was given to, the latest last. */
  readonly tried: Link[] = [];
  /** When it was last given to a link. */
  sentAtMs = 0;
  /** Attempts without an end yet. */
  underway = 0;
  /** Attempts that ended with their fate unknown. */
  uncertain = 0;
  /** One of these may run at any time yet. */
  mayRunLate = false;
  /** Times that a node was too busy for it. */
  refusals = 0;
  private resolve!: (reply: Reply) => void;
  private reject!: (reason: unknown) => void;
  private timer: ClientTimer;
  private pause: ClientTimer | null = null;
  private readonly startedAtMs: number;

  constructor(
    private readonly ports: CallPorts,
    readonly request: Request,
    readonly settings: CallSettings,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.startedAtMs = ports.connector.nowMs();
    const halves = request.repeat !== 'once';
    this.timer = halves
      ? this.startTimer(settings.timeoutMs / 2, () => this.passHalf())
      : this.startTimer(settings.timeoutMs, () => ports.owner.deadline(this));
    if (settings.signal !== null) ports.aborts.add(settings.signal, this);
  }

  get commands(): number {
    return this.request.commands;
  }

  /** What is left of its time, ms. */
  get leftMs(): number {
    return this.settings.timeoutMs - (this.ports.connector.nowMs() - this.startedAtMs);
  }

  /** Waits before another attempt; nothing comes of it if the call is settled first. */
  rest(delayMs: number, then: () => void): void {
    this.pause = this.ports.connector.startTimer(delayMs, !this.settings.internal, then);
  }

  succeed(reply: Reply): void {
    if (this.end()) this.resolve(reply);
  }

  fail(reason: unknown): void {
    if (this.end()) this.reject(reason);
  }

  replied(reply: Reply): void {
    this.underway--;
    // Refused by one node, a call may still be executed by another.
    const refusal = this.refusalIn(reply);
    if (this.done) this.ports.owner.lateReply();
    else if (refusal === null) this.succeed(reply);
    else if (refusal.code !== 'BUSY') this.loseAttempt(false, refusal);
    else if (this.underway === 0) this.ports.owner.refusedBusy(this, refusal);
  }

  /** The error that says nothing was done and it may be tried elsewhere or later; null if there is none. */
  private refusalIn(reply: Reply): HearsayError | null {
    const { commands, own, waitsWhenBusy } = this.request;
    const answer = commands > 1 && Array.isArray(reply) ? reply[own] : reply;
    if (!(answer instanceof HearsayError)) return null;
    return isElsewhere(answer) || (waitsWhenBusy && answer.code === 'BUSY') ? answer : null;
  }

  lost(fate: Fate, reason: HearsayError): void {
    this.underway--;
    this.mayRunLate ||= fate === 'open';
    this.loseAttempt(fate !== 'unsent', reason);
  }

  private loseAttempt(sent: boolean, reason: HearsayError): void {
    if (sent) this.uncertain++;
    if (!this.done && this.underway === 0) this.ports.owner.attemptLost(this, sent, reason);
  }

  private passHalf(): void {
    this.timer = this.startTimer(Math.max(1, this.leftMs), () => this.ports.owner.deadline(this));
    this.ports.owner.halfTime(this);
  }

  /** Before a time is judged to be over, what waits in the sockets is read: the delay may have been our own. */
  private startTimer(delayMs: number, judge: () => void): ClientTimer {
    const { connector } = this.ports;
    return connector.startTimer(delayMs, !this.settings.internal, () =>
      connector.afterTurn(() => {
        if (!this.done) judge();
      }),
    );
  }

  private end(): boolean {
    if (this.done) return false;
    this.done = true;
    this.timer.cancel();
    this.pause?.cancel();
    if (this.settings.signal !== null) this.ports.aborts.remove(this.settings.signal, this);
    this.ports.owner.settled(this);
    return true;
  }
}

/** The node refused, nothing changed, and another node may do it. */
function isElsewhere(error: HearsayError): boolean {
  if (error.code === 'CLOCKDRIFT' || error.code === 'LOADING') return true;
  return error.code === 'ERR' && /^(?:CLUSTERDOWN|TRYAGAIN|MASTERDOWN)\b/.test(error.message);
}
