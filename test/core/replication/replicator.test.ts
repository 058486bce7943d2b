/** What a peer sends, on its way in: which stamps are taken note of, and which are refused. */
import { describe, expect, it } from 'vitest';
import { HybridClock, hlcFromMs } from '../../../src/core/base/hlc.js';
import { TYPE_COUNTER, TYPE_FRONTIER, TYPE_HINT, TYPE_HLL, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { readAcks } from '../../../src/core/replication/acks.js';
import type { DistinctKeys } from '../../../src/core/replication/distinct-keys.js';
import { Floors } from '../../../src/core/replication/floors.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Operations } from '../../../src/core/replication/operations.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import { Pending } from '../../../src/core/replication/pending.js';
import { Replicator } from '../../../src/core/replication/replicator.js';
import { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { record } from '../record/records.js';
import { silent } from '../wal/harness.js';

const NOW_MS = 1_700_000_000_000;
const DRIFT_MS = 500;
const DAY_MS = 86_400_000;

function bench(
  options: { hasRoom?: (bytes: number) => boolean; operations?: Operations; peers?: Peer[]; gaveUp?: boolean } = {},
) {
  const store = new Store({
    memoryBytesMax: 1 << 20,
    segmentBytes: 4096,
    partitions: 1,
    eviction: 'none',
    hashKey: [1, 2],
  });
  store.wallMs = NOW_MS;
  const clock = new HybridClock(0, DRIFT_MS);
  const hasRoom = options.hasRoom ?? (() => true);
  const wal = { hasRoom, append: () => true, lastBatch: 3 } as unknown as Wal;
  const left = { ringHash: 0, owns: () => false, handedPartitions: new Set(), hasLeft: (hash: number) => hash === 7 };
  const owner = { ringHash: 0, owns: () => true, hasLeft: () => false };
  const ownership = (options.gaveUp ? left : owner) as unknown as Ownership;
  const settings = { partitions: 1, mutations: new Set<string>() };
  const operations = options.operations ?? new Operations(new Pending());
  const peers = { all: () => options.peers ?? [], sendFrame: () => true } as unknown as Peers;
  const frontiers = new Frontiers(1);
  const ports = { log: silent };
  const distinctKeys = { count: () => {}, resetHlc: 0 } as unknown as DistinctKeys;
  const floors = new Floors({ ...settings, marginMs: 0, graceMs: DAY_MS });
  floors.wallMs = NOW_MS;
  const replicator = new Replicator(
    ports,
    store,
    wal,
    clock,
    ownership,
    peers,
    operations,
    frontiers,
    distinctKeys,
    floors,
    settings,
  );
  replicator.wallMs = NOW_MS;
  const adopt = (bytes: Buffer) => replicator.adopt({} as unknown as Peer, bytes, 0, bytes.length);
  return { clock, floors, replicator, store, adopt };
}

describe('a record from a peer', () => {
  it('moves the clock past its stamp', () => {
    const { clock, adopt } = bench();
    const hlc = hlcFromMs(NOW_MS + 100);
    expect(adopt(record({ hlc, type: TYPE_TOMBSTONE }, 'key'))).toBe(true);
    expect(clock.stamp(NOW_MS)).toBeGreaterThan(hlc);
  });

  it('moves the clock past the version of its expiry: a change stamped here afterwards is the later one', () => {
    const { clock, adopt } = bench();
    const expiryHlc = hlcFromMs(NOW_MS + 100);
    const fields = { hlc: hlcFromMs(NOW_MS - 1000), expireAtMs: NOW_MS + 60_000, expiryHlc, expiryActor: 9 };
    expect(adopt(record(fields, 'key', 'value'))).toBe(true);
    expect(clock.stamp(NOW_MS)).toBeGreaterThan(expiryHlc);
  });

  it('is refused, with the clock as it was, if either is further ahead than the drift allowed', () => {
    const ahead = hlcFromMs(NOW_MS + DRIFT_MS + 1000);
    for (const fields of [{ hlc: ahead }, { hlc: 1, expireAtMs: NOW_MS + 60_000, expiryHlc: ahead, expiryActor: 9 }]) {
      const { clock, replicator, store, adopt } = bench();
      expect(adopt(record(fields, 'key', 'value'))).toBe(false);
      expect(replicator.stats.recordsDrifted).toBe(1);
      expect(store.keys(0)).toBe(0);
      expect(clock.stamp(NOW_MS)).toBeLessThan(ahead);
    }
  });
});

describe('a record of a type that this version does not know', () => {
  it('is not said to be taken: whoever has it keeps it for those who come to know its type', () => {
    for (const type of [TYPE_HLL + 1, TYPE_HINT - 1]) {
      const { replicator, adopt } = bench();
      expect(adopt(record({ hlc: hlcFromMs(NOW_MS), type }, 'key', 'value'))).toBe(false);
      expect(replicator.stats).toMatchObject({ recordsUnknown: 1, recordsRefused: 0, recordsApplied: 0 });
      const link = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1).link;
      for (const [key, kind] of Object.entries({ known: 1, later: type })) {
        const bytes = record({ hlc: hlcFromMs(NOW_MS), type: kind }, key, 'value');
        link.add(bytes, 0, bytes.length, 1, 0, null);
      }
      const [message] = link.takeReady(0, 0);
      const origin = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
      replicator.receive(origin, message.body, 0, message.body.length, false);
      origin.acks.release(3);
      const [body] = origin.acks.takeDatagrams(1, 0);
      expect(readAcks(body, 0, body.length)?.refused.map(({ records }) => records)).toEqual([[1]]);
    }
  });

  it('is neither taken nor acknowledged from who left or was forgotten, by datagram or by stream, and counted', () => {
    for (const viaStream of [false, true]) {
      const { replicator, store } = bench();
      const { link } = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1);
      const bytes = record({ hlc: hlcFromMs(NOW_MS) }, 'a', 'value');
      link.add(bytes, 0, bytes.length, 1, 0, null);
      const [message] = link.takeReady(0, 0);
      const origin = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
      const receive = () => replicator.receive(origin, message.body, 0, message.body.length, viaStream);
      origin.state = 'left';
      receive();
      expect(store.keys(0)).toBe(0);
      expect(replicator.stats).toMatchObject({ messagesOfGone: 1, recordsReceived: 0 });
      origin.acks.release(3);
      expect(origin.acks.takeDatagrams(1, 0)).toEqual([]);
      // Who is merely dead has a say still.
      origin.state = 'dead';
      receive();
      expect(store.keys(0)).toBe(1);
    }
  });

  it.each([
    [7, [[0, 1]]],
    [8, undefined],
    [0, undefined],
  ])('is not said to be taken by one who owns it no more, if it comes by a ring gone by: %i', (ringHash, refused) => {
    const { replicator, store } = bench({ gaveUp: true });
    const { link } = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1);
    for (const key of ['a', 'b']) {
      const bytes = record({ hlc: hlcFromMs(NOW_MS) }, key, 'value');
      link.add(bytes, 0, bytes.length, 1, 0, null);
    }
    const [message] = link.takeReady(ringHash, 0);
    const origin = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
    replicator.receive(origin, message.body, 0, message.body.length, false);
    expect(store.keys(0)).toBe(2);
    expect(replicator.stats.recordsNobodys).toBe(refused === undefined ? 0 : 2);
    origin.acks.release(3);
    const [body] = origin.acks.takeDatagrams(1, 0);
    expect(readAcks(body, 0, body.length)?.refused.map(({ records }) => records)).toEqual(refused ?? []);
  });

  it('is counted and done with if its kind is never to be sent, or it is malformed: it would come for ever', () => {
    for (const type of [TYPE_HINT, TYPE_FRONTIER, 200]) {
      const { replicator, adopt } = bench();
      expect(adopt(record({ hlc: hlcFromMs(NOW_MS), type }, 'key', 'value'))).toBe(true);
      expect(replicator.stats).toMatchObject({ recordsUnknown: 0, recordsRefused: 1 });
    }
    const { replicator, adopt } = bench();
    const version = Buffer.alloc(24, 0xff);
    version.fill(0, 0, 16);
    expect(adopt(record({ hlc: hlcFromMs(NOW_MS), type: TYPE_COUNTER }, 'key', '', version))).toBe(true);
    expect(replicator.stats).toMatchObject({ recordsUnknown: 0, recordsRefused: 1 });
  });
});

