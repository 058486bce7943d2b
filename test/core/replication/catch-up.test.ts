/** Two nodes, one behind: what a pull brings, in how many slices, and what is claimed as seen after it, or when it breaks off. */
import { describe, expect, it } from 'vitest';
import { FRAME_PULL } from '../../../src/core/gossip/frames.js';
import { recordBytes, recordKeyEnd, recordKeyStart, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { CatchUp } from '../../../src/core/replication/catch-up.js';
import { decodeSlice, encodePull, encodeSlice, SLICE_END } from '../../../src/core/replication/catch-up-messages.js';
import { CatchUpPace } from '../../../src/core/replication/catch-up-pace.js';
import { CatchUpSource } from '../../../src/core/replication/catch-up-source.js';
import { CatchUpWindow, PULLS_PER_PEER_MAX } from '../../../src/core/replication/catch-up-window.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import type { Peer, Peers } from '../../../src/core/replication/peers.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { record } from '../record/records.js';

const AHEAD = 500;
const BEHIND = 600;
const THIRD = 700;

/** One node's store and frontiers; records are merged as replication does, all in the first partition. */
class Holder {
  readonly store: Store;
  readonly frontiers: Frontiers;
  keeps = true;
  notes = 0;
  /** Whether the log takes what it is told of evictions. */
  lossyNoted = true;

  constructor(actor: number, partitions: number) {
    const hashKey = [1, 2] as const;
    this.store = new Store({ memoryBytesMax: 4 << 20, segmentBytes: 4096, partitions, eviction: 'none', hashKey });
    this.frontiers = new Frontiers(partitions, 8);
    this.store.wallMs = 1_700_000_000_000;
    this.frontiers.begin(actor);
  }

  take(bytes: Buffer, at: number): boolean {
    if (!this.keeps) return false;
    const start = recordKeyStart(bytes, at);
    const end = recordKeyEnd(bytes, at);
    this.store.merge(0, this.store.hasher.hash(bytes, start, end), bytes, at);
    this.frontiers.note(0, bytes, at);
    return true;
  }

  /** A write of this node. */
  write(key: string, fields: Parameters<typeof record>[0] = {}): void {
    const { frontiers } = this;
    const sequence = ++frontiers.sequences[0];
    frontiers.stamps[0] = sequence * 1000;
    const bytes = record({ actor: frontiers.self, sequence, hlc: sequence * 1000, ...fields }, key, `v${sequence}`);
    const hash = this.store.hasher.hash(Buffer.from(key), 0, key.length);
    frontiers.recent[frontiers.recentAt(0, sequence)] = hash;
    this.store.merge(0, hash, bytes, 0);
  }

  hear(actor: number, sequence: number, key: string): void {
    this.take(record({ actor, sequence, hlc: sequence * 1000 + 1 }, key, 'heard'), 0);
  }

  get keys(): number {
    return this.store.keys(0);
  }
}

function bench(mutations: string[] = [], sliceRecords = 2, mergedBytes = 64 << 20, partitions = 1) {
  const ahead = new Holder(AHEAD, partitions);
  const behind = new Holder(BEHIND, partitions);
  const pulls: Buffer[] = [];
  const slices: Buffer[] = [];
  const send = (list: Buffer[]) => ({ sendFrame: (_peer: Peer, _kind: number, body: Buffer) => list.push(body) > 0 });
  const options = { partitions, sliceRecords, mutations: new Set(mutations) };
  const source = new CatchUpSource(ahead.store, ahead.frontiers, send(slices) as unknown as Peers, options);
  const replicator = {
    adopt: (_peer: Peer, bytes: Buffer, at: number) => behind.take(bytes, at),
    noteFrontier: () => behind.notes++,
    noteLossy: () => behind.lossyNoted,
  } as unknown as Replicator;
  const wal = { refusal: null } as unknown as Wal;
  const ownings = new Uint32Array(partitions + 1);
  const catchUp = new CatchUp(
    behind.store,
    wal,
    behind.frontiers,
    send(pulls) as unknown as Peers,
    replicator,
    new CatchUpPace(25, mergedBytes),
    ownings,
    options,
  );
  const peer = { id: 'ahead', actor: AHEAD, connected: true, state: 'alive' } as unknown as Peer;
  const asker = { id: 'behind', actor: BEHIND } as unknown as Peer;
  /** Carries frames to and fro, at most so many slices; returns the partitions caught up. */
  const exchange = (slicesMax = 1000, between: () => void = () => {}): number[] => {
    const done: number[] = [];
    for (let slice = 0; slice < slicesMax && pulls.length > 0; slice++) {
      source.tick();
      source.pulled(asker, pulls.shift() as Buffer);
      const partition = catchUp.slice(peer, slices.shift() as Buffer);
      if (partition >= 0) done.push(partition);
      between();
    }
    return done;
  };
  return { ahead, behind, ownings, source, catchUp, peer, asker, pulls, slices, exchange };
}

function lacked({ ahead, behind }: { ahead: Holder; behind: Holder }): number {
  return behind.frontiers.of(0).lacked(ahead.frontiers.of(0));
}

describe('a node that is behind', () => {
  it('fetches by a walk what others wrote, in slices, and has then seen what the peer has', () => {
    const two = bench();
    for (let each = 1; each <= 40; each++) two.ahead.hear(THIRD, each, `key${each % 30}`);
    two.catchUp.want(two.peer, 0, false, true);
    expect(two.exchange()).toEqual([0]);
    expect(two.behind.keys).toBe(30);
    expect(lacked(two)).toBe(0);
    expect(two.source.stats.slices).toBeGreaterThan(10);
    expect(two.behind.notes).toBe(1);
    expect(two.catchUp.size).toBe(0);
  });

  it('is sent only what its vector does not cover, tombstones too', () => {
    const two = bench([], 100);
    for (let each = 1; each <= 20; each++) {
      two.ahead.hear(THIRD, each, `key${each}`);
      two.behind.hear(THIRD, each, `key${each}`);
    }
    two.ahead.take(record({ type: TYPE_TOMBSTONE, actor: THIRD, sequence: 21, hlc: 21_001 }, 'key3'), 0);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange();
    expect(two.source.stats.records).toBe(1);
    expect(two.behind.keys).toBe(19);
  });

  it('is sent the recent writes of the peer itself without a walk', () => {
    const two = bench([], 100);
    for (let each = 0; each < 200; each++) two.ahead.hear(THIRD, each + 1, `old${each}`);
    for (let each = 0; each < 200; each++) two.behind.hear(THIRD, each + 1, `old${each}`);
    for (let each = 0; each < 5; each++) two.ahead.write(`new${each % 2}`);
    two.catchUp.want(two.peer, 0, true, true);
    two.exchange();
    expect(two.source.stats).toMatchObject({ walks: 0, records: 2, slices: 1 });
    expect(two.source.stats.looked).toBeLessThan(5);
    expect(lacked(two)).toBe(0);
    expect(two.behind.keys).toBe(202);
  });

  it('gets by a walk what the peer does not remember any more', () => {
    const two = bench();
    for (let each = 0; each < 20; each++) two.ahead.write(`key${each}`);
    two.catchUp.want(two.peer, 0, true, true);
    expect(two.exchange()).toEqual([0]);
    expect(two.source.stats.walks).toBe(1);
    expect(two.behind.keys).toBe(20);
    expect(lacked(two)).toBe(0);
  });

  it('begins anew when the peer forgets its writes between two slices', () => {
    const two = bench();
    for (let each = 0; each < 8; each++) two.ahead.write(`key${each}`);
    two.catchUp.want(two.peer, 0, true, true);
    two.exchange(1);
    for (let each = 0; each < 8; each++) two.ahead.write(`more${each}`);
    two.exchange();
    expect(two.catchUp.stats.abandoned).toBe(1);
    expect(two.catchUp.stats.joined).toBe(0);
    two.catchUp.want(two.peer, 0, true, true);
    two.exchange();
    expect(two.behind.keys).toBe(16);
  });

  it('claims nothing of what the peer saw while the walk was under way, though it claims all from before', () => {
    for (const mutations of [[], ['cover-as-of-the-end']]) {
      const two = bench(mutations);
      for (let each = 1; each <= 40; each++) two.ahead.hear(THIRD, each, `key${each}`);
      two.catchUp.want(two.peer, 0, false, true);
      let next = 41;
      two.exchange(1000, () => {
        if (next <= 80) two.ahead.hear(THIRD, next, `key${next++ - 40}`);
      });
      // Some of the later writes took the place of records that the walk had passed: they are not here.
      let here = 0;
      two.behind.store.scanAll(0, 0, 1000, (buffer, offset) => {
        if (buffer.readUInt32LE(offset + 24) > 40) here++;
      });
      expect(here).toBeLessThan(next - 41);
      let claimed = 0;
      for (let sequence = 41; sequence < next; sequence++)
        if (two.behind.frontiers.covers(0, THIRD, sequence)) claimed++;
      for (let sequence = 1; sequence <= 40; sequence++)
        expect(two.behind.frontiers.covers(0, THIRD, sequence)).toBe(true);
      if (mutations.length === 0) expect(claimed).toBe(here);
      else expect(claimed).toBeGreaterThan(here);
    }
  });

  it('claims nothing more before the last slice is merged, whatever it has received', () => {
    for (const mutations of [[], ['cover-before-records']]) {
      const two = bench(mutations);
      for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each * 2, `key${each}`);
      two.ahead.frontiers.of(0).raise(THIRD, 20, 20_001);
      two.catchUp.want(two.peer, 0, false, true);
      two.exchange(2);
      expect(two.behind.keys).toBeLessThan(10);
      expect(two.behind.frontiers.covers(0, THIRD, 19)).toBe(mutations.length > 0);
    }
  });

  it('stops at the cursor of a slice that it could not keep, and asks for it again later', () => {
    const two = bench();
    for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange(2);
    two.behind.keeps = false;
    two.exchange();
    expect(two.catchUp.stats.unkept).toBe(1);
    expect(lacked(two)).toBeGreaterThan(0);
    two.behind.keeps = true;
    two.catchUp.nowMs += 600;
    two.catchUp.tick(() => {});
    expect(two.exchange()).toEqual([0]);
    expect(two.behind.keys).toBe(10);
    expect(two.source.stats.walks).toBe(1);
  });

  it('asks again, from where it stands, for a slice that does not come, and gives up after a few times', () => {
    const two = bench();
    for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange(2);
    const asked = two.pulls.shift() as Buffer;
    two.catchUp.nowMs += 3100;
    two.catchUp.tick(() => {});
    expect(two.pulls).toEqual([asked]);
    for (let patience = 0; patience < 10; patience++) {
      two.catchUp.nowMs += 3100;
      two.catchUp.tick(() => {});
    }
    expect(two.catchUp.size).toBe(0);
    expect(two.catchUp.stats.abandoned).toBe(1);
  });

  it('drops the walk when the peer starts anew or clears the partition: its vector spoke of what it held before', () => {
    const two = bench();
    for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange(2);
    two.ahead.store.clearPartition(0);
    two.ahead.frontiers.clear(0, 99_000);
    expect(two.exchange()).toEqual([]);
    expect(two.catchUp.stats.abandoned).toBe(1);
    let claimed = 0;
    for (let sequence = 1; sequence <= 10; sequence++) if (two.behind.frontiers.covers(0, THIRD, sequence)) claimed++;
    expect(claimed).toBe(two.behind.keys);
    expect(claimed).toBeLessThan(10);
    two.catchUp.want(two.peer, 0, false, true);
    (two.peer as { actor: number }).actor = AHEAD + 1;
    two.catchUp.tick(() => {});
    expect(two.catchUp.size).toBe(0);
  });

  it('takes a partition for lossy that had evicted at the peer', () => {
    const two = bench();
    two.ahead.hear(THIRD, 1, 'key');
    two.ahead.store.noteLossy(0);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange();
    expect(two.behind.store.isLossy(0)).toBe(true);
    expect(two.behind.notes).toBe(1);
  });

  it('does not say in the log what it has seen when the log does not take that it may lack some of it', () => {
    const two = bench();
    two.ahead.hear(THIRD, 1, 'key');
    two.ahead.store.noteLossy(0);
    two.behind.lossyNoted = false;
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange();
    expect(two.behind.notes).toBe(0);
  });

  it('does not claim what it dropped while the walk was under way', () => {
    const two = bench();
    for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.exchange(2);
    two.behind.store.clearPartition(0);
    two.behind.frontiers.clear(0, 99_000);
    expect(two.exchange()).toEqual([]);
    expect(two.catchUp.stats.abandoned).toBe(1);
    expect(two.behind.frontiers.covers(0, THIRD, 1)).toBe(false);
  });

  it('gives up a walk that does not get on, and what waits for a peer whose stream broke', () => {
    const two = bench();
    for (let each = 1; each <= 10; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.source.pulled(two.asker, two.pulls.shift() as Buffer);
    const decoded = decodeSlice(two.slices.shift() as Buffer);
    if (decoded === null) throw new Error('the slice is none');
    two.catchUp.slice(two.peer, encodeSlice({ ...decoded.head, nextCursor: 0 }, []));
    expect(two.catchUp.size).toBe(0);
    expect(two.catchUp.stats.malformed).toBe(1);
    two.catchUp.want(two.peer, 0, false, true);
    two.catchUp.want(two.peer, 1, false, true);
    two.catchUp.lost(two.peer);
    expect(two.catchUp.isPulling(0)).toBe(true);
    expect(two.catchUp.isPulling(1)).toBe(false);
  });

  it('counts a walk as one over a source only if the peer was one when it began', () => {
    const two = bench();
    two.ahead.hear(THIRD, 1, 'key');
    two.catchUp.want(two.peer, 0, false, false);
    expect(two.exchange()).toEqual([]);
    expect(two.behind.keys).toBe(1);
    two.catchUp.want(two.peer, 0, false, true);
    expect(two.exchange()).toEqual([0]);
    two.catchUp.want(two.peer, 0, false, true);
    two.ownings[0]++;
    expect(two.exchange()).toEqual([]);
  });

  it('takes a value greater than a slice alone, and equal hashes together', () => {
    const two = bench([], 100);
    const large = 'x'.repeat(150_000);
    for (let each = 1; each <= 6; each++) {
      two.ahead.take(record({ actor: THIRD, sequence: each, hlc: each * 1000 }, `key${each}`, large), 0);
    }
    two.catchUp.want(two.peer, 0, false, true);
    expect(two.exchange()).toEqual([0]);
    expect(two.behind.keys).toBe(6);
    expect(two.source.stats.slices).toBe(6);
  });

  it('ignores an answer to something else, and bytes that are none', () => {
    const two = bench();
    two.ahead.hear(THIRD, 1, 'key');
    two.catchUp.want(two.peer, 0, false, true);
    const pull = two.pulls.shift() as Buffer;
    two.source.pulled(two.asker, pull);
    const slice = two.slices.shift() as Buffer;
    const decoded = decodeSlice(slice);
    if (decoded === null) throw new Error('the slice is none');
    const { head } = decoded;
    for (const other of [
      { ...head, token: head.token + 1 },
      { ...head, cursor: 5 },
      { ...head, flags: SLICE_END, vector: null },
    ]) {
      expect(two.catchUp.slice(two.peer, encodeSlice(other, []))).toBe(-1);
    }
    expect(two.behind.frontiers.covers(0, THIRD, 1)).toBe(false);
    for (let short = 0; short < 36; short++) two.catchUp.slice(two.peer, slice.subarray(0, short));
    expect(two.catchUp.stats).toMatchObject({ stray: 2, abandoned: 1, malformed: 36 });
    for (let short = 0; short < pull.length; short++) two.source.pulled(two.asker, pull.subarray(0, short));
    const vector = two.behind.frontiers.of(0);
    two.source.pulled(two.asker, encodePull({ partition: 9, flags: 0, token: 1, cursor: 0, vector }));
    expect(two.source.stats.malformed).toBe(pull.length + 1);
    expect(two.slices).toEqual([]);
  });
});

describe('the pace of catching up', () => {
  const TICK_MS = 25;

  /** Records of 100 bytes that are merged in a tick after so many, of which some were late. */
  function recordsAfter(ticks: number, isLate: (tick: number) => boolean = () => false): number {
    const pace = new CatchUpPace(TICK_MS);
    let nowMs = 0;
    let records = 0;
    for (let tick = 0; tick < ticks; tick++) {
      nowMs += TICK_MS * (isLate(tick) ? 2 : 1);
      pace.tick(nowMs, true);
      for (records = 0; !pace.isSpent; records++) pace.spent(100);
    }
    return records;
  }

  it('begins with little, doubles in about a second while ticks come in time, and has a most', () => {
    const first = recordsAfter(1);
    expect(first).toBeLessThan(40);
    expect(recordsAfter(48)).toBeGreaterThanOrEqual(2 * first - 2);
    expect(recordsAfter(48)).toBeLessThan(3 * first);
    expect(recordsAfter(1000)).toBe(recordsAfter(2000));
    expect(recordsAfter(1000)).toBeGreaterThan(50 * first);
  });

  it('falls with every tick that comes late, never below what it begins with', () => {
    expect(recordsAfter(201, (tick) => tick === 200)).toBeLessThan(recordsAfter(200));
    const first = recordsAfter(1);
    for (let late = 1; late < 100; late += 10) expect(recordsAfter(late, () => true)).toBeGreaterThanOrEqual(first - 1);
  });

  it('does not rise while it is not used up, and begins anew with the next work', () => {
    const pace = new CatchUpPace(TICK_MS, 10_000);
    let nowMs = 0;
    const recordsIn = (ticks: number, most: number): number => {
      let records = 0;
      for (let tick = 0; tick < ticks; tick++) {
        nowMs += TICK_MS;
        pace.tick(nowMs, true);
        for (records = 0; records < most && !pace.isSpent; records++) pace.spent(0);
      }
      return records;
    };
    const first = recordsIn(1, 1000);
    recordsIn(50, 2);
    expect(recordsIn(1, 1000)).toBeLessThan(first + 2);
    expect(recordsIn(100, 1000)).toBeGreaterThan(2 * first);
    nowMs += TICK_MS;
    pace.tick(nowMs, false);
    expect(recordsIn(1, 1000)).toBe(first);
  });

  it('merges a slice over several ticks, asks for no other meanwhile, and claims nothing before its end', () => {
    const two = bench([], 100, 1000);
    for (let each = 1; each <= 12; each++) two.ahead.hear(THIRD, each, `key${each}`);
    two.catchUp.want(two.peer, 0, false, true);
    two.source.pulled(two.asker, two.pulls.shift() as Buffer);
    const slice = two.slices.shift() as Buffer;
    const again = Buffer.from(slice);
    expect(two.catchUp.slice(two.peer, slice)).toBe(-1);
    // The bytes were lent.
    slice.fill(0);
    expect(two.catchUp.slice(two.peer, again)).toBe(-1);
    expect(two.catchUp.stats.stray).toBe(1);
    expect(two.behind.keys).toBe(2);
    const done: number[] = [];
    for (let tick = 0; done.length === 0 && tick < 20; tick++) {
      expect(two.behind.frontiers.of(0).lacked(two.ahead.frontiers.of(0))).toBeGreaterThan(0);
      two.catchUp.nowMs += 25;
      two.catchUp.tick((_peer, partition) => done.push(partition));
    }
    expect(done).toEqual([0]);
    expect(two.behind.keys).toBe(12);
    expect(lacked(two)).toBe(0);
    expect(two.pulls).toEqual([]);
    expect(two.catchUp.size).toBe(0);
  });
});

describe('the window of pulls at a peer', () => {
  it('opens by one with each small slice, up to its most, and closes with a large one', () => {
    const window = new CatchUpWindow();
    const open = (): number => {
      let begun = 0;
      for (; window.isOpen; begun++) window.began();
      for (let each = 0; each < begun; each++) window.ended();
      return begun;
    };
    expect(open()).toBe(1);
    window.came(500);
    window.came(500);
    expect(open()).toBe(3);
    for (let each = 0; each < 100; each++) window.came(500);
    expect(open()).toBe(PULLS_PER_PEER_MAX);
    window.came(200_000);
    expect(open()).toBe(1);
    expect(window.isEmpty).toBe(true);
  });

  it('brings many partitions in which there is little in a few round trips, each by a whole walk of its own', () => {
    const two = bench([], 100, 64 << 20, 60);
    two.ahead.hear(THIRD, 1, 'key');
    for (let partition = 0; partition < 60; partition++) two.catchUp.want(two.peer, partition, false, true);
    const done = new Set<number>();
    let roundTrips = 0;
    while (two.pulls.length > 0 && roundTrips < 60) {
      roundTrips++;
      expect(two.pulls.length).toBeLessThanOrEqual(PULLS_PER_PEER_MAX);
      for (const pull of two.pulls.splice(0)) two.source.pulled(two.asker, pull);
      for (const slice of two.slices.splice(0)) done.add(two.catchUp.slice(two.peer, slice));
    }
    expect(done).toEqual(new Set(Array.from({ length: 60 }, (_, partition) => partition)));
    // 1, 2, 4, 8, 16, 16, and the rest.
    expect(roundTrips).toBe(7);
    expect(two.source.stats.walks).toBe(60);
    expect(lacked(two)).toBe(0);
  });

  it('goes on with every pull that was under way when a slice does not come', () => {
    const two = bench([], 100, 64 << 20, 8);
    for (let partition = 0; partition < 8; partition++) two.catchUp.want(two.peer, partition, false, true);
    two.exchange(3);
    const underWay = two.pulls.splice(0);
    expect(underWay.length).toBe(4);
    two.catchUp.nowMs += 3100;
    two.catchUp.tick(() => {});
    expect(two.pulls).toEqual(underWay);
    expect(two.exchange().length).toBe(5);
    expect(two.catchUp.size).toBe(0);
  });
});

describe('a node that is ahead', () => {
  it('keeps so many pulls of an asker for the next tick, one a partition, and answers askers by turns', () => {
    const two = bench([], 100, 64 << 20, 40);
    const large = 'x'.repeat(200_000);
    for (let each = 1; each <= 10; each++) {
      two.ahead.take(record({ actor: THIRD, sequence: each, hlc: each * 1000 }, `key${each}`, large), 0);
    }
    const vector = two.behind.frontiers.of(0);
    const pullOf = (partition: number, token = 1): Buffer =>
      encodePull({ partition, flags: 0, token, cursor: 0, vector });
    for (let spent = 0; spent < 3; spent++) two.source.pulled(two.asker, pullOf(0));
    two.slices.length = 0;
    for (let partition = 0; partition < 40; partition++) two.source.pulled(two.asker, pullOf(partition));
    two.source.pulled(two.asker, pullOf(0, 2));
    two.source.pulled({ id: 'another' } as unknown as Peer, pullOf(5, 3));
    expect(two.slices).toEqual([]);
    expect(two.source.size).toBe(PULLS_PER_PEER_MAX + 1);
    expect(two.source.stats.dropped).toBe(40 - PULLS_PER_PEER_MAX);
    two.source.tick();
    const tokens = two.slices.map((slice) => decodeSlice(slice)?.head.token);
    expect(tokens.slice(0, 3)).toEqual([2, 3, 1]);
    expect(two.source.size).toBe(0);
  });

  it('sends no more per tick than its budget; who asks beyond waits for the next', () => {
    const two = bench([], 100);
    const large = 'x'.repeat(200_000);
    for (let each = 1; each <= 10; each++) {
      two.ahead.take(record({ actor: THIRD, sequence: each, hlc: each * 1000 }, `key${each}`, large), 0);
    }
    const vector = two.behind.frontiers.of(0);
    const pull = encodePull({ partition: 0, flags: 0, token: 1, cursor: 0, vector });
    for (let each = 0; each < 12; each++) two.source.pulled({ id: `node${each}` } as unknown as Peer, pull);
    expect(two.slices.length).toBeLessThan(9);
    const waiting = 12 - two.slices.length;
    expect(two.source.size).toBe(waiting);
    while (two.source.size > 0) {
      const before = two.slices.length;
      two.source.tick();
      expect(two.slices.length - before).toBeGreaterThan(0);
      expect(two.slices.length - before).toBeLessThan(4);
    }
    expect(two.slices.length).toBe(12);
    for (const slice of two.slices)
      expect(recordBytes(slice, decodeSlice(slice)?.recordsStart ?? 0)).toBeGreaterThan(200_000);
  });

  it('speaks of itself by one frame kind only', () => {
    const two = bench();
    const kinds: number[] = [];
    const peers = { sendFrame: (_peer: Peer, kind: number) => kinds.push(kind) > 0 } as unknown as Peers;
    const wal = { refusal: null } as unknown as Wal;
    const options = { mutations: new Set<string>() };
    const catchUp = new CatchUp(
      two.behind.store,
      wal,
      two.behind.frontiers,
      peers,
      {} as unknown as Replicator,
      new CatchUpPace(25),
      new Uint32Array(1),
      options,
    );
    catchUp.want(two.peer, 0, false, true);
    expect(kinds).toEqual([FRAME_PULL]);
  });
});
