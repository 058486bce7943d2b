/**
 * One connection to one server, from connect to close: the handshake, requests in order, replies matched to them first in,
 * first out. link.ts opens it and learns its end; the dispatcher sends through it.
 * All requests of a turn leave in one write. Guarded: every request taken gets exactly one `replied` or `lost`, and `lost`
 * says what may become of it; requests waiting and bytes queued are bounded, past it `send` refuses.
 */
import { HearsayError } from '../core/base/errors.js';
import type { ClientSocket, ClientTimer, Connector, SocketEvents } from './connector.js';
import { Greeting, type GreetingOptions } from './greeting.js';
import { type Reply, ReplyParser } from './reply-parser.js';

/** Bytes of requests that may wait for the operating system. */
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;
/** A connection in doubt that stays silent for this long is given up. */
const SILENCE_MS_MAX = 1000;
const COMPACT_FROM = 1024;

/**
 * What is known of a request whose connection ended without a reply. `unsent`: its bytes were never handed to the socket. `dropped`: the
 * node ended the connection, or died; the request may have run. `open`: we ended it or the way between did, and the node may run the
 * request at any time yet.
 */
export type Fate = 'unsent' | 'dropped' | 'open';

/** Who waits for a reply. */
export interface ReplyTaker {
  /** Commands in its request. With more than one, `replied` is given the list of their replies. */
  readonly commands: number;
  replied(reply: Reply): void;
  /** The connection ended first. */
  lost(fate: Fate, reason: HearsayError): void;
}

/** Told once each, in this order; `connectionClosed` also without the first. */
export interface ConnectionOwner {
  connectionReady(): void;
  connectionClosed(reason: HearsayError): void;
}

export interface ConnectionPorts {
  connector: Connector;
  owner: ConnectionOwner;
}

export interface ConnectionOptions extends GreetingOptions {
  host: string;
  port: number;
  /** Time for connecting and the handshake together. */
  connectTimeoutMs: number;
  /** Requests without a reply yet. */
  maxInFlight: number;
}

export class Connection implements SocketEvents {
  /** No byte has come since a request that waits for too long: others are to be preferred. */
  inDoubt = false;
  private state: 'greeting' | 'ready' | 'closed' = 'greeting';
  private readonly socket: ClientSocket;
  private readonly greeting: Greeting;
  private readonly parser = new ReplyParser();
  private readonly replies: Reply[] = [];
  private takers: ReplyTaker[] = [];
  /** Position in `takers` of the oldest that waits. */
  private oldest = 0;
  /** Replies to the oldest request, while some are still to come. */
  private parts: Reply[] = [];
  /** Requests of this turn, not yet handed to the socket. */
  private outbox: Buffer[] = [];
  private outboxBytes = 0;
  private lastBytesAtMs = 0;
  private timer!: ClientTimer;
  /** Steps of the handshake that the other side has answered, connecting included. */
  private greeted = 0;

  constructor(
    private readonly ports: ConnectionPorts,
    private readonly options: ConnectionOptions,
  ) {
    this.greeting = new Greeting(options);
    const { connector } = ports;
    this.limitHandshake();
    this.socket = connector.connect(options.host, options.port, this);
  }

  /** Push messages that came and were left out. */
  get pushes(): number {
    return this.parser.pushes;
  }

  /** Takes a request; false if the connection is closed or full. */
  send(request: Buffer, taker: ReplyTaker): boolean {
    if (this.state !== 'ready') return false;
    if (this.takers.length - this.oldest >= this.options.maxInFlight) return false;
    if (this.outboxBytes + this.socket.queuedBytes() + request.length > QUEUED_BYTES_MAX) return false;
    if (this.outbox.length === 0) this.ports.connector.afterTurn(() => this.flush());
    this.outbox.push(request);
    this.outboxBytes += request.length;
    this.takers.push(taker);
    return true;
  }

