import { describe, expect, it } from 'vitest';
import { Bench, frames, range, record } from './harness.js';

describe('the log under its policies', () => {
  it('calls a batch durable only when a sync started after its write has returned', () => {
    const bench = new Bench({}, { syncMsMin: 5, syncMsMax: 5 }).start();
    bench.turn([1]);
    expect(bench.wal).toMatchObject({ batch: 2, writtenBatch: 1, durableBatch: 0 });
    bench.pass(2);
    bench.turn([2]);
    bench.turn([3]);
    bench.pass(3);
    expect(bench.wal.durableBatch).toBe(1);
    bench.pass(5);
    expect(bench.wal.durableBatch).toBe(3);
    const { syncs } = bench.wal.stats();
    bench.pass(100);
    expect(bench.wal.stats().syncs).toBe(syncs);
  });

  it('syncs once per interval, and never when it is off', () => {
    const bench = new Bench({ durability: 'interval', intervalMs: 100 }).start();
    for (const id of range(1, 40)) {
      bench.turn([id]);
      bench.pass(10);
    }
    expect(bench.wal.stats().syncs).toBeGreaterThanOrEqual(4);
    expect(bench.wal.stats().syncs).toBeLessThanOrEqual(6);
    bench.pass(200);
    expect(bench.wal.durableBatch).toBe(40);
    const off = new Bench({ durability: 'off' }).start();
    off.turn(range(1, 300));
    off.pass(500);
    expect(off.wal.stats()).toMatchObject({ syncs: 0, durableBatch: 0, keptBytes: 0 });
    off.disk.kill();
    expect(off.start().ids).toEqual(range(1, 300));
  });

  it('collects over turns when it is off: 10 ms, or until a tick, or until a chunk is full', () => {
    const bench = new Bench({ durability: 'off', fileBytes: 1 << 20 }).start();
    bench.turn([1]);
    expect(bench.wal).toMatchObject({ writtenBatch: 0, releasedBatch: 1, lastBatch: 1 });
    bench.pass(9);
    bench.turn([2]);
    expect(bench.wal.writtenBatch).toBe(0);
    bench.pass(1);
    expect(bench.wal).toMatchObject({ writtenBatch: 1, releasedBatch: 1, batch: 2 });
    bench.turn([3]);
    bench.wal.tick();
    bench.turn([4]);
    expect(bench.wal.writtenBatch).toBe(2);
    bench.turn(range(5, 36), 10_000);
    expect(bench.wal).toMatchObject({ writtenBatch: 3, releasedBatch: 4 });
    bench.disk.kill();
    const ids = bench.start().ids;
    expect(ids).toEqual(range(1, ids.length));
    expect(ids.length).toBeGreaterThan(20);
    expect(ids.length).toBeLessThan(36);
  });

  it('writes what collects at a close and before a checkpoint, when it is off', () => {
    const bench = new Bench({ durability: 'off' }).start();
    bench.turn([1]);
    bench.wal.close();
    expect(bench.start().recovery.cleanShutdown).toBe(true);
    expect(bench.ids).toEqual([1]);
    bench.turn([2]);
    bench.wal.beginCheckpoint();
    expect(bench.wal.writtenBatch).toBe(bench.wal.batch - 1);
  });

  it('gives room for every record it said it had room for, across chunks and files', () => {
    const bench = new Bench({ durability: 'interval', fileBytes: 4096 }).start();
    for (const id of range(1, 300)) {
      const bytes = record(id, (id * 37) % 5000);
      expect(bench.wal.hasRoom(bytes.length)).toBe(true);
      expect(bench.wal.append(bytes, 0, bytes.length)).toBe(true);
      if (id % 3 === 0) bench.wal.turnEnded(id);
      if (id % 7 === 0) bench.pass(10);
    }
    for (let step = 0; step < 5; step++) bench.pass(200);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual(range(1, 300));
  });

  it('syncs before the interval is over when half of what it may keep is unsynced, and keeps no more', () => {
    const bench = new Bench(
      { durability: 'interval', intervalMs: 1_000_000, fileBytes: 16 << 20 },
      { syncMsMin: 5, syncMsMax: 5 },
    ).start();
    bench.turn([1]);
    bench.pass(20);
    for (const id of range(2, 7)) bench.turn([id], 500_000);
    bench.pass(20);
    const { syncs } = bench.wal.stats();
    for (const id of range(8, 12)) bench.turn([id], 500_000);
    expect(bench.wal.stats().syncs).toBe(syncs + 1);
    for (const id of range(13, 60)) {
      bench.turn([id], 500_000);
      expect(bench.wal.stats().keptBytes).toBeLessThanOrEqual(8 << 20);
    }
    expect(bench.wal.stats().batchesNotKept).toBeGreaterThan(0);
  });

  it('splits a turn that outgrows a file, and takes one record that is larger than any file', () => {
    const bench = new Bench({ fileBytes: 4096 }).start();
    expect(bench.turn(range(1, 60))).toBe(true);
    expect(bench.wal.writtenBatch).toBeGreaterThan(1);
    bench.pass(100);
    expect(bench.turn([61], 100_000)).toBe(true);
    bench.pass(100);
    bench.turn([62]);
    bench.pass(100);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual(range(1, 62));
  });

  it('acknowledges nothing of a failed sync, writes it again elsewhere and syncs that', () => {
    const bench = new Bench({}, { syncMsMin: 2, syncMsMax: 2 }).start();
    bench.turn([1]);
    bench.pass(10);
    bench.disk.failNextSyncs(1);
    bench.turn([2]);
    bench.turn([3]);
    bench.pass(2);
    expect(bench.wal.durableBatch).toBe(1);
    expect(bench.wal.refusal).toBeNull();
    bench.turn([4]);
    bench.pass(10);
    expect(bench.wal.durableBatch).toBe(4);
    expect(bench.wal.stats()).toMatchObject({ syncsFailed: 1, keptBytes: 0 });
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual([1, 2, 3, 4]);
    expect(bench.recovery.rotFrames).toBe(0);
  });

  it('fails for good when the second sync fails too, and what was durable is there after a restart', () => {
    const bench = new Bench().start();
    bench.turn([1]);
    bench.pass(10);
    bench.disk.failNextSyncs(2);
    bench.turn([2]);
    bench.pass(50);
    expect(bench.wal.refusal).toBe('DISKFAILED');
    expect(bench.turn([3])).toBe(false);
    bench.pass(5000);
    expect(bench.wal).toMatchObject({ refusal: 'DISKFAILED', durableBatch: 1 });
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual([1]);
  });

  it('asks for a checkpoint when a sync failed for bytes it keeps no more, and is durable again by it', () => {
    const bench = new Bench({ durability: 'interval', fileBytes: 4096 }, { syncMsMin: 50, syncMsMax: 50 }).start();
    for (const id of range(1, 60)) bench.turn([id], 300);
    bench.disk.failNextSyncs(1);
    expect(bench.wal.stats().batchesNotKept).toBeGreaterThan(0);
    bench.pass(300);
    expect(bench.wal.durableBatch).toBe(0);
    expect(bench.wal.wantsCheckpoint(Number.MAX_SAFE_INTEGER)).toBe(true);
    bench.checkpoint(range(1, 60));
    expect(bench.wal.wantsCheckpoint(Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(bench.wal.durableBatch).toBe(60);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual(range(1, 60));
  });

  it('refuses with BUSY under always when too much waits for a slow disk, and heals', () => {
    const bench = new Bench({ fileBytes: 4096 }, { syncMsMin: 100, syncMsMax: 100 }).start();
    let id = 1;
    while (bench.turn([id], 300)) id++;
    expect(bench.wal.refusal).toBe('BUSY');
    bench.pass(1000);
    expect(bench.wal.hasRoom(300)).toBe(true);
    expect(bench.wal).toMatchObject({ refusal: null, durableBatch: id - 1 });
  });

  it('refuses before applying when there is no room for the next file, and heals when there is', () => {
    const bench = new Bench({ fileBytes: 4096 }, { capacityBytes: 14_000 }).start();
    let id = 1;
    while (id < 200 && bench.wal.hasRoom(200)) {
      expect(bench.turn([id], 150)).toBe(true);
      bench.pass(10);
      id++;
    }
    expect(bench.wal.refusal).toBe('NOSPACE');
    expect(bench.wal.durableBatch).toBe(id - 1);
    expect(bench.turn([999])).toBe(false);
    bench.pass(5000);
    expect(bench.wal.refusal).toBe('NOSPACE');
    bench.disk.options.capacityBytes = 100_000;
    bench.pass(2500);
    expect(bench.wal.refusal).toBeNull();
    bench.turn([id]);
    bench.pass(20);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual(range(1, id));
  });

  it('keeps a batch whose write failed, takes no more, and writes it when the disk does', () => {
    for (const code of ['ENOSPC', 'EIO'] as const) {
      const bench = new Bench().start();
      bench.turn([1]);
      bench.pass(10);
      bench.disk.failNextWrite(code);
      bench.turn([2]);
      expect(bench.wal).toMatchObject({ refusal: 'NOSPACE', writtenBatch: 1 });
      expect(bench.turn([3])).toBe(false);
      bench.pass(1000);
      expect(bench.wal).toMatchObject({ refusal: null, writtenBatch: 2 });
      bench.turn([4]);
      bench.pass(10);
      bench.disk.crash({ below: () => 0 });
      expect(bench.start().ids).toEqual([1, 2, 4]);
    }
  });

  it('writes no sector again that a sync has covered when it takes back a frame that could not be written', () => {
    const bench = new Bench().start();
    bench.turn([1]);
    bench.pass(10);
    expect(bench.wal.durableBatch).toBe(1);
    bench.disk.options.garbledSectors = true;
    bench.disk.failNextWrite('ENOSPC');
    bench.turn([2]);
    // Every sector that is being written when the power goes reads as zeros.
    bench.disk.crash({ below: (bound) => Math.max(0, bound - 2) });
    expect(bench.start().ids).toEqual([1]);
  });

  it('starts on a full disk, reads everything and takes nothing', () => {
    const bench = new Bench({ fileBytes: 4096 }).start();
    for (const id of range(1, 30)) {
      bench.turn([id], 300);
      bench.pass(10);
    }
    bench.wal.close();
    const newest = frames(bench).name;
    const blank = (name: string) => name.startsWith('spare-') || (name.startsWith('log-') && name > newest);
    for (const name of bench.disk.list().filter(blank)) bench.disk.remove(name);
    bench.disk.options.capacityBytes = bench.disk
      .list()
      .reduce((sum, name) => sum + bench.disk.contents(name).length, 1000);
    bench.start();
    expect(bench.ids).toEqual(range(1, 30));
    expect(bench.turn([31])).toBe(false);
    expect(bench.wal.refusal).toBe('NOSPACE');
    bench.disk.options.capacityBytes = 1_000_000;
    bench.pass(3000);
    expect(bench.turn([31])).toBe(true);
  });
});

describe('a checkpoint', () => {
  it('replaces the log by an image, recycles its files and keeps what came meanwhile', () => {
    const bench = new Bench({ fileBytes: 4096, checkpointMinBytes: 8192 }).start();
    for (const id of range(1, 80)) {
      bench.turn([id]);
      bench.pass(5);
    }
    expect(bench.wal.wantsCheckpoint(0)).toBe(true);
    expect(bench.wal.wantsCheckpoint(1_000_000)).toBe(false);
    const before = bench.wal.stats().logBytes;
    bench.wal.beginCheckpoint();
    expect(bench.wal.checkpointing).toBe(true);
    for (const id of range(41, 80)) {
      const bytes = record(id);
      expect(bench.wal.checkpointRecord(bytes, 0, bytes.length)).toBe(true);
      if (id % 10 === 0) bench.turn([id + 1000]);
    }
    bench.wal.endCheckpoint();
    bench.pass(50);
    expect(bench.wal.checkpointing).toBe(false);
    expect(bench.wal.stats().logBytes).toBeLessThan(before);
    bench.disk.crash({ below: () => 0 });
    bench.start();
    expect(bench.ids).toEqual([...range(41, 80), 1050, 1060, 1070, 1080]);
    expect(bench.disk.list().filter((name) => name.startsWith('image-'))).toHaveLength(1);
  });

  it('makes batches durable that no sync covered', () => {
    const bench = new Bench({ durability: 'off' }).start();
    bench.turn([1, 2, 3]);
    bench.checkpoint([1, 2, 3]);
    expect(bench.wal.durableBatch).toBe(1);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual([1, 2, 3]);
  });

  it('waits for the sync of its footer, though an earlier one returns first', () => {
    const bench = new Bench({ durability: 'off' }, { syncMsMin: 50, syncMsMax: 50 }).start();
    bench.wal.beginCheckpoint();
    for (const id of range(1, 10)) {
      const bytes = record(id, 1_000_000);
      expect(bench.wal.checkpointRecord(bytes, 0, bytes.length)).toBe(true);
      bench.wal.turnEnded(0);
    }
    bench.wal.endCheckpoint();
    bench.pass(60);
    expect(bench.wal.checkpointing).toBe(true);
    bench.pass(60);
    expect(bench.wal.checkpointing).toBe(false);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual(range(1, 10));
  });

  it('is abandoned without harm when its sync fails or there is no room', () => {
    for (const fault of ['sync', 'room'] as const) {
      const bench = new Bench({ durability: 'off' }).start();
      bench.turn([1, 2, 3]);
      bench.pass(10);
      bench.wal.beginCheckpoint();
      const bytes = record(9, 300_000);
      if (fault === 'sync') bench.disk.failNextSyncs(1);
      else bench.disk.options.capacityBytes = 50_000;
      const taken = [1, 2].map(() => bench.wal.checkpointRecord(bytes, 0, bytes.length));
      expect(taken).toEqual(fault === 'sync' ? [true, true] : [true, false]);
      bench.wal.endCheckpoint();
      bench.pass(50);
      expect(bench.wal.checkpointing).toBe(false);
      expect(bench.wal.stats()).toMatchObject({ checkpoints: 0, checkpointsAbandoned: 1 });
      expect(bench.disk.list().some((name) => name.startsWith('image-'))).toBe(false);
      expect(bench.wal.wantsCheckpoint(0)).toBe(false);
      bench.disk.kill();
      expect(bench.start().ids).toEqual([1, 2, 3]);
    }
  });

  it('moves on to a file whose name was made durable before, and back when a longer one must come first', () => {
    const bench = new Bench({ durability: 'interval', fileBytes: 4096 }).start();
    bench.turn([1]);
    bench.pass(50);
    const logs = () => bench.disk.list().filter((name) => name.startsWith('log-'));
    expect(logs()).toHaveLength(2);
    const { calls } = bench.disk;
    bench.turn(range(2, 42));
    expect(logs()).toHaveLength(2);
    // The frame that begins the next file, the sync of what is left in the first, and the spare that is prepared.
    expect(bench.disk.calls - calls).toBeLessThanOrEqual(3);
    bench.pass(50);
    bench.turn(range(43, 60));
    bench.pass(50);
    bench.turn([61], 50_000);
    bench.turn([62]);
    for (let step = 0; step < 5; step++) bench.pass(200);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual([...range(1, 42), ...range(43, 62)]);
    expect(bench.recovery.rotFrames).toBe(0);
  });

  it('keeps as many files for reuse as the log will need, and makes no new one in a steady state', () => {
    const bench = new Bench({ durability: 'interval', fileBytes: 4096, checkpointMinBytes: 8192 }).start();
    const live = 100_000;
    let id = 1;
    const cycle = () => {
      while (!bench.wal.wantsCheckpoint(live)) {
        bench.turn([id++], 1000);
        bench.pass(2);
      }
      bench.checkpoint([id - 1]);
      bench.pass(50);
    };
    cycle();
    const prepared = () => bench.disk.list().filter((name) => /^(log|spare)-/.test(name)).length;
    const files = prepared();
    expect(bench.wal.stats().filesRecycled).toBeGreaterThan(20);
    for (let round = 0; round < 3; round++) cycle();
    expect(prepared()).toBeLessThanOrEqual(files + 2);
    bench.wal.wantsCheckpoint(0);
    bench.checkpoint([id - 1]);
    expect(bench.wal.stats().spares).toBeLessThanOrEqual(4);
  });

  it('uses as many files again as it goes through, when it grows by half of its budget while an image is copied', () => {
    const bench = new Bench({ durability: 'interval', fileBytes: 4096, checkpointMinBytes: 32_768 }).start();
    let id = 1;
    const grow = (bytes: number) => {
      for (const end = bench.wal.stats().logBytes + bytes; bench.wal.stats().logBytes < end; ) {
        bench.turn([id++], 500);
        bench.pass(2);
      }
    };
    const cycle = () => {
      while (!bench.wal.wantsCheckpoint(0)) grow(500);
      bench.wal.beginCheckpoint();
      const bytes = record(id - 1);
      bench.wal.checkpointRecord(bytes, 0, bytes.length);
      grow(16_384);
      bench.wal.endCheckpoint();
      for (let step = 0; step < 20 && bench.wal.checkpointing; step++) bench.pass(10);
      bench.pass(50);
    };
    for (let round = 0; round < 3; round++) cycle();
    const before = bench.wal.stats();
    for (let round = 0; round < 5; round++) cycle();
    const { filesRolled, filesRecycled } = bench.wal.stats();
    expect(filesRolled - before.filesRolled).toBeGreaterThan(30);
    expect(filesRecycled - before.filesRecycled).toBe(filesRolled - before.filesRolled);
  });

  it('bounds the directory over many starts and checkpoints', () => {
    const bench = new Bench({ fileBytes: 4096, checkpointMinBytes: 16_384 });
    for (let life = 0; life < 40; life++) {
      bench.start();
      bench.turn([life + 1]);
      bench.pass(20);
      if (bench.wal.wantsCheckpoint(0)) bench.checkpoint([life + 1]);
      if (life % 2 === 0) bench.wal.close();
      else bench.disk.kill();
    }
    expect(bench.disk.list().length).toBeLessThan(20);
    expect(bench.disk.contents('manifest').length).toBeLessThan(1000);
  });
});
