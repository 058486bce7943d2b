/**
 * The other members as addresses to talk to: one outgoing stream each, the frames that wait for it, the datagram being filled
 * for it, and the streams that they opened to us (incoming.ts, outgoing.ts). The spine hands it stream events and asks it to send; it
 * answers with frames. Guarded: what waits for a stream is bounded; a datagram to an address that is no peer's is never more than
 * what came from there in this turn, so that nobody's address can be flooded through us.
 */

import type { StreamId } from '../../ports/streams.js';
import type { Ports } from '../../ports/world.js';
import type { Random } from '../base/random.js';
import { FRAME_ACKS, FRAME_BODY_BYTES_MAX, FRAME_HEAR, FRAME_HEARD, FRAME_RESPONSE } from '../gossip/frames.js';
import type { HelloFacts } from '../gossip/hello.js';
import type { KeyRing } from '../gossip/key-ring.js';
import { type PacketSender, PacketWriter, SECTION_ACKS, SECTION_HEARD } from '../gossip/packet.js';
import type { Refusals } from '../gossip/refusals.js';
import { readWord, writeWord } from '../record/record.js';
import { AckBook } from './acks.js';
import { type FlushMark, NEVER_FLUSHED } from './flush-mark.js';
import { FormerLife } from './former-life.js';
import { AnswerTime } from './hedges.js';
import { HintPace } from './hint-pace.js';
import { HintRoom, Hints } from './hints.js';
import { type Frame, IncomingStreams } from './incoming.js';
import { Link, type SentMessage, UNACKED_BYTES_MAX } from './link.js';
import { MissedFlush } from './missed-flush.js';
import { OutgoingStreams } from './outgoing.js';
import { OwedReplies } from './owed-replies.js';
import { PENDING_BYTES_PER_PEER_MAX, Pending } from './pending.js';
import { Strangers } from './strangers.js';
import { StreamReplies } from './stream-replies.js';
import { StreamWatch } from './stream-watch.js';

/** Bytes of frames that may wait for one peer's stream. */
const FRAME_BYTES_MAX = 2 * UNACKED_BYTES_MAX;
const RECONNECT_FLOOR_MS = 50;
const RECONNECT_CEILING_MS = 2000;

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
  readonly formerLife: FormerLife;
  readonly hints: Hints;
  readonly missedFlush = new MissedFlush();
  /** The last flush that it said it knows, in this life. */
  flushed: FlushMark = NEVER_FLUSHED;
  pace = new HintPace();
  readonly answers = new AnswerTime();
  /** What waits for it. */
  readonly pending: Pending;
  /** What it is owed for commands that it handed to this node. */
  readonly owed = new OwedReplies();
  /** Those of them that scan, and wait for a turn that has something left for that. */
  readonly scans = new OwedReplies();
  /** Our stream to it; 0 when there is none. */
  stream: StreamId = 0;
  connected = false;
  readonly watch = new StreamWatch();
  /** The last mark that it asked about on its stream in this turn; 0: none. */
  heardMark = 0;
  reconnectAtMs = 0;
  reconnectDelayMs = RECONNECT_FLOOR_MS;
  frames: Buffer[] = [];
  frameBytes = 0;
  /** Of these, and of what was written, the replies to its commands. */
  readonly replies = new StreamReplies();
  /** Messages of its to acknowledge. */
  acks = new AckBook();
  packet: PacketWriter | null = null;
  /** The cluster's key that it sealed with last; 0 before it did. */
  keyId = 0;
  /** When the last round of anti-entropy that found nothing to do ended, by the monotonic clock. */
  equalAtMs = Number.NEGATIVE_INFINITY;
  /** When this node last began a round of anti-entropy with it. */
  roundAtMs = Number.NEGATIVE_INFINITY;
  /** Per partition: when the last round that found it the same here and there began, by the wall clock. */
  readonly passedWallMs: Float64Array;
  /** Per partition: its floor, as it last said in this life. */
  readonly floors: Float64Array;
  /** Its wall clock when it last spoke of floors; 0 until then. */
  saidWallMs = 0;

  constructor(id: string, hintBytesMax: number, hintRoom: HintRoom, partitions: number, pending = new Pending()) {
    this.id = id;
    this.pending = pending;
    this.passedWallMs = new Float64Array(partitions);
    this.hints = new Hints(hintBytesMax, partitions, hintRoom);
    this.floors = new Float64Array(partitions);
    this.formerLife = new FormerLife(partitions);
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }
}

export interface PeersOptions {
  /** What every packet and greeting says of this node. */
  sender: PacketSender;
  facts: HelloFacts;
  ring: KeyRing | null;
  refusals: Refusals;
  hintBytesPerPeerMax: number;
  hintBytesMax: number;
  /** Operations that may wait for one peer. */
  pendingPerPeerMax: number;
  partitions: number;
  random: Random;
  mutations: ReadonlySet<string>;
}

