/**
 * The other members as addresses to talk to: one outgoing stream each, the frames that wait for it, the datagram being filled
 * for it, and the streams that they opened to us. The spine hands it stream events and asks it to send; it answers with frames.
 * Guarded: what waits for a stream is bounded; no byte of a stream is believed before its HELLO names our cluster.
 */

import type { StreamId } from '../../ports/streams.js';
import type { Ports } from '../../ports/world.js';
import type { Random } from '../base/random.js';
import { type ControlMessage, decodeControl, encodeControl } from '../gossip/codec.js';
import { encodeFrame, FRAME_ACKS, FRAME_BODY_BYTES_MAX, FRAME_HELLO, FrameReader } from '../gossip/frames.js';
import { type ClusterId, PacketWriter, SECTION_ACKS, WIRE_VERSION } from '../gossip/packet.js';
import { AckBook } from './acks.js';
import { HintPace } from './hint-pace.js';
import { HintRoom, Hints } from './hints.js';
import { Link, type SentMessage, UNACKED_BYTES_MAX } from './link.js';

/** Bytes of frames that may wait for one peer's stream. */
const FRAME_BYTES_MAX = 2 * UNACKED_BYTES_MAX;
const RECONNECT_FLOOR_MS = 50;
const RECONNECT_CEILING_MS = 2000;
/** A stream to a contact point lives this long: enough for one exchange. */
const CONTACT_LIFE_MS = 10_000;
const CONTACTS_MAX = 64;
const INCOMING_MAX = 4096;
/** A stranger says who it is within this time and size. */
const HELLO_WITHIN_MS = 5000;
const HELLO_BYTES_MAX = 4096;

export type PeerState = 'alive' | 'suspect' | 'dead' | 'left';

/** One other member, for as long as it is known. */
export class Peer {
  readonly id: string;
  actor = 0;
  host = '';
  port = 0;
  state: PeerState = 'dead';
  /** Datagrams do not get there, or nothing comes back: everything goes by stream. */
  udpBlocked = false;
  link = new Link();
  readonly hints: Hints;
  readonly pace = new HintPace();
  /** Our stream to it; 0 when there is none. */
  stream: StreamId = 0;
  connected = false;
  reconnectAtMs = 0;
  reconnectDelayMs = RECONNECT_FLOOR_MS;
  frames: Buffer[] = [];
  frameBytes = 0;
  /** Messages of its to acknowledge. */
  acks = new AckBook();
  packet: PacketWriter | null = null;
  /** When the last round of anti-entropy that found nothing to do ended, by the monotonic clock. */
  equalAtMs = Number.NEGATIVE_INFINITY;
  /** Per partition: when the last round that found it the same here and there began, by the wall clock. */
  readonly passedWallMs: Float64Array;

  constructor(id: string, hintBytesMax: number, hintRoom: HintRoom, partitions: number) {
    this.id = id;
    this.passedWallMs = new Float64Array(partitions);
    this.hints = new Hints(hintBytesMax, partitions, hintRoom);
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }
}

interface Incoming {
  readonly reader: FrameReader;
  /** Who it is, once its HELLO has said so. */
  actor: number;
  readonly acceptedAtMs: number;
  /** An injected fault lets nothing in from this peer. */
  muted: boolean;
}

export interface PeersOptions {
  clusterId: ClusterId;
  clusterName: string;
  settings: string;
  actor: number;
  selfId: string;
  gossipPort: number;
  advertise: string;
  hintBytesPerPeerMax: number;
  hintBytesMax: number;
  partitions: number;
  random: Random;
}

/** What a stream's bytes amounted to. */
export interface Frame {
  kind: number;
  body: Buffer;
  /** The sender's actor. */
  actor: number;
}

export class Peers {
  private readonly byId = new Map<string, Peer>();
  private readonly byActor = new Map<number, Peer>();
  private readonly byStream = new Map<StreamId, Peer>();
  private readonly incoming = new Map<StreamId, Incoming>();
  private readonly contacts = new Map<StreamId, { frames: Buffer[]; closesAtMs: number }>();
  private list: readonly Peer[] = [];
  private readonly hintRoom: HintRoom;
  framesDropped = 0;
  helloRefused = 0;

