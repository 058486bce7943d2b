import { describe, expect, it } from 'vitest';
import type { Flaps } from '../../../src/core/membership/flaps.js';
import { Ring } from '../../../src/core/partitions/ring.js';
import { NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import { Ownership } from '../../../src/core/replication/ownership.js';
import type { Peer, Peers } from '../../../src/core/replication/peers.js';
import { encodeReady, type ReadyReport } from '../../../src/core/replication/readiness.js';
import {
  STANDING_FETCHING,
  STANDING_TORN,
  STANDING_WHOLE,
  Standings,
} from '../../../src/core/replication/standings.js';

const PARTITIONS = 8;

/** The routes of node `a`, with peers that say what a test has them say. */
class Cluster {
  readonly ring = new Ring();
  readonly ownership: Ownership;
  readonly standings = new Standings(PARTITIONS);
  private readonly peers = new Map<string, Peer>();
  private version = 0;

  constructor(holdsAny: () => boolean = () => false) {
    const peers = { all: () => [...this.peers.values()], get: (id: string) => this.peers.get(id), ensure: this.peer };
    this.ownership = new Ownership(
      this.ring,
      peers as unknown as Peers,
      { version: 0, isOut: () => false } as unknown as Flaps,
      {
        selfId: 'a',
        partitions: PARTITIONS,
        replicas: 2,
        standings: this.standings,
        holdsAny,
        mutations: new Set(),
      },
    );
  }

  readonly peer = (id: string): Peer => {
    let peer = this.peers.get(id);
    if (peer === undefined) {
      peer = { id, actor: id.charCodeAt(0), state: 'dead', connected: true } as Peer;
      this.peers.set(id, peer);
    }
    return peer;
  };

  alive(...ids: string[]): void {
    for (const id of ids) this.peer(id).state = 'alive';
  }

  place(id: string, state: 'in' | 'out', version: number): void {
    this.ring.join({ id, zone: '', weight: 1, state, version, endedBoot: 0 });
  }

  /** `before`: the members of the ring that it went by before. */
  says(id: string, ringHash: number, nowMs: number, before: readonly string[] | null = null): void {
    const none = new Set<number>();
    const report = { ringHash, version: ++this.version, unready: none, handing: none, holding: none };
    const members = before?.map((member) => ({ id: member, zone: '', weight: 1 })) ?? null;
    this.ownership.readiness.arrived(this.peer(id), encodeReady({ ...report, before: members }, NEVER_FLUSHED), nowMs);
  }

  tick(nowMs: number): void {
    this.ownership.tick(nowMs, new Float64Array(PARTITIONS));
  }
}

describe('the ring that messages carry', () => {
  it('is the one that their routes were found by, also when a later one is known and routes are not found anew yet', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.place(id, 'in', 1);
    cluster.ownership.begin(true, true, 0);
    cluster.ownership.refresh(0, true);
    const before = cluster.ring.hash();
    cluster.place('c', 'out', 2);
    expect(cluster.ring.hash()).not.toBe(before);
    expect(cluster.ownership.ringHash).toBe(before);
    cluster.ownership.refresh(1, false);
    expect(cluster.ownership.ringHash).toBe(cluster.ring.hash());
  });
});

describe('a stand-in', () => {
  it('has a place in the ring: who is about to be gone takes nothing for others', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c', 'd', 'e']) cluster.place(id, 'in', 1);
    cluster.ownership.begin(true, true, 0);
    cluster.ownership.refresh(0, true);
    cluster.alive('b', 'c', 'd', 'e');
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const ids = cluster.ownership.fallbacks(partition, 5).map(({ id }) => id);
      expect(ids.length).toBeGreaterThanOrEqual(2);
    }
    cluster.place('e', 'out', 2);
    cluster.ownership.refresh(10_000, false);
    for (const id of ['b', 'c', 'd', 'e']) cluster.says(id, cluster.ownership.ringHash, 10_000);
    cluster.tick(10_000);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(cluster.ownership.fallbacks(partition, 5).map(({ id }) => id)).not.toContain('e');
    }
  });
});

