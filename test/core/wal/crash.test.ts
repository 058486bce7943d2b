import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import type { Chooser } from '../../../src/sim/disk.js';
import { PowerLoss } from '../../../src/sim/disk.js';
import { Bench, frames, range } from './harness.js';

/** Runs `run` once for every sequence of choices it can make, up to `most` runs. Returns how many there were. */
function forEveryChoice(most: number, run: (chooser: Chooser) => void): number {
  let script: { chosen: number; bound: number }[] = [];
  for (let runs = 1; ; runs++) {
    let at = 0;
    run({
      below(bound) {
        if (at === script.length) script.push({ chosen: 0, bound });
        return script[at++].chosen;
      },
    });
    script = script.slice(0, at);
    while (script.length > 0 && script[script.length - 1].chosen + 1 === script[script.length - 1].bound) script.pop();
    if (script.length === 0) return runs;
    if (runs >= most) throw new Error('more choices than expected');
    script[script.length - 1].chosen++;
  }
}

/** What came back must hold all that was durable, be a prefix of what was written, and be writable on. */
function judge(bench: Bench, durable: number, written: number): void {
  bench.start();
  expect(bench.ids).toEqual(range(1, bench.ids.length));
  expect(bench.ids.length).toBeGreaterThanOrEqual(durable);
  expect(bench.ids.length).toBeLessThanOrEqual(written);
  expect(bench.recovery.rotFrames).toBe(0);
  const again = bench.ids.length;
  bench.turn([again + 1], 8);
  bench.pass(200);
  if (bench.wal.durableBatch === bench.wal.writtenBatch) bench.disk.crash({ below: () => 0 });
  else bench.disk.kill();
  bench.start();
  expect(bench.ids).toEqual(range(1, again + 1));
  expect(bench.recovery.rotFrames).toBe(0);
}

