/**
 * Peer streams under faults. A stream loses nothing, so a DROP below 100 % costs a chunk a retransmission's time, and one of
 * 100 % is a black hole: connects, bytes and ends are held until it is lifted, as TCP would hold them.
 * Outward it is the stream port of the machine, inward the arrivals of the sockets (streams.ts); client streams pass.
 * Guarded: order is kept in each direction, `streamClosed` comes exactly once and last, a recycled buffer comes back
 * once, events are never delivered from within a call, and what is held is bounded: inward by back-pressure, outward by
 * cutting the stream.
 */
import { performance } from 'node:perf_hooks';
import type { Random } from '../core/base/random.js';
import type { StreamId, Streams } from '../ports/streams.js';
import type { FaultRules, Way } from './fault-rules.js';
import type { NodeStreams, StreamArrivals } from './streams.js';

/** A lost segment comes again after this (Linux's minimum). */
const RETRANSMISSION_MS = 200;
const INWARD_BYTES_FULL = 1024 * 1024;
const OUTWARD_BYTES_FULL = 256 * 1024;
const OUTWARD_BYTES_MAX = 256 * 1024 * 1024;

type Parcel =
  | { kind: 'bytes'; dueMs: number; bytes: Buffer; recycle: boolean }
  | { kind: 'dial'; dueMs: number; host: string; port: number }
  | { kind: 'close'; dueMs: number }
  | { kind: 'closed'; dueMs: number; why: string };

interface Line {
  readonly parcels: Parcel[];
  bytes: number;
  timer: NodeJS.Timeout | undefined;
}

interface PeerStream {
  readonly id: StreamId;
  /** Gossip address of the other side; null until an accepted stream is labelled. */
  address: string | null;
  readonly outward: Line;
  readonly inward: Line;
  dialled: boolean;
  /** The socket has closed; the machine may not know yet. */
  gone: boolean;
  /** The machine has closed it. */
  closing: boolean;
  /** Said hello from behind a black hole: nothing of it is heard, and it is cut when the hole is lifted. */
  mute: boolean;
  paused: boolean;
  full: boolean;
}

export class FaultyStreams implements Streams, StreamArrivals {
  private readonly rules: FaultRules;
  private readonly random: Random;
  private readonly arrivals: StreamArrivals;
  private readonly peers = new Map<StreamId, PeerStream>();
  private sockets: NodeStreams | null = null;
  private stopped = false;

  constructor(rules: FaultRules, random: Random, arrivals: StreamArrivals) {
    this.rules = rules;
    this.random = random;
    this.arrivals = arrivals;
  }

  /** Gives it the real sockets, whose arrivals come here. */
  attach(sockets: NodeStreams): void {
    this.sockets = sockets;
  }

  stop(): void {
    this.stopped = true;
    for (const peer of this.peers.values()) {
      clearTimeout(peer.outward.timer);
      clearTimeout(peer.inward.timer);
    }
  }

  /** Lets go, after the current turn, what no rule holds any longer. */
  rulesChanged(): void {
    setImmediate(() => {
      for (const peer of this.peers.values()) {
        if (peer.mute && !this.blocked(peer, 'IN')) this.real.close(peer.id, false);
        this.pump(peer);
      }
    });
  }

  label(stream: StreamId, gossipAddress: string): boolean {
    const peer = this.peers.get(stream);
    if (peer === undefined) return true;
    peer.address = gossipAddress;
    peer.mute = this.blocked(peer, 'IN');
    return !peer.mute;
  }

  connect(host: string, port: number): StreamId {
    const id = this.real.reserve();
    const peer = this.track(id, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, false);
    if (this.clear(peer, 'OUT') && this.clear(peer, 'IN')) {
      peer.dialled = true;
      this.real.dial(id, host, port);
    } else {
      this.hold(peer, 'OUT', { kind: 'dial', dueMs: this.due(peer, 'OUT'), host, port });
    }
    return id;
  }

