/**
 * What a world is, seen from both sides. A world owns the event loop: it hands events to the machine and implements the ports
 * it calls. Time is an argument: `turnStarted` gives both clocks once, before the first event of a turn; every event until
 * `turnEnded` happens at that time. Randomness is a seed, drawn once.
 */

import type { Datagrams } from './datagrams.js';
import type { Disk } from './disk.js';
import type { DistinctCounter } from './distinct.js';
import type { Faults } from './faults.js';
import type { Log } from './log.js';
import type { Passwords } from './passwords.js';
import type { Resolver } from './resolver.js';
import type { Secrets } from './secrets.js';
import type { StreamId, Streams } from './streams.js';
import type { Vitals } from './vitals.js';

export interface Ports {
  datagrams: Datagrams;
  streams: Streams;
  disk: Disk;
  resolver: Resolver;
  log: Log;
  /** Fault injection, where it is on. */
  faults: Faults | null;
  /** Estimates distinct keys. */
  distinct: DistinctCounter;
  vitals: Vitals;
  passwords: Passwords;
  /** What the cluster shares; null: its nodes talk in the clear. */
  secrets: Secrets | null;
}

/** The events a world delivers. None of them may throw for bytes from outside. */
export interface Machine {
  /** Both clocks in ms: monotonic (any origin, never steps back) and wall (may step). */
  turnStarted(monotonicMs: number, wallMs: number): void;
  /** There is input left to work on: the world gives another turn as soon as waiting events have been delivered. */
  readonly wantsTurn: boolean;
  /** No more events in this turn: flush sockets, log batch, datagrams and digests, once each. */
  turnEnded(): void;
  /** A regular pulse, every `tickIntervalMs`; may come late, and then says so by the clock. */
  tick(): void;
  datagramArrived(bytes: Buffer, host: string, port: number): void;
  /** A stream reached one of our listeners. `peerAddress` and `localAddress` are `host:port`. */
  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void;
  streamConnected(stream: StreamId): void;
  /** The bytes lie in a buffer that is reused after this call returns: keep nothing of it. */
  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void;
  /** The queue of a stream that was full has drained below half. */
  streamDrained(stream: StreamId): void;
  streamClosed(stream: StreamId, why: string): void;
  /** A buffer given to `write` with `recycle` is free again. */
  bufferReleased(bytes: Buffer): void;
  diskCompleted(token: number, error: Error | null): void;
  /** `why` is empty when there are hosts. */
  nameResolved(token: number, hosts: string[], why: string): void;
}
