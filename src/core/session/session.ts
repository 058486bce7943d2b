/**
 * One client connection: bytes in, commands to the node, replies out in order. The table of sessions hands it its stream's
 * events and flushes it once, at the end of each turn.
 *
 * Fairness: sessions with more to do than a turn allows share `COMMANDS_PER_TURN` commands and `INPUT_BYTES_PER_TURN` bytes a turn;
 * the rest is kept and goes on in the next. Commands that scan share what the node has for them in a turn (commands/scan-work.ts), and
 * whoever found nothing left of it goes first in the next. Back-pressure: while its client does not take its replies, or too many are still to come, it runs
 * nothing and reads nothing.
 * Guarded: replies leave in the order of commands; a client never holds more memory here than the limits of parser.ts,
 * reply.ts and outbox.ts add up to; past them it is closed, and counted.
 */
import type { StreamId, Streams } from '../../ports/streams.js';
import { Errand, liveTogether } from '../commands/apart.js';
import type { Command, CommandContext, Connection, Connections } from '../commands/command.js';
import {
  arityFits,
  BARRIER,
  execute,
  isPublic,
  keysFit,
  NOAUTH,
  readsFirst,
  SCANS,
  WRITE,
} from '../commands/command.js';
import { globWork } from '../commands/glob.js';
import type { Caller, CommandHost, Deferred, Level } from '../commands/host.js';
import type { Keyspace } from '../commands/keyspace.js';
import type { Probe } from '../commands/probe.js';
import { Receipt } from '../commands/receipt.js';
import { isCrossProtocol, unknownCommand } from '../commands/refused.js';
import type { SessionToken } from '../commands/session-token.js';
import { PARTS_MAX, partsOf, runSplit } from '../commands/split.js';
import type { CommandStats } from '../commands/stats.js';
import type { CommandTable } from '../commands/table.js';
import { WriteMarks } from '../commands/write-marks.js';
import type { OutputMarks } from '../resp/output-marks.js';
import { BROKEN, INCOMPLETE, Parser } from '../resp/parser.js';
import type { BufferPool } from '../resp/pool.js';
import type { Reply } from '../resp/reply.js';
import type { Owner } from './outbox.js';
import { Outbox, PLACES_MAX } from './outbox.js';

export const COMMANDS_PER_TURN = 1000;
export const INPUT_BYTES_PER_TURN = 64 * 1024;
/** However many sessions share a turn, each does this much in it. */
export const COMMANDS_PER_TURN_MIN = 16;
const INPUT_BYTES_PER_TURN_MIN = 4 * 1024;
/** Unread input past which a session stops reading its stream. */
const INPUT_BYTES_HIGH = 64 * 1024;

/** After a wrong password a connection is not heard for so long, and closed after so many: whoever guesses, guesses slowly. */
export const WRONG_PASSWORD_MS = 1000;
export const WRONG_PASSWORDS_MAX = 10;

/** What all sessions of a node share. */
export interface SessionPorts {
  readonly host: CommandHost;
  readonly streams: Streams;
  readonly table: CommandTable;
  readonly stats: CommandStats;
  readonly probe: Probe;
  readonly pool: BufferPool;
  readonly marks: OutputMarks;
  readonly sessions: Connections & Schedule;
}

/** Where a session asks to be flushed at the end of this turn, and to go on in the next. */
export interface Schedule {
  /** Sessions that had more to do than the last turn allowed; at least 1. */
  readonly crowd: number;
  flushLater(session: Session): void;
  turnLater(session: Session): void;
}

export class Session implements Caller, Connection, CommandContext, Owner {
  readonly id: number;
  readonly stream: StreamId;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly acceptedMs: number;
  readonly wrote = new WriteMarks();
  /** Of the last command on keys. */
  receipt = new Receipt();
  lastCommandMs: number;
  readLevel: Level;
  writeLevel: Level;
  strict = false;
  session: SessionToken | null = null;
  name = '';
  libraryName = '';
  libraryVersion = '';
  noEvict = false;
  noTouch = false;
  /** `skip` was asked for: the next command's reply is dropped. */
  private skipsNext = false;
  /** The command in hand is the one whose reply is dropped. */
  private skipping = false;
  /** No command is read any more; it closes when its replies have left. */
  closing = false;
  /** The stream is gone. */
  closed = false;
  /** In the list of those to flush, and of those to go on with: kept by the table of sessions. */
  flushing = false;
  turning = false;
  /** The next command scans, and others had what this turn had for that. */
  postponed = false;
  /** Since when half a command is waiting for its rest; 0 if none is. */
  partialSinceMs = 0;

  /** Its stream is not read, for back-pressure. */
  paused = false;

