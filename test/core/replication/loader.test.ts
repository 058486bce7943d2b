/** Records of a backup on their way into a node: what is taken, logged and spread, and what is counted and left. */
import { describe, expect, it } from 'vitest';
import { HybridClock, hlcFromMs } from '../../../src/core/base/hlc.js';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import {
  align8,
  FLAG_EXPIRY,
  recordLength,
  TYPE_EXPIRY,
  TYPE_HINT,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  writeRecord,
} from '../../../src/core/record/record.js';
import type { DistinctKeys } from '../../../src/core/replication/distinct-keys.js';
import { Floors } from '../../../src/core/replication/floors.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { Loader } from '../../../src/core/replication/loader.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Store, type StoreOptions } from '../../../src/core/store/store.js';
import type { Wal, WalRefusal } from '../../../src/core/wal/wal.js';

const NOW_MS = 1_700_000_000_000;
const PARTITIONS = 2;

interface Written {
  key: string;
  value?: string;
  hlc?: number;
  type?: number;
  expireAtMs?: number;
}

function record({ key, value = 'v', hlc = hlcFromMs(NOW_MS), type = TYPE_PUT, expireAtMs = 0 }: Written): Buffer {
  const text = type === TYPE_TOMBSTONE ? '' : value;
  const bytes = Buffer.alloc(align8(recordLength(key.length, text.length, expireAtMs > 0 ? FLAG_EXPIRY : 0)));
  const fields = { type, hlc, actor: 5, sequence: 1, expireAtMs, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, Buffer.from(key), 0, key.length, Buffer.from(text), 0, text.length);
  return bytes;
}

/** Keys of partition 0 (owned here) and 1 (not). */
function keysOf(partition: number, count: number): string[] {
  const keys: string[] = [];
  for (let at = 0; keys.length < count; at++) {
    const key = `key${at}`;
    if (partitionOf(Buffer.from(key), 0, key.length, PARTITIONS) === partition) keys.push(key);
  }
  return keys;
}

function bench(eviction: StoreOptions['eviction'] = 'none') {
  const store = new Store({
    memoryBytesMax: 1 << 20,
    segmentBytes: 4096,
    partitions: PARTITIONS,
    eviction,
    hashKey: [1, 2],
  });
  store.wallMs = NOW_MS;
  const log = { appended: 0, room: Number.POSITIVE_INFINITY, refusal: null as WalRefusal | null };
  const wal = {
    hasRoom: () => log.appended < log.room,
    append: () => {
      log.appended++;
      return true;
    },
    get refusal() {
      return log.refusal;
    },
  } as unknown as Wal;
  const peer = { state: 'alive', link: { unackedBytes: 0 }, floors: new Float64Array(PARTITIONS) };
  const ownership = { owns: (partition: number) => partition === 0, otherOwners: () => [peer] } as unknown as Ownership;
  const spread: string[] = [];
  const replicator = {
    writes: 0,
    spread: (bytes: Buffer, at: number) => spread.push(bytes.toString('latin1', at + 32, at + 36)),
  };
  const distinctKeys = { count: () => {}, resetHlc: 0 } as unknown as DistinctKeys;
  const clock = new HybridClock(0, 500);
  const floors = new Floors({ partitions: PARTITIONS, marginMs: 0, graceMs: 86_400_000, mutations: new Set() });
  floors.wallMs = NOW_MS;
  const loader = new Loader(
    distinctKeys,
    store,
    wal,
    clock,
    ownership,
    replicator as unknown as Replicator,
    new Frontiers(PARTITIONS),
    floors,
    { partitions: PARTITIONS },
  );
  loader.wallMs = NOW_MS;
  const load = (...records: Buffer[]) => {
    const bytes = Buffer.concat([Buffer.from('odd'), ...records]);
    return loader.load(bytes, 3, bytes.length);
  };
  return { store, log, peer, spread, replicator, floors, clock, load };
}

