/**
 * Simulated byte streams over the paths of network.ts, as TCP gives them: ordered, in pieces of any size, or closed.
 * Each host takes its `Streams` port here; a process that is told of bytes takes them with `take`, so what it has not read
 * counts against the sender's window. Guarded: the laws of src/ports/streams.ts, and no more kindness than TCP's: a partition
 * leaves both ends half-open, what was sent into it comes after it heals, and a dead machine answers only by a reset once it
 * has power again. Bytes are copied when the "operating system" takes them, so a buffer changed before its release shows.
 */
import { crc32 } from '../core/base/crc32.js';
import type { StreamId, Streams } from '../ports/streams.js';
import type { SimClock } from './clock.js';
import { type Draws, PURPOSE } from './draws.js';
import type { Host } from './events.js';
import type { SimNetwork } from './network.js';

interface Segment {
  bytes: Buffer | null;
  /** fin: the sender is done; ack: a fin was read; rst: the connection is void. */
  mark: 'data' | 'fin' | 'ack' | 'rst';
  /** Its place among what its end sends. */
  number: number;
}

interface Lent {
  bytes: Buffer;
  at: number;
  recycle: boolean;
  /** CRC-32 of the bytes when they were written: they belong to the world until it hands them back. */
  crc: number;
}

interface End {
  readonly owner: Host;
  readonly stream: StreamId;
  other: End | null;
  connected: boolean;
  ending: boolean;
  finSent: boolean;
  /** `streamClosed` is posted, or there is nobody to post it to. */
  closed: boolean;
  /** The process that held this end has died. */
  gone: boolean;
  pausedReading: boolean;
  pumpScheduled: boolean;
  wasFull: boolean;
  /** Written by the process, not yet taken by the operating system. */
  queue: Lent[];
  queuedBytes: number;
  /** Taken, and not yet read at the other end. */
  windowBytes: number;
  unread: Segment[];
  /** On their way from here, stuck in a partition. */
  held: Segment[];
  /** What it sends vanishes on its way. */
  void: boolean;
  lastArrivalMs: number;
  sentCount: number;
  /** How many of its segments the other end has taken in, and those that came before their turn. */
  arrivedCount: number;
  early: Map<number, Segment>;
}

const WINDOW_BYTES = 65_536;
const SEGMENT_BYTES_MAX = 16_384;
/** A queue is full at this size, and drained at half of it. */
const QUEUE_FULL_BYTES = 65_536;
const CONNECT_ATTEMPTS = 5;
const CONNECT_RETRY_MS = 1_000;
/** In the place of the number of an attempt: it has waited for a slow listener. */
const ACCEPTED = -1;
const RETRANSMIT_MS = 200;
/** The system gives up what was sent into the void after this long, as Linux does. */
const VOID_MS = 900_000;

export class SimStreams {
  readonly counters = {
    connected: 0,
    refused: 0,
    timedOut: 0,
    resets: 0,
    heldSegments: 0,
    halved: 0,
    vanished: 0,
    segments: 0,
    oneByte: 0,
    changed: 0,
  };
  private readonly clock: SimClock;
  private readonly network: SimNetwork;
  private readonly draws: Draws;
  private readonly ends = new Map<number, Map<StreamId, End>>();
  private readonly lastStream = new Map<number, StreamId>();
  private readonly stuck = new Set<End>();
  private readonly drawn = new Map<number, number>();

  constructor(ports: { clock: SimClock; network: SimNetwork; draws: Draws }) {
    this.clock = ports.clock;
    this.network = ports.network;
    this.draws = ports.draws;
  }

  /** The `Streams` port of one host. */
  portOf(host: Host): Streams {
    const mine = this.endsOf(host);
    return {
      connect: (address, port) => this.connect(host, address, port),
      write: (stream, bytes, recycle) => this.write(host, mine.get(stream), bytes, recycle),
      queued: (stream) => mine.get(stream)?.queuedBytes ?? 0,
      pause: (stream, paused) => this.pause(mine.get(stream), paused),
      close: (stream, flush) => this.close(mine.get(stream), flush),
    };
  }

