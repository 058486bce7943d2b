/** What a peer sends, on its way in: which stamps are taken note of, and which are refused. */
import { describe, expect, it } from 'vitest';
import { HybridClock, hlcFromMs } from '../../../src/core/base/hlc.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import type { Operations } from '../../../src/core/replication/operations.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import type { Peer, Peers } from '../../../src/core/replication/peers.js';
import { Replicator } from '../../../src/core/replication/replicator.js';
import { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { record } from '../record/records.js';
import { silent } from '../wal/harness.js';

const NOW_MS = 1_700_000_000_000;
const DRIFT_MS = 500;

function bench() {
  const store = new Store({
    memoryBytesMax: 1 << 20,
    segmentBytes: 4096,
    partitions: 1,
    eviction: 'none',
    hashKey: [1, 2],
  });
  store.wallMs = NOW_MS;
  const clock = new HybridClock(0, DRIFT_MS);
  const wal = { hasRoom: () => true, append: () => true } as unknown as Wal;
  const ownership = { owns: () => true } as unknown as Ownership;
  const options = { partitions: 1, mutations: new Set<string>() };
  const unused = {} as unknown as Operations;
  const peers = { all: () => [] } as unknown as Peers;
  const replicator = new Replicator({ log: silent }, store, wal, clock, ownership, peers, unused, options);
  replicator.wallMs = NOW_MS;
  const adopt = (bytes: Buffer) => replicator.adopt({} as unknown as Peer, bytes, 0, bytes.length);
  return { clock, replicator, store, adopt };
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
