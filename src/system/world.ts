/**
 * The Node world: runs one machine (ports/world.ts) on Node's event loop and implements its ports.
 * Its owner (serve.ts) listens, builds the machine on `ports`, and hands it to `run`. The first event after idleness
 * opens a turn; a `setImmediate`, which comes after all I/O of the same poll, closes it.
 * Guarded: the machine is called only inside a turn, and never from within one of its own calls. Before a tick may judge
 * who was silent, datagrams that already wait in the socket are let in: after a stall libuv runs timers first, and hands
 * out 32 datagrams a poll.
 */
import { performance } from 'node:perf_hooks';
import { crc32 } from 'node:zlib';
import { accelerateCrc32 } from '../core/base/crc32.js';
import { HearsayError } from '../core/base/errors.js';
import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Secrets } from '../ports/secrets.js';
import type { StreamId } from '../ports/streams.js';
import type { Machine, Ports } from '../ports/world.js';
import { NodeDatagrams } from './datagrams.js';
import { drawSeed } from './entropy.js';
import { FaultyNetwork } from './faults.js';
import { HyperLogLogCounter } from './hyperloglog.js';
import { NodePasswords } from './passwords.js';
import { NodeResolver } from './resolver.js';
import { NodeStreams } from './streams.js';
import { processVitals } from './vitals.js';

/** A poll that brought this many datagrams may have left more behind (libuv's limit for one socket and poll). */
const DATAGRAMS_PER_POLL = 32;
const CATCH_UP_POLLS_MAX = 16;

export interface NodeWorldOptions {
  bind: string;
  port: number;
  gossipPort: number;
  tickIntervalMs: number;
  faultInjection: boolean;
  /** Use nothing below net.Socket. */
  plainSockets?: boolean;
  /** Monotonic ms; for tests. */
  monotonicMs?: () => number;
  /** Wall ms; for tests. */
  wallMs?: () => number;
}

/** What the parts of the world hand in: a machine's events, without the turns around them. */
export type Arrivals = Omit<Machine, 'turnStarted' | 'turnEnded' | 'tick' | 'wantsTurn'>;

/** What the world asks of its machine beyond the events: that it says when it is done, or can not go on. */
export interface WorldMachine extends Machine {
  readonly stopped: boolean;
  readonly fatal: Error | null;
}

export class NodeWorld implements Arrivals {
  /** The ports bound by `listen`. */
  port = 0;
  gossipPort = 0;
  turns = 0;
  /** Events that came before `run` or after `stop`. */
  eventsDropped = 0;
  readonly datagrams: NodeDatagrams;
  readonly streams: NodeStreams;
  readonly resolver: NodeResolver;
  readonly distinct = new HyperLogLogCounter();
  private readonly passwords = new NodePasswords();
  private readonly log: Log;
  private readonly options: NodeWorldOptions;
  private readonly faultyNetwork: FaultyNetwork | null;
  private readonly monotonicMs: () => number;
  private readonly wallMs: () => number;
  private machine: WorldMachine | null = null;
  private turnOpen = false;
  private readonly released: Buffer[] = [];
  private timer: NodeJS.Timeout | undefined;
  private catchingUp = false;
  private pollsLeft = 0;
  private datagramsThisPoll = 0;
  private announceStopped: () => void = () => {};
  private readonly whenStopped: Promise<void>;

  constructor(log: Log, options: NodeWorldOptions) {
    accelerateCrc32(crc32);
    this.log = log;
    this.options = options;
    this.monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.wallMs = options.wallMs ?? (() => Date.now());
    this.faultyNetwork = options.faultInjection
      ? new FaultyNetwork(this, (token, error) => this.openTurn()?.diskCompleted(token, error), { seed: drawSeed() })
      : null;
    this.datagrams = new NodeDatagrams(this.faultyNetwork?.datagrams ?? this, log, { host: options.bind });
    const arrivals = this.faultyNetwork?.streams ?? this;
    this.streams = new NodeStreams(arrivals, { plain: options.plainSockets ?? false });
    this.resolver = new NodeResolver(this);
    this.faultyNetwork?.datagrams.attach(this.datagrams);
    this.faultyNetwork?.streams.attach(this.streams);
    this.whenStopped = new Promise((resolve) => {
      this.announceStopped = resolve;
    });
  }

  /** The ports for a machine, over the given disk, whose completions go to `diskCompleted`. */
  portsOver(disk: Disk, secrets: Secrets | null = null): Ports {
    const { faultyNetwork, log, resolver } = this;
    return {
      datagrams: faultyNetwork?.datagrams ?? this.datagrams,
      streams: faultyNetwork?.streams ?? this.streams,
      disk: faultyNetwork?.disk.attach(disk) ?? disk,
      resolver,
      log,
      faults: faultyNetwork,
      distinct: this.distinct,
      vitals: processVitals,
      passwords: this.passwords,
      secrets,
    };
  }