  /** The next piece of a stream that a `bytes` event announced; null if reading is paused or nothing is there any more. */
  take(host: Host, stream: StreamId): Buffer | null {
    const end = this.endsOf(host).get(stream);
    if (end === undefined || end.closed || end.pausedReading) return null;
    const segment = end.unread.shift();
    if (segment === undefined) return null;
    if (segment.mark === 'fin') {
      this.finish(end, 'closed by the peer');
      this.send(end, null, 'ack');
      return null;
    }
    const bytes = segment.bytes as Buffer;
    if (end.other !== null) {
      end.other.windowBytes -= bytes.length;
      this.pumpSoon(end.other);
    }
    return bytes;
  }

  /** All streams of a host end with its process: by a reset each, or without a word if the power went. */
  hostDied(host: Host, silently: boolean): void {
    const mine = this.endsOf(host);
    for (const end of mine.values()) {
      end.gone = true;
      end.closed = true;
      end.queue = [];
      end.unread = [];
      if (!silently && end.other !== null) this.send(end, null, 'rst');
    }
    mine.clear();
  }

  /** After a partition ended or a machine got power back: what is stuck goes on after a retransmission each. */
  pathsRestored(): void {
    for (const end of this.stuck) {
      const { link, counter } = this.key(end);
      const delayMs = 20 + 2 * this.draws.exponential(RETRANSMIT_MS / 2, link, counter, PURPOSE.retransmit);
      this.clock.schedule(delayMs, () => this.release(end));
    }
  }

  /** The streams between two nodes are forgotten on their way; `closed`: the first has lost them and knows it. */
  halve(left: number, right: number, closed: boolean): number {
    const { halved } = this.counters;
    for (const end of [...this.endsOf(this.network.hosts[left]).values()]) {
      const { other } = end;
      if (other === null || other.owner.index !== right) continue;
      this.counters.halved++;
      end.void = true;
      other.void = true;
      if (closed) this.finish(end, 'ETIMEDOUT');
    }
    return this.counters.halved - halved;
  }

  /** A process reads again what other nodes sent it. */
  hears(node: number): void {
    for (const end of this.endsOf(this.network.hosts[node]).values()) {
      if (!end.pausedReading) for (let left = end.unread.length; left > 0; left--) this.announce(end);
    }
  }

  private endsOf(host: Host): Map<StreamId, End> {
    const mine = this.ends.get(host.index);
    if (mine !== undefined) return mine;
    const fresh = new Map<StreamId, End>();
    this.ends.set(host.index, fresh);
    return fresh;
  }

  private open(owner: Host): End {
    const stream = (this.lastStream.get(owner.index) ?? 0) + 1;
    this.lastStream.set(owner.index, stream);
    const end: End = {
      owner,
      stream,
      other: null,
      connected: false,
      ending: false,
      finSent: false,
      closed: false,
      gone: false,
      pausedReading: false,
      pumpScheduled: false,
      wasFull: false,
      queue: [],
      queuedBytes: 0,
      windowBytes: 0,
      unread: [],
      held: [],
      void: false,
      lastArrivalMs: 0,
      sentCount: 0,
      arrivedCount: 0,
      early: new Map(),
    };
    this.endsOf(owner).set(stream, end);
    return end;
  }

  private connect(from: Host, address: string, port: number): StreamId {
    const end = this.open(from);
    const to = this.network.find(address);
    const lagMs = to === null ? 1 : this.lagMs(from, to);
    this.clock.schedule(lagMs, () => this.dial(end, to, port, 0));
    return end.stream;
  }

  private dial(end: End, to: Host | null, port: number, attempt: number): void {
    if (end.closed) return;
    const from = end.owner;
    if (to === null) {
      this.finish(end, 'ENETUNREACH');
    } else if (this.network.swallows(from.index, to.index) || this.network.swallows(to.index, from.index)) {
      if (attempt + 1 < CONNECT_ATTEMPTS) {
        this.clock.schedule(CONNECT_RETRY_MS * 2 ** attempt, () => this.dial(end, to, port, attempt + 1));
      } else {
        this.counters.timedOut++;
        this.finish(end, 'ETIMEDOUT');
      }
    } else if (port === to.gossipPort && this.network.troubles.acceptMs(to.index) > 0 && attempt >= 0) {
      this.clock.schedule(this.network.troubles.acceptMs(to.index), () => this.dial(end, to, port, ACCEPTED));
    } else if (!to.up || this.isRefused(to, port) || port === 0 || (port !== to.gossipPort && port !== to.clientPort)) {
      this.counters.refused++;
      this.clock.schedule(this.lagMs(to, from), () => this.finish(end, 'ECONNREFUSED'));
    } else {
      this.establish(end, to, port);
    }
  }