describe('former owners', () => {
  it('are not known to a node that has just started among others, until all members have spoken or it has waited', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.place(id, 'in', 1);
    cluster.ownership.begin(true, true, 0);
    cluster.ownership.refresh(0, true);
    expect(cluster.ownership.isUnaware).toBe(true);
    cluster.alive('b');
    cluster.says('b', cluster.ownership.ringHash, 100);
    cluster.tick(100);
    expect(cluster.ownership.isUnaware).toBe(true);
    cluster.tick(4_000);
    expect(cluster.ownership.isUnaware).toBe(false);

    const whole = new Cluster();
    for (const id of ['a', 'b']) whole.place(id, 'in', 1);
    whole.ownership.begin(true, true, 0);
    whole.ownership.refresh(0, true);
    whole.alive('b');
    whole.says('b', whole.ownership.ringHash, 100);
    whole.tick(100);
    expect(whole.ownership.isUnaware).toBe(false);
  });

  it('are those of a ring that this node skipped, too, once somebody says that it went before', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.place(id, 'in', 1);
    cluster.ownership.begin(true, true, 0);
    cluster.ownership.refresh(0, true);
    cluster.alive('b', 'c');
    for (const id of ['b', 'c']) cluster.says(id, cluster.ownership.ringHash, 100);
    cluster.tick(4_000);
    // The others went from a b c to a b c d, moved, and then to a b c e; this node hears of the last only.
    cluster.alive('d', 'e');
    cluster.place('d', 'out', 2);
    cluster.place('e', 'in', 1);
    cluster.ownership.refresh(10_000, false);
    const { ringHash, placement } = cluster.ownership;
    cluster.tick(10_000);
    const formers = (id: string): number[] =>
      [...Array(PARTITIONS).keys()].filter((partition) =>
        cluster.ownership.formers(partition).some((peer) => peer.id === id),
      );
    expect(placement.members).not.toContain('d');
    expect(formers('d')).toEqual([]);
    cluster.says('b', ringHash, 10_100, ['a', 'b', 'c', 'd']);
    cluster.tick(10_100);
    expect(formers('d').length).toBeGreaterThan(0);
    // It says by the present ring what it hands over: nothing.
    cluster.says('d', ringHash, 10_200);
    cluster.tick(10_200);
    expect(formers('d')).toEqual([]);
    for (const id of ['b', 'c', 'e']) cluster.says(id, ringHash, 10_300, id === 'b' ? ['a', 'b', 'c', 'd'] : null);
    cluster.tick(10_300);
    expect(cluster.ownership.moving, 'all go by the present ring').toBe(0);
  });
});

describe('a source', () => {
  /** Node `a` among others, and a partition that `b` owns, too. */
  function withSource(): { cluster: Cluster; isSource: () => boolean } {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.place(id, 'in', 1);
    cluster.ownership.begin(true, true, 0);
    cluster.ownership.refresh(0, true);
    cluster.alive('b', 'c');
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const shared = all.find((partition) => cluster.ownership.otherOwners(partition).includes(cluster.peer('b'))) ?? -1;
    return { cluster, isSource: () => cluster.ownership.isSource(cluster.peer('b'), shared) };
  }

  it('has said so in its present life', () => {
    const { cluster, isSource } = withSource();
    cluster.says('b', cluster.ownership.ringHash, 100);
    expect(isSource()).toBe(true);
    cluster.peer('b').actor++;
    expect(isSource()).toBe(false);
    cluster.says('b', cluster.ownership.ringHash, 200);
    expect(isSource()).toBe(true);
  });

  it('has said so of the ring in force, not of the same one when it held before', () => {
    const { cluster, isSource } = withSource();
    const ringHash = cluster.ownership.ringHash;
    cluster.says('b', ringHash, 100);
    cluster.place('d', 'in', 1);
    cluster.ownership.refresh(200, false);
    cluster.place('d', 'out', 2);
    cluster.ownership.refresh(250, false);
    expect(cluster.ownership.ringHash).toBe(ringHash);
    expect(isSource()).toBe(false);
    cluster.says('b', ringHash, 260);
    expect(isSource()).toBe(true);
  });

  it('may have said so of a ring that it knew before this node did', () => {
    const { cluster, isSource } = withSource();
    cluster.place('c', 'out', 2);
    cluster.says('b', cluster.ring.hash(), 100);
    cluster.ownership.refresh(200, false);
    expect(isSource()).toBe(true);
  });
});

