import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  FRAME_CONTROL,
  FRAME_HEAR,
  FRAME_HELLO,
  FrameSeal,
  openFrame,
} from '../../../src/core/gossip/frames.js';
import { greet, type HelloFacts } from '../../../src/core/gossip/hello.js';
import { KeyRing } from '../../../src/core/gossip/key-ring.js';
import { WIRE } from '../../../src/core/gossip/packet.js';
import { Refusals } from '../../../src/core/gossip/refusals.js';
import { IncomingStreams } from '../../../src/core/replication/incoming.js';
import { OutgoingStreams } from '../../../src/core/replication/outgoing.js';
import { Strangers } from '../../../src/core/replication/strangers.js';
import type { Ports } from '../../../src/ports/world.js';
import { SimSecrets } from '../../../src/sim/secrets.js';

const FACTS: HelloFacts = {
  clusterName: 'shop',
  settings: 'partitions 16, replicas 3',
  hashMark: '0123456789abcdef',
  id: 'a',
  actor: 7,
  host: '10.0.0.1',
  port: 17_000,
};
const SECRET = ['one secret'];

/** One end of streams: what it writes and closes is noted. */
function endOf(
  words: readonly string[] | null,
  facts: Partial<HelloFacts> = {},
  seed = 1,
  secrets = new SimSecrets(words ?? [], seed),
) {
  const written: Buffer[] = [];
  const closed: number[] = [];
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const log = { debug: say, info: say, warn: say, error: say };
  const streams = {
    connect: () => 1,
    write: (_stream: number, bytes: Buffer) => void written.push(Buffer.from(bytes)),
    close: (stream: number) => void closed.push(stream),
  };
  const ports = { streams, log, faults: null } as unknown as Ports;
  const ring = words === null ? null : new KeyRing(secrets, facts.clusterName ?? 'shop');
  const refusals = new Refusals(log);
  const options = { facts: { ...FACTS, ...facts }, ring, refusals };
  const incoming = new IncomingStreams(ports, options);
  const outgoing = new OutgoingStreams(ports, options);
  const take = (): Buffer => Buffer.concat(written.splice(0));
  const hear = (bytes: Buffer): string[] => {
    incoming.bytes(1, bytes, 0, bytes.length);
    const bodies: string[] = [];
    for (let frame = incoming.next(1, 0); frame !== null; frame = incoming.next(1, 0))
      bodies.push(frame.body.toString());
    return bodies;
  };
  return { written, closed, lines, ring, refusals, incoming, outgoing, take, hear };
}