  private isRefused(to: Host, port: number): boolean {
    return port === to.gossipPort && this.network.troubles.refuses(to.index);
  }

  private establish(end: End, to: Host, port: number): void {
    const from = end.owner;
    const accepted = this.open(to);
    accepted.connected = true;
    accepted.other = end;
    end.other = accepted;
    this.counters.connected++;
    to.post({
      kind: 'accepted',
      stream: accepted.stream,
      as: port === to.gossipPort ? 'peer' : 'client',
      peerAddress: `${from.address}:${32_768 + end.stream}`,
      localAddress: `${to.address}:${port}`,
    });
    const lagMs = this.lagMs(to, from);
    accepted.lastArrivalMs = this.clock.nowMs + lagMs;
    this.clock.scheduleAt(accepted.lastArrivalMs, () => {
      if (end.gone || end.closed) return;
      end.connected = true;
      from.post({ kind: 'connected', stream: end.stream });
      this.pumpSoon(end);
    });
  }

  private write(host: Host, end: End | undefined, bytes: Buffer, recycle: boolean): void {
    if (end === undefined || end.closed || end.ending) {
      if (recycle) host.post({ kind: 'released', bytes });
      return;
    }
    end.queue.push({ bytes, at: 0, recycle, crc: crc32(bytes, 0, bytes.length) });
    end.queuedBytes += bytes.length;
    if (end.queuedBytes >= QUEUE_FULL_BYTES) end.wasFull = true;
    this.pumpSoon(end);
  }

  private pause(end: End | undefined, paused: boolean): void {
    if (end === undefined || end.closed || end.pausedReading === paused) return;
    end.pausedReading = paused;
    if (!paused) for (let left = end.unread.length; left > 0; left--) this.announce(end);
  }

  private close(end: End | undefined, flush: boolean): void {
    if (end === undefined || end.closed) return;
    if (flush) {
      end.ending = true;
      this.pumpSoon(end);
      return;
    }
    this.finish(end, 'closed here');
    if (end.other !== null) this.send(end, null, 'rst');
  }

  private pumpSoon(end: End): void {
    if (end.pumpScheduled || !end.connected) return;
    end.pumpScheduled = true;
    this.clock.schedule(0, () => {
      end.pumpScheduled = false;
      this.pump(end);
    });
  }

  /** The operating system takes what fits into the window, in segments. */
  private pump(end: End): void {
    while (!end.closed && end.queue.length > 0 && end.windowBytes < WINDOW_BYTES) {
      const lent = end.queue[0];
      const room = Math.min(SEGMENT_BYTES_MAX, WINDOW_BYTES - end.windowBytes);
      const length = this.segmentLength(end, Math.min(lent.bytes.length - lent.at, room));
      const bytes = Buffer.from(lent.bytes.subarray(lent.at, lent.at + length));
      lent.at += length;
      end.queuedBytes -= length;
      if (lent.at === lent.bytes.length) {
        end.queue.shift();
        if (crc32(lent.bytes, 0, lent.bytes.length) !== lent.crc) this.counters.changed++;
        if (lent.recycle) end.owner.post({ kind: 'released', bytes: lent.bytes });
      }
      if (length > 0) {
        end.windowBytes += length;
        this.send(end, bytes, 'data');
      }
    }
    if (end.closed) return;
    if (end.wasFull && end.queuedBytes < QUEUE_FULL_BYTES / 2) {
      end.wasFull = false;
      end.owner.post({ kind: 'drained', stream: end.stream });
    }
    if (end.ending && !end.finSent && end.queue.length === 0) {
      end.finSent = true;
      this.send(end, null, 'fin');
    }
  }

  private segmentLength(end: End, most: number): number {
    const { options } = this.network;
    if (most <= 1) return most;
    const { link, counter } = this.key(end);
    if (this.draws.chance(options.segmentOneByte, link, counter, PURPOSE.segmentOneByte)) {
      this.counters.oneByte++;
      return 1;
    }
    if (!this.draws.chance(options.segmentCut, link, counter, PURPOSE.segmentCut)) return most;
    return 1 + (this.draws.word(link, counter, PURPOSE.segmentCut) % most);
  }