  /** Binds both ports. Rejects with HearsayError CONFIG, in one line, when one cannot be had; nothing stays bound then. */
  async listen(): Promise<void> {
    const { bind, port, gossipPort } = this.options;
    try {
      this.port = await this.streams.listen('client', bind, port).catch(refused(bind, port, 'port'));
      this.gossipPort = await this.streams
        .listen('peer', bind, gossipPort)
        .catch(refused(bind, gossipPort, 'gossip-port'));
      await this.datagrams.bind(this.gossipPort, bind).catch(refused(bind, this.gossipPort, 'gossip-port'));
    } catch (error) {
      await this.streams.stop();
      throw error;
    }
  }

  /** Starts handing events to the machine; the first is a turn in which `first` is called. */
  run(machine: WorldMachine, first: () => void): void {
    this.machine = machine;
    this.timer = setInterval(() => this.tickDue(), this.options.tickIntervalMs);
    this.inTurn(first);
  }

  /** Calls `action` inside a turn: for calls on the machine that are no events. */
  inTurn(action: () => void): void {
    if (this.openTurn() !== null) action();
  }

  /** Resolves at the end of the turn in which the machine has stopped, or said that it can not go on. */
  untilStopped(): Promise<void> {
    return this.whenStopped;
  }

  /** Hands out no more events, and closes every socket. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.machine = null;
    this.resolver.close();
    this.faultyNetwork?.stop();
    await Promise.all([this.streams.stop(), this.datagrams.close()]);
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    this.datagramsThisPoll++;
    this.openTurn()?.datagramArrived(bytes, host, port);
  }

  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    this.openTurn()?.streamAccepted(stream, kind, peerAddress, localAddress);
  }

  streamConnected(stream: StreamId): void {
    this.openTurn()?.streamConnected(stream);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    this.openTurn()?.streamBytes(stream, bytes, start, end);
  }

  streamDrained(stream: StreamId): void {
    this.openTurn()?.streamDrained(stream);
  }

  streamClosed(stream: StreamId, why: string): void {
    this.openTurn()?.streamClosed(stream, why);
  }

  /** Handed on when the next turn opens: nobody needs a buffer between turns, and a turn of its own would cost a poll. */
  bufferReleased(bytes: Buffer): void {
    this.released.push(bytes);
  }

  diskCompleted(token: number, error: Error | null): void {
    if (this.faultyNetwork === null) this.openTurn()?.diskCompleted(token, error);
    else this.faultyNetwork.disk.diskCompleted(token, error);
  }

  nameResolved(token: number, hosts: string[], why: string): void {
    this.openTurn()?.nameResolved(token, hosts, why);
  }

  private openTurn(): WorldMachine | null {
    const machine = this.machine;
    if (machine === null) {
      this.eventsDropped++;
      return null;
    }
    if (this.turnOpen) return machine;
    this.turnOpen = true;
    this.turns++;
    machine.turnStarted(this.monotonicMs(), this.wallMs() + (this.faultyNetwork?.clockOffsetMs ?? 0));
    if (this.released.length > 0) for (const bytes of this.released.splice(0)) machine.bufferReleased(bytes);
    setImmediate(this.closeTurn);
    return machine;
  }

  private readonly closeTurn = (): void => {
    this.turnOpen = false;
    const machine = this.machine;
    if (machine === null) return;
    machine.turnEnded();
    if (machine.stopped || machine.fatal !== null) this.announceStopped();
    // The turn it wants takes in what waits in the sockets, too: it closes behind the next poll.
    else if (machine.wantsTurn) this.openTurn();
  };

  private tickDue(): void {
    if (this.catchingUp) return;
    this.catchingUp = true;
    this.pollsLeft = CATCH_UP_POLLS_MAX;
    this.datagramsThisPoll = 0;
    setImmediate(this.catchUp);
  }

  private readonly catchUp = (): void => {
    if (this.datagramsThisPoll >= DATAGRAMS_PER_POLL && this.pollsLeft > 0) {
      this.pollsLeft--;
      this.datagramsThisPoll = 0;
      setImmediate(this.catchUp);
      return;
    }
    this.catchingUp = false;
    this.openTurn()?.tick();
  };
}

function refused(host: string, port: number, flag: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const why =
      error.code === 'EADDRINUSE'
        ? 'is in use'
        : error.code === 'EADDRNOTAVAIL'
          ? 'is not an address of this machine'
          : `cannot be bound (${error.code ?? error.message})`;
    const what = error.code === 'EADDRNOTAVAIL' ? host : `port ${port}`;
    const way = error.code === 'EADDRNOTAVAIL' ? '--bind' : `--${flag}`;
    throw new HearsayError('CONFIG', `${what} ${why}: choose another with ${way}`);
  };
}