describe('the log after a power loss', () => {
  it('loses nothing durable in any legal state of a short log, sync in flight or not', () => {
    for (const durability of ['always', 'interval', 'off'] as const) {
      const outcomes = new Set<number>();
      const runs = forEveryChoice(20_000, (chooser) => {
        const bench = new Bench({ durability, intervalMs: 10 }, { syncMsMin: 3, syncMsMax: 3 }).start();
        for (const id of range(1, 6)) {
          bench.turn([id], id % 2 === 0 ? 300 : 40);
          // What is off collects for 10 ms.
          bench.pass(id === 6 ? 0 : durability === 'off' ? 10 : 1);
        }
        const durable = bench.durableId;
        bench.disk.crash(chooser);
        judge(bench, durable, 6);
        outcomes.add(bench.ids.length - 1);
      });
      expect(runs).toBeGreaterThan(4);
      expect(outcomes.size, durability).toBeGreaterThan(1);
    }
  });

  it('loses nothing durable across the change of files', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const durability = (['always', 'interval', 'off'] as const)[seed % 3];
      const bench = new Bench({ durability, fileBytes: 4096 }, { shortWriteChance: 0.2 }, seed).start();
      const written = random.between(1, 60);
      for (const id of range(1, written)) {
        bench.turn([id], random.below(600));
        if (random.chance(0.5)) bench.pass(random.below(8));
      }
      const durable = bench.durableId;
      bench.disk.crash(random);
      judge(bench, durable, written);
    }
  });

  it('loses nothing durable when syncs fail and half-written sectors come back as zeros', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed, 9);
      const bench = new Bench({ fileBytes: 4096 }, { garbledSectors: true, syncMsMax: 4 }, seed).start();
      bench.disk.options.syncErrorChance = 0.2;
      const written = random.between(1, 40);
      for (const id of range(1, written)) {
        bench.turn([id], random.below(300));
        if (random.chance(0.7)) bench.pass(random.below(6));
      }
      bench.disk.options.syncErrorChance = 0;
      const durable = bench.durableId;
      const taken = bench.wal.writtenBatch;
      bench.disk.crash(random);
      judge(bench, durable, taken);
    }
  });

  it('makes durable what a restart read from the cache, before it counts on it', () => {
    const bench = new Bench({ durability: 'off' }).start();
    bench.turn([1, 2]);
    bench.pass(10);
    bench.disk.kill();
    expect(bench.start().ids).toEqual([1, 2]);
    bench.disk.crash({ below: () => 0 });
    expect(bench.start().ids).toEqual([1, 2]);
  });

  it('never reads again what it once cut, even where the batches that took its place rot', () => {
    const bench = new Bench({}, { syncMsMin: 50, syncMsMax: 50 }).start();
    bench.turn([1]);
    bench.pass(50);
    bench.turn([2], 400);
    bench.turn([3], 400);
    const { name, starts } = frames(bench);
    const file = bench.disk.open(name, false);
    bench.disk.write(file, starts[1], Buffer.alloc(8), 0, 8);
    bench.disk.kill();
    expect(bench.start().ids).toEqual([1]);
    expect(bench.recovery.tornTailBytes).toBeGreaterThan(0);
    for (const id of [12, 13, 14]) {
      bench.turn([id]);
      bench.pass(50);
    }
    bench.disk.kill();
    bench.disk.flipBit(frames(bench).name, 0, 0);
    expect(bench.start().ids).toEqual([1, 13, 14]);
    expect(bench.recovery.rotFrames).toBe(1);
  });

  it('survives crash after crash, within recovery too', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed, 3);
      const bench = new Bench({ fileBytes: 4096 }, { garbledSectors: true }, seed).start();
      let next = 1;
      for (let life = 0; life < 6; life++) {
        for (let step = random.below(12); step > 0; step--) {
          bench.turn([next++], random.below(400));
          if (random.chance(0.6)) bench.pass(random.below(6));
        }
        const durable = bench.durableId;
        bench.disk.crash(random);
        bench.disk.powerLossAtCall = bench.disk.calls + random.between(1, 60);
        try {
          bench.start();
        } catch (error) {
          if (!(error instanceof PowerLoss)) throw error;
          bench.disk.crash(random);
          bench.start();
        }
        bench.disk.powerLossAtCall = 0;
        expect(bench.ids.length, `seed ${seed}`).toBeGreaterThanOrEqual(durable);
        expect(bench.ids).toEqual(range(1, bench.ids.length));
        next = bench.ids.length + 1;
        bench.durableId = bench.ids.length;
      }
    }
  });

  it('stands on the old root or on the new one, at whichever call a checkpoint is cut off', () => {
    const script = (bench: Bench): void => {
      bench.start();
      for (const id of range(1, 20)) {
        bench.turn([id], 200);
        if (id % 3 === 0) bench.pass(10);
      }
      bench.pass(20);
      bench.checkpoint(range(1, 20));
      for (const id of range(21, 24)) {
        bench.turn([id]);
        bench.pass(10);
      }
      bench.checkpoint(range(1, 24));
      bench.turn([25]);
      bench.pass(10);
      bench.wal.close();
    };
    const whole = new Bench({ fileBytes: 4096 });
    script(whole);
    expect(whole.wal.stats().checkpoints).toBe(2);
    for (let call = 1; call < whole.disk.calls; call++) {
      for (const chooser of [new Random(call), { below: () => 0 }, { below: (bound: number) => bound - 1 }]) {
        const bench = new Bench({ fileBytes: 4096 });
        bench.disk.powerLossAtCall = call;
        expect(() => script(bench)).toThrow(PowerLoss);
        const durable = bench.durableId;
        bench.disk.crash(chooser);
        bench.start();
        const ids = [...new Set(bench.ids)].sort((left, right) => left - right);
        expect(ids, `call ${call}`).toEqual(range(1, ids.length));
        expect(ids.length, `call ${call}`).toBeGreaterThanOrEqual(durable);
        expect(bench.recovery.rotFrames).toBe(0);
        bench.turn([ids.length + 1]);
        bench.pass(20);
        bench.disk.crash({ below: () => 0 });
        bench.start();
        expect(new Set(bench.ids)).toEqual(new Set(range(1, ids.length + 1)));
      }
    }
  });
});
