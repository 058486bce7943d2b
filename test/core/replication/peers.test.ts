/** What of a peer outlives its starts, and what begins anew with each. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import {
  encodeFrame,
  FRAME_HEARD,
  FRAME_HELLO,
  FRAME_RESPONSE,
  FRAME_SLICE,
  FrameReader,
} from '../../../src/core/gossip/frames.js';
import { answer, greet, type HelloFacts } from '../../../src/core/gossip/hello.js';
import { PacketReader, PacketSender, SECTION_HEARD, WIRE } from '../../../src/core/gossip/packet.js';
import { Refusals } from '../../../src/core/gossip/refusals.js';
import { HintPace } from '../../../src/core/replication/hint-pace.js';
import { Peers } from '../../../src/core/replication/peers.js';
import type { Ports } from '../../../src/ports/world.js';
import { silent } from '../wal/harness.js';

function peersOf(): Peers {
  const random = new Random(1, 1);
  return new Peers({ log: silent } as unknown as Ports, {
    sender: new PacketSender([1, 2], 7, null, random),
    facts: {} as HelloFacts,
    ring: null,
    refusals: new Refusals(silent),
    hintBytesPerPeerMax: 1 << 20,
    hintBytesMax: 1 << 20,
    pendingPerPeerMax: 10,
    partitions: 4,
    random,
    mutations: new Set<string>(),
  });
}

/** Peers whose stream to `b` stands, and what leaves for it. */
function connected() {
  const random = new Random(1, 1);
  const facts = { clusterName: 'shop', settings: '', hashMark: '', id: 'a', actor: 7, host: '10.0.0.1', port: 17_000 };
  const written: Buffer[] = [];
  const sent: Buffer[] = [];
  const stream = { queued: 0 };
  const streams = {
    connect: () => 1,
    write: (_stream: number, bytes: Buffer) => void written.push(Buffer.from(bytes)),
    close: () => undefined,
    queued: () => stream.queued,
  };
  const datagrams = { send: (_host: string, _port: number, bytes: Buffer) => void sent.push(Buffer.from(bytes)) };
  const ports = { log: silent, streams, datagrams } as unknown as Ports;
  const refusals = new Refusals(silent);
  const sender = new PacketSender([1, 2], 7, null, random);
  const rest = { hintBytesPerPeerMax: 1 << 20, hintBytesMax: 1 << 20, pendingPerPeerMax: 10, partitions: 4 };
  const peers = new Peers(ports, {
    sender,
    facts,
    ring: null,
    refusals,
    ...rest,
    random,
    mutations: new Set<string>(),
  });
  const peer = peers.ensure('b');
  peers.rebind(peer, 8, '10.0.0.2', 17_000);
  peer.state = 'alive';
  peers.tick(0);
  peers.outgoing.connected(1, 0);
  const greeting = greet({ ...facts, id: 'b', actor: 8 }, null);
  const salt = Buffer.alloc(16);
  const opened = { oldest: WIRE.oldest, newest: WIRE.newest, salt, key: null, hello: null };
  const answered = answer({ ...facts, id: 'b', actor: 8, refusal: '' }, opened, null, greeting.body.length);
  const bytes = encodeFrame(FRAME_HELLO, answered?.body ?? Buffer.alloc(1));
  peers.bytes(1, bytes, 0, bytes.length, 0);
  written.length = 0;
  const frames = (): number[] => {
    const reader = new FrameReader();
    const all = Buffer.concat(written.splice(0));
    reader.push(all, 0, all.length);
    const kinds: number[] = [];
    while (reader.next()) kinds.push(reader.kind);
    return kinds;
  };
  const sections = (): number[] =>
    sent.splice(0).flatMap((packet) => {
      const reader = new PacketReader([1, 2], 8, null);
      expect(reader.open(packet)).toBeNull();
      const kinds: number[] = [];
      while (reader.next()) kinds.push(reader.kind);
      return kinds;
    });
  return { peers, peer, stream, frames, sections };
}

describe('a peer that asks whether its stream is read', () => {
  const asking = (mark: number): Buffer => Buffer.from([mark, 0, 0, 0]);

  it('is told by datagram and by stream, once a turn whatever it asks, and is asked nothing for that', () => {
    const { peers, peer, frames, sections } = connected();
    expect(peer.connected).toBe(true);
    for (let mark = 1; mark < 50; mark++) peers.hear(peer, asking(mark));
    peers.flush(0);
    expect([frames(), sections()]).toEqual([[FRAME_HEARD], [SECTION_HEARD]]);
    peers.flush(0);
    for (let nowMs = 25; nowMs < 3_000; nowMs += 25) peers.tick(nowMs);
    expect([frames(), sections()]).toEqual([[], []]);
  });

  it('is told by datagram alone while its own stream takes no more, or there is none', () => {
    const { peers, peer, stream, frames, sections } = connected();
    stream.queued = 1 << 30;
    peers.hear(peer, asking(1));
    peers.flush(0);
    expect([frames(), sections()]).toEqual([[], [SECTION_HEARD]]);
    stream.queued = 0;
    peers.closed(1, 0);
    peers.hear(peer, asking(2));
    peers.flush(0);
    expect([frames(), sections()]).toEqual([[], [SECTION_HEARD]]);
  });
});

describe('what waits for the stream to a peer', () => {
  const MEBIBYTE = 1024 * 1024;

  it('is no reply that it owes while it is what a catch-up sends, until replies would find no room', () => {
    const { peers, peer, stream } = connected();
    for (let slice = 0; slice < 4; slice++) peers.sendFrame(peer, FRAME_SLICE, Buffer.alloc(MEBIBYTE));
    expect(peers.waitingBytes(peer)).toBeGreaterThan(4 * MEBIBYTE);
    expect(peers.waitingReplyBytes(peer)).toBe(0);
    peers.sendFrame(peer, FRAME_RESPONSE, Buffer.alloc(1_000));
    expect(peers.waitingReplyBytes(peer)).toBe(1_012);
    peers.flush(0);
    stream.queued = 2 * MEBIBYTE;
    expect(peers.waitingReplyBytes(peer)).toBe(1_012);
    stream.queued = 0;
    expect(peers.waitingReplyBytes(peer)).toBe(0);
    stream.queued = 9 * MEBIBYTE;
    expect(peers.waitingReplyBytes(peer)).toBe(9 * MEBIBYTE);
  });
});

describe('a peer', () => {
  it('that starts anew is handed hints at the rate with which one begins, and not where the start before had got to', () => {
    const peers = peersOf();
    const peer = peers.ensure('b');
    peers.rebind(peer, 8, '10.0.0.2', 17_000);
    for (let tick = 0; tick < 200; tick++) peer.pace.allow(tick * 25, 1);
    const reached = peer.pace.bytesPerSecond;
    expect(reached).toBeGreaterThan(new HintPace().bytesPerSecond);
    peers.rebind(peer, 8, '10.0.0.3', 17_000);
    expect(peer.pace.bytesPerSecond).toBe(reached);
    peers.rebind(peer, 9, '10.0.0.3', 17_000);
    expect(peer.pace.bytesPerSecond).toBe(new HintPace().bytesPerSecond);
  });
});