  private readonly ports: SessionPorts;
  private readonly parser: Parser;
  private readonly outbox: Outbox;
  private commandsLeft = COMMANDS_PER_TURN;
  private inputLeft = INPUT_BYTES_PER_TURN;
  /** There is input left that could be run, but for the limits. */
  private starved = false;
  /** It has had its part of what this turn had for scans. */
  private hasScanned = false;
  /** Nothing is run before, because a password was wrong; 0 if none was. */
  private unheardUntilMs = 0;
  private wrongPasswords = 0;
  /** The next command waits until every reply before it is whole. */
  private barred = false;
  /** An errand is under way: nothing of this connection runs beside it. */
  private alone = false;
  private lastIndex = -1;
  /** Output that the world holds, as last asked. */
  private queued = 0;

  constructor(ports: SessionPorts, id: number, stream: StreamId, peerAddress: string, localAddress: string) {
    this.ports = ports;
    this.id = id;
    this.stream = stream;
    this.peerAddress = peerAddress;
    this.localAddress = localAddress;
    this.acceptedMs = ports.host.monotonicMs;
    this.readLevel = ports.host.settings.readConsistency;
    this.writeLevel = ports.host.settings.writeConsistency;
    this.lastCommandMs = this.acceptedMs;
    this.parser = new Parser(ports.host.settings.password === null, ports.host.settings.limits);
    this.outbox = new Outbox(this, ports.pool, ports.stats, ports.marks, 2);
  }

  get host(): CommandHost {
    return this.ports.host;
  }

  get keyspace(): Keyspace {
    return this.ports.host.keyspace;
  }

  get stats(): CommandStats {
    return this.ports.stats;
  }

  get caller(): Caller {
    return this;
  }

  get origin(): object {
    return this;
  }

  get gone(): boolean {
    return this.closed;
  }

  get connection(): Connection {
    return this;
  }

  get connections(): Connections {
    return this.ports.sessions;
  }

  get protocol(): 2 | 3 {
    return this.outbox.protocol;
  }

  set protocol(protocol: 2 | 3) {
    this.outbox.protocol = protocol;
  }

  get authenticated(): boolean {
    return this.parser.authenticated;
  }

  set authenticated(authenticated: boolean) {
    this.parser.authenticated = authenticated;
  }

  get reply(): Reply {
    return this.outbox.target();
  }

  get replyMode(): 'on' | 'off' | 'skip' {
    if (this.skipsNext) return 'skip';
    return this.outbox.muted && !this.skipping ? 'off' : 'on';
  }

  set replyMode(mode: 'on' | 'off' | 'skip') {
    // Whoever hears nothing at all keeps hearing nothing: as in Redis, only ON ends OFF.
    if (mode === 'skip' && this.replyMode === 'off') return;
    this.skipsNext = mode === 'skip';
    this.skipping = false;
    this.outbox.muted = mode !== 'on';
  }

  get lastCommand(): string {
    return this.lastIndex < 0 ? 'NULL' : this.ports.table.commands[this.lastIndex].name;
  }

  get pendingInputBytes(): number {
    return this.parser.unread;
  }

  get pendingOutputBytes(): number {
    return this.outbox.bytes + this.ports.streams.queued(this.stream);
  }

  defer(): Deferred {
    return this.outbox.defer(this.answersShort());
  }

  beginReceipt(level: Level): Receipt {
    if (this.receipt.kept) this.receipt = new Receipt();
    this.receipt.begin(level);
    return this.receipt;
  }

  holdUntilDurable(batch: number): void {
    this.outbox.hold(batch);
  }

