/** A machine that writes down what the world tells it, and answers from a script: for tests of the world. */
import type { WorldMachine } from '../../src/system/world.js';

export type Entry = [event: string, ...facts: unknown[]];

export class Recorder implements WorldMachine {
  stopped = false;
  wantsTurn = false;
  fatal: Error | null = null;
  readonly entries: Entry[] = [];
  readonly released: Buffer[] = [];
  wallMs = 0;
  monotonicMs = 0;
  /** Called for what a test wants to do inside events. */
  act: (entry: Entry) => void = () => {};
  private inTurn = false;
  private readonly watchers: { holds: () => boolean; resolve: () => void }[] = [];

  turnStarted(monotonicMs: number, wallMs: number): void {
    if (this.inTurn) throw new Error('a turn inside a turn');
    this.inTurn = true;
    this.monotonicMs = monotonicMs;
    this.wallMs = wallMs;
  }

  turnEnded(): void {
    this.inTurn = false;
    this.note('turnEnded');
  }

  tick(): void {
    this.note('tick');
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    this.note('datagram', bytes.toString(), host, port);
  }

  streamAccepted(stream: number, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    this.note('accepted', stream, kind, peerAddress, localAddress);
  }

  streamConnected(stream: number): void {
    this.note('connected', stream);
  }

  streamBytes(stream: number, bytes: Buffer, start: number, end: number): void {
    this.note('bytes', stream, bytes.toString('latin1', start, end));
  }

  streamDrained(stream: number): void {
    this.note('drained', stream);
  }

  streamClosed(stream: number, why: string): void {
    this.note('closed', stream, why);
  }

  bufferReleased(bytes: Buffer): void {
    this.released.push(bytes);
  }

  diskCompleted(token: number, error: Error | null): void {
    this.note('disk', token, error);
  }

  nameResolved(token: number, hosts: string[], why: string): void {
    this.note('resolved', token, hosts, why);
  }

  /** Entries of one kind. */
  of(event: string): Entry[] {
    return this.entries.filter((entry) => entry[0] === event);
  }

  /** All bytes a stream has brought. */
  text(stream: number): string {
    return this.of('bytes')
      .filter((entry) => entry[1] === stream)
      .map((entry) => entry[2])
      .join('');
  }

  /** Resolves at the first event after which `holds`. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.watchers.push({ holds, resolve }));
  }

  private note(...entry: Entry): void {
    if (!this.inTurn && entry[0] !== 'turnEnded') throw new Error(`${entry[0]} outside a turn`);
    this.entries.push(entry);
    this.act(entry);
    for (const watcher of [...this.watchers]) {
      if (!watcher.holds()) continue;
      this.watchers.splice(this.watchers.indexOf(watcher), 1);
      watcher.resolve();
    }
  }
}

export const silentLog = { debug() {}, info() {}, warn() {}, error() {} };
