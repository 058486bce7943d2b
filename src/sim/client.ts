/**
 * A RESP client inside the simulated world, beside one node: sends commands as bytes over a client stream, pipelined, and
 * notes the outcome of each. The workload and the probes of a run use it. Guarded: honesty about outcomes: `ok` only for
 * a reply, `refused` only when the command certainly had no effect (never sent, or an error that promises it), and
 * `indeterminate` for everything else, a lost connection and a timeout before all.
 */
import type { StreamId, Streams } from '../ports/streams.js';
import type { SimClock } from './clock.js';
import { type Host, KIND_NUMBER, type WorldEvent } from './events.js';
import { encodeCommand, type Reply, ReplyReader } from './replies.js';
import type { SimStreams } from './streams.js';
import type { TraceHash } from './trace.js';

export interface Completion {
  client: number;
  /** The number that `send` was given. */
  command: number;
  outcome: 'ok' | 'refused' | 'indeterminate';
  /** The reply, errors too; null if there was none. */
  reply: Reply | null;
  /** Why there is no reply, or what is wrong with it. */
  why: string;
}

export interface ClientOptions {
  /** Index among all hosts, after the nodes. */
  index: number;
  /** Number among the clients. */
  client: number;
  address: string;
  target: { address: string; clientPort: number };
  /** Commands that each new connection begins with. Their replies must not be errors. */
  greeting: readonly (readonly string[])[];
  timeoutMs: number;
}

interface Pending {
  command: number;
  bytes: Buffer;
  greeting: boolean;
}

/** Error codes that promise that nothing changed (src/core/base/errors.ts). */
const REFUSALS = new Set([
  'ERR',
  'OOM',
  'NOSPACE',
  'DISKFAILED',
  'BUSY',
  'CLOCKDRIFT',
  'NOAUTH',
  'WRONGPASS',
  'WRONGTYPE',
  'SIBLINGS',
  'CONTEXT',
]);

export class SimClient implements Host {
  readonly index: number;
  readonly address: string;
  readonly gossipPort = 0;
  readonly clientPort = 0;
  readonly up = true;
  readonly powered = true;
  private readonly clock: SimClock;
  private readonly trace: TraceHash;
  private readonly simStreams: SimStreams;
  private readonly streams: Streams;
  private readonly options: ClientOptions;
  /** Where outcomes go; whoever steps the clock drains it. */
  private readonly finished: Completion[];
  private stream: StreamId = 0;
  private connected = false;
  private dials = 0;
  private reader = new ReplyReader();
  private unsent: Pending[] = [];
  private sent: Pending[] = [];

  constructor(
    ports: { clock: SimClock; streams: SimStreams; trace: TraceHash; finished: Completion[] },
    options: ClientOptions,
  ) {
    this.clock = ports.clock;
    this.trace = ports.trace;
    this.simStreams = ports.streams;
    this.finished = ports.finished;
    this.options = options;
    this.index = options.index;
    this.address = options.address;
    this.streams = ports.streams.portOf(this);
  }

  /** Sends a command, on a new connection if there is none. Its outcome comes exactly once. */
  send(command: number, words: readonly string[]): void {
    if (this.stream === 0) this.dial();
    const pending = { command, bytes: encodeCommand(words), greeting: false };
    if (this.connected) this.transmit(pending);
    else this.unsent.push(pending);
    this.clock.schedule(this.options.timeoutMs, () => {
      if (this.sent.includes(pending) || this.unsent.includes(pending)) this.hangUp('timeout');
    });
  }

  post(event: WorldEvent): void {
    if (!('stream' in event) || event.stream !== this.stream) return;
    if (event.kind === 'bytes') {
      const bytes = this.simStreams.take(this, event.stream);
      if (bytes !== null) this.receive(bytes);
      return;
    }
    this.trace.add(this.clock.nowMs, this.index, KIND_NUMBER[event.kind], null);
    if (event.kind === 'connected') {
      this.connected = true;
      for (const words of this.options.greeting) {
        this.transmit({ command: -1, bytes: encodeCommand(words), greeting: true });
      }
      for (const pending of this.unsent) this.transmit(pending);
      this.unsent = [];
    } else if (event.kind === 'closed') {
      this.forget(event.why);
    }
  }

  /** Ends the connection; what is pending is settled by what is known of it. */
  hangUp(why: string): void {
    if (this.stream === 0) return;
    const stream = this.stream;
    this.forget(why);
    this.streams.close(stream, false);
  }

  /** The number of the connection that the next command goes by. */
  get connection(): number {
    return this.stream === 0 ? this.dials + 1 : this.dials;
  }

  private dial(): void {
    this.dials++;
    this.reader = new ReplyReader();
    this.stream = this.streams.connect(this.options.target.address, this.options.target.clientPort);
  }

  private transmit(pending: Pending): void {
    this.sent.push(pending);
    this.streams.write(this.stream, pending.bytes, false);
  }

  private receive(bytes: Buffer): void {
    this.trace.add(this.clock.nowMs, this.index, KIND_NUMBER.bytes, bytes);
    this.reader.feed(bytes);
    for (let reply = this.reader.next(); reply !== null; reply = this.reader.next()) {
      const pending = this.sent.shift();
      if (pending === undefined) {
        this.settle(-1, 'indeterminate', reply, 'a reply that nothing asked for');
        return;
      }
      if (pending.greeting) {
        if (reply.type === 'error') this.settle(-1, 'refused', reply, 'greeting refused');
      } else {
        this.settle(pending.command, outcomeOf(reply), reply, '');
      }
    }
    if (this.reader.broken !== null) {
      this.settle(-1, 'indeterminate', null, `malformed reply: ${this.reader.broken}`);
      this.hangUp('malformed reply');
    }
  }

  private forget(why: string): void {
    const { sent, unsent } = this;
    this.sent = [];
    this.unsent = [];
    this.stream = 0;
    this.connected = false;
    for (const pending of sent) if (!pending.greeting) this.settle(pending.command, 'indeterminate', null, why);
    for (const pending of unsent) this.settle(pending.command, 'refused', null, why);
  }

  private settle(command: number, outcome: Completion['outcome'], reply: Reply | null, why: string): void {
    this.finished.push({ client: this.options.client, command, outcome, reply, why });
  }
}

function outcomeOf(reply: Reply): Completion['outcome'] {
  if (reply.type !== 'error') return 'ok';
  return REFUSALS.has(reply.text.split(' ', 1)[0]) ? 'refused' : 'indeterminate';
}