describe('hints of a peer that is back', () => {
  it('are looked at as far as the pace lets them go, and go as far as it lets them', () => {
    const peer = new Peer('back', 1 << 20, new HintRoom(1 << 20), 1);
    peer.state = 'alive';
    peer.connected = true;
    const { replicator, store, adopt } = bench({ peers: [peer] });
    let bytes = 0;
    for (let key = 1000; key < 4000; key++) {
      const one = record({ hlc: hlcFromMs(NOW_MS) }, `k${key}`);
      bytes = one.length;
      expect(adopt(one)).toBe(true);
      peer.hints.add(`k${key}`, 0, 1, NOW_MS);
    }
    expect(store.keys(0)).toBe(3000);
    const looked: number[] = [];
    const first = peer.hints.first.bind(peer.hints);
    peer.hints.first = (count) => {
      looked.push(count);
      return first(count);
    };
    for (let tick = 1; tick <= 2; tick++) {
      const before = replicator.stats.recordsSent;
      replicator.nowMs = tick * 25;
      replicator.tick();
      const sent = replicator.stats.recordsSent - before;
      expect(sent).toBeGreaterThan(0);
      // The last one may exceed what was allowed.
      expect(sent * bytes).toBeLessThanOrEqual(looked[tick - 1] * 32 + bytes);
      expect(looked[tick - 1]).toBeLessThan(sent * 2);
    }
    expect(replicator.stats.recordsSent * bytes).toBeGreaterThanOrEqual(128 * 1024 * 0.125);
  });
});

