import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import { Checkpointer } from '../../../src/core/node/checkpointer.js';
import type { RingBook } from '../../../src/core/node/ring-book.js';
import { recordKeyEnd, recordKeyStart } from '../../../src/core/record/record.js';
import type { DistinctKeys } from '../../../src/core/replication/distinct-keys.js';
import { Floors } from '../../../src/core/replication/floors.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import type { Peers } from '../../../src/core/replication/peers.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Standings } from '../../../src/core/replication/standings.js';
import type { Wal } from '../../../src/core/wal/wal.js';
import { PARTITIONS, Shelf } from '../store/harness.js';

/** A log that wants an image and takes all it is given: the keys in it. */
function imageOf(shelf: Shelf): string[] {
  const keys: string[] = [];
  const wal = {
    checkpointing: false,
    imageHasRoom: true,
    bytesLogged: 0,
    wantsCheckpoint: () => true,
    budgetBytes: () => 1024,
    beginCheckpoint: () => {
      wal.checkpointing = true;
    },
    checkpointRecord: (bytes: Buffer, offset: number) =>
      keys.push(bytes.latin1Slice(recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset))) > 0,
    endCheckpoint: () => {
      wal.checkpointing = false;
    },
  };
  const rooms = [{ all: () => [] } as unknown as Peers, { dump: () => {} } as unknown as RingBook] as const;
  const checkpointer = new Checkpointer(
    shelf.store,
    wal as unknown as Wal,
    new Frontiers(PARTITIONS),
    ...rooms,
    {} as unknown as Replicator,
    { isEmpty: true } as unknown as DistinctKeys,
    new HybridClock(0, 500),
    new Floors({ partitions: PARTITIONS, marginMs: 0, graceMs: 0, mutations: new Set() }),
    new Standings(PARTITIONS),
    PARTITIONS,
  );
  do checkpointer.tick();
  while (wal.checkpointing);
  return keys.sort();
}

describe('an image', () => {
  it('holds values and tombstones of every partition', () => {
    const shelf = new Shelf();
    const keys = Array.from({ length: 500 }, (_, index) => `key-${index}`);
    for (const key of keys) shelf.put(key, 'v');
    expect(imageOf(shelf)).toEqual(keys.sort());
  });

  it('holds what has expired and stands against older versions, though nothing else is in its partition', () => {
    const shelf = new Shelf();
    shelf.store.wallMs = 500;
    shelf.put('k', 'v', { hlc: 20, expireAtMs: 1000 });
    shelf.pass(15);
    shelf.store.wallMs = 1000;
    shelf.store.sweep(1000);
    expect(shelf.store.stats()).toMatchObject({ keys: 0, lapsed: 1 });
    expect(imageOf(shelf)).toEqual(['k']);
  });
});