  /** A request sent at `sentAtMs` waits for too long. If nothing at all came since, the connection is in doubt. */
  doubt(sentAtMs: number): void {
    if (this.state !== 'ready' || this.inDoubt || this.lastBytesAtMs > sentAtMs) return;
    this.inDoubt = true;
    this.timer = this.ports.connector.startTimer(SILENCE_MS_MAX, false, () => {
      // What waits in the socket is read first: the silence may have been our own.
      this.ports.connector.afterTurn(() => {
        if (this.inDoubt) this.close(noAnswer('its requests'));
      });
    });
  }

  /** Ends the connection at once; every request that waits is lost. */
  close(reason: HearsayError): void {
    this.end(reason, 'open');
  }

  private end(reason: HearsayError, sentFate: Fate): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.inDoubt = false;
    this.timer.cancel();
    this.socket.destroy(reason.message);
    const waiting = this.takers.slice(this.oldest);
    const sent = waiting.length - this.outbox.length;
    this.takers = [];
    this.oldest = 0;
    this.outbox = [];
    this.ports.owner.connectionClosed(reason);
    for (let at = 0; at < waiting.length; at++) waiting[at].lost(at < sent ? sentFate : 'unsent', reason);
  }

  socketConnected(): void {
    if (this.state !== 'greeting') return;
    this.greeted++;
    this.socket.write(this.greeting.open());
  }

  socketBytes(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'closed') return;
    this.lastBytesAtMs = this.ports.connector.nowMs();
    if (this.inDoubt) {
      this.inDoubt = false;
      this.timer.cancel();
    }
    const failure = this.parser.feed(bytes, start, end, this.replies);
    const replies = this.replies.splice(0);
    for (const reply of replies) this.take(reply);
    if (failure !== null) this.close(failure);
  }

  socketClosed(why: string, byNode: boolean): void {
    const reason = new HearsayError('CLOSED', `${this.options.host}:${this.options.port}: ${why}`);
    this.end(reason, byNode ? 'dropped' : 'open');
  }

  private take(reply: Reply): void {
    if (this.state === 'greeting') this.greet(reply);
    else if (this.oldest < this.takers.length) this.hand(reply);
    else this.close(new HearsayError('ERR', 'the server sent a reply to no request'));
  }

  private hand(reply: Reply): void {
    const { commands } = this.takers[this.oldest];
    if (commands === 1) {
      this.nextTaker().replied(reply);
      return;
    }
    this.parts.push(reply);
    if (this.parts.length < commands) return;
    const { parts } = this;
    this.parts = [];
    this.nextTaker().replied(parts);
  }

  /** A step whose answer had waited for us gives the next its full time: a process that stalled at its start has heard nothing yet. */
  private limitHandshake(): void {
    const { connector } = this.ports;
    this.timer = connector.startTimer(this.options.connectTimeoutMs, false, () => {
      const { greeted } = this;
      connector.afterTurn(() => {
        if (this.state !== 'greeting') return;
        if (this.greeted > greeted) this.limitHandshake();
        else this.close(noAnswer('the handshake'));
      });
    });
  }

  private greet(reply: Reply): void {
    this.greeted++;
    const next = this.greeting.next(reply);
    if (next instanceof HearsayError) {
      this.close(next);
    } else if (next === null) {
      this.timer.cancel();
      this.state = 'ready';
      this.ports.owner.connectionReady();
    } else {
      this.socket.write(next);
    }
  }

  private nextTaker(): ReplyTaker {
    const taker = this.takers[this.oldest++];
    if (this.oldest === this.takers.length) {
      this.takers = [];
      this.oldest = 0;
    } else if (this.oldest >= COMPACT_FROM && this.oldest * 2 >= this.takers.length) {
      this.takers = this.takers.slice(this.oldest);
      this.oldest = 0;
    }
    return taker;
  }

  private flush(): void {
    if (this.state !== 'ready') return;
    const requests = this.outbox;
    const bytes = requests.length === 1 ? requests[0] : Buffer.concat(requests, this.outboxBytes);
    this.outbox = [];
    this.outboxBytes = 0;
    this.socket.write(bytes);
  }
}

function noAnswer(to: string): HearsayError {
  return new HearsayError('TIMEOUT', `the server gave no answer to ${to}`);
}