describe('a record as old as forgotten deletes, or as a flush', () => {
  const FLOOR = hlcFromMs(NOW_MS - 60_000);

  /** Every way in from a peer: an answer to a read, and a message, which repair, hints, hand-off and writes are. */
  function ways(prepare: (bed: ReturnType<typeof bench>) => void) {
    return ['answer', 'message'].map((way) => {
      const bed = bench();
      prepare(bed);
      const peer = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
      const give = (bytes: Buffer): boolean => {
        if (way === 'answer') return bed.replicator.adopt(peer, bytes, 0, bytes.length);
        const link = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1).link;
        link.add(bytes, 0, bytes.length, 1, 0, null);
        const [message] = link.takeReady(0, 0);
        bed.replicator.receive(peer, message.body, 0, message.body.length, true);
        return true;
      };
      return { ...bed, peer, give };
    });
  }

  it('is refused and counted, and counts as taken, unless its sender has forgotten as much itself', () => {
    for (const { floors, store, peer, give } of ways((bed) => bed.floors.set(0, FLOOR))) {
      expect(give(record({ hlc: FLOOR }, 'key', 'value'))).toBe(true);
      expect(store.keys(0)).toBe(0);
      expect(floors.stats.recordsBelowFloor).toBe(1);
      peer.floors[0] = FLOOR;
      give(record({ hlc: FLOOR }, 'key', 'value'));
      expect(store.keys(0)).toBe(1);
      expect(floors.stats.recordsBelowFloor).toBe(1);
    }
  });

  it('is not taken from a datagram, which may be late, nor acknowledged: it comes again by stream if it is owed', () => {
    const { floors, store, replicator } = bench();
    floors.set(0, FLOOR);
    const peer = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
    peer.floors[0] = FLOOR;
    const { link } = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1);
    const value = record({ hlc: FLOOR }, 'key', 'value');
    link.add(value, 0, value.length, 1, 0, null);
    const [{ body }] = link.takeReady(0, 0);
    const noted: number[] = [];
    peer.acks.note = (number) => noted.push(number);
    replicator.receive(peer, body, 0, body.length, false);
    expect([store.keys(0), floors.stats.recordsBelowFloor, noted.length]).toEqual([0, 1, 0]);
    replicator.receive(peer, body, 0, body.length, true);
    expect([store.keys(0), noted.length]).toEqual([1, 1]);
  });

  it('is taken when it is newer than what stands for its key here, or above the floor', () => {
    for (const { floors, store, give } of ways(() => {})) {
      give(record({ hlc: FLOOR - 2 }, 'key', 'value'));
      floors.set(0, FLOOR);
      give(record({ hlc: FLOOR - 1 }, 'key', 'newer'));
      give(record({ hlc: FLOOR + 1 }, 'other', 'value'));
      expect(store.keys(0)).toBe(2);
      expect(floors.stats.recordsBelowFloor).toBe(0);
    }
  });

  it('brings no tombstone back, whoever sends it', () => {
    for (const { floors, store, peer, give } of ways((bed) => bed.floors.set(0, FLOOR))) {
      peer.floors[0] = FLOOR;
      expect(give(record({ hlc: FLOOR, type: TYPE_TOMBSTONE }, 'key'))).toBe(true);
      expect(store.stats().tombstones).toBe(0);
      expect(floors.stats.recordsBelowFloor).toBe(0);
    }
  });

  it('is refused by every way in once a flush covers it, though the sender knows nothing of the flush', () => {
    for (const { store, give } of ways((bed) => bed.store.flush(FLOOR, 7))) {
      give(record({ hlc: FLOOR, actor: 7 }, 'key', 'value'));
      give(record({ hlc: FLOOR - 1, type: TYPE_TOMBSTONE }, 'other'));
      expect([store.keys(0), store.stats().tombstones]).toEqual([0, 0]);
      give(record({ hlc: FLOOR, actor: 8 }, 'key', 'value'));
      expect(store.keys(0)).toBe(1);
    }
  });
});

