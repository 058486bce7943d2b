/** What a node writes itself: when a write is given its dot. */
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import type { ActorBook } from '../../../src/core/replication/actor-book.js';
import type { DistinctKeys } from '../../../src/core/replication/distinct-keys.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { LocalKeyspace } from '../../../src/core/replication/local-keyspace.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';

const NOW_MS = 1_700_000_000_000;
const ACTOR = 7;
const NOTHING = Buffer.alloc(0);

function bench() {
  const store = new Store({
    memoryBytesMax: 1 << 18,
    segmentBytes: 4096,
    partitions: 1,
    eviction: 'none',
    hashKey: [1, 2],
  });
  store.wallMs = NOW_MS;
  const log = { full: false, appended: 0 };
  const wal = {
    refusal: 'NOSPACE',
    hasRoom: () => !log.full,
    append: () => ++log.appended > 0,
    appendWords: () => ++log.appended > 0,
  } as unknown as Wal;
  const spread: number[] = [];
  const replicator = {
    writes: 0,
    mutations: new Set<string>(),
    partition: () => 0,
    spread: () => void spread.push(frontiers.sequences[0]),
  } as unknown as Replicator;
  const distinctKeys = { count: () => {}, resetHlc: 0 } as unknown as DistinctKeys;
  const frontiers = new Frontiers(1);
  frontiers.begin(ACTOR);
  const clock = new HybridClock(0, 500);
  const options = { actor: ACTOR, floors: new Float64Array(1) };
  const actors = {} as unknown as ActorBook;
  const keyspace = new LocalKeyspace(distinctKeys, store, wal, clock, replicator, frontiers, actors, options);
  keyspace.wallMs = NOW_MS;
  const put = (name: string, value: Buffer) => {
    const key = Buffer.from(name);
    keyspace.put(key, 0, key.length, value, 0, value.length, 0);
  };
  const expire = (name: string) => {
    const key = Buffer.from(name);
    return keyspace.expire(key, 0, key.length, NOW_MS + 60_000);
  };
  return { frontiers, keyspace, log, put, expire, spread };
}

describe('a change of an expiry', () => {
  it('is the next write of its partition', () => {
    const { frontiers, keyspace, put, expire, spread } = bench();
    put('key', NOTHING);
    expect(expire('key')).toBe(true);
    expect([frontiers.sequences[0], keyspace.lastSequence]).toEqual([2, 2]);
    expect(frontiers.stamps[0]).toBe(keyspace.lastHlc);
    expect(spread).toEqual([1, 2]);
  });

  it.each([
    ['the log has no room', 'NOSPACE'],
    ['memory is full', 'OOM'],
  ])('that is refused because %s takes no place in the sequence: peers would look for it', (_why, code) => {
    const { frontiers, keyspace, log, put, expire } = bench();
    put('key', NOTHING);
    if (code === 'NOSPACE') log.full = true;
    else
      expect(() => Array.from({ length: 1000 }, (_, at) => put(`other:${at}`, Buffer.alloc(1000)))).toThrow('memory');
    for (let size = 64; code === 'OOM' && size > 0; size -= 8) {
      // What is left of the last segment is filled up too.
      expect(() => Array.from({ length: 1000 }, (_, at) => put(`rest:${size}:${at}`, Buffer.alloc(size)))).toThrow();
    }
    const before = [frontiers.sequences[0], frontiers.stamps[0], keyspace.lastSequence, keyspace.lastHlc, log.appended];
    expect(() => expire('key')).toThrow(code === 'OOM' ? 'memory is full' : 'no room for the log');
    expect([
      frontiers.sequences[0],
      frontiers.stamps[0],
      keyspace.lastSequence,
      keyspace.lastHlc,
      log.appended,
    ]).toEqual(before);
  });
});
