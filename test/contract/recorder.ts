/**
 * A machine that writes down what its world tells it, for the contract suites of both worlds: every event in order, the bytes
 * of each stream copied and joined, and whether calls came inside a turn.
 */
import type { StreamId } from '../../src/ports/streams.js';
import type { Machine } from '../../src/ports/world.js';

export interface Accepted {
  stream: StreamId;
  as: 'client' | 'peer';
  peerAddress: string;
}

export class Recorder implements Machine {
  readonly stopped = false;
  readonly fatal = null;
  readonly datagrams: { bytes: Buffer; host: string; port: number }[] = [];
  readonly accepted: Accepted[] = [];
  readonly connected: StreamId[] = [];
  readonly closed: { stream: StreamId; why: string }[] = [];
  readonly drained: StreamId[] = [];
  readonly released: Buffer[] = [];
  readonly resolved: { token: number; hosts: string[] }[] = [];
  /** Events that came outside a turn, after a close, or not in order: each a breach of the port's law. */
  readonly breaches: string[] = [];
  ticks = 0;
  turns = 0;
  lastMonotonicMs = Number.NEGATIVE_INFINITY;
  readonly wantsTurn = false;
  private readonly received = new Map<StreamId, Buffer[]>();
  private readonly counts = new Map<StreamId, number>();
  private inTurn = false;

  start(): void {}
  shutdown(): void {}

  bytesOf(stream: StreamId): Buffer {
    return Buffer.concat(this.received.get(stream) ?? []);
  }

  countOf(stream: StreamId): number {
    return this.counts.get(stream) ?? 0;
  }

  closesOf(stream: StreamId): number {
    return this.closed.filter((each) => each.stream === stream).length;
  }

  turnStarted(monotonicMs: number): void {
    if (this.inTurn) this.breaches.push('a turn inside a turn');
    if (monotonicMs < this.lastMonotonicMs) this.breaches.push('monotonic time stepped back');
    this.lastMonotonicMs = monotonicMs;
    this.inTurn = true;
    this.turns++;
  }

  turnEnded(): void {
    this.inTurn = false;
  }

  tick(): void {
    this.check('tick', 0);
    this.ticks++;
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    this.check('datagram', 0);
    this.datagrams.push({ bytes: Buffer.from(bytes), host, port });
  }

  streamAccepted(stream: StreamId, as: 'client' | 'peer', peerAddress: string): void {
    this.check('accepted', stream);
    if (this.accepted.some((each) => each.stream === stream)) this.breaches.push(`stream ${stream} used twice`);
    this.accepted.push({ stream, as, peerAddress });
  }

  streamConnected(stream: StreamId): void {
    this.check('connected', stream);
    this.connected.push(stream);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    this.check('bytes', stream);
    const list = this.received.get(stream) ?? [];
    list.push(Buffer.from(bytes.subarray(start, end)));
    this.received.set(stream, list);
    this.counts.set(stream, this.countOf(stream) + end - start);
  }

  streamDrained(stream: StreamId): void {
    this.check('drained', stream);
    this.drained.push(stream);
  }

  streamClosed(stream: StreamId, why: string): void {
    this.check('closed', stream);
    this.closed.push({ stream, why });
  }

  bufferReleased(bytes: Buffer): void {
    this.check('released', 0);
    this.released.push(bytes);
  }

  diskCompleted(): void {
    this.check('disk', 0);
  }

  nameResolved(token: number, hosts: string[]): void {
    this.check('resolved', 0);
    this.resolved.push({ token, hosts });
  }

  private check(event: string, stream: StreamId): void {
    if (!this.inTurn) this.breaches.push(`${event} outside a turn`);
    if (stream !== 0 && this.closesOf(stream) > 0) this.breaches.push(`${event} on stream ${stream} after its close`);
  }
}
