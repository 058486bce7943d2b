/**
 * The table of client connections. The node hands it the events of client streams, lets it go on at the start of a turn and
 * flushes it at the end; CLIENT LIST reads it.
 * Guarded: at most `maxClients` connections; only sessions that have something to send are flushed, each once a turn.
 */
import type { StreamId, Streams } from '../../ports/streams.js';
import type { Connection, Connections } from '../commands/command.js';
import type { CommandHost } from '../commands/host.js';
import { Probe, type WorkClock } from '../commands/probe.js';
import type { CommandStats } from '../commands/stats.js';
import type { CommandTable } from '../commands/table.js';
import { outputMarks } from '../resp/output-marks.js';
import { BufferPool } from '../resp/pool.js';
import type { Schedule, SessionPorts } from './session.js';
import { Session } from './session.js';

export class Sessions implements Connections, Schedule {
  readonly table: CommandTable;
  readonly startedMs: number;
  readonly probe: Probe;
  readonly pool = new BufferPool();
  crowd = 1;
  private readonly ports: SessionPorts;
  private readonly byStream = new Map<StreamId, Session>();
  private toFlush: Session[] = [];
  private toTurn: Session[] = [];
  /** They go on before the others: the last turn had nothing left for what they ask. */
  private toTurnFirst: Session[] = [];
  private nextId = 1;

  constructor(host: CommandHost, streams: Streams, table: CommandTable, stats: CommandStats, clock: WorkClock) {
    this.table = table;
    this.probe = new Probe(table.commands.length, clock);
    this.startedMs = host.monotonicMs;
    const marks = outputMarks(host.settings.limits);
    this.ports = { host, streams, table, stats, probe: this.probe, pool: this.pool, marks, sessions: this };
  }

  get size(): number {
    return this.byStream.size;
  }

  /** A session has input left to run: the world should give another turn at once. */
  get wantsTurn(): boolean {
    return this.toTurn.length > 0 || this.toTurnFirst.length > 0;
  }

  all(): Iterable<Connection> {
    return this.byStream.values();
  }

  accepted(stream: StreamId, peerAddress: string, localAddress: string): void {
    const { streams, stats, host } = this.ports;
    if (this.byStream.size >= host.settings.maxClients) {
      stats.connectionsRejected++;
      streams.write(stream, Buffer.from('-ERR max number of clients reached\r\n', 'latin1'), false);
      streams.close(stream, true);
      return;
    }
    stats.connectionsReceived++;
    this.byStream.set(stream, new Session(this.ports, this.nextId++, stream, peerAddress, localAddress));
  }

  /** True if the stream is a client's. */
  bytes(stream: StreamId, bytes: Buffer, start: number, end: number): boolean {
    const session = this.byStream.get(stream);
    if (session === undefined) return false;
    session.receive(bytes, start, end);
    return true;
  }

  drained(stream: StreamId): void {
    this.byStream.get(stream)?.drained();
  }

  closed(stream: StreamId): void {
    this.byStream.get(stream)?.streamClosed();
    this.byStream.delete(stream);
  }

  /** Start of a turn: sessions that stopped for fairness go on. */
  turn(): void {
    const due = this.toTurnFirst.length === 0 ? this.toTurn : [...this.toTurnFirst, ...this.toTurn];
    this.crowd = Math.max(1, due.length);
    if (due.length === 0) return;
    this.toTurn = [];
    this.toTurnFirst = [];
    for (const session of due) {
      session.turning = false;
      session.turn();
    }
  }

  /** End of a turn: one write for each session that has something to send. */
  flush(durableBatch: number): void {
    const due = this.toFlush;
    this.toFlush = [];
    for (const session of due) session.flushing = false;
    for (const session of due) {
      if (session.flush(durableBatch)) this.flushLater(session);
    }
  }

  /** Closes connections whose command does not get whole (slow loris), and looks again at those that do not read. Call about once a second. */
  tick(): void {
    const { host, stats } = this.ports;
    stats.tick(host.monotonicMs);
    this.probe.tick();
    const before = host.monotonicMs - host.settings.limits.partialCommandMs;
    for (const session of this.byStream.values()) {
      if (session.paused) this.flushLater(session);
      if (session.partialSinceMs === 0 || session.partialSinceMs > before || session.closed) continue;
      stats.partialCommandClosed++;
      session.closeAtOnce();
    }
  }

  /** The log is stuck, `why`: whoever waits for it is told what is true, that the outcome is open. */
  refuseHeld(why: string): void {
    const text = `the log does not take this write (${why}): it may or may not be there after a restart`;
    for (const session of this.byStream.values()) {
      if (session.awaitsLog && !session.closed) {
        this.ports.stats.heldRefused += session.refuseHeld('UNAVAILABLE', text);
      }
    }
  }

  /** The node stops, and nothing is sent any more: whoever waits for the log is told by the end of the connection. */
  closeHeld(): void {
    for (const session of this.byStream.values()) {
      if (!session.awaitsLog || session.closed) continue;
      this.ports.stats.heldClosed++;
      session.closeAtOnce();
    }
  }

  /** A buffer written with `recycle` is free again. */
  bufferReleased(bytes: Buffer): void {
    this.pool.give(bytes);
  }

  flushLater(session: Session): void {
    if (session.flushing) return;
    session.flushing = true;
    this.toFlush.push(session);
  }

  turnLater(session: Session): void {
    if (session.turning) return;
    session.turning = true;
    (session.postponed ? this.toTurnFirst : this.toTurn).push(session);
  }
}
