/**
 * What the simulated world has to tell a host: one event as data. The network and the disks post them, a process
 * (process.ts) queues them until its next turn, a client (client.ts) takes them at once.
 */
import type { StreamId } from '../ports/streams.js';

export type WorldEvent =
  | { kind: 'datagram'; bytes: Buffer; address: string; port: number }
  | { kind: 'accepted'; stream: StreamId; as: 'client' | 'peer'; peerAddress: string; localAddress: string }
  | { kind: 'connected'; stream: StreamId }
  | { kind: 'bytes'; stream: StreamId }
  | { kind: 'drained'; stream: StreamId }
  | { kind: 'closed'; stream: StreamId; why: string }
  | { kind: 'released'; bytes: Buffer }
  | { kind: 'disk'; token: number; error: Error | null }
  | { kind: 'resolved'; token: number; hosts: string[] }
  | { kind: 'tick' };

/** Whoever has an address in the simulated network. */
export interface Host {
  readonly index: number;
  readonly address: string;
  /** Port of the peers' listener and of datagrams; 0 for a host that only connects. */
  readonly gossipPort: number;
  /** Port of the clients' listener; 0 for none. */
  readonly clientPort: number;
  /** A process runs there. Without one, connections are refused and datagrams lost. */
  readonly up: boolean;
  /** The machine has power. Without it nothing answers at all. */
  readonly powered: boolean;
  post(event: WorldEvent): void;
}

/** Numbers of the kinds, for the trace. */
export const KIND_NUMBER: Record<WorldEvent['kind'], number> = {
  datagram: 1,
  accepted: 2,
  connected: 3,
  bytes: 4,
  drained: 5,
  closed: 6,
  released: 7,
  disk: 8,
  resolved: 9,
  tick: 10,
};
