/**
 * The streams that other nodes open to this one: strangers until their greeting has been answered and confirmed (gossip/hello.ts),
 * then frames. Peers (peers.ts) owns them and hands the frames to the spine.
 * Guarded: nothing is said to whoever can not greet as a node of this cluster does, and to who can, never more than it said; strangers
 * are bounded in number, time and bytes, and so are the streams of one node; a stream ends when the key of its frames leaves the ring.
 */
import type { StreamId } from '../../ports/streams.js';
import type { Ports } from '../../ports/world.js';
import {
  encodeFrame,
  FRAME_BODY_BYTES_MAX,
  FRAME_CONFIRM,
  FRAME_HELLO,
  FRAME_REKEY,
  FrameReader,
  FrameSeal,
} from '../gossip/frames.js';
import { answer, disagreement, HELLO_BYTES_MAX, type Hello, type HelloFacts, openGreeting } from '../gossip/hello.js';
import type { KeyRing } from '../gossip/key-ring.js';
import type { Refusal, Refusals } from '../gossip/refusals.js';
import { readWord } from '../record/record.js';

const INCOMING_MAX = 4096;
/** Of these, who has not confirmed a greeting; past it the one that has been here longest goes. */
const STRANGERS_MAX = 256;
/** Of one node: its own to us, those that it has lost and we have not, and short ones from before it knew us. Past it the oldest goes. */
const PROVEN_PER_ACTOR_MAX = 8;
/** A stranger says who it is within this time. */
const HELLO_WITHIN_MS = 2000;

interface Incoming {
  readonly reader: FrameReader;
  readonly address: string;
  readonly acceptedAtMs: number;
  stage: 'stranger' | 'greeted' | 'proven';
  /** Who it is, once it has greeted. */
  actor: number;
  salts: Buffer | null;
  /** An injected fault lets nothing in from this peer. */
  muted: boolean;
}

/** What a stream's bytes amounted to. */
export interface Frame {
  kind: number;
  body: Buffer;
  /** The sender's actor. */
  actor: number;
  /** The cluster's key that sealed it; 0 in the clear. */
  keyId: number;
}

export interface IncomingOptions {
  readonly facts: HelloFacts;
  readonly ring: KeyRing | null;
  readonly refusals: Refusals;
}

export class IncomingStreams {
  /** Greetings of nodes that were refused by name. */
  refused = 0;
  /** Strangers closed for want of room, of time or of sense. */
  strangersClosed = 0;
  /** Streams closed because their node had opened more. */
  outnumbered = 0;
  private readonly streams = new Map<StreamId, Incoming>();
  private readonly strangers = new Set<StreamId>();

  constructor(
    private readonly ports: Ports,
    private readonly options: IncomingOptions,
  ) {}

  has(stream: StreamId): boolean {
    return this.streams.has(stream);
  }

  accepted(stream: StreamId, address: string, nowMs: number): void {
    if (this.streams.size >= INCOMING_MAX) {
      this.strangersClosed++;
      this.ports.streams.close(stream, false);
      return;
    }
    if (this.strangers.size >= STRANGERS_MAX) {
      const [oldest] = this.strangers;
      this.strangersClosed++;
      this.drop(oldest);
    }
    this.strangers.add(stream);
    this.streams.set(stream, {
      reader: new FrameReader(HELLO_BYTES_MAX),
      address,
      acceptedAtMs: nowMs,
      stage: 'stranger',
      actor: 0,
      salts: null,
      muted: false,
    });
  }

  /** Takes in bytes; then call `next` until null. False if the stream is none of these. */
  bytes(stream: StreamId, bytes: Buffer, start: number, end: number): boolean {
    const incoming = this.streams.get(stream);
    incoming?.reader.push(bytes, start, end);
    return incoming !== undefined;
  }

  /** The next whole frame of a stream that has proven itself; null when there is no more. */
  next(stream: StreamId, nowMs: number): Frame | null {
    const incoming = this.streams.get(stream);
    if (incoming === undefined) return null;
    const { reader } = incoming;
    while (!incoming.muted && reader.next()) {
      if (incoming.stage === 'proven' && reader.kind !== FRAME_REKEY) {
        return { kind: reader.kind, body: reader.body, actor: incoming.actor, keyId: reader.seal?.keyId ?? 0 };
      }
      if (!this.step(stream, incoming, nowMs)) return null;
    }
    if (reader.broken !== null) this.broken(stream, incoming, reader.broken, nowMs);
    return null;
  }

  tick(nowMs: number): void {
    for (const stream of this.strangers) {
      const incoming = this.streams.get(stream);
      if (incoming !== undefined && nowMs < incoming.acceptedAtMs + HELLO_WITHIN_MS) continue;
      this.strangersClosed++;
      this.drop(stream);
    }
  }

