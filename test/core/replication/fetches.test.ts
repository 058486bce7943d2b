import { describe, expect, it } from 'vitest';
import { Fetches } from '../../../src/core/replication/fetches.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';

const RING = 1;
const PARTITION = 0;

/** One partition of a node with the other owners B and C. */
class Bench {
  readonly fetches: Fetches;
  readonly b = peerCalled('B');
  readonly c = peerCalled('C');
  readonly sources = new Set<Peer>([this.b, this.c]);
  readonly reported = new Set<Peer>([this.b, this.c]);
  readonly ringHashOf = new Map<Peer, number>();
  pulledFrom: Peer | null = null;
  readonly ownings = new Uint32Array(1);

  constructor(isTorn: boolean, mutations: ReadonlySet<string> = new Set()) {
    const { ownings } = this;
    const ownership = {
      ringHash: RING,
      ownings,
      fetching: new Uint8Array(1).fill(isTorn ? 0 : 1),
      isTorn: () => isTorn,
      isSource: (peer: Peer) => this.sources.has(peer),
      otherOwners: () => [this.b, this.c],
      readiness: {
        of: (peer: Peer) => (this.reported.has(peer) ? { ringHash: this.ringHashOf.get(peer) ?? RING } : undefined),
      },
    };
    const peers = { all: () => [this.b, this.c] };
    const pulls = { isPulling: () => this.pulledFrom !== null };
    this.fetches = new Fetches(ownership as unknown as Ownership, peers as unknown as Peers, pulls, { mutations });
  }

  isEnough(nowMs: number): boolean {
    return this.fetches.isEnough(PARTITION, nowMs);
  }
}

function peerCalled(id: string): Peer {
  return Object.assign(new Peer(id, 1024, new HintRoom(1024), 1), { actor: 7, state: 'alive', connected: true });
}

describe('a partition that is fetched', () => {
  it('is fetched when, behind a walk, every source was heard out', () => {
    const { fetches, b, c, ...bench } = new Bench(false);
    fetches.had(PARTITION, b, 0);
    expect([fetches.isWalked(PARTITION), fetches.isEnough(PARTITION, 0)]).toEqual([false, false]);
    fetches.walked(PARTITION, b, 1);
    expect([fetches.isWalked(PARTITION), fetches.isEnough(PARTITION, 1)]).toEqual([true, false]);
    fetches.had(PARTITION, c, 2);
    expect(fetches.isEnough(PARTITION, 2)).toBe(true);
    bench.ownings[PARTITION]++;
    expect([fetches.isWalked(PARTITION), fetches.isEnough(PARTITION, 3)]).toEqual([false, false]);
  });

  it('waits for a source that could not be asked yet, however long ago the walk was', () => {
    const bench = new Bench(false);
    bench.fetches.walked(PARTITION, bench.b, 0);
    expect([bench.isEnough(31_000), bench.isEnough(300_000), bench.isEnough(300_001)]).toEqual([false, false, true]);
  });

  it('waits for a source from when it was asked, and while it is pulled from, and from the last slice that came', () => {
    const bench = new Bench(false);
    bench.fetches.walked(PARTITION, bench.b, 0);
    bench.fetches.asked(PARTITION, bench.c, 50_000);
    bench.fetches.asked(PARTITION, bench.c, 79_000);
    expect([bench.isEnough(80_000), bench.isEnough(80_001)]).toEqual([false, true]);
    bench.pulledFrom = bench.c;
    expect(bench.isEnough(200_000)).toBe(false);
    bench.fetches.heard(PARTITION, 200_000);
    bench.pulledFrom = null;
    expect([bench.isEnough(230_000), bench.isEnough(230_001)]).toEqual([false, true]);
  });

  it('hears a source again that has started anew', () => {
    const bench = new Bench(false);
    bench.fetches.walked(PARTITION, bench.b, 0);
    bench.fetches.had(PARTITION, bench.c, 0);
    expect(bench.isEnough(0)).toBe(true);
    bench.fetches.forget(bench.c);
    expect(bench.isEnough(0)).toBe(false);
  });
});

describe('a partition whose tail may be lost', () => {
  it('needs no walk, and every owner, also one that is no source because it catches up itself', () => {
    const bench = new Bench(true);
    bench.sources.delete(bench.c);
    bench.fetches.had(PARTITION, bench.b, 0);
    expect(bench.isEnough(0)).toBe(false);
    expect(bench.fetches.counts(PARTITION, bench.c)).toBe(true);
    bench.fetches.had(PARTITION, bench.c, 0);
    expect(bench.isEnough(0)).toBe(true);
  });

  it('waits ten seconds for an owner that lives and cannot be asked, or has not spoken', () => {
    for (const silence of [{ connected: false }, null]) {
      const bench = new Bench(true);
      if (silence === null) bench.reported.delete(bench.c);
      else Object.assign(bench.c, silence);
      bench.fetches.had(PARTITION, bench.b, 0);
      // From when it could not be asked any more, however long ago the search began.
      expect([60_000, 69_999, 70_000].map((nowMs) => bench.isEnough(nowMs))).toEqual([false, false, true]);
    }
  });

  it('waits for whom it has asked while it is brought something by somebody else, and behind that', () => {
    const bench = new Bench(true);
    bench.fetches.asked(PARTITION, bench.b, 0);
    bench.fetches.asked(PARTITION, bench.c, 0);
    bench.pulledFrom = bench.b;
    expect(bench.isEnough(45_000)).toBe(false);
    bench.pulledFrom = null;
    bench.fetches.had(PARTITION, bench.b, 45_000);
    expect([bench.isEnough(45_000), bench.isEnough(75_000)]).toEqual([false, false]);
    // That the same one is had again is nothing new.
    bench.fetches.had(PARTITION, bench.b, 70_000);
    expect(bench.isEnough(75_001)).toBe(true);
  });

  it('waits for one that is suspected, and for one that has not spoken by the ring that goes now', () => {
    const suspected = new Bench(true);
    suspected.fetches.had(PARTITION, suspected.b, 0);
    suspected.c.state = 'suspect';
    expect([suspected.isEnough(0), suspected.isEnough(20_000)]).toEqual([false, false]);
    const behind = new Bench(true);
    behind.sources.delete(behind.c);
    behind.ringHashOf.set(behind.c, RING + 1);
    behind.fetches.had(PARTITION, behind.b, 0);
    expect([behind.isEnough(0), behind.isEnough(9_999), behind.isEnough(10_000)]).toEqual([false, false, true]);
  });

  it('waits a second for one that may be there, and not for one that is known to be dead', () => {
    const unknown = new Bench(true);
    Object.assign(unknown.c, { state: 'dead', actor: 0 });
    unknown.fetches.had(PARTITION, unknown.b, 0);
    expect([unknown.isEnough(999), unknown.isEnough(1_000)]).toEqual([false, true]);
    const dead = new Bench(true);
    dead.c.state = 'dead';
    dead.fetches.had(PARTITION, dead.b, 0);
    expect(dead.isEnough(0)).toBe(true);
  });
});
