/** What is held and not owned: sent to its owners as far as they lack it, and dropped when every one of them has all of it. */
import { describe, expect, it } from 'vitest';
import { recordKeyEnd, recordKeyStart } from '../../../src/core/record/record.js';
import { Doubts } from '../../../src/core/replication/doubts.js';
import type { FloorDesk } from '../../../src/core/replication/floor-desk.js';
import { Foreign } from '../../../src/core/replication/foreign.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import type { Peer } from '../../../src/core/replication/peers.js';
import type { RepairQueues } from '../../../src/core/replication/repair-queues.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Vector } from '../../../src/core/replication/vector.js';
import { Store } from '../../../src/core/store/store.js';
import { record } from '../record/records.js';

const WRITER = 7;

function bench(records: number) {
  const store = new Store({
    memoryBytesMax: 8 << 20,
    segmentBytes: 0,
    partitions: 1,
    eviction: 'none',
    hashKey: [1, 2],
  });
  const frontiers = new Frontiers(1);
  for (let each = 1; each <= records; each++) {
    const bytes = record({ actor: WRITER, sequence: each, hlc: each }, `key${each}`);
    const hash = store.hasher.hash(bytes, recordKeyStart(bytes, 0), recordKeyEnd(bytes, 0));
    store.merge(0, hash, bytes, 0);
  }
  const owners = ['a', 'b'].map((id) => ({ id, state: 'alive' }) as unknown as Peer);
  const handed: number[] = [];
  const pushed: string[] = [];
  const catchingUp = new Set<Peer>();
  const log = { hasRoom: true, hasRoomForNote: true };
  const ownership = {
    owns: () => false,
    otherOwners: () => owners,
    handedPartitions: new Set<number>(),
    handedOff: (partition: number) => handed.push(partition),
    isCatchingUp: (peer: Peer) => catchingUp.has(peer),
  } as unknown as Ownership;
  const replicator = { foreignTouched: new Uint8Array(1), noteCleared: () => log.hasRoomForNote };
  const queues = { add: (peer: Peer, _partition: number, key: Buffer) => pushed.push(`${peer.id}:${key.toString()}`) };
  const foreign = new Foreign(
    store,
    frontiers,
    ownership,
    replicator as unknown as Replicator,
    queues as unknown as RepairQueues,
    { giveAway: () => log.hasRoom } as unknown as FloorDesk,
  );
  const seen = (through: number): Vector => {
    const vector = new Vector();
    vector.raise(WRITER, through, through);
    return vector;
  };
  const round = (peer: Peer, vector: Vector): void => {
    foreign.beginRound();
    foreign.refresh(0);
    foreign.compare(peer, 0, vector);
  };
  return { store, foreign, owners, handed, pushed, catchingUp, log, replicator, seen, round };
}

describe('a partition that is held and not owned', () => {
  it('goes when both owners have seen every record of it, and what they lack is sent to them', () => {
    const { store, owners, handed, pushed, seen, round } = bench(5);
    round(owners[0], seen(3));
    expect(pushed.sort()).toEqual(['a:key4', 'a:key5']);
    round(owners[0], seen(5));
    expect(store.holdsAny(0)).toBe(true);
    round(owners[1], seen(5));
    expect(handed).toEqual([0]);
    expect(store.holdsAny(0)).toBe(false);
  });

  it('stays until the log has room to say that it has gone', () => {
    const { store, log, owners, handed, seen, round } = bench(5);
    log.hasRoom = false;
    for (const owner of owners) round(owner, seen(5));
    expect(store.holdsAny(0)).toBe(true);
    log.hasRoom = true;
    log.hasRoomForNote = false;
    for (const owner of owners) round(owner, seen(5));
    expect(store.holdsAny(0)).toBe(true);
    log.hasRoomForNote = true;
    expect(handed).toEqual([]);
    for (const owner of owners) round(owner, seen(5));
    expect(handed).toEqual([0]);
  });

  it('stays when the ring changed since an owner was found to have all of it', () => {
    const { foreign, handed, owners, seen, round } = bench(5);
    round(owners[0], seen(5));
    foreign.ringChanged();
    round(owners[1], seen(5));
    expect(handed).toEqual([]);
    round(owners[0], seen(5));
    expect(handed).toEqual([0]);
  });

  it('stays when something was taken in since an owner was found to have all of it', () => {
    const { handed, owners, replicator, seen, round } = bench(5);
    round(owners[0], seen(5));
    replicator.foreignTouched[0] = 1;
    round(owners[1], seen(5));
    expect(handed).toEqual([]);
    round(owners[0], seen(5));
    expect(handed).toEqual([0]);
  });

  it('stays while an owner is not alive, or has started anew', () => {
    const { foreign, handed, owners, seen, round } = bench(2);
    round(owners[0], seen(2));
    foreign.forget(owners[0]);
    round(owners[1], seen(2));
    expect(handed).toEqual([]);
    (owners[1] as { state: string }).state = 'suspect';
    round(owners[0], seen(2));
    expect(handed).toEqual([]);
  });

  it('is not pushed to an owner that fetches it', () => {
    const { owners, catchingUp, pushed, seen, round } = bench(2);
    catchingUp.add(owners[0]);
    round(owners[0], seen(0));
    expect(pushed).toEqual([]);
  });

  it('is walked in parts, a round each, when it is large', () => {
    const { foreign, handed, owners, seen, round } = bench(45_000);
    round(owners[0], seen(45_000));
    expect(foreign.stats.looked).toBeLessThan(21_000);
    for (let rounds = 0; rounds < 2; rounds++) round(owners[0], seen(45_000));
    expect(foreign.stats.looked).toBe(45_000);
    for (let rounds = 0; rounds < 3; rounds++) round(owners[1], seen(45_000));
    expect(handed).toEqual([0]);
  });
});

describe('a doubt', () => {
  it('is worth a comparison when two differ for a second, and then not again for a while', () => {
    const doubts = new Doubts(2);
    expect(doubts.note('a', 1, 100)).toBe(false);
    expect(doubts.note('a', 1, 1000)).toBe(false);
    expect(doubts.note('a', 0, 1100)).toBe(false);
    expect(doubts.note('a', 1, 1100)).toBe(true);
    expect(doubts.note('a', 1, 5000)).toBe(false);
    expect(doubts.note('a', 1, 11_100)).toBe(true);
  });

  it('ends when the two are equal, and begins anew', () => {
    const doubts = new Doubts(1);
    doubts.note('a', 0, 0);
    doubts.settle('a', 0);
    expect(doubts.note('a', 0, 5000)).toBe(false);
    doubts.forget('a');
    expect(doubts.note('a', 0, 9000)).toBe(false);
  });
});