  constructor(
    private readonly ports: Ports,
    private readonly options: PeersOptions,
  ) {
    this.hintRoom = new HintRoom(options.hintBytesMax);
  }

  get clusterId(): ClusterId {
    return this.options.clusterId;
  }

  /** All peers in order of id. */
  all(): readonly Peer[] {
    return this.list;
  }

  get(id: string): Peer | undefined {
    return this.byId.get(id);
  }

  withActor(actor: number): Peer | undefined {
    return this.byActor.get(actor);
  }

  /** The peer of this id, made if need be. */
  ensure(id: string): Peer {
    let peer = this.byId.get(id);
    if (peer === undefined) {
      peer = new Peer(id, this.options.hintBytesPerPeerMax, this.hintRoom, this.options.partitions);
      this.byId.set(id, peer);
      this.list = [...this.byId.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
    }
    return peer;
  }

  /** Forgets a peer for good. */
  remove(id: string): void {
    const peer = this.byId.get(id);
    if (peer === undefined) return;
    this.disconnect(peer, false);
    this.byId.delete(id);
    this.byActor.delete(peer.actor);
    this.list = this.list.filter((other) => other !== peer);
  }

  /** The member runs under another actor or address: what was sent to the former is returned, to become hints. */
  rebind(peer: Peer, actor: number, host: string, port: number): SentMessage[] {
    if (peer.actor === actor && peer.host === host && peer.port === port) return [];
    const abandoned = peer.actor === actor ? [] : peer.link.abandon(Number.POSITIVE_INFINITY);
    if (peer.actor !== actor) {
      if (this.byActor.get(peer.actor) === peer) this.byActor.delete(peer.actor);
      this.byActor.set(actor, peer);
      peer.link = new Link(peer.link.nextNumber);
      peer.acks = new AckBook();
      peer.packet = null;
    }
    this.disconnect(peer, false);
    peer.actor = actor;
    peer.host = host;
    peer.port = port;
    peer.reconnectAtMs = 0;
    peer.reconnectDelayMs = RECONNECT_FLOOR_MS;
    return abandoned;
  }

  /** Queues a frame for a peer; false if too much waits already and it was dropped. */
  sendFrame(peer: Peer, kind: number, body: Uint8Array): boolean {
    if (body.length > FRAME_BODY_BYTES_MAX) {
      this.framesDropped++;
      return false;
    }
    const waiting = peer.frameBytes + (peer.stream === 0 ? 0 : this.ports.streams.queued(peer.stream));
    if (waiting > FRAME_BYTES_MAX || !(peer.state === 'alive' || peer.state === 'suspect' || peer.connected)) {
      this.framesDropped++;
      return false;
    }
    const frame = encodeFrame(kind, body);
    peer.frames.push(frame);
    peer.frameBytes += frame.length;
    return true;
  }

  /** The datagram being filled for a peer, with at least `room` bytes left for one more section's body. */
  packetFor(peer: Peer, room: number): PacketWriter {
    if (peer.packet !== null && peer.packet.room < room) this.flushPacket(peer);
    peer.packet ??= new PacketWriter(this.options.clusterId, this.options.actor);
    return peer.packet;
  }

  /** Sends one message to an address that may be nobody's yet. */
  sendTo(host: string, port: number, kind: number, body: Buffer): void {
    const packet = new PacketWriter(this.options.clusterId, this.options.actor);
    if (body.length > packet.room) return;
    packet.add(kind, body, 0, body.length);
    this.ports.datagrams.send(host, port, packet.take());
  }

  /** Sends a control frame to an address whose member is not known: opens a short-lived stream. */
  contact(host: string, port: number, kind: number, body: Uint8Array, nowMs: number): void {
    if (this.contacts.size >= CONTACTS_MAX) return;
    const stream = this.ports.streams.connect(host, port);
    const frames = [this.hello(''), encodeFrame(kind, body)];
    this.contacts.set(stream, { frames, closesAtMs: nowMs + CONTACT_LIFE_MS });
  }

  /** End of turn: everything queued for every peer leaves, once each. Our log is durable up to `durableBatch`. */
  flush(durableBatch: number): void {
    for (const peer of this.list) {
      this.flushAcks(peer, durableBatch);
      if (peer.packet !== null) this.flushPacket(peer);
      if (peer.connected && peer.frames.length > 0) {
        const bytes = peer.frames.length === 1 ? peer.frames[0] : Buffer.concat(peer.frames, peer.frameBytes);
        peer.frames = [];
        peer.frameBytes = 0;
        this.ports.streams.write(peer.stream, bytes, false);
      }
    }
  }

  /** Opens streams that are wanted, closes those past use. */
  tick(nowMs: number): void {
    for (const peer of this.list) {
      const wanted = peer.state === 'alive' || peer.state === 'suspect';
      if (wanted && peer.stream === 0 && nowMs >= peer.reconnectAtMs && peer.port !== 0) {
        peer.stream = this.ports.streams.connect(peer.host, peer.port);
        this.byStream.set(peer.stream, peer);
      } else if (!wanted && peer.stream !== 0) {
        this.disconnect(peer, true);
      }
    }
    for (const [stream, incoming] of this.incoming) {
      if (incoming.actor !== 0 || nowMs < incoming.acceptedAtMs + HELLO_WITHIN_MS) continue;
      this.incoming.delete(stream);
      this.ports.streams.close(stream, false);
    }
    for (const [stream, contact] of this.contacts) {
      if (nowMs < contact.closesAtMs) continue;
      this.contacts.delete(stream);
      this.ports.streams.close(stream, false);
    }
  }

  accepted(stream: StreamId, nowMs: number): void {
    if (this.incoming.size >= INCOMING_MAX) {
      this.ports.streams.close(stream, false);
      return;
    }
    this.incoming.set(stream, {
      reader: new FrameReader(HELLO_BYTES_MAX),
      actor: 0,
      muted: false,
      acceptedAtMs: nowMs,
    });
  }

  /** One of our streams is open: HELLO leaves first. Returns the peer, so that what its stream lost can be sent again. */
  connected(stream: StreamId): Peer | null {
    const contact = this.contacts.get(stream);
    if (contact !== undefined) {
      for (const frame of contact.frames) this.ports.streams.write(stream, frame, false);
      contact.frames = [];
      return null;
    }
    const peer = this.byStream.get(stream);
    if (peer === undefined) return null;
    peer.connected = true;
    peer.reconnectDelayMs = RECONNECT_FLOOR_MS;
    peer.frames.unshift(this.hello(''));
    peer.frameBytes += peer.frames[0].length;
    return peer;
  }

  /** True if the stream is a peer's (ours or theirs), so its bytes belong here. */
  knows(stream: StreamId): boolean {
    return this.byStream.has(stream) || this.incoming.has(stream) || this.contacts.has(stream);
  }

  /** Takes in a stream's bytes; then call `nextFrame` until null. */
  bytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    const incoming = this.incoming.get(stream);
    if (incoming !== undefined) {
      incoming.reader.push(bytes, start, end);
      return;
    }
    // On a stream of ours the other side says one thing only: why it will not have us.
    const reader = new FrameReader(HELLO_BYTES_MAX);
    reader.push(bytes, start, end);
    if (reader.next() && reader.kind === FRAME_HELLO) {
      const hello = decodeControl(reader.body, 0, reader.body.length);
      const why = hello?.[9];
      if (typeof why === 'string' && why !== '') this.ports.log.error('peer refused us', { why: why.slice(0, 300) });
    }
  }