  private send(end: End, bytes: Buffer | null, mark: Segment['mark']): void {
    const other = end.other as End;
    const { options } = this.network;
    const { link, counter } = this.key(end);
    this.counters.segments++;
    const between = this.network.isBetweenNodes(end.owner.index, other.owner.index);
    if (mark === 'data' && between && this.draws.chance(options.reset, link, counter, PURPOSE.reset)) {
      this.counters.resets++;
      this.finish(end, 'ECONNRESET');
      this.finish(other, 'ECONNRESET');
      return;
    }
    if (end.void) {
      this.vanish(end);
      return;
    }
    const segment: Segment = { bytes, mark, number: end.sentCount++ };
    if (this.network.swallows(end.owner.index, other.owner.index)) {
      this.hold(end, segment);
      return;
    }
    let lagMs = this.lagMs(end.owner, other.owner);
    if (between && this.draws.chance(options.loss, link, counter, PURPOSE.loss)) lagMs += RETRANSMIT_MS;
    if (bytes !== null)
      lagMs += this.network.troubles.queueMs(end.owner.index, other.owner.index, bytes.length, this.clock.nowMs);
    end.lastArrivalMs = Math.max(this.clock.nowMs + lagMs, end.lastArrivalMs);
    this.clock.scheduleAt(end.lastArrivalMs, () => {
      if (this.network.swallows(end.owner.index, other.owner.index)) this.hold(end, segment);
      else this.arrive(end, segment);
    });
  }

  private vanish(end: End): void {
    this.counters.vanished++;
    if (!end.closed) this.clock.schedule(VOID_MS, () => this.finish(end, 'ETIMEDOUT'));
  }

  private hold(end: End, segment: Segment): void {
    end.held.push(segment);
    this.stuck.add(end);
    this.counters.heldSegments++;
  }

  private release(end: End): void {
    const other = end.other as End;
    if (this.network.swallows(end.owner.index, other.owner.index)) return;
    this.stuck.delete(end);
    const held = end.held;
    end.held = [];
    for (const segment of held) this.arrive(end, segment);
  }

  /** What comes before its turn waits for what was sent before it. */
  private arrive(from: End, segment: Segment): void {
    from.early.set(segment.number, segment);
    for (;;) {
      const next = from.early.get(from.arrivedCount);
      if (next === undefined) return;
      from.early.delete(from.arrivedCount++);
      this.takeIn(from, next);
    }
  }

  private takeIn(from: End, segment: Segment): void {
    const end = from.other as End;
    if (segment.mark === 'rst') {
      this.finish(end, 'ECONNRESET');
    } else if (segment.mark === 'ack') {
      this.finish(end, 'closed');
    } else if (end.gone) {
      if (!from.closed) this.send(end, null, 'rst');
    } else if (end.closed) {
      if (segment.mark === 'fin') this.send(end, null, 'ack');
    } else {
      end.unread.push(segment);
      if (!end.pausedReading) this.announce(end);
    }
  }

  private announce(end: End): void {
    const { troubles } = this.network;
    if (troubles.deaf.has(end.owner.index) && this.isFromNode(end)) return;
    end.owner.post({ kind: 'bytes', stream: end.stream });
  }

  private isFromNode(end: End): boolean {
    return end.other !== null && this.network.isBetweenNodes(end.owner.index, end.other.owner.index);
  }

  /** The one way an end closes: exactly one `closed` event, every lent buffer handed back. */
  private finish(end: End, why: string): void {
    if (end.closed) return;
    end.closed = true;
    for (const lent of end.queue) if (lent.recycle) end.owner.post({ kind: 'released', bytes: lent.bytes });
    end.queue = [];
    end.queuedBytes = 0;
    end.unread = [];
    this.endsOf(end.owner).delete(end.stream);
    end.owner.post({ kind: 'closed', stream: end.stream, why });
  }

  private lagMs(from: Host, to: Host): number {
    const link = from.index * 256 + to.index;
    const counter = (this.drawn.get(link) ?? 0) + 1;
    this.drawn.set(link, counter);
    return this.network.lagMs(from.index, to.index, link, counter, PURPOSE.segmentLag);
  }

  private key(end: End): { link: number; counter: number } {
    const link = end.owner.index * 256 + (end.other as End).owner.index;
    const counter = (this.drawn.get(link) ?? 0) + 1;
    this.drawn.set(link, counter);
    return { link, counter };
  }
}
