/**
 * One life of one node in the simulator: a machine, its inbox and its turns, from start to death.
 * The cluster makes one at each start; the network, the disk and the pulse post into it. Guarded: the turn of
 * src/ports/world.ts: what waits at one instant is one turn, at most 32 datagrams of it as libuv hands them out, the pulse
 * after the datagrams that came before it; bytes of a stream lie in a shared buffer that is scribbled over afterwards;
 * what finds the receive buffer full is lost.
 */
import type { Inspected } from '../core/node/inspected.js';
import type { Machine } from '../ports/world.js';
import type { NodeClock, SimClock } from './clock.js';
import { type Draws, PURPOSE } from './draws.js';
import { type Host, KIND_NUMBER, type WorldEvent } from './events.js';
import type { SimStreams } from './streams.js';
import type { TraceHash } from './trace.js';
import type { Watches } from './watches/watches.js';

/** A machine with the doors that its world uses around the events. */
export interface SimMachine extends Machine {
  start(): void;
  /** Begins a graceful leave; `stopped` becomes true when it is done. */
  shutdown(): void;
  readonly stopped: boolean;
  /** Why the machine can not go on, if it says so. */
  readonly fatal: Error | null;
  /** Throws where its books do not balance: asked at the end of every turn. */
  assertInvariants?(): void;
  /** What the watches of a run look at. */
  inspect?(): Inspected;
}

/** A process that ended by itself: stopped when asked to, or threw. */
export interface Exit {
  node: number;
  life: number;
  error: Error | null;
}

export interface ProcessPorts {
  clock: SimClock;
  draws: Draws;
  streams: SimStreams;
  trace: TraceHash;
  nodeClock: NodeClock;
  host: Host & { readonly slowMs: number };
  /** Shared by all processes of a run: what a stream's bytes lie in during a call. */
  readBuffer: Buffer;
  /** Where a process that ends notes it. */
  exits: Exit[];
  /** Told of the end of each turn. */
  watches: Watches | null;
}

export interface ProcessOptions {
  life: number;
  tickIntervalMs: number;
  /** Datagrams that wait in the socket; the default of Linux holds 92 of full size. */
  receiveBufferDatagrams: number;
  /** Mean time that one turn takes, ms. */
  turnCostMs: number;
}

const DATAGRAMS_PER_TURN = 32;
const WAKE_MEAN_MS = 0.05;

export class SimProcess {
  droppedDatagrams = 0;
  paused = false;
  private readonly ports: ProcessPorts;
  private readonly options: ProcessOptions;
  private readonly machine: SimMachine;
  private inbox: WorldEvent[] = [];
  private waitingDatagrams = 0;
  private tickDue = false;
  private turnScheduled = false;
  private ended = false;
  private busyUntilMs = 0;
  private turns = 0;

  constructor(ports: ProcessPorts, machine: SimMachine, options: ProcessOptions) {
    this.ports = ports;
    this.machine = machine;
    this.options = options;
  }

  /** The first turn: the machine starts and the pulse begins. */
  start(): void {
    this.turn(() => this.machine.start());
    this.scheduleTick();
  }

  /** Asks the machine to leave; its exit is noted once it says that it has stopped. */
  shutdown(): void {
    this.turn(() => this.machine.shutdown());
  }

  post(event: WorldEvent): void {
    if (this.ended) return;
    if (event.kind === 'datagram') {
      if (this.waitingDatagrams >= this.options.receiveBufferDatagrams) {
        this.droppedDatagrams++;
        return;
      }
      this.waitingDatagrams++;
    }
    this.inbox.push(event);
    this.scheduleTurn();
  }

  /** One more turn, in which something comes to the machine another way than as an event. */
  interject(body: (machine: SimMachine) => void): void {
    if (!this.ended && !this.paused) this.turn(() => body(this.machine));
  }

  /** The process runs no more, as under SIGSTOP; what arrives waits in the operating system. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.scheduleTurn();
  }

  /** Nothing reaches the machine any more. */
  end(): void {
    this.ended = true;
    this.inbox = [];
  }