  write(stream: StreamId, bytes: Buffer, recycle: boolean): void {
    const peer = this.peers.get(stream);
    if (peer === undefined || peer.closing || peer.gone || this.clear(peer, 'OUT')) {
      this.real.write(stream, bytes, recycle);
      return;
    }
    this.hold(peer, 'OUT', { kind: 'bytes', dueMs: this.due(peer, 'OUT'), bytes, recycle });
    if (peer.outward.bytes > OUTWARD_BYTES_FULL) peer.full = true;
    if (peer.outward.bytes > OUTWARD_BYTES_MAX) this.close(stream, false);
  }

  queued(stream: StreamId): number {
    return this.real.queued(stream) + (this.peers.get(stream)?.outward.bytes ?? 0);
  }

  pause(stream: StreamId, paused: boolean): void {
    const peer = this.peers.get(stream);
    if (peer !== undefined) {
      peer.paused = paused;
      if (!paused && peer.inward.parcels.length > 0) {
        setImmediate(() => this.pump(peer));
        return;
      }
    }
    this.real.pause(stream, paused);
  }

  close(stream: StreamId, flush: boolean): void {
    const peer = this.peers.get(stream);
    if (peer === undefined || peer.closing) {
      this.real.close(stream, flush);
      return;
    }
    peer.closing = true;
    this.empty(peer.inward);
    if (peer.gone || !peer.dialled) {
      this.empty(peer.outward);
      setImmediate(() => this.forget(peer, 'closed here'));
    } else if (flush && peer.outward.parcels.length > 0 && !this.blocked(peer, 'OUT')) {
      this.hold(peer, 'OUT', { kind: 'close', dueMs: this.due(peer, 'OUT') });
    } else {
      this.empty(peer.outward);
      this.real.close(stream, flush);
    }
  }

  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    if (kind === 'peer') this.track(stream, null, true);
    this.arrivals.streamAccepted(stream, kind, peerAddress, localAddress);
  }

  streamConnected(stream: StreamId): void {
    this.arrivals.streamConnected(stream);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    const peer = this.peers.get(stream);
    if (peer?.closing || peer?.mute) return;
    if (peer === undefined || this.clear(peer, 'IN')) {
      this.arrivals.streamBytes(stream, bytes, start, end);
      return;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    this.hold(peer, 'IN', { kind: 'bytes', dueMs: this.due(peer, 'IN'), bytes: copy, recycle: false });
    if (peer.inward.bytes > INWARD_BYTES_FULL) this.real.pause(stream, true);
  }

  streamDrained(stream: StreamId): void {
    const peer = this.peers.get(stream);
    if (peer !== undefined && peer.outward.bytes > OUTWARD_BYTES_FULL / 2) peer.full = true;
    else this.arrivals.streamDrained(stream);
  }

  streamClosed(stream: StreamId, why: string): void {
    const peer = this.peers.get(stream);
    if (peer === undefined) {
      this.arrivals.streamClosed(stream, why);
      return;
    }
    peer.gone = true;
    this.empty(peer.outward);
    if (peer.closing || peer.mute || this.clear(peer, 'IN')) this.forget(peer, why);
    else this.hold(peer, 'IN', { kind: 'closed', dueMs: this.due(peer, 'IN'), why });
  }

  bufferReleased(bytes: Buffer): void {
    this.arrivals.bufferReleased(bytes);
  }

  private get real(): NodeStreams {
    return this.sockets as NodeStreams;
  }

  private track(id: StreamId, address: string | null, dialled: boolean): PeerStream {
    const peer: PeerStream = {
      id,
      address,
      outward: { parcels: [], bytes: 0, timer: undefined },
      inward: { parcels: [], bytes: 0, timer: undefined },
      dialled,
      gone: false,
      closing: false,
      mute: false,
      paused: false,
      full: false,
    };
    this.peers.set(id, peer);
    return peer;
  }

  /** The last event of a stream's life. */
  private forget(peer: PeerStream, why: string): void {
    if (!this.peers.delete(peer.id)) return;
    this.empty(peer.inward);
    this.empty(peer.outward);
    if (!this.stopped) this.arrivals.streamClosed(peer.id, why);
  }

  /** Whether bytes of this direction may pass at once: nothing is before them and no rule applies. */
  private clear(peer: PeerStream, way: Way): boolean {
    const line = way === 'OUT' ? peer.outward : peer.inward;
    if (line.parcels.length > 0) return false;
    if (this.rules.empty) return true;
    return this.rule('DROP', peer, way) === 0 && this.rule('DELAY', peer, way) === 0;
  }

  private blocked(peer: PeerStream, way: Way): boolean {
    return this.rule('DROP', peer, way) >= 100;
  }

  private rule(kind: 'DROP' | 'DELAY', peer: PeerStream, way: Way): number {
    return this.rules.value(kind, peer.address, way, 'STREAMS');
  }

  /** When a parcel that comes now may pass: never before the one ahead of it. */
  private due(peer: PeerStream, way: Way): number {
    const line = way === 'OUT' ? peer.outward : peer.inward;
    const drop = this.rule('DROP', peer, way);
    const again = drop < 100 && this.random.chance(drop / 100) ? RETRANSMISSION_MS : 0;
    const dueMs = performance.now() + this.rule('DELAY', peer, way) + again;
    return Math.max(dueMs, line.parcels.at(-1)?.dueMs ?? 0);
  }

  private hold(peer: PeerStream, way: Way, parcel: Parcel): void {
    const line = way === 'OUT' ? peer.outward : peer.inward;
    line.parcels.push(parcel);
    if (parcel.kind === 'bytes') line.bytes += parcel.bytes.length;
    this.wakeAt(peer, line, line.parcels[0].dueMs);
  }

  private wakeAt(peer: PeerStream, line: Line, dueMs: number): void {
    if (line.timer !== undefined || this.stopped) return;
    line.timer = setTimeout(
      () => {
        line.timer = undefined;
        this.pump(peer);
      },
      Math.max(1, Math.ceil(dueMs - performance.now())),
    );
  }

  /** Passes on what is due, in order, in both directions. */
  private pump(peer: PeerStream): void {
    if (this.stopped) return;
    while (this.mayPass(peer, 'OUT')) this.passOutward(peer);
    while (!peer.paused && this.mayPass(peer, 'IN')) this.passInward(peer);
    if (peer.full && !peer.closing && this.queued(peer.id) < OUTWARD_BYTES_FULL / 2) {
      peer.full = false;
      this.arrivals.streamDrained(peer.id);
    }
    if (!peer.paused && !peer.gone && peer.inward.bytes < INWARD_BYTES_FULL / 2) this.real.pause(peer.id, false);
  }

  private mayPass(peer: PeerStream, way: Way): boolean {
    const line = way === 'OUT' ? peer.outward : peer.inward;
    const head = line.parcels[0];
    if (head === undefined || this.blocked(peer, way)) return false;
    if (head.kind === 'dial' && this.blocked(peer, 'IN')) return false;
    if (head.dueMs <= performance.now()) return true;
    this.wakeAt(peer, line, head.dueMs);
    return false;
  }

  private passOutward(peer: PeerStream): void {
    const parcel = peer.outward.parcels.shift() as Parcel;
    if (parcel.kind === 'bytes') {
      peer.outward.bytes -= parcel.bytes.length;
      this.real.write(peer.id, parcel.bytes, parcel.recycle);
    } else if (parcel.kind === 'dial') {
      peer.dialled = true;
      this.real.dial(peer.id, parcel.host, parcel.port);
    } else {
      this.real.close(peer.id, true);
    }
  }

  private passInward(peer: PeerStream): void {
    const parcel = peer.inward.parcels.shift() as Parcel;
    if (parcel.kind === 'bytes') {
      peer.inward.bytes -= parcel.bytes.length;
      this.arrivals.streamBytes(peer.id, parcel.bytes, 0, parcel.bytes.length);
    } else if (parcel.kind === 'closed') {
      this.forget(peer, parcel.why);
    }
  }

  private empty(line: Line): void {
    clearTimeout(line.timer);
    line.timer = undefined;
    line.bytes = 0;
    for (const parcel of line.parcels.splice(0)) {
      if (parcel.kind === 'bytes' && parcel.recycle) this.arrivals.bufferReleased(parcel.bytes);
    }
  }
}
