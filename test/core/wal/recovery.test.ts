import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/core/base/crc32.js';
import { decodeManifest, encodeManifest, freshManifest } from '../../../src/core/wal/manifest.js';
import { record } from '../record/records.js';
import { Bench, frames, range } from './harness.js';

/** A log with five durable batches of one record each. */
function fiveBatches(seed = 1): Bench {
  const bench = new Bench({}, {}, seed).start();
  for (const id of range(1, 5)) {
    bench.turn([id]);
    bench.pass(20);
  }
  expect(bench.wal.durableBatch).toBe(5);
  bench.disk.kill();
  return bench;
}

describe('recovery of a log', () => {
  it('hands every record out in order, says how far time went, and numbers on', () => {
    const bench = fiveBatches().start();
    expect(bench.ids).toEqual([1, 2, 3, 4, 5]);
    expect(bench.recovery).toMatchObject({ records: 5, batches: 5, maxHlc: 5, rotFrames: 0, tornTailBytes: 0 });
    expect(bench.recovery.cleanShutdown).toBe(false);
    expect(bench.wal.batch).toBe(6);
    bench.turn([6]);
    bench.pass(20);
    bench.wal.close();
    bench.start();
    expect(bench.ids).toEqual([1, 2, 3, 4, 5, 6]);
    expect(bench.recovery.cleanShutdown).toBe(true);
  });

  it('takes the clean stop of a run before the last, of which nothing is left, for none of the last', () => {
    const bench = fiveBatches().start();
    bench.wal.close();
    expect(bench.start().recovery.cleanShutdown).toBe(true);
    bench.disk.kill();
    expect(bench.start().recovery.cleanShutdown).toBe(false);
  });

  it('says how far time went in the versions of expiries too', () => {
    const bench = new Bench().start();
    const bytes = record({ hlc: 5, expireAtMs: 9, expiryHlc: 70, expiryActor: 3 }, 'key', 'value');
    bench.wal.append(bytes, 0, bytes.length);
    bench.pass(20);
    bench.disk.kill();
    expect(bench.start().recovery.maxHlc).toBe(70);
  });

  it('takes a manifest that does not say what was durable for one that knows of nothing', () => {
    const { durableBatch, ...without } = { ...freshManifest(), durableBatch: 9 };
    expect(decodeManifest(encodeManifest({ ...without, durableBatch }))).toMatchObject({ durableBatch: 9 });
    const line = Buffer.from(JSON.stringify(without));
    const seal = crc32(line, 0, line.length).toString(16).padStart(8, '0');
    expect(decodeManifest(Buffer.from(`${line}\n${seal}\n`))).toEqual({ ...without, durableBatch: 0 });
  });

  it('keeps as many spares as the log may need until its next checkpoint, by the budget that its status names', () => {
    const bench = new Bench({ fileBytes: 4096, checkpointMinBytes: 65_536 }).start();
    for (const id of range(1, 40)) {
      bench.turn([id], 2000);
      bench.pass(20);
    }
    bench.checkpoint([40]);
    const { spares, budgetBytes } = bench.wal.stats();
    expect(budgetBytes).toBe(65_536);
    expect(spares).toBeGreaterThan(8);
    bench.disk.kill();
    // One of them is the first file of the new run.
    expect(bench.start().wal.stats()).toMatchObject({ spares: Math.min(spares, 18) - 1, budgetBytes: 65_536 });
  });

  it('keeps what the manifest says of the node across starts', () => {
    const bench = new Bench().start();
    expect(bench.recovery.manifest).toMatchObject({ nodeId: '', boot: 0 });
    bench.wal.setState({ nodeId: 'n1', boot: 1, actor: 2 ** 47, withSay: ['n1', 'n2'] });
    bench.disk.crash({ below: () => 0 });
    bench.start();
    const withSay = ['n1', 'n2'];
    expect(bench.recovery.manifest).toMatchObject({ nodeId: 'n1', boot: 1, actor: 2 ** 47, withSay, formatVersion: 1 });
  });

  it('cuts a tail truncated at any byte of the last two frames, and keeps all before it', () => {
    const whole = fiveBatches();
    const { name, starts, ends } = frames(whole);
    const image = whole.disk.contents(name);
    for (let length = starts[3]; length < ends[4]; length++) {
      const bench = fiveBatches();
      const file = bench.disk.open(name, false);
      bench.disk.write(file, length, Buffer.alloc(image.length - length), 0, image.length - length);
      bench.disk.close(file);
      bench.start();
      const lost = (frame: number) => image.subarray(length, ends[frame]).some((byte) => byte !== 0);
      const expected = lost(3) ? 3 : lost(4) ? 4 : 5;
      expect(bench.ids, `cut at ${length}`).toEqual(range(1, expected));
      expect(bench.recovery.rotFrames, `cut at ${length}`).toBe(0);
      bench.turn([9]);
      bench.pass(20);
      bench.disk.kill();
      bench.start();
      expect(bench.ids, `cut at ${length}, written on`).toEqual([...range(1, expected), 9]);
    }
  });

  it('takes any flipped bit in the middle for rot: sets it aside, reads on, and finds the same again', () => {
    const { name, starts, ends } = frames(fiveBatches());
    for (let bit = starts[2] * 8; bit < ends[2] * 8; bit++) {
      const bench = fiveBatches();
      bench.disk.flipBit(name, bit >> 3, bit & 7);
      bench.start();
      expect(bench.ids, `bit ${bit}`).toEqual([1, 2, 4, 5]);
      expect(bench.recovery.rotFrames).toBe(1);
      expect(bench.disk.list().some((name) => name.startsWith('rot-'))).toBe(true);
      bench.disk.kill();
      bench.start();
      expect(bench.ids).toEqual([1, 2, 4, 5]);
      expect(bench.recovery.rotFrames).toBe(1);
    }
  });

  it('takes any flipped bit in the last frame for a torn tail and cuts it', () => {
    const { name, starts, ends } = frames(fiveBatches());
    for (let bit = starts[4] * 8; bit < ends[4] * 8; bit++) {
      const bench = fiveBatches();
      bench.disk.flipBit(name, bit >> 3, bit & 7);
      bench.start();
      expect(bench.ids, `bit ${bit}`).toEqual([1, 2, 3, 4]);
      expect(bench.recovery.rotFrames).toBe(0);
      bench.turn([6]);
      bench.pass(20);
      bench.disk.kill();
      bench.start();
      expect(bench.ids).toEqual([1, 2, 3, 4, 6]);
      expect(bench.recovery.rotFrames).toBe(0);
    }
  });

  it('copies a torn tail aside and keeps one at most', () => {
    const bench = fiveBatches();
    for (const last of [5, 6]) {
      const { name, ends } = frames(bench);
      bench.disk.flipBit(name, (ends.at(-1) as number) - 1, 0);
      bench.start();
      expect(bench.recovery.tornTailBytes).toBeGreaterThan(0);
      expect(bench.recovery.notes).toHaveLength(1);
      expect(bench.disk.list().filter((name) => name.startsWith('torn-'))).toHaveLength(1);
      bench.turn([last]);
      bench.pass(20);
      bench.disk.kill();
    }
  });

  it('survives two crashes with a shorter append between them', () => {
    const bench = new Bench().start();
    for (const id of range(1, 4)) {
      bench.turn([id, id + 100], 200);
      if (id < 3) bench.pass(20);
    }
    let step = 0;
    bench.disk.crash({ below: (bound) => (step++ % 3 === 0 ? 0 : bound - 1) });
    bench.start();
    const first = [...bench.ids];
    expect(first.slice(0, 4)).toEqual([1, 101, 2, 102]);
    bench.turn([50], 8);
    bench.pass(20);
    bench.disk.crash({ below: () => 0 });
    bench.start();
    expect(bench.ids).toEqual([...first, 50]);
    expect(bench.recovery.rotFrames).toBe(0);
  });

  it('reads nothing of an earlier use of a recycled file, though its frames fall in the same places', () => {
    const bench = new Bench({ fileBytes: 4096 }).start();
    for (const id of range(1, 30)) {
      bench.turn([id]);
      bench.pass(20);
    }
    bench.checkpoint([30]);
    expect(bench.wal.stats().filesRecycled).toBeGreaterThan(0);
    for (const id of range(31, 40)) {
      bench.turn([id]);
      bench.pass(20);
    }
    bench.disk.kill();
    bench.start();
    expect(bench.ids).toEqual(range(30, 40));
    expect(bench.recovery).toMatchObject({ rotFrames: 0, tornTailBytes: 0 });
  });

  it('finds no record in files of zeros, and refuses logs without a manifest', () => {
    const bench = new Bench().start();
    bench.disk.kill();
    bench.start();
    expect(bench.recovery).toMatchObject({ records: 0, batches: 0, tornTailBytes: 0, rotFrames: 0 });
    expect(bench.disk.list().filter((name) => name.startsWith('log-'))).toHaveLength(1);
    bench.turn([1]);
    bench.disk.remove('manifest');
    expect(() => bench.start()).toThrow(expect.objectContaining({ code: 'DATADIR' }));
  });

  it('refuses a damaged manifest, whichever byte it is', () => {
    const { disk } = fiveBatches();
    for (let byte = 0; byte < disk.contents('manifest').length; byte++) {
      const bench = fiveBatches();
      bench.disk.flipBit('manifest', byte, byte % 8);
      expect(() => bench.start(), `byte ${byte}`).toThrow(expect.objectContaining({ code: 'DATADIR' }));
    }
  });

  it('tells two log files that were swapped, and says what is lost', () => {
    const bench = new Bench({ fileBytes: 4096 }).start();
    for (const id of range(1, 40)) {
      bench.turn([id]);
      bench.pass(20);
    }
    bench.disk.kill();
    const logs = bench.disk
      .list()
      .filter((name) => name.startsWith('log-'))
      .sort();
    expect(logs.length).toBeGreaterThan(3);
    bench.disk.rename(logs[0], 'swap');
    bench.disk.rename(logs[1], logs[0]);
    bench.disk.rename('swap', logs[1]);
    bench.start();
    expect(bench.recovery.rotFrames + bench.ids.length).toBe(40);
    expect(bench.ids.at(-1)).toBe(40);
  });

  it('refuses when the image that the manifest names is missing, and counts what an image lost', () => {
    const bench = new Bench().start();
    bench.turn(range(1, 20));
    bench.pass(20);
    bench.checkpoint(range(1, 20));
    bench.turn([21]);
    bench.pass(20);
    bench.disk.kill();
    const image = bench.disk.list().find((name) => name.startsWith('image-')) as string;
    const size = bench.disk.contents(image).length;
    const file = bench.disk.open(image, false);
    bench.disk.truncate(file, size - 1);
    bench.disk.close(file);
    bench.start();
    expect(bench.recovery.rotFrames).toBe(1);
    expect(bench.ids.filter((id) => id <= 21)).toEqual(range(1, 21));
    bench.disk.kill();
    bench.disk.flipBit(image, 100, 3);
    bench.start();
    expect(bench.recovery.rotFrames).toBeGreaterThan(0);
    expect(bench.ids).toEqual([21]);
    bench.disk.kill();
    bench.disk.remove(image);
    expect(() => bench.start()).toThrow(expect.objectContaining({ code: 'DATADIR' }));
  });

  it('throws nothing but DATADIR, and allocates nothing absurd, for files of noise', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const bench = fiveBatches(seed);
      const { name } = frames(bench);
      for (let hit = 0; hit < 60; hit++) bench.disk.flipBit(name, bench.random.below(4096), bench.random.below(8));
      bench.start();
      expect(bench.ids.every((id) => id >= 1 && id <= 5)).toBe(true);
      bench.turn([6]);
      bench.pass(20);
      bench.disk.kill();
      bench.start();
      expect(bench.ids.at(-1)).toBe(6);
    }
  });
});