export class Peers {
  private readonly byId = new Map<string, Peer>();
  private readonly byActor = new Map<number, Peer>();
  private readonly byStream = new Map<StreamId, Peer>();
  readonly incoming: IncomingStreams;
  readonly outgoing: OutgoingStreams;
  /** Who sent in this turn and is nobody known. */
  readonly strangers = new Strangers();
  private list: readonly Peer[] = [];
  private readonly hintRoom: HintRoom;
  framesDropped = 0;
  /** Streams that the system still believed in. */
  streamsGivenUp = 0;

  constructor(
    private readonly ports: Ports,
    private readonly options: PeersOptions,
  ) {
    this.incoming = new IncomingStreams(ports, options);
    this.outgoing = new OutgoingStreams(ports, options);
    this.hintRoom = new HintRoom(options.hintBytesMax);
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
      const { hintBytesPerPeerMax, partitions, pendingPerPeerMax } = this.options;
      const pending = new Pending(pendingPerPeerMax, PENDING_BYTES_PER_PEER_MAX);
      peer = new Peer(id, hintBytesPerPeerMax, this.hintRoom, partitions, pending);
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
      peer.pace = new HintPace();
      peer.packet = null;
    }
    this.disconnect(peer, false);
    peer.actor = actor;
    if (peer.host === '' || !this.options.mutations.has('old-address-kept')) {
      peer.host = host;
      peer.port = port;
    }
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
    if (
      this.waitingBytes(peer) > FRAME_BYTES_MAX ||
      !(peer.state === 'alive' || peer.state === 'suspect' || peer.connected)
    ) {
      this.framesDropped++;
      return false;
    }
    const frame = this.outgoing.frame(kind, body);
    peer.frames.push(frame);
    peer.frameBytes += frame.length;
    if (kind === FRAME_RESPONSE) peer.replies.queued(frame.length);
    return true;
  }

  /** Bytes of frames that wait for a peer's stream, here or in the world. */
  waitingBytes(peer: Peer): number {
    return peer.frameBytes + (peer.stream === 0 ? 0 : this.ports.streams.queued(peer.stream));
  }

  /** The same of replies to its commands alone; once so much waits that a reply may find no room, all of it. */
  waitingReplyBytes(peer: Peer): number {
    const untakenBytes = peer.stream === 0 ? 0 : this.ports.streams.queued(peer.stream);
    const bytes = peer.frameBytes + untakenBytes;
    return bytes > FRAME_BYTES_MAX / 2 ? bytes : peer.replies.waitingBytes(untakenBytes);
  }

  /** The datagram being filled for a peer, with at least `room` bytes left for one more section's body. */
  packetFor(peer: Peer, room: number): PacketWriter {
    if (peer.packet !== null && peer.packet.room < room) this.flushPacket(peer);
    peer.packet ??= new PacketWriter(this.options.sender, peer.actor);
    return peer.packet;
  }

  /** Sends one message to an address that may be nobody's yet. */
  sendTo(host: string, port: number, kind: number, body: Buffer, bytesMin = 0): void {
    const packet = new PacketWriter(this.options.sender, 0);
    if (body.length > packet.room) return;
    packet.add(kind, body, 0, body.length);
    packet.bytesMin = bytesMin;
    this.send(host, port, packet, false);
  }

  /** Sends a control frame to an address whose member is not known: opens a short-lived stream. */
  contact(host: string, port: number, kind: number, body: Uint8Array, nowMs: number): void {
    if (!this.outgoing.contact(host, port, this.outgoing.frame(kind, body), nowMs)) this.framesDropped++;
  }

  /** End of turn: everything queued for every peer leaves, once each. Our log is durable up to `durableBatch`. */
  flush(durableBatch: number): void {
    for (const peer of this.list) {
      this.flushAcks(peer, durableBatch);
      if (peer.heardMark !== 0) this.sayHeard(peer);
      if (peer.packet !== null) this.flushPacket(peer);
      this.flushFrames(peer);
    }
    this.strangers.forget();
  }

  /** The ring has changed: what leaves from now on is sealed with its first key, and nothing is read under one that is gone. */
  keysChanged(): void {
    for (const peer of this.list) this.flushFrames(peer);
    this.outgoing.keysChanged();
    this.incoming.keysChanged();
  }

  private flushFrames(peer: Peer): void {
    if (!peer.connected || peer.frames.length === 0) return;
    const { frames, frameBytes } = peer;
    peer.frames = [];
    peer.frameBytes = 0;
    this.outgoing.send(peer.stream, frames);
    peer.replies.wrote(frameBytes);
    peer.watch.wrote(frameBytes);
  }

  /** Opens streams that are wanted, closes those past use. */
  tick(nowMs: number): void {
    for (const peer of this.list) {
      const wanted = peer.state === 'alive' || peer.state === 'suspect';
      if (wanted && peer.stream === 0 && nowMs >= peer.reconnectAtMs && peer.port !== 0) {
        peer.stream = this.outgoing.dial(peer);
        this.byStream.set(peer.stream, peer);
      } else if (!wanted && peer.stream !== 0) {
        this.disconnect(peer, true);
      } else if (peer.connected) {
        this.watch(peer, nowMs);
      }
    }
    this.incoming.tick(nowMs);
    this.outgoing.tick(nowMs);
  }

  /** Asks whether a stream is read, and gives up one that is not: it closes as if the system had said so. */
  private watch(peer: Peer, nowMs: number): void {
    const verdict = peer.watch.judge(nowMs, this.ports.streams.queued(peer.stream));
    if (verdict === 'well' || this.options.mutations.has('streams-believed')) return;
    if (verdict === 'lost') {
      this.streamsGivenUp++;
      this.ports.log.warn('a stream is given up: nothing that was written on it is answered', { id: peer.id });
      peer.watch.begin(nowMs);
      this.ports.streams.close(peer.stream, false);
      return;
    }
    const body = Buffer.alloc(4);
    writeWord(body, 0, peer.watch.mark);
    this.outgoing.send(peer.stream, [this.outgoing.frame(FRAME_HEAR, body)]);
  }

  /** A peer asks whether its stream is read; what it asked last in a turn is answered at its end. */
  hear(peer: Peer, body: Buffer): void {
    if (body.length === 4) peer.heardMark = readWord(body, 0);
  }

  /**
   * Told both ways: a datagram overtakes what waits on a stream, and may be lost where datagrams pass one way only. What is said here asks
   * for no sign itself: two idle streams would keep each other awake.
   */
  private sayHeard(peer: Peer): void {
    const body = Buffer.alloc(4);
    writeWord(body, 0, peer.heardMark);
    peer.heardMark = 0;
    this.packetFor(peer, 4).add(SECTION_HEARD, body, 0, 4);
    if (!peer.connected) return;
    if (this.waitingBytes(peer) <= FRAME_BYTES_MAX)
      this.outgoing.send(peer.stream, [this.outgoing.frame(FRAME_HEARD, body)]);
  }

  /** It has read what was written up to the mark. */
  heard(peer: Peer, body: Buffer, start: number, end: number): void {
    if (end - start === 4) peer.watch.answered(readWord(body, start));
  }

  /** True if the stream is a peer's (ours or theirs), so its bytes belong here. */
  knows(stream: StreamId): boolean {
    return this.outgoing.has(stream) || this.incoming.has(stream);
  }

  /**
   * Takes in a stream's bytes; then call `nextFrame` until null. Returns the peer whose stream carries frames from now on: what its
   * last one lost can be sent again.
   */
  bytes(stream: StreamId, bytes: Buffer, start: number, end: number, nowMs: number): Peer | null {
    if (this.incoming.bytes(stream, bytes, start, end)) return null;
    const peer = this.outgoing.bytes(stream, bytes, start, end, nowMs);
    if (peer === null || peer.stream !== stream) return null;
    peer.connected = true;
    peer.watch.begin(nowMs);
    peer.reconnectDelayMs = RECONNECT_FLOOR_MS;
    return peer;
  }

  /** The next whole frame of a stream; null when there is no more. */
  nextFrame(stream: StreamId, nowMs: number): Frame | null {
    return this.incoming.next(stream, nowMs);
  }

  /** A stream has ended. Returns the peer if it was our stream to it: its loss is worth a probe. */
  closed(stream: StreamId, nowMs: number): Peer | null {
    this.incoming.closed(stream);
    this.outgoing.closed(stream, nowMs);
    const peer = this.byStream.get(stream);
    if (peer === undefined) return null;
    this.byStream.delete(stream);
    peer.stream = 0;
    peer.connected = false;
    peer.frames = [];
    peer.frameBytes = 0;
    peer.replies.clear();
    peer.heardMark = 0;
    peer.reconnectAtMs = nowMs + this.options.random.below(peer.reconnectDelayMs) + 1;
    peer.reconnectDelayMs = Math.min(peer.reconnectDelayMs * 2, RECONNECT_CEILING_MS);
    return peer;
  }

  private disconnect(peer: Peer, flush: boolean): void {
    if (peer.stream === 0) return;
    this.byStream.delete(peer.stream);
    this.outgoing.forget(peer.stream);
    this.ports.streams.close(peer.stream, flush);
    peer.stream = 0;
    peer.connected = false;
    peer.frames = [];
    peer.frameBytes = 0;
    peer.replies.clear();
    peer.heardMark = 0;
  }

  private flushPacket(peer: Peer): void {
    const packet = peer.packet;
    peer.packet = null;
    if (packet !== null && !packet.empty) this.send(peer.host, peer.port, packet, true);
  }

  private send(host: string, port: number, packet: PacketWriter, known: boolean): void {
    if (!this.strangers.allows(host, port, packet.packetBytes, known)) return;
    this.ports.datagrams.send(host, port, packet.take());
  }

  private flushAcks(peer: Peer, durableBatch: number): void {
    for (const body of peer.acks.takeDatagrams(peer.actor, durableBatch)) {
      if (peer.udpBlocked && this.sendFrame(peer, FRAME_ACKS, body)) continue;
      this.packetFor(peer, body.length).add(SECTION_ACKS, body, 0, body.length);
    }
    for (const body of peer.acks.takeStream(peer.actor, durableBatch)) this.sendFrame(peer, FRAME_ACKS, body);
  }
}