describe.each([
  ['in the clear', null],
  ['with a secret', SECRET],
])('a peer stream %s', (_name, words) => {
  it('is greeted, answered with no more than came, confirmed, and carries frames then', () => {
    const dialler = endOf(words);
    const host = endOf(words, { id: 'b', actor: 8 }, 2);
    dialler.outgoing.contact('10.0.0.2', 17_000, dialler.outgoing.frame(FRAME_CONTROL, Buffer.from('news')), 0);
    dialler.outgoing.connected(1, 0);
    const greeting = dialler.take();
    host.incoming.accepted(1, '10.0.0.1:5', 0);
    expect(host.hear(greeting)).toEqual([]);
    const answer = host.take();
    expect(answer.length).toBeGreaterThan(0);
    expect(answer.length).toBeLessThanOrEqual(greeting.length);
    dialler.outgoing.bytes(1, answer, 0, answer.length, 0);
    const frames = dialler.take();
    expect(frames.includes('news')).toBe(words === null);
    expect(host.hear(frames)).toEqual(['news']);

    // The same bytes on another stream are worth nothing with a secret: its answer can not be confirmed.
    const again = endOf(words, { id: 'b', actor: 8 }, 3);
    again.incoming.accepted(1, '10.0.0.1:6', 0);
    again.hear(greeting);
    expect(again.hear(frames)).toEqual(words === null ? ['news'] : []);
  });

  it('is closed without a word two seconds after it began, or a kibibyte, if nobody has greeted', () => {
    const host = endOf(words);
    host.incoming.accepted(1, '10.0.0.9:5', 0);
    host.incoming.tick(1999);
    expect(host.closed).toEqual([]);
    host.incoming.tick(2000);
    expect(host.closed).toEqual([1]);
    host.incoming.accepted(1, '10.0.0.9:6', 3000);
    host.hear(encodeFrame(FRAME_HELLO, Buffer.alloc(1025)));
    expect(host.closed).toEqual([1, 1]);
    expect(host.written).toEqual([]);
    for (let stream = 2; stream < 400; stream++) host.incoming.accepted(stream, '10.0.0.9:7', 3000);
    expect(host.incoming.strangersClosed).toBe(2 + 398 - 256);
  });

  it('never throws, and never answers with more than came, whatever arrives', () => {
    const greeting = greet({ ...FACTS, id: 'c', actor: 9 }, endOf(words, {}, 5).ring).body;
    const noise = fc.uint8Array({ minLength: 1, maxLength: 1100 }).map((bytes) => Buffer.from(bytes));
    const framed = noise.map((bytes) => encodeFrame(FRAME_HELLO, bytes));
    const flipped = fc.nat({ max: greeting.length * 8 - 1 }).map((bit) => {
      const bytes = Buffer.from(greeting);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      return encodeFrame(FRAME_HELLO, bytes);
    });
    fc.assert(
      fc.property(fc.oneof(noise, framed, flipped), (bytes) => {
        const host = endOf(words);
        host.incoming.accepted(1, '10.0.0.9:5', 0);
        expect(host.hear(bytes)).toEqual([]);
        expect(host.take().length).toBeLessThanOrEqual(words === null ? bytes.length : 0);
      }),
    );
  });
});

describe('the streams of one node', () => {
  it('are as many as it can have use for: the oldest goes when it opens one more, and those of others stay', () => {
    const host = endOf(null, { id: 'b', actor: 8 });
    const open = (stream: number, actor: number): void => {
      const dialler = endOf(null, { actor }, stream);
      dialler.outgoing.contact('10.0.0.2', 17_000, dialler.outgoing.frame(FRAME_CONTROL, Buffer.from('news')), 0);
      dialler.outgoing.connected(1, 0);
      const hear = (bytes: Buffer) => {
        host.incoming.bytes(stream, bytes, 0, bytes.length);
        return host.incoming.next(stream, 0)?.body.toString();
      };
      host.incoming.accepted(stream, '10.0.0.1:5', 0);
      expect(hear(dialler.take())).toBeUndefined();
      const answer = host.take();
      dialler.outgoing.bytes(1, answer, 0, answer.length, 0);
      expect(hear(dialler.take())).toBe('news');
    };
    open(1, 9);
    for (let stream = 2; stream < 10; stream++) open(stream, 7);
    expect(host.closed).toEqual([]);
    open(10, 7);
    open(11, 7);
    expect(host.closed).toEqual([2, 3]);
    expect(host.incoming.outnumbered).toBe(2);
    expect([1, 2, 4, 11].map((stream) => host.incoming.has(stream))).toEqual([true, false, true, true]);
  });
});

