/**
 * The streams that this node opens: one to each peer, and short ones to addresses whose node is not known yet. They greet, wait for
 * the answer, confirm it, and only then carry frames (gossip/hello.ts). Peers (peers.ts) dials and fills them.
 * Guarded: nothing but a greeting leaves before the other side has shown that it is of this cluster and, on a peer's stream, that it
 * is that peer; who does not answer is given up in bounded time.
 */
import type { StreamId } from '../../ports/streams.js';
import type { Ports } from '../../ports/world.js';
import {
  encodeFrame,
  FRAME_CONFIRM,
  FRAME_HELLO,
  FRAME_REKEY,
  FrameReader,
  FrameSeal,
  openFrame,
} from '../gossip/frames.js';
import { disagreement, type Greeting, greet, HELLO_BYTES_MAX, type HelloFacts, openAnswer } from '../gossip/hello.js';
import type { KeyRing } from '../gossip/key-ring.js';
import type { Refusal, Refusals } from '../gossip/refusals.js';
import { writeWord } from '../record/record.js';
import type { Peer } from './peers.js';

const ANSWER_WITHIN_MS = 5000;
/** A stream to a contact point lives this long: enough for one exchange. */
const CONTACT_LIFE_MS = 10_000;
const CONTACTS_MAX = 64;
/** Of what became of greetings to contact points, between two drains. */
const NEWS_MAX = 128;
/** So many streams in a row that ended without an answer are no accident. */
const UNANSWERED_TO_SAY = 2;

/** What became of a greeting to a contact point. */
export interface ContactNews {
  readonly address: string;
  /** Mute: it ended the stream without saying anything. */
  readonly outcome: 'accepted' | 'refused' | 'mute';
  readonly reason: Refusal;
  /** Of a refusal: what is other here and there. */
  readonly why: string;
}

interface Outgoing {
  /** Null: a contact. */
  readonly peer: Peer | null;
  readonly address: string;
  readonly reader: FrameReader;
  /** What waits for the answer on a contact's stream. */
  frames: Buffer[];
  greeting: Greeting | null;
  answered: boolean;
  seal: FrameSeal | null;
  salts: Buffer | null;
  closesAtMs: number;
}

export interface OutgoingOptions {
  readonly facts: HelloFacts;
  readonly ring: KeyRing | null;
  readonly refusals: Refusals;
}

export class OutgoingStreams {
  contactsDropped = 0;
  newsDropped = 0;
  private readonly streams = new Map<StreamId, Outgoing>();
  private contacts = 0;
  private unansweredInRow = 0;
  private news: ContactNews[] = [];

  constructor(
    private readonly ports: Ports,
    private readonly options: OutgoingOptions,
  ) {}

  has(stream: StreamId): boolean {
    return this.streams.has(stream);
  }

  /** A frame as it may wait in a queue: `seal` closes it when it leaves. */
  frame(kind: number, body: Uint8Array): Buffer {
    return this.options.ring === null ? encodeFrame(kind, body) : openFrame(kind, body);
  }

  dial(peer: Peer): StreamId {
    return this.open(peer, peer.host, peer.port, [], Number.POSITIVE_INFINITY);
  }

  /** Sends one frame to an address; false if too many contacts are open already. */
  contact(host: string, port: number, frame: Buffer, nowMs: number): boolean {
    if (this.contacts >= CONTACTS_MAX) {
      this.contactsDropped++;
      return false;
    }
    this.contacts++;
    this.open(null, host, port, [frame], nowMs + CONTACT_LIFE_MS);
    return true;
  }

  private open(peer: Peer | null, host: string, port: number, frames: Buffer[], closesAtMs: number): StreamId {
    const stream = this.ports.streams.connect(host, port);
    const reader = new FrameReader(HELLO_BYTES_MAX);
    const address = `${host}:${port}`;
    const quiet = { greeting: null, answered: false, seal: null, salts: null };
    this.streams.set(stream, { peer, address, reader, frames, closesAtMs, ...quiet });
    return stream;
  }

  /** The stream stands: the greeting leaves. */
  connected(stream: StreamId, nowMs: number): void {
    const outgoing = this.streams.get(stream);
    if (outgoing === undefined) return;
    outgoing.greeting = greet(this.options.facts, this.options.ring);
    if (outgoing.peer !== null) outgoing.closesAtMs = nowMs + ANSWER_WITHIN_MS;
    this.ports.streams.write(stream, encodeFrame(FRAME_HELLO, outgoing.greeting.body), false);
  }