  /** The ring has changed: whose frames are sealed with a key that left it has to greet anew. */
  keysChanged(): void {
    const { ring } = this.options;
    for (const [stream, { reader }] of this.streams) {
      if (reader.seal !== null && ring?.find(reader.seal.keyId) === undefined) this.drop(stream);
    }
  }

  closed(stream: StreamId): void {
    this.streams.delete(stream);
    this.strangers.delete(stream);
  }

  /** A frame of the conversation about the stream itself. False if it has ended it. */
  private step(stream: StreamId, incoming: Incoming, nowMs: number): boolean {
    const { reader } = incoming;
    if (incoming.stage === 'stranger') return this.greeted(stream, incoming, nowMs);
    if (incoming.stage === 'greeted' && reader.kind === FRAME_CONFIRM) {
      incoming.stage = 'proven';
      reader.bodyBytesMax = FRAME_BODY_BYTES_MAX;
      this.strangers.delete(stream);
      this.makeRoomFor(incoming.actor);
      return true;
    }
    if (incoming.stage === 'proven' && this.rekey(incoming)) return true;
    return this.refuse(stream, incoming, incoming.stage === 'proven' ? 'wrong-key' : 'malformed', nowMs);
  }

  private greeted(stream: StreamId, incoming: Incoming, nowMs: number): boolean {
    const { reader } = incoming;
    const { facts, ring } = this.options;
    if (reader.kind !== FRAME_HELLO)
      return this.refuse(stream, incoming, ring === null ? 'malformed' : 'unsealed', nowMs);
    const opened = openGreeting(reader.body, ring, facts.wire);
    if (typeof opened === 'string') return this.refuse(stream, incoming, opened, nowMs);
    const why = disagreement(facts, opened);
    const hello: Hello = { ...facts, refusal: why ?? '' };
    const answered = answer(hello, opened, ring, reader.body.length);
    if (answered === null) return this.refuse(stream, incoming, 'malformed', nowMs);
    if (why !== null || opened.hello === null) {
      this.refused++;
      const reason = opened.hello === null ? 'version' : 'foreign';
      const who = opened.hello === null ? '' : `${opened.hello.id}: `;
      this.options.refusals.note(reason, 'a stream from', incoming.address, nowMs, `is refused: ${who}${why}`);
      this.ports.streams.write(stream, encodeFrame(FRAME_HELLO, answered.body), false);
      this.closed(stream);
      this.ports.streams.close(stream, true);
      return false;
    }
    const { actor, host, port } = opened.hello;
    incoming.muted = this.ports.faults?.label(stream, `${host}:${port}`) === false;
    if (incoming.muted) {
      this.strangers.delete(stream);
      return false;
    }
    incoming.actor = actor;
    incoming.stage = 'greeted';
    incoming.salts = answered.salts;
    if (ring !== null && opened.key !== null) {
      reader.seal = new FrameSeal(opened.key.secret.id, ring.streamKey(opened.key, answered.salts));
    }
    this.ports.streams.write(stream, encodeFrame(FRAME_HELLO, answered.body), false);
    return true;
  }

  /** One more of this node has proven itself: the frames that each may have under way are memory. */
  private makeRoomFor(actor: number): void {
    let count = 0;
    let oldest: StreamId = 0;
    for (const [stream, other] of this.streams) {
      if (other.stage !== 'proven' || other.actor !== actor) continue;
      if (count++ === 0) oldest = stream;
    }
    if (count <= PROVEN_PER_ACTOR_MAX) return;
    this.outnumbered++;
    this.drop(oldest);
  }

  private rekey({ reader, salts }: Incoming): boolean {
    const { ring } = this.options;
    if (reader.kind !== FRAME_REKEY || reader.seal === null || reader.body.length !== 4) return false;
    const key = ring?.find(readWord(reader.body, 0));
    if (ring === null || key === undefined || salts === null) return false;
    reader.seal.rekey(key.secret.id, ring.streamKey(key, salts));
    return true;
  }

  private broken(stream: StreamId, incoming: Incoming, why: string, nowMs: number): void {
    if (incoming.stage !== 'proven') {
      const reason = incoming.reader.forged ? 'forged' : this.options.ring === null ? 'malformed' : 'unsealed';
      this.refuse(stream, incoming, reason, nowMs);
      return;
    }
    this.ports.log.warn('peer stream broken', { why });
    if (incoming.reader.forged) this.refuse(stream, incoming, 'forged', nowMs);
    else this.drop(stream);
  }

  /** Closes without a word. */
  private refuse(stream: StreamId, incoming: Incoming, reason: Refusal, nowMs: number): false {
    this.options.refusals.note(reason, 'a stream from', incoming.address, nowMs);
    this.strangersClosed += incoming.stage === 'proven' ? 0 : 1;
    this.drop(stream);
    return false;
  }

  private drop(stream: StreamId): void {
    this.closed(stream);
    this.ports.streams.close(stream, false);
  }
}
