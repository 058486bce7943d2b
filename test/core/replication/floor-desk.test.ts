/** What a node lets go by another's word, and what it tells the others when a floor of its own falls. */
import { describe, expect, it } from 'vitest';
import { HybridClock, hlcFromMs } from '../../../src/core/base/hlc.js';
import { FRAME_FLOORS } from '../../../src/core/gossip/frames.js';
import { FloorDesk } from '../../../src/core/replication/floor-desk.js';
import { encodeGone, readFloors } from '../../../src/core/replication/floor-messages.js';
import { Floors } from '../../../src/core/replication/floors.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { record } from '../record/records.js';

const NOW_MS = 1_700_000_000_000;
const INTERVAL_MS = 10_000;
const KEY = Buffer.from('key');

function bench() {
  const store = new Store({
    memoryBytesMax: 1 << 20,
    segmentBytes: 4096,
    partitions: 1,
    eviction: 'none',
    hashKey: [1, 2],
  });
  store.wallMs = NOW_MS;
  const floors = new Floors({ partitions: 1, marginMs: 0, graceMs: 86_400_000, mutations: new Set() });
  floors.wallMs = NOW_MS;
  const wal = { room: true, hasRoom: () => wal.room, append: () => wal.room };
  const proving = new Set<Peer>();
  const ownership = {
    owns: () => true,
    isReady: () => true,
    unsourced: new Uint8Array(1),
    proves: (peer: Peer) => proving.has(peer),
  };
  const room = new HintRoom(1000);
  const others = ['b', 'c', 'd'].map((id) => Object.assign(new Peer(id, 1000, room, 1), { connected: true }));
  for (const peer of others) peer.state = 'alive';
  const told: { id: string; floor: number | undefined }[] = [];
  const peers = {
    all: () => others,
    ensure: (id: string) => others.find((peer) => peer.id === id),
    sendFrame: (peer: Peer, kind: number, body: Buffer) => {
      if (kind === FRAME_FLOORS) told.push({ id: peer.id, floor: readFloors(body, 1)?.floors[0] });
      return true;
    },
  };
  const desk = new FloorDesk(
    { log: { warn: () => {} } as never },
    floors,
    store,
    wal as unknown as Wal,
    new HybridClock(0, 500),
    ownership as unknown as Ownership,
    peers as unknown as Peers,
    { partitions: 1, intervalMs: INTERVAL_MS },
  );
  const put = (hlc: number): number => {
    const hash = store.hasher.hash(KEY, 0, KEY.length);
    store.merge(0, hash, record({ hlc, actor: 1, sequence: 1 }, 'key', 'value'), 0);
    return store.keys(0);
  };
  const gone = (hlc: number): Buffer => {
    store.hasher.hash(KEY, 0, KEY.length);
    return encodeGone({ partition: 0, hlc, hashes: [store.hasher.low, store.hasher.high] });
  };
  return { store, floors, wal, desk, others, proving, told, put, gone };
}

describe('what was deleted while this node was away', () => {
  it('goes by the word of who owns the partition or hands it over, and of nobody else', () => {
    const { desk, store, floors, others, proving, put, gone } = bench();
    const [owner, stranger] = others;
    proving.add(owner);
    expect(put(hlcFromMs(NOW_MS - 1000))).toBe(1);
    desk.gone(stranger, gone(hlcFromMs(NOW_MS)));
    expect(store.keys(0)).toBe(1);
    expect(floors.stats).toMatchObject({ goneUnproved: 1, recordsGone: 0 });
    desk.gone(owner, gone(hlcFromMs(NOW_MS - 2000)));
    expect(store.keys(0), 'what is later than its floor stays').toBe(1);
    desk.gone(owner, gone(hlcFromMs(NOW_MS)));
    expect(store.keys(0)).toBe(0);
    expect(floors.stats).toMatchObject({ goneUnproved: 1, recordsGone: 1 });
  });
});

describe('a floor that falls because the partition is given away', () => {
  it('is told to everybody with the next tick: who comes to own it again has none, whatever it had', () => {
    const { desk, floors, told, others } = bench();
    floors.set(0, hlcFromMs(NOW_MS - 5000));
    desk.tick([], 'a');
    told.length = 0;
    desk.tick([], 'a');
    expect(told).toEqual([]);
    expect([desk.changes, desk.giveAway(0), desk.changes]).toEqual([0, true, 1]);
    others[2].state = 'dead';
    desk.tick([], 'a');
    expect(told).toEqual([
      { id: 'b', floor: 0 },
      { id: 'c', floor: 0 },
    ]);
    desk.tick([], 'a');
    expect(told.length).toBe(2);
  });

  it('has not fallen while the log can not say so, and is not told either where there was none', () => {
    const { desk, floors, told, wal } = bench();
    expect(desk.giveAway(0)).toBe(true);
    floors.set(0, hlcFromMs(NOW_MS - 5000));
    desk.tick([], 'a');
    told.length = 0;
    wal.room = false;
    expect([desk.giveAway(0), desk.changes]).toEqual([false, 0]);
    desk.tick([], 'a');
    expect(told).toEqual([]);
    expect(floors.floor[0]).toBe(hlcFromMs(NOW_MS - 5000));
  });
});