  /** Takes in the answer. Returns the peer whose stream carries frames from now on; what is wrong closes the stream. */
  bytes(stream: StreamId, bytes: Buffer, start: number, end: number, nowMs: number): Peer | null {
    const outgoing = this.streams.get(stream);
    // Behind its answer the other side has nothing to say on our stream.
    if (outgoing === undefined || outgoing.answered) return null;
    outgoing.reader.push(bytes, start, end);
    if (!outgoing.reader.next()) {
      if (outgoing.reader.broken !== null) this.ports.streams.close(stream, false);
      return null;
    }
    const why = this.answered(outgoing, nowMs);
    if (why !== null) {
      this.ports.streams.close(stream, false);
      return null;
    }
    this.write(stream, outgoing, [this.frame(FRAME_CONFIRM, Buffer.alloc(1))]);
    // The ring may have changed since the greeting left.
    this.rekey(stream, outgoing);
    const { frames } = outgoing;
    outgoing.frames = [];
    if (frames.length > 0) this.write(stream, outgoing, frames);
    return outgoing.peer;
  }

  /** Writes frames on a peer's stream in order. */
  send(stream: StreamId, frames: readonly Buffer[]): void {
    const outgoing = this.streams.get(stream);
    if (outgoing?.answered) this.write(stream, outgoing, frames);
  }

  /** What became of greetings to contact points since the last call, in order. */
  drainNews(): readonly ContactNews[] {
    if (this.news.length === 0) return this.news;
    const { news } = this;
    this.news = [];
    return news;
  }

  /** The ring seals with another key: every stream goes over to it, in its place among the frames. */
  keysChanged(): void {
    for (const [stream, outgoing] of this.streams) this.rekey(stream, outgoing);
  }

  tick(nowMs: number): void {
    for (const [stream, outgoing] of this.streams) {
      if (nowMs < outgoing.closesAtMs || (outgoing.answered && outgoing.peer !== null)) continue;
      outgoing.closesAtMs = Number.POSITIVE_INFINITY;
      this.ports.streams.close(stream, false);
    }
  }

  closed(stream: StreamId, nowMs: number): void {
    const outgoing = this.streams.get(stream);
    if (outgoing === undefined) return;
    this.streams.delete(stream);
    if (outgoing.peer === null) this.contacts--;
    if (outgoing.greeting === null || outgoing.answered) return;
    this.tell(outgoing, 'mute', 'unanswered', '');
    this.unansweredInRow++;
    if (this.unansweredInRow < UNANSWERED_TO_SAY) return;
    this.options.refusals.note('unanswered', 'the node at', outgoing.address, nowMs);
  }

  /** Forgets a stream that is being closed here: no event of it matters any more. */
  forget(stream: StreamId): void {
    this.streams.delete(stream);
  }

  /** Why the stream is not to be used; null when it is. */
  private answered(outgoing: Outgoing, nowMs: number): string | null {
    const { reader, greeting, peer } = outgoing;
    const { facts, ring, refusals } = this.options;
    if (reader.kind !== FRAME_HELLO || greeting === null) return 'no answer';
    const opened = openAnswer(reader.body, ring, greeting, facts.wire);
    if (typeof opened === 'string') {
      refusals.note(opened, 'an answer from', outgoing.address, nowMs);
      return opened;
    }
    outgoing.answered = true;
    this.unansweredInRow = 0;
    // In the answer's own words "here" is there.
    const own = disagreement(facts, opened);
    const why = own ?? (opened.hello?.refusal ? `it says: ${opened.hello.refusal}` : null);
    if (why !== null) {
      const reason = opened.hello === null ? 'version' : 'foreign';
      if (peer === null) this.tell(outgoing, 'refused', reason, why);
      else refusals.note(reason, 'the node at', outgoing.address, nowMs, `will not have us: ${why}`);
      return why;
    }
    this.tell(outgoing, 'accepted', 'foreign', '');
    // Another life or another node lives there now: membership learns of it, and the stream is dialled again.
    if (peer !== null && opened.hello?.actor !== peer.actor) return 'another actor';
    if (ring !== null && greeting.key !== null) {
      outgoing.salts = Buffer.concat([greeting.salt, opened.salt]);
      outgoing.seal = new FrameSeal(greeting.key.secret.id, ring.streamKey(greeting.key, outgoing.salts));
    }
    return null;
  }

  private tell({ peer, address }: Outgoing, outcome: ContactNews['outcome'], reason: Refusal, why: string): void {
    if (peer !== null) return;
    if (this.news.length < NEWS_MAX) this.news.push({ address, outcome, reason, why });
    else this.newsDropped++;
  }

  private rekey(stream: StreamId, outgoing: Outgoing): void {
    const { ring } = this.options;
    const { seal, salts } = outgoing;
    if (ring === null || seal === null || salts === null) return;
    const key = ring.sealing;
    if (seal.keyId === key.secret.id) return;
    const body = Buffer.alloc(4);
    writeWord(body, 0, key.secret.id);
    this.write(stream, outgoing, [openFrame(FRAME_REKEY, body)]);
    seal.rekey(key.secret.id, ring.streamKey(key, salts));
  }

  private write(stream: StreamId, { seal }: Outgoing, frames: readonly Buffer[]): void {
    if (seal !== null) for (const frame of frames) seal.seal(frame);
    this.ports.streams.write(stream, frames.length === 1 ? frames[0] : Buffer.concat(frames), false);
  }
}