  /** The next whole frame of a stream, after its HELLO was checked here; null when there is no more. */
  nextFrame(stream: StreamId): Frame | null {
    const incoming = this.incoming.get(stream);
    if (incoming === undefined) return null;
    const reader = incoming.reader;
    while (!incoming.muted && reader.next()) {
      if (incoming.actor !== 0) return { kind: reader.kind, body: reader.body, actor: incoming.actor };
      const why = this.checkHello(reader.kind, reader.body, incoming, stream);
      if (why !== null) {
        this.helloRefused++;
        this.ports.log.warn('peer refused', { why });
        this.ports.streams.write(stream, this.hello(why), false);
        this.ports.streams.close(stream, true);
        this.incoming.delete(stream);
        return null;
      }
    }
    if (reader.broken !== null) {
      this.ports.log.warn('peer stream broken', { why: reader.broken });
      this.ports.streams.close(stream, false);
      this.incoming.delete(stream);
    }
    return null;
  }

  /** A stream has ended. Returns the peer if it was our stream to it: its loss is worth a probe. */
  closed(stream: StreamId, nowMs: number): Peer | null {
    this.incoming.delete(stream);
    this.contacts.delete(stream);
    const peer = this.byStream.get(stream);
    if (peer === undefined) return null;
    this.byStream.delete(stream);
    peer.stream = 0;
    peer.connected = false;
    peer.frames = [];
    peer.frameBytes = 0;
    peer.reconnectAtMs = nowMs + this.options.random.below(peer.reconnectDelayMs) + 1;
    peer.reconnectDelayMs = Math.min(peer.reconnectDelayMs * 2, RECONNECT_CEILING_MS);
    return peer;
  }

