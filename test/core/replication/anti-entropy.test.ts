/** What anti-entropy does between rounds: gaps in what was seen of a live peer; whose word makes a partition ready, and what is said before a list. */
import { expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { FRAME_LIST } from '../../../src/core/gossip/frames.js';
import { AntiEntropy } from '../../../src/core/replication/anti-entropy.js';
import { encodeEnd, LEAVES, LEAVES_HEADER_BYTES } from '../../../src/core/replication/anti-entropy-messages.js';
import type { FloorDesk } from '../../../src/core/replication/floor-desk.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import { type FlushMark, NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import type { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';

const PARTITIONS = 200;
const OTHER = 8;

it('comes to the gaps of every partition, though those of others do not close', () => {
  const frontiers = new Frontiers(PARTITIONS);
  frontiers.begin(7);
  const peer = { id: 'other', actor: OTHER, state: 'alive', connected: true } as unknown as Peer;
  // No rounds: there is nobody to choose. What is pulled is asked for in vain.
  const peers = { all: () => [], withActor: () => peer, sendFrame: () => true } as unknown as Peers;
  const owned = { owns: () => true, ownings: new Uint32Array(PARTITIONS) } as unknown as Ownership;
  const antiEntropy = new AntiEntropy(
    {} as unknown as Store,
    { refusal: null } as unknown as Wal,
    owned,
    peers,
    {} as unknown as Replicator,
    frontiers,
    { alone: true } as unknown as Floors,
    {} as unknown as FloorDesk,
    {
      partitions: PARTITIONS,
      intervalMs: 1_000,
      tickIntervalMs: 25,
      sliceRecords: 10,
      random: new Random(1, 1),
      mutations: new Set(),
    },
  );
  for (let partition = 0; partition < PARTITIONS; partition++) frontiers.of(partition).add(OTHER, 5, 5_000);
  const tried = new Set<number>();
  let nowMs = 0;
  for (let mark = 0; mark < 10; mark++) {
    nowMs += 60_000;
    antiEntropy.setTime(nowMs, nowMs);
    antiEntropy.tick();
    const before = tried.size;
    let pulled = 0;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (!antiEntropy.catchUp.isPulling(partition)) continue;
      pulled++;
      tried.add(partition);
    }
    // As many at a time as ever; whatever was not tried comes first.
    expect(pulled).toBeLessThanOrEqual(64);
    if (pulled > 0 && tried.size < PARTITIONS) expect(tried.size - before).toBe(pulled);
    antiEntropy.catchUp.forget(peer);
  }
  expect(tried.size).toBe(PARTITIONS);
});

/** Whether a partition is ready once a source, which knows of a flush, has said that nothing differs. `taken`: the flush is taken in here. */
function readyBehindFlush(taken: boolean): boolean {
  const peer = new Peer('other', 1024, new HintRoom(1024), 1);
  Object.assign(peer, { actor: OTHER, state: 'alive', connected: true, saidWallMs: 1 });
  const peers = { all: () => [peer], withActor: () => peer, sendFrame: () => true } as unknown as Peers;
  let isReady = false;
  const ownership = {
    owns: () => true,
    isReady: () => isReady,
    isSource: () => true,
    isTorn: () => false,
    markReady: () => {
      isReady = true;
    },
    otherOwners: () => [peer],
    ringHash: 1,
    unready: 1,
    ownings: new Uint32Array(1),
    fetching: new Uint8Array(1),
    readiness: { note: () => {} },
    unsourced: new Uint8Array(1),
    handedPartitions: new Set(),
  } as unknown as Ownership;
  const store = { ...NEVER_FLUSHED, digest: () => 1000, digestLow: 0, digestHigh: 0, isLossy: () => false };
  const replicator = {
    hearFlush: (from: Peer, flushed: FlushMark) => {
      from.flushed = flushed;
      if (taken) Object.assign(store, flushed);
    },
  };
  const frontiers = new Frontiers(1);
  frontiers.begin(7);
  const floors = { floor: new Float64Array(1), alone: true, proved: () => {}, adopt: () => {} };
  const antiEntropy = new AntiEntropy(
    store as unknown as Store,
    { refusal: null } as unknown as Wal,
    ownership,
    peers,
    replicator as unknown as Replicator,
    frontiers,
    floors as unknown as Floors,
    {} as unknown as FloorDesk,
    {
      partitions: 1,
      intervalMs: 1_000,
      tickIntervalMs: 25,
      sliceRecords: 10,
      random: new Random(1, 1),
      mutations: new Set(),
    },
  );
  antiEntropy.setTime(60_000, 60_000);
  antiEntropy.tick();
  const none = new Set<number>();
  const flushed = { flushedHlc: 5, flushedActor: OTHER };
  const held = { unready: none, handing: none, holding: none };
  const lists = { ...held, remaining: none, skipped: none, doubted: none, differing: none };
  antiEntropy.leaves(peer, encodeEnd({ busy: false, lastBatch: 0, durableBatch: 0, flushed, ...lists }));
  return isReady;
}

it('takes no partition for ready by the word of who knows of a flush that is not known here', () => {
  expect(readyBehindFlush(true)).toBe(true);
  expect(readyBehindFlush(false)).toBe(false);
});

it('tells its floors before it lists what it holds, again only once they have changed: a delete that it has forgotten since is not missing', () => {
  const peer = new Peer('other', 1024, new HintRoom(1024), 1);
  Object.assign(peer, { actor: OTHER, state: 'alive', connected: true, saidWallMs: 1 });
  const frames: string[] = [];
  const sendFrame = (_: Peer, type: number) => {
    if (type === FRAME_LIST) frames.push('list');
    return true;
  };
  const peers = { all: () => [peer], withActor: () => peer, sendFrame } as unknown as Peers;
  const ownership = {
    owns: () => true,
    isReady: () => true,
    isSource: () => true,
    otherOwners: () => [peer],
    ringHash: 1,
    unready: 0,
    ownings: new Uint32Array(PARTITIONS),
    fetching: new Uint8Array(PARTITIONS),
  } as unknown as Ownership;
  const store = { ...NEVER_FLUSHED, digest: () => 1000, digestLow: 0, digestHigh: 0, isLossy: () => false };
  const frontiers = new Frontiers(PARTITIONS);
  frontiers.begin(7);
  const desk = { changes: 0, sayTo: () => frames.push('floors') };
  const antiEntropy = new AntiEntropy(
    { ...store, leafSums: () => new Uint32Array(LEAVES * 2) } as unknown as Store,
    { refusal: null } as unknown as Wal,
    ownership,
    peers,
    {} as unknown as Replicator,
    frontiers,
    { floor: new Float64Array(PARTITIONS), alone: true } as unknown as Floors,
    desk as unknown as FloorDesk,
    {
      partitions: PARTITIONS,
      intervalMs: 1_000,
      tickIntervalMs: 25,
      sliceRecords: 10,
      random: new Random(1, 1),
      mutations: new Set(),
    },
  );
  antiEntropy.setTime(60_000, 60_000);
  antiEntropy.tick();
  const compare = (partition: number) => {
    const body = Buffer.alloc(LEAVES_HEADER_BYTES + LEAVES * 8);
    body.writeUInt16LE(partition, 0);
    antiEntropy.leaves(peer, body);
  };
  compare(0);
  compare(1);
  desk.changes++;
  compare(2);
  expect(frames).toEqual(['floors', 'list', 'list', 'floors', 'list']);
});