  /** Bytes came: `bytes[start, end)` is lent for the length of this call. */
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.closing) return;
    this.ports.stats.inputBytes += end - start;
    this.parser.lend(bytes, start, end);
    this.work();
    this.parser.keep();
    this.afterWork();
  }

  /** A new turn: goes on with what was left. */
  turn(): void {
    if (this.closing) return;
    this.renewShares();
    this.work();
    this.parser.keep();
    this.afterWork();
  }

  /** The client has taken enough of its replies: goes on. */
  drained(): void {
    if (!this.closing && this.starved) this.ports.sessions.turnLater(this);
    this.ports.sessions.flushLater(this);
  }

  /**
   * End of the turn: sends, in one write, what may leave now that `durableBatch` is durable. True if replies stay behind that
   * wait for a later batch.
   */
  flush(durableBatch: number): boolean {
    if (this.closed) return false;
    const { streams, stats, sessions } = this.ports;
    this.renewShares();
    const bytes = this.outbox.take(durableBatch);
    const queued = streams.queued(this.stream);
    if (
      this.outbox.overflowed ||
      queued + this.outbox.bytes + (bytes?.length ?? 0) > this.ports.host.settings.limits.outputBytesMax
    ) {
      stats.outputLimitClosed++;
      this.closeAtOnce();
      return false;
    }
    if (bytes !== null) {
      stats.outputBytes += bytes.length;
      streams.write(this.stream, bytes, true);
    }
    if (this.closing && this.outbox.isEmpty) {
      this.closed = true;
      streams.close(this.stream, true);
      return false;
    }
    this.throttle();
    if (this.starved && !this.isFull()) sessions.turnLater(this);
    return this.outbox.holding;
  }

  /** A place in the outbox has become whole. */
  wake(): void {
    if (!this.closed) this.ports.sessions.flushLater(this);
  }

  /** Whoever is let in already is not slowed down. */
  passwordRefused(): void {
    if (this.parser.authenticated) return;
    this.unheardUntilMs = this.ports.host.monotonicMs + WRONG_PASSWORD_MS;
    if (++this.wrongPasswords >= WRONG_PASSWORDS_MAX) this.closeAfterReplies();
  }

  tell(line: string): void {
    if (this.closing || this.outbox.muted) return;
    this.outbox.target().simple(line);
    this.ports.sessions.flushLater(this);
  }

  reset(): void {
    this.ports.probe.unwatch(this);
    this.protocol = 2;
    this.name = '';
    this.readLevel = this.ports.host.settings.readConsistency;
    this.writeLevel = this.ports.host.settings.writeConsistency;
    this.strict = false;
    this.session = null;
    this.noEvict = false;
    this.noTouch = false;
    // RESET may be the command whose reply SKIP drops: as in Redis, replies are on after it.
    if (!this.skipping) this.replyMode = 'on';
    this.authenticated = this.ports.host.settings.password === null;
  }

  /** Replies wait for the log. */
  get awaitsLog(): boolean {
    return this.outbox.awaitsLog;
  }

  /** Replies that wait for the log become this error; returns how many did. */
  refuseHeld(code: string, text: string): number {
    this.ports.sessions.flushLater(this);
    return this.outbox.refuseHeld(code, text);
  }

  closeAfterReplies(): void {
    this.closing = true;
    this.ports.sessions.flushLater(this);
  }

  closeAtOnce(): void {
    if (this.closed) return;
    this.streamClosed();
    this.ports.streams.close(this.stream, false);
  }

  /** The stream is gone: gives back what is held. */
  streamClosed(): void {
    this.closing = true;
    this.closed = true;
    this.ports.probe.unwatch(this);
    this.outbox.release();
  }

  private work(): void {
    const { parser } = this;
    this.starved = false;
    this.postponed = false;
    this.hasScanned = false;
    const { scanWork } = this.ports.host;
    while (!this.closing) {
      if (this.commandsLeft <= 0 || this.inputLeft <= 0 || this.isFull()) {
        this.starved = parser.unread > 0;
        return;
      }
      const outcome = parser.next();
      if (outcome === INCOMPLETE) return;
      if (outcome === BROKEN) {
        this.refuseStream(`Protocol error: ${parser.error}`);
        return;
      }
      this.barred = this.outbox.places > 0 && (this.alone || this.isNext(BARRIER));
      if (this.barred) {
        parser.rewind();
        this.starved = true;
        return;
      }
      if (scanWork.isSpent && this.isNext(SCANS)) {
        parser.rewind();
        scanWork.postponed++;
        this.postponed = !this.hasScanned;
        this.starved = true;
        return;
      }
      this.alone = false;
      this.commandsLeft--;
      this.inputLeft -= parser.commandBytes;
      this.dispatch();
      if (this.outbox.muted) this.endSkip();
    }
  }

  /** A command is done whose reply was dropped: was it the one to be skipped, the next is answered again. */
  private endSkip(): void {
    if (this.skipping) this.outbox.muted = false;
    this.skipping = this.skipsNext;
    this.skipsNext = false;
  }

  private afterWork(): void {
    const { sessions, host } = this.ports;
    if (this.closed) return;
    if (this.parser.error !== '' && !this.closing) this.refuseStream(`Protocol error: ${this.parser.error}`);
    if (this.closing || this.starved || this.parser.unread === 0) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = Math.max(host.monotonicMs, 1);
    this.throttle();
    if (this.starved && !this.isFull()) sessions.turnLater(this);
    sessions.flushLater(this);
  }

  /** Whether the command in hand has this flag. */
  private isNext(flag: number): boolean {
    const index = this.ports.table.find(this.parser.args);
    return index >= 0 && (this.ports.table.commands[index].flags & flag) !== 0;
  }

  private dispatch(): void {
    const { table, stats, host } = this.ports;
    const { args } = this.parser;
    const index = table.find(args);
    this.outbox.begin();
    this.lastCommandMs = host.monotonicMs;
    if (index < 0 || !isPublic(table.commands[index])) {
      if (isCrossProtocol(args)) {
        stats.protocolErrors++;
        this.closeAtOnce();
        return;
      }
      this.refuse('ERR', unknownCommand(args));
      return;
    }
    const command = table.commands[index];
    this.lastIndex = index;
    if (!arityFits(command, args.count)) {
      stats.rejected[index]++;
      this.refuse('ERR', `wrong number of arguments for '${command.name}' command`);
      return;
    }
    if (!this.parser.authenticated && (command.flags & NOAUTH) === 0) {
      stats.rejected[index]++;
      this.refuse('NOAUTH', 'Authentication required.');
      return;
    }
    stats.calls[index]++;
    stats.commandsProcessed++;
    const { probe } = this.ports;
    const begunMs = probe.begin(command);
    if (args.count <= command.firstKey || command.firstKey === 0) this.runWithoutKeys(command);
    else this.dispatchToKeys(command);
    if (this.outbox.failed()) stats.failed[index]++;
    if (begunMs >= 0) probe.end(index, command, args, this, begunMs, host.wallMs);
  }

  private runWithoutKeys(command: Command): void {
    const before = globWork.steps;
    execute(command, this, this.parser.args, this.outbox.target());
    if ((command.flags & SCANS) === 0) return;
    this.hasScanned = true;
    this.ports.host.scanWork.chargeSince(before);
  }

  /** The command in hand answers with no value of a key: any number of those may be under way. */
  private answersShort(): boolean {
    const command = this.ports.table.commands[this.lastIndex];
    return (command.flags & WRITE) !== 0 && !readsFirst(command, this.parser.args);
  }

  private dispatchToKeys(command: Command): void {
    const { host, table } = this.ports;
    const { args } = this.parser;
    const rule = command.split;
    if (!keysFit(command, args)) {
      this.outbox.target().error('ERR', 'key is too long');
    } else if (command.apart !== undefined) {
      this.dispatchToSeveral(command, command.apart);
    } else if (rule === undefined || args.count <= rule.stride + 1 || host.canRunHere(command, args, this)) {
      host.submit(command, args, this);
    } else if ((args.count - 1) % rule.stride !== 0) {
      this.outbox.target().error('ERR', `wrong number of arguments for '${command.name}' command`);
    } else if (partsOf(command, rule, args) > PARTS_MAX) {
      this.outbox.target().error('ERR', `at most ${PARTS_MAX} keys in one command that spans nodes`);
    } else {
      const last = rule.last === undefined ? null : table.named(rule.last);
      runSplit(host, table.named(rule.as), last, rule, args, this, this.outbox.defer(this.answersShort()));
    }
  }

  /** Whole where its keys live together, else as an errand. */
  private dispatchToSeveral(command: Command, apart: (errand: Errand) => void): void {
    const { host, table } = this.ports;
    const { args } = this.parser;
    const mustLiveTogether = command.together?.(args) === true;
    // What is read at more than one owner is read key by key.
    const isPlain = mustLiveTogether || (this.session === null && this.readLevel === 'one');
    // Where it must, it does not depend on who happens to own what.
    const mayRunHere = !mustLiveTogether || host.cluster().length === 1;
    if ((isPlain && liveTogether(command, args)) || (mayRunHere && host.canRunHere(command, args, this))) {
      host.submit(command, args, this);
      return;
    }
    this.alone = true;
    new Errand(host, table, command, args, this, this.outbox.defer()).begin(apart);
  }

  /** Refuses a command before it runs. */
  private refuse(code: string, text: string): void {
    this.outbox.target().error(code, text);
    this.outbox.failed();
  }

  /** Says why, and closes after everything that came before. */
  private refuseStream(text: string): void {
    this.ports.stats.protocolErrors++;
    this.outbox.begin();
    this.refuse('ERR', text);
    this.closeAfterReplies();
  }

  private renewShares(): void {
    const { crowd } = this.ports.sessions;
    this.commandsLeft = Math.max(COMMANDS_PER_TURN_MIN, Math.floor(COMMANDS_PER_TURN / crowd));
    this.inputLeft = Math.max(INPUT_BYTES_PER_TURN_MIN, Math.floor(INPUT_BYTES_PER_TURN / crowd));
  }

  /** Too much is owed, or too much is under way. */
  private isFull(): boolean {
    if (this.unheardUntilMs > 0 && this.unheardUntilMs > this.ports.host.monotonicMs) return true;
    if (this.outbox.places >= PLACES_MAX || (this.barred && this.outbox.places > 0)) return true;
    if (this.outbox.awaitsMuch) return true;
    return this.outbox.bytes + this.queued > this.ports.marks.owedBytesHigh;
  }

  private throttle(): void {
    const { streams, stats } = this.ports;
    this.queued = streams.queued(this.stream);
    const full = this.isFull() || (this.starved && this.parser.unread > INPUT_BYTES_HIGH);
    if (full === this.paused) return;
    this.paused = full;
    if (full) stats.pauses++;
    streams.pause(this.stream, full);
  }
}
