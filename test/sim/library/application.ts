/**
 * A process that uses the client library inside the simulated world: a host with an event loop of its own and the connector that the
 * library runs on. library-run.ts makes one per client, posts its work into it and takes its turns after each event of the world.
 * Guarded: the order of Node's event loop (timers that are due, then sockets, then what waits for the end of the turn, promises settled
 * after every one of them) and the laws of src/client/connector.ts; a process that stands still finds its timers due before its bytes.
 */
import type { ClientSocket, ClientTimer, Connector, SocketEvents } from '../../../src/client/connector.js';
import { Random } from '../../../src/core/base/random.js';
import type { StreamId, Streams } from '../../../src/ports/streams.js';
import type { SimCluster } from '../../../src/sim/cluster.js';
import { addressOf } from '../../../src/sim/cluster.js';
import { type Host, KIND_NUMBER, type WorldEvent } from '../../../src/sim/events.js';
import type { Wire } from './wire.js';

interface Timer extends ClientTimer {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** Bytes are lent from here and scribbled over after each call. */
const lent = Buffer.alloc(96 * 1024);

export class Application implements Host, Connector {
  readonly index: number;
  readonly address: string;
  readonly gossipPort = 0;
  readonly clientPort = 0;
  readonly up = true;
  readonly powered = true;
  /** Time in which this process stood still, ms, and until when it does. */
  stoodStillMs = 0;
  /** A turn is due: whoever steps the world takes it. */
  due = false;
  readonly sockets = new Map<StreamId, Socket>();
  readonly streams: Streams;
  private readonly chance: Random;
  private readonly timers = new Set<Timer>();
  private readonly own = new Set<Timer>();
  private order = 0;
  private inbox: WorldEvent[] = [];
  private checks: (() => void)[] = [];
  private scheduled = false;
  private stalledUntilMs = 0;

  constructor(
    private readonly cluster: SimCluster,
    readonly wire: Wire,
    seed: number,
  ) {
    this.index = cluster.network.hosts.length;
    this.address = addressOf(this.index);
    this.chance = new Random(seed, 0x1b2a0000 + this.index);
    this.streams = cluster.streams.portOf(this);
    cluster.network.addHost(this);
  }

  /** Timers of the library that are set. */
  get timersSet(): number {
    return this.timers.size;
  }

  nowMs(): number {
    return this.cluster.clock.nowMs;
  }

  random(): number {
    return this.chance.uint32() / 0x100000000;
  }

  connect(host: string, port: number, events: SocketEvents): ClientSocket {
    const stream = this.streams.connect(host, port);
    const socket = new Socket(this, stream, `${host}:${port}`, events);
    this.sockets.set(stream, socket);
    return socket;
  }

  startTimer(delayMs: number, _holds: boolean, task: () => void): ClientTimer {
    return this.arm(this.timers, delayMs, task);
  }

  afterTurn(task: () => void): void {
    this.checks.push(task);
    this.wake();
  }

  /** Settles after so long, by this process's own loop. */
  sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => this.arm(this.own, forMs, resolve));
  }

  /** This process does nothing for so long. */
  stall(forMs: number): void {
    const untilMs = Math.max(this.stalledUntilMs, this.nowMs() + forMs);
    this.stoodStillMs += untilMs - Math.max(this.stalledUntilMs, this.nowMs());
    this.stalledUntilMs = untilMs;
  }

  /** Connections to one server are reset on their way. */
  reset(address: string): void {
    for (const socket of this.sockets.values()) if (socket.server.startsWith(`${address}:`)) socket.cut();
  }

  post(event: WorldEvent): void {
    this.inbox.push(event);
    this.wake();
  }

  /** One turn of the event loop. */
  async turn(): Promise<void> {
    this.due = false;
    if (this.nowMs() < this.stalledUntilMs) {
      this.wake();
      return;
    }
    for (const timer of this.dueTimers()) {
      if (!this.timers.delete(timer) && !this.own.delete(timer)) continue;
      timer.task();
      await settle();
    }
    for (const event of this.inbox.splice(0)) {
      this.deliver(event);
      await settle();
    }
    for (const check of this.checks.splice(0)) {
      check();
      await settle();
    }
    if (this.inbox.length + this.checks.length > 0) this.wake();
  }

  private dueTimers(): Timer[] {
    const nowMs = this.nowMs();
    const due = [...this.timers, ...this.own].filter((timer) => timer.atMs <= nowMs);
    return due.sort((left, right) => left.atMs - right.atMs || left.order - right.order);
  }

  private arm(timers: Set<Timer>, delayMs: number, task: () => void): Timer {
    const atMs = this.nowMs() + Math.max(0, delayMs);
    const timer: Timer = { atMs, order: this.order++, task, cancel: () => timers.delete(timer) };
    timers.add(timer);
    this.cluster.clock.scheduleAt(atMs, () => {
      if (timers.has(timer)) this.wake();
    });
    return timer;
  }

  private wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.cluster.clock.scheduleAt(Math.max(this.nowMs(), this.stalledUntilMs), () => {
      this.scheduled = false;
      this.due = true;
    });
  }

  private deliver(event: WorldEvent): void {
    if (!('stream' in event)) return;
    const socket = this.sockets.get(event.stream);
    if (socket === undefined) return;
    const bytes = event.kind === 'bytes' ? this.cluster.streams.take(this, event.stream) : null;
    this.cluster.trace.add(this.nowMs(), this.index, KIND_NUMBER[event.kind], bytes);
    if (event.kind === 'connected') socket.events.socketConnected();
    else if (event.kind === 'closed') {
      this.sockets.delete(event.stream);
      const byNode = event.why !== 'ETIMEDOUT';
      this.wire.closed(this.keyOf(event.stream), !socket.ended && byNode);
      socket.events.socketClosed(event.why, byNode);
    } else if (bytes !== null && !socket.ended) {
      const start = event.stream & 31;
      this.wire.received(this.keyOf(event.stream), bytes);
      lent.set(bytes, start);
      socket.events.socketBytes(lent, start, start + bytes.length);
      lent.fill(0xa5, start, start + bytes.length);
    }
  }

  keyOf(stream: StreamId): number {
    return this.index * 1_000_000 + stream;
  }
}

class Socket implements ClientSocket {
  ended = false;

  constructor(
    private readonly application: Application,
    private readonly stream: StreamId,
    readonly server: string,
    readonly events: SocketEvents,
  ) {}

  write(bytes: Buffer): void {
    if (this.ended) return;
    this.application.wire.sent(this.application.keyOf(this.stream), bytes, this.application.nowMs());
    this.application.streams.write(this.stream, bytes, false);
  }

  queuedBytes(): number {
    return this.application.streams.queued(this.stream);
  }

  destroy(_why: string): void {
    this.cut();
    this.ended = true;
  }

  /** It ends at once, and the library has not asked for it. */
  cut(): void {
    if (!this.ended) this.application.streams.close(this.stream, false);
  }
}

/** Every promise that can go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
