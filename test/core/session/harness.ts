/** Sessions on a fake node and fake streams: bytes in, bytes out, turn by turn. */
import { commandTable } from '../../../src/core/commands/table.js';
import { Sessions } from '../../../src/core/session/sessions.js';
import type { StreamId, Streams } from '../../../src/ports/streams.js';
import { FakeHost } from '../commands/fake-host.js';

export class FakeStreams implements Streams {
  readonly written = new Map<StreamId, Buffer[]>();
  readonly paused = new Map<StreamId, boolean>();
  readonly closes = new Map<StreamId, boolean>();
  writes = 0;
  /** Streams whose client does not read: bytes stay queued. */
  readonly stuck = new Map<StreamId, number>();
  released: ((bytes: Buffer) => void) | null = null;

  connect(): StreamId {
    throw new Error('clients are accepted, never connected to');
  }

  write(stream: StreamId, bytes: Buffer, recycle: boolean): void {
    this.writes++;
    const list = this.written.get(stream) ?? [];
    list.push(Buffer.from(bytes));
    this.written.set(stream, list);
    const queued = this.stuck.get(stream);
    if (queued !== undefined) this.stuck.set(stream, queued + bytes.length);
    else if (recycle) {
      // What is given back may be overwritten at once by whoever takes it next.
      Buffer.from(bytes.buffer).fill(0x21);
      this.released?.(bytes);
    }
  }

  queued(stream: StreamId): number {
    return this.stuck.get(stream) ?? 0;
  }

  pause(stream: StreamId, paused: boolean): void {
    this.paused.set(stream, paused);
  }

  close(stream: StreamId, flush: boolean): void {
    this.closes.set(stream, flush);
  }
}

export class Harness {
  readonly host = new FakeHost();
  readonly streams = new FakeStreams();
  readonly sessions: Sessions;
  /** What the clock for durations says. */
  workMs = 0;
  /** Batches up to this one are durable. */
  durable = 0;

  constructor(adjust?: (host: FakeHost) => void) {
    adjust?.(this.host);
    this.sessions = new Sessions(this.host, this.streams, commandTable, this.host.stats, {
      workClockMs: () => this.workMs,
    });
    this.streams.released = (bytes) => this.sessions.bufferReleased(bytes);
    this.accept(1);
  }

  accept(stream: StreamId): void {
    this.sessions.accepted(stream, `127.0.0.1:${50_000 + stream}`, '127.0.0.1:7001');
  }

  /** Hands in bytes as from a read buffer that is overwritten afterwards. */
  receive(bytes: Buffer | string, stream: StreamId = 1): void {
    const lent = Buffer.concat([Buffer.from('xx'), Buffer.from(bytes as string, 'latin1'), Buffer.from('yy')]);
    this.sessions.bytes(stream, lent, 2, lent.length - 2);
    lent.fill(0x3f);
  }

  endTurn(): void {
    this.sessions.flush(this.durable);
  }

  /** Turns until nobody wants another; returns how many. */
  settle(): number {
    let turns = 1;
    this.endTurn();
    while (this.sessions.wantsTurn) {
      this.host.scanWork.turnStarted();
      this.sessions.turn();
      this.endTurn();
      if (++turns > 10_000) throw new Error('the sessions never settle');
    }
    return turns;
  }

  /** Everything written to a stream since the last call. */
  output(stream: StreamId = 1): string {
    const bytes = Buffer.concat(this.streams.written.get(stream) ?? []);
    this.streams.written.delete(stream);
    return bytes.toString('latin1');
  }

  /** Gives one command, as an array of bulk strings; returns what is written by the end of the turn. */
  ask(...words: (string | Buffer)[]): string {
    this.receive(encode(...words));
    this.settle();
    return this.output();
  }

  /** Gives an inline command. */
  line(text: string): string {
    this.receive(`${text}\r\n`);
    this.settle();
    return this.output();
  }
}

export function encode(...words: (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'latin1') : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