describe('a message of which a peer has no room for some records', () => {
  const LONG = 'x'.repeat(300);

  /** Sends a short record, a long one and a short one in one message, which the other side has no room for beyond 200 bytes. */
  function exchange() {
    const operations = new Operations(new Pending());
    const sender = bench({ operations });
    const receiver = bench({ hasRoom: (bytes) => bytes < 200 });
    const peer = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1);
    const origin = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
    const deferred = { reply: {}, done: () => {} } as unknown as Parameters<Operations['begin']>[0];
    const begun = ['short', LONG, 'brief'].map((value, index) => {
      const operation = operations.begin(deferred, null, 1, 0, 1000);
      const bytes = record({ hlc: hlcFromMs(NOW_MS) + index }, `k${index}`, value);
      if (peer.link.add(bytes, 0, bytes.length, index + 1, 0, operation)) operations.expect(operation, peer);
      return operation;
    });
    const [message] = peer.link.takeReady(0, 0);
    receiver.replicator.receive(origin, message.body, 0, message.body.length, false);
    origin.acks.release(3);
    const [body] = origin.acks.takeDatagrams(1, 0);
    const acks = readAcks(body, 0, body.length);
    if (acks === null) throw new Error('no acks');
    sender.replicator.writes = 3;
    sender.replicator.acknowledged(peer, acks, body);
    return { sender, receiver, peer, begun };
  }

  it('is acknowledged for the others, whose operations go on', () => {
    const { receiver, begun, peer } = exchange();
    expect(receiver.store.keys(0)).toBe(2);
    expect(begun.map((operation) => operation.acked)).toEqual([1, 0, 1]);
    expect(peer.link.unackedMessages).toBe(0);
  });

  it('leaves one hint behind, which is not handed over before the peer was left alone for a while', () => {
    const { sender, peer } = exchange();
    expect([...peer.hints.entries()].map(([key]) => key)).toEqual(['k1']);
    expect(sender.replicator.stats.messagesRefused).toBe(1);
    expect(peer.pace.allow(500, 1)).toBe(0);
    expect(peer.pace.allow(1500, 1)).toBeGreaterThan(0);
  });

  it('gives a hint that it carried back, and counts those that were taken as delivered', () => {
    const sender = bench();
    const receiver = bench({ hasRoom: (bytes) => bytes < 200 });
    const peer = new Peer('receiver', 1 << 20, new HintRoom(1 << 20), 1);
    const origin = new Peer('sender', 1 << 20, new HintRoom(1 << 20), 1);
    for (const [index, value] of ['short', LONG].entries()) {
      const bytes = record({ hlc: hlcFromMs(NOW_MS) + index }, `k${index}`, value);
      peer.hints.add(`k${index}`, 0, 1, NOW_MS);
      peer.hints.underWay(`k${index}`, peer.link.nextNumberFor(bytes.length));
      peer.link.add(bytes, 0, bytes.length, 1, 0, null, `k${index}`);
    }
    const [message] = peer.link.takeReady(0, 0);
    receiver.replicator.receive(origin, message.body, 0, message.body.length, false);
    origin.acks.release(3);
    const [body] = origin.acks.takeDatagrams(1, 0);
    const acks = readAcks(body, 0, body.length);
    if (acks === null) throw new Error('no acks');
    sender.replicator.acknowledged(peer, acks, body);
    expect(peer.hints).toMatchObject({ created: 2, delivered: 1, pending: 1, waiting: 1 });
    peer.hints.assertInvariants();
  });
});