describe('a greeting', () => {
  it.each([
    [
      'of another cluster',
      { clusterName: 'store' },
      'cluster name is "shop" here, "store" there',
      'cluster name is "store" here, "shop" there',
    ],
    [
      'of other settings',
      { settings: 'partitions 8, replicas 3' },
      'partitions 16, replicas 3 here, partitions 8, replicas 3 there',
      'partitions 8, replicas 3 here, partitions 16, replicas 3 there',
    ],
    ['of another hash', { hashMark: 'another' }, 'keys are hashed otherwise', 'keys are hashed otherwise'],
  ])('%s is refused by name on both sides, each by its own here and there', (_name, facts, why, said) => {
    const dialler = endOf(SECRET, { id: 'x', actor: 9, ...facts });
    const host = endOf(SECRET, {}, 2);
    dialler.outgoing.contact('10.0.0.1', 17_000, openFrame(FRAME_CONTROL, Buffer.from('news')), 0);
    dialler.outgoing.connected(1, 0);
    host.incoming.accepted(1, '10.0.0.9:5', 0);
    host.hear(dialler.take());
    expect(host.lines.join()).toContain(`a stream from 10.0.0.9:5 is refused: x: `);
    expect(host.lines.join()).toContain(why);
    const answer = host.take();
    dialler.outgoing.bytes(1, answer, 0, answer.length, 0);
    const [news, ...more] = dialler.outgoing.drainNews();
    expect(more).toEqual([]);
    expect(news).toMatchObject({ address: '10.0.0.1:17000', outcome: 'refused', reason: 'foreign' });
    expect(news.why).toContain(said);
    expect(dialler.outgoing.drainNews()).toEqual([]);
    expect(dialler.written).toEqual([]);
  });

  it.each([
    ['the version before', { oldest: WIRE.newest - 1, newest: WIRE.newest - 1 }],
    ['the version after', { oldest: WIRE.newest + 1, newest: WIRE.newest + 1 }],
    ['two versions, and writes the one that is not read here', { oldest: WIRE.newest, newest: WIRE.newest + 1 }],
  ])('of a build that speaks %s is refused by name on both sides, and no frame behind it is read', (_name, wire) => {
    const theirs = wire.oldest === wire.newest ? String(wire.newest) : `${wire.oldest} to ${wire.newest}`;
    for (const isDialled of [false, true]) {
      const dialler = endOf(SECRET, { id: 'x', actor: 9, ...(isDialled ? {} : { wire }) });
      const host = endOf(SECRET, isDialled ? { wire } : {}, 2);
      dialler.outgoing.contact('10.0.0.1', 17_000, openFrame(FRAME_CONTROL, Buffer.from('news')), 0);
      dialler.outgoing.connected(1, 0);
      host.incoming.accepted(1, '10.0.0.9:5', 0);
      const behind = encodeFrame(FRAME_HEAR, Buffer.alloc(4));
      expect(host.hear(Buffer.concat([dialler.take(), behind]))).toEqual([]);
      const [own, other] = isDialled ? [theirs, WIRE.newest] : [WIRE.newest, theirs];
      expect(host.lines).toEqual([`a stream from 10.0.0.9:5 is refused: wire version ${own} here, ${other} there`]);
      expect(host.refusals.counts).toMatchObject({ version: 1, malformed: 0 });
      expect([host.incoming.refused, host.closed, host.incoming.has(1)]).toEqual([1, [1], false]);
      const answer = host.take();
      expect(dialler.outgoing.bytes(1, answer, 0, answer.length, 0)).toBeNull();
      const why = `wire version ${other} here, ${own} there`;
      expect(dialler.outgoing.drainNews()).toEqual([
        { address: '10.0.0.1:17000', outcome: 'refused', reason: 'version', why },
      ]);
      expect([dialler.written, dialler.closed]).toEqual([[], [1]]);
    }
  });

  it('without the key gets no answer, and one line a minute', () => {
    const host = endOf(SECRET);
    for (const words of [['another'], null]) {
      host.incoming.accepted(1, '10.0.0.9:5', 0);
      host.hear(encodeFrame(FRAME_HELLO, greet(FACTS, endOf(words).ring).body));
      host.incoming.accepted(1, '10.0.0.9:6', 0);
      host.hear(encodeFrame(FRAME_HELLO, greet(FACTS, endOf(words).ring).body));
    }
    expect(host.written).toEqual([]);
    expect(host.lines).toEqual([
      'a stream from 10.0.0.9:5 is sealed with another key: the same secret-file on all nodes?',
      'a stream from 10.0.0.9:5 is not sealed: the same secret-file on all nodes?',
    ]);
    expect(host.refusals.counts).toMatchObject({ 'wrong-key': 2, unsealed: 2 });
  });
});