describe('a partition that is being fetched, while everybody says that they are not ready for it', () => {
  const ALL = new Set(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  const NONE = new Set<number>();

  /** How many partitions node `a` takes for its own, two seconds after `b` said which of them it holds; `recovered`: `a` held them, too. */
  function takenAsBegun(holding: Set<number>, isPulling: boolean, recovered = false): number {
    const cluster = new Cluster();
    for (const id of ['a', 'b']) cluster.place(id, 'in', 1);
    const { ownership } = cluster;
    if (recovered) for (const partition of ALL) cluster.standings.set(partition, STANDING_WHOLE);
    ownership.begin(true, true, 0);
    ownership.refresh(0, recovered);
    cluster.alive('b');
    // It has forgotten deletes that `a` knows nothing of, so `a` does not go on by time.
    Object.assign(cluster.peer('b'), { saidWallMs: 1, floors: new Float64Array(PARTITIONS).fill(1) });
    const report = { ringHash: ownership.ringHash, version: 1, unready: ALL, handing: NONE, holding, before: null };
    ownership.readiness.arrived(cluster.peer('b'), encodeReady(report, NEVER_FLUSHED), 100);
    const underWay = { isPulling: () => isPulling, isUnheard: () => false };
    ownership.tick(2_000, new Float64Array(PARTITIONS), underWay);
    return PARTITIONS - ownership.unready;
  }

  it('is that of a cluster that begins only where none of them holds it, and nothing of it is on its way', () => {
    expect(takenAsBegun(NONE, false)).toBe(PARTITIONS);
    expect(takenAsBegun(NONE, true)).toBe(0);
    expect(takenAsBegun(ALL, false)).toBe(0);
    expect(takenAsBegun(new Set([3]), false)).toBe(PARTITIONS - 1);
  });

  it('is waited for by nobody who holds it: all of them may have restarted', () => {
    expect(takenAsBegun(ALL, false, true)).toBe(PARTITIONS);
  });
});

describe('a copy that may lack its tail, and is handed over', () => {
  const SHARED = 0;

  it('is not whole for whoever asks: it is reported so, and no answer from it is a vote', () => {
    for (const standing of [STANDING_WHOLE, STANDING_TORN, STANDING_FETCHING]) {
      const cluster = new Cluster(() => true);
      for (const id of ['b', 'c']) cluster.place(id, 'in', 1);
      cluster.standings.set(SHARED, standing);
      const { ownership } = cluster;
      ownership.begin(true, true, 0);
      ownership.refresh(0, true);
      expect(ownership.handedPartitions.has(SHARED)).toBe(true);
      const unready = ownership.unreadyPartitions();
      expect(unready.has(SHARED)).toBe(standing !== STANDING_WHOLE);
      expect(ownership.heldOf(unready).has(SHARED)).toBe(standing === STANDING_TORN);
      expect(ownership.isPartial(SHARED)).toBe(standing !== STANDING_WHOLE);
      expect(ownership.mayLackTail(SHARED)).toBe(standing === STANDING_TORN);
    }
  });

  it('is a source to who fetches only where there is nothing better, and always to an owner that looks for its own tail', () => {
    const NONE = new Set<number>();
    const one = new Set([SHARED]);
    /** Whether `a` takes `d`, which hands over a torn copy, for a source, while `b`, the other owner, is as said. */
    const isSource = (b: { unready: Set<number>; holding: Set<number> }, standing = STANDING_FETCHING): boolean => {
      const cluster = new Cluster();
      for (const id of ['a', 'b']) cluster.place(id, 'in', 1);
      cluster.standings.set(SHARED, standing);
      const { ownership } = cluster;
      ownership.begin(true, true, 0);
      ownership.refresh(0, true);
      cluster.alive('b', 'd');
      const said = { ringHash: ownership.ringHash, version: 1, before: null };
      const arrived = (id: string, report: Pick<ReadyReport, 'unready' | 'handing' | 'holding'>): unknown =>
        ownership.readiness.arrived(cluster.peer(id), encodeReady({ ...said, ...report }, NEVER_FLUSHED), 100);
      arrived('b', { ...b, handing: NONE });
      arrived('d', { unready: one, handing: one, holding: one });
      return ownership.isSource(cluster.peer('d'), SHARED);
    };
    expect(isSource({ unready: one, holding: NONE })).toBe(true);
    expect(isSource({ unready: NONE, holding: NONE })).toBe(false);
    expect(isSource({ unready: one, holding: one })).toBe(false);
    expect(isSource({ unready: NONE, holding: NONE }, STANDING_TORN)).toBe(true);
  });
});