describe('a load', () => {
  const [first, second, third] = keysOf(0, 3);

  it('merges, logs and spreads what is new, and finds it there the second time', () => {
    const { load, log, spread, replicator, store } = bench();
    const records = [record({ key: first }), record({ key: second, type: TYPE_TOMBSTONE }), record({ key: third })];
    expect(load(...records)).toMatchObject({
      applied: 3,
      stale: 0,
      bytes: Buffer.concat(records).length,
      refusal: null,
    });
    expect(spread).toEqual([first, second, third].map((key) => key.slice(0, 4)));
    expect(log.appended).toBe(3);
    expect(replicator.writes).toBe(3);
    expect(store.keys(0)).toBe(2);
    expect(load(...records)).toMatchObject({ applied: 0, stale: 3 });
    expect(log.appended).toBe(3);
  });

  it('never undoes what is newer, and deletes what is older', () => {
    const { load, store } = bench();
    load(
      record({ key: first, value: 'new', hlc: hlcFromMs(NOW_MS) }),
      record({ key: second, hlc: hlcFromMs(NOW_MS - 9) }),
    );
    const older = record({ key: first, value: 'old', hlc: hlcFromMs(NOW_MS - 1) });
    expect(load(older, record({ key: second, type: TYPE_TOMBSTONE }))).toMatchObject({ applied: 1, stale: 1 });
    expect(store.keys(0)).toBe(1);
  });

  it('goes on behind an expiry change that names no version', () => {
    const { load } = bench();
    load(record({ key: first, hlc: hlcFromMs(NOW_MS - 9) }));
    expect(load(record({ key: first, type: TYPE_EXPIRY }), record({ key: second }))).toMatchObject({
      applied: 1,
      unusable: 1,
      refusal: null,
    });
  });

  it('leaves what belongs elsewhere, is from the future, was flushed or is no entry, and counts each', () => {
    const { load, store, log } = bench();
    store.flush(hlcFromMs(NOW_MS - 1000), 9);
    const loaded = load(
      record({ key: keysOf(1, 1)[0] }),
      record({ key: first, hlc: hlcFromMs(NOW_MS + 501) }),
      record({ key: second, hlc: hlcFromMs(NOW_MS - 1000) }),
      record({ key: third, type: TYPE_HINT }),
      record({ key: third, type: TYPE_TOMBSTONE, expireAtMs: NOW_MS + 1 }),
    );
    expect(loaded).toMatchObject({ elsewhere: 1, drifted: 1, flushed: 1, unusable: 2, applied: 0, refusal: null });
    expect(log.appended).toBe(0);
  });

  it('raises the clock above what it took', () => {
    const { load, clock } = bench();
    load(record({ key: first, hlc: hlcFromMs(NOW_MS + 400) }));
    expect(clock.stamp(NOW_MS)).toBeGreaterThan(hlcFromMs(NOW_MS + 400));
  });

  it('leaves out what has expired, unless an older version of its key is there', () => {
    const { load } = bench();
    const gone = record({ key: first, expireAtMs: NOW_MS - 1 });
    expect(load(gone)).toMatchObject({ expired: 1, applied: 0 });
    load(record({ key: first, hlc: hlcFromMs(NOW_MS - 5) }));
    expect(load(gone)).toMatchObject({ expired: 0, applied: 1 });
  });

  it('brings back no tombstone that all have forgotten', () => {
    const { load, floors } = bench();
    const old = record({ key: first, type: TYPE_TOMBSTONE, hlc: floors.forgottenBelow(0) });
    expect(load(old)).toMatchObject({ stale: 1, applied: 0 });
  });

  it('leaves what is as old as forgotten deletes and of a key that is not here: it may be what was deleted', () => {
    const { load, floors, store } = bench();
    const floor = hlcFromMs(NOW_MS - 50);
    load(record({ key: second, hlc: floor - 9 }));
    floors.set(0, floor);
    const deleted = record({ key: first, hlc: floor });
    const later = record({ key: third, hlc: floor + 1 });
    const known = record({ key: second, hlc: floor - 5, value: 'w' });
    expect(load(deleted, later, known)).toMatchObject({ belowFloor: 1, applied: 2 });
    expect(store.keys(0)).toBe(2);
  });

  it('leaves what another owner has forgotten deletes up to: applied here, it would be dropped there, and then here', () => {
    const { load, peer, store } = bench();
    const floor = hlcFromMs(NOW_MS - 50);
    peer.floors[0] = floor;
    expect(load(record({ key: first, hlc: floor }), record({ key: second, hlc: floor + 1 }))).toMatchObject({
      belowFloor: 1,
      applied: 1,
    });
    expect(store.keys(0)).toBe(1);
  });

  it('takes what the log has room for, and says how far it came and why it stopped', () => {
    const { load, log } = bench();
    log.room = 1;
    log.refusal = 'BUSY';
    const records = [record({ key: first }), record({ key: second })];
    const loaded = load(...records);
    expect(loaded).toMatchObject({ applied: 1, bytes: records[0].length });
    expect(loaded.refusal?.code).toBe('BUSY');
    log.room = 9;
    expect(load(records[1])).toMatchObject({ applied: 1, refusal: null });
  });

  it('waits for an owner that has much to acknowledge, and for memory', () => {
    const { load, peer } = bench();
    peer.link.unackedBytes = 5 * 1024 * 1024;
    expect(load(record({ key: first })).refusal?.code).toBe('BUSY');
    peer.link.unackedBytes = 0;
    let code: string | undefined;
    for (const [at, key] of keysOf(0, 2000).entries()) {
      code = load(record({ key, value: 'x'.repeat(900 + (at % 7)) })).refusal?.code;
      if (code !== undefined) break;
    }
    expect(code).toBe('OOM');
  });

  it('changes nothing when the bytes are not all whole records', () => {
    const { load, log } = bench();
    const damaged = record({ key: second });
    damaged[20] ^= 1;
    expect(() => load(record({ key: first }), damaged)).toThrow('no whole record at byte 40');
    expect(log.appended).toBe(0);
  });
});