describe('a stream that is being greeted', () => {
  it('while the keys change goes over to the key in use as soon as it is answered', () => {
    const secrets = new SimSecrets(['old'], 1);
    const dialler = endOf(['old'], {}, 1, secrets);
    const host = endOf(['old', 'new'], { id: 'b', actor: 8 }, 2);
    dialler.outgoing.contact('10.0.0.2', 17_000, dialler.outgoing.frame(FRAME_CONTROL, Buffer.from('news')), 0);
    dialler.outgoing.connected(1, 0);
    host.incoming.accepted(1, '10.0.0.1:5', 0);
    host.hear(dialler.take());
    secrets.place(['new', 'old']);
    secrets.reload();
    dialler.ring?.adopt();
    dialler.outgoing.keysChanged();
    const answer = host.take();
    dialler.outgoing.bytes(1, answer, 0, answer.length, 0);
    const frames = dialler.take();
    host.incoming.bytes(1, frames, 0, frames.length);
    const frame = host.incoming.next(1, 0);
    expect(frame?.body.toString()).toBe('news');
    expect(frame?.keyId).toBe(dialler.ring?.sealing.secret.id);
  });
});

describe('a sealed frame', () => {
  const key = endOf(SECRET).ring?.sealing.datagrams;
  if (key === undefined) throw new Error('no key');
  const sealed = (seal: FrameSeal) => {
    const frame = openFrame(FRAME_CONTROL, Buffer.from('the same words'));
    seal.seal(frame);
    return frame;
  };

  it('differs from the one before it of the same words, and opens in its place alone', () => {
    const sender = new FrameSeal(1, key);
    const [first, second] = [sealed(sender), sealed(sender)];
    expect(first.equals(second)).toBe(false);
    const taken = (frames: readonly Buffer[]) => {
      const reader = new FrameSeal(1, key);
      return frames.map((frame) => reader.open(frame, 0, frame.length)?.toString() ?? null);
    };
    expect(taken([first, second])).toEqual(['the same words', 'the same words']);
    expect(taken([first, first])).toEqual(['the same words', null]);
    expect(taken([second])).toEqual([null]);
  });

  it('ends its stream once its key has left the ring', () => {
    const secrets = new SimSecrets(['old', 'new'], 2);
    const host = endOf(['old', 'new'], { id: 'b', actor: 8 }, 2, secrets);
    host.incoming.accepted(1, '10.0.0.1:5', 0);
    host.hear(encodeFrame(FRAME_HELLO, greet({ ...FACTS }, endOf(['old']).ring).body));
    host.incoming.keysChanged();
    expect(host.closed).toEqual([]);
    secrets.place(['new']);
    secrets.reload();
    host.ring?.adopt();
    host.incoming.keysChanged();
    expect(host.closed).toEqual([1]);
  });
});

describe('an address that is no peer', () => {
  it('gets in a turn no more than came from there, and past the bound of addresses nothing', () => {
    const strangers = new Strangers();
    expect(strangers.allows('10.0.0.9', 1, 1200, false)).toBe(true);
    strangers.came('10.0.0.9', 1, 400);
    expect(strangers.allows('10.0.0.9', 1, 401, true)).toBe(false);
    expect(strangers.allows('10.0.0.9', 1, 300, true)).toBe(true);
    expect(strangers.allows('10.0.0.9', 1, 101, true)).toBe(false);
    expect(strangers.allows('10.0.0.8', 1, 1200, true)).toBe(true);
    for (let port = 2; port < 400; port++) strangers.came('10.0.0.9', port, 400);
    expect(strangers.allows('10.0.0.9', 399, 1, false)).toBe(false);
    expect(strangers.allows('10.0.0.8', 1, 1200, true)).toBe(true);
    expect(strangers.withheld).toBe(3);
    strangers.forget();
    expect(strangers.allows('10.0.0.9', 399, 1200, false)).toBe(true);
  });
});