  private scheduleTick(): void {
    this.ports.clock.schedule(this.options.tickIntervalMs, () => {
      this.tickDue = true;
      this.scheduleTurn();
    });
  }

  private scheduleTurn(): void {
    if (this.turnScheduled || this.paused || this.ended) return;
    this.turnScheduled = true;
    const { clock, draws, host } = this.ports;
    const wakeMs = draws.exponential(WAKE_MEAN_MS, host.index, this.turns, PURPOSE.turnDelay);
    clock.schedule(Math.max(wakeMs, this.busyUntilMs - clock.nowMs), () => {
      this.turnScheduled = false;
      if (!this.paused && !this.ended) this.turn(() => this.deliverAll());
    });
  }

  private turn(body: () => void): void {
    const { clock, draws, host, nodeClock, exits } = this.ports;
    this.turns++;
    try {
      this.machine.turnStarted(nodeClock.monotonicMs(), nodeClock.wallMs());
      body();
      this.machine.turnEnded();
      this.machine.assertInvariants?.();
      this.ports.watches?.turned(host.index);
      if (this.machine.stopped || this.machine.fatal !== null) {
        this.ended = true;
        exits.push({ node: host.index, life: this.options.life, error: this.machine.fatal });
      }
    } catch (error) {
      this.ended = true;
      exits.push({ node: host.index, life: this.options.life, error: error as Error });
    }
    this.busyUntilMs =
      clock.nowMs + draws.exponential(this.options.turnCostMs + host.slowMs, host.index, this.turns, PURPOSE.turnCost);
    if (this.inbox.length > 0 || this.tickDue || this.machine.wantsTurn) this.scheduleTurn();
  }

  private deliverAll(): void {
    const batch = this.inbox;
    this.inbox = [];
    const later: WorldEvent[] = [];
    let datagrams = 0;
    for (const event of batch) {
      if (event.kind === 'datagram' && ++datagrams > DATAGRAMS_PER_TURN) later.push(event);
      else this.deliver(event);
    }
    if (later.length > 0) this.inbox = later.concat(this.inbox);
    else if (this.tickDue) {
      this.tickDue = false;
      this.scheduleTick();
      this.deliver({ kind: 'tick' });
    }
  }

  private deliver(event: WorldEvent): void {
    const { machine } = this;
    if (event.kind === 'bytes') {
      this.deliverBytes(event.stream);
      return;
    }
    this.note(event, event.kind === 'datagram' ? event.bytes : null);
    switch (event.kind) {
      case 'datagram':
        this.waitingDatagrams--;
        machine.datagramArrived(event.bytes, event.address, event.port);
        break;
      case 'accepted':
        machine.streamAccepted(event.stream, event.as, event.peerAddress, event.localAddress);
        break;
      case 'connected':
        machine.streamConnected(event.stream);
        break;
      case 'drained':
        machine.streamDrained(event.stream);
        break;
      case 'closed':
        machine.streamClosed(event.stream, event.why);
        break;
      case 'released':
        machine.bufferReleased(event.bytes);
        break;
      case 'disk':
        machine.diskCompleted(event.token, event.error);
        break;
      case 'resolved':
        machine.nameResolved(event.token, event.hosts, event.hosts.length === 0 ? 'ENOTFOUND' : '');
        break;
      case 'tick':
        machine.tick();
        break;
    }
  }

  private deliverBytes(stream: number): void {
    const { streams, host, readBuffer } = this.ports;
    const bytes = streams.take(host, stream);
    if (bytes === null) return;
    this.note({ kind: 'bytes', stream }, bytes);
    const start = stream & 31;
    const end = start + bytes.length;
    readBuffer.set(bytes, start);
    this.machine.streamBytes(stream, readBuffer, start, end);
    readBuffer.fill(0xa5, start, end);
  }

  private note(event: WorldEvent, bytes: Uint8Array | null): void {
    this.ports.trace.add(this.ports.clock.nowMs, this.ports.host.index, KIND_NUMBER[event.kind], bytes);
  }
}