  private disconnect(peer: Peer, flush: boolean): void {
    if (peer.stream === 0) return;
    this.byStream.delete(peer.stream);
    this.ports.streams.close(peer.stream, flush);
    peer.stream = 0;
    peer.connected = false;
    peer.frames = [];
    peer.frameBytes = 0;
  }

  private flushPacket(peer: Peer): void {
    const packet = peer.packet;
    peer.packet = null;
    if (packet !== null && !packet.empty) this.ports.datagrams.send(peer.host, peer.port, packet.take());
  }

  private flushAcks(peer: Peer, durableBatch: number): void {
    for (const body of peer.acks.takeDatagrams(peer.actor, durableBatch)) {
      if (peer.udpBlocked && this.sendFrame(peer, FRAME_ACKS, body)) continue;
      this.packetFor(peer, body.length).add(SECTION_ACKS, body, 0, body.length);
    }
    for (const body of peer.acks.takeStream(peer.actor, durableBatch)) this.sendFrame(peer, FRAME_ACKS, body);
  }

  private hello(refusal: string): Buffer {
    const { clusterName, settings, selfId, actor, advertise, gossipPort, clusterId } = this.options;
    const message: ControlMessage = [
      WIRE_VERSION,
      WIRE_VERSION,
      clusterName,
      settings,
      clusterId[0],
      selfId,
      actor,
      advertise,
      gossipPort,
      refusal,
    ];
    return encodeFrame(FRAME_HELLO, encodeControl(message));
  }

  /** Why a stream is not to be had, in one line; null when it is. */
  private checkHello(kind: number, body: Buffer, incoming: Incoming, stream: StreamId): string | null {
    if (kind !== FRAME_HELLO) return 'the first frame is not HELLO';
    const hello = decodeControl(body, 0, body.length);
    if (hello === null) return 'HELLO is malformed';
    const [oldest, newest, clusterName, settings, clusterId, id, actor, host, port] = hello;
    if (typeof oldest !== 'number' || typeof newest !== 'number') return 'HELLO is malformed';
    if (oldest > WIRE_VERSION || newest < WIRE_VERSION) {
      return `wire version ${WIRE_VERSION} here, ${oldest} to ${newest} there`;
    }
    if (clusterName !== this.options.clusterName) {
      return `cluster name is ${JSON.stringify(this.options.clusterName)} here, ${JSON.stringify(clusterName)} there`;
    }
    if (settings !== this.options.settings) {
      return `cluster settings are ${this.options.settings} here, ${String(settings).slice(0, 100)} there`;
    }
    if (clusterId !== this.options.clusterId[0]) return 'the password differs';
    if (typeof actor !== 'number' || !Number.isSafeInteger(actor) || actor <= 0) return 'HELLO is malformed';
    if (typeof id !== 'string' || typeof host !== 'string' || typeof port !== 'number') return 'HELLO is malformed';
    incoming.actor = actor;
    incoming.reader.bodyBytesMax = FRAME_BODY_BYTES_MAX;
    incoming.muted = this.ports.faults?.label(stream, `${host}:${port}`) === false;
    return null;
  }
}
