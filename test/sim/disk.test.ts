import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { SimDisk } from '../../src/sim/disk.js';
import { diskContract } from '../contract/disk.js';

function simulated(options = {}) {
  const done = new Map<number, Error | null>();
  const due: { atMs: number; run: () => void }[] = [];
  const disk = new SimDisk(
    {
      random: new Random(5),
      schedule: (delayMs, run) => due.push({ atMs: delayMs, run }),
      completed: (token, error) => done.set(token, error),
    },
    options,
  );
  const settle = () => {
    for (const { run } of due.splice(0)) run();
  };
  return { disk, done, settle };
}

diskContract('the simulator', async () => {
  const { disk, done, settle } = simulated();
  let settled = false;
  return {
    disk,
    async completion(token) {
      // What was started before the last settling may have completed with it; nothing completes within its own call.
      if (!settled) expect(done.size).toBe(0);
      settled = true;
      settle();
      expect(done.has(token)).toBe(true);
      return done.get(token) ?? null;
    },
    async release() {},
  };
});

describe('the simulated disk', () => {
  const write = (disk: SimDisk, name: string, text: string) => {
    const file = disk.open(name, true);
    disk.write(file, 0, Buffer.from(text), 0, text.length);
    return file;
  };

  it('may lose at a crash whatever was not synced, and nothing that was', () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { disk } = simulated();
      const file = write(disk, 'a', 'one');
      disk.syncNow(file);
      disk.syncDirectory();
      disk.write(file, 0, Buffer.from('two'), 0, 3);
      write(disk, 'b', 'new');
      disk.crash(new Random(seed));
      expect(disk.list()).toContain('a');
      outcomes.add(`${disk.contents('a')} ${disk.list().includes('b')}`);
    }
    expect([...outcomes].sort()).toEqual(['one false', 'one true', 'two false', 'two true']);
  });

  it('keeps and loses sectors one by one, and directory changes one by one', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { disk } = simulated();
      const file = write(disk, 'a', '-'.repeat(1024));
      disk.syncNow(file);
      disk.syncDirectory();
      disk.write(file, 0, Buffer.alloc(1024, '+'), 0, 1024);
      disk.rename('a', 'b');
      disk.crash(new Random(seed));
      const name = disk.list()[0];
      seen.add(`${name}${disk.contents(name).toString('latin1', 511, 513)}`);
    }
    expect(seen.size).toBe(8);
  });

  it('drops the pages of a failed sync: the cache shows them, a later sync does not write them', () => {
    const { disk, done, settle } = simulated();
    const file = write(disk, 'a', 'one');
    disk.syncNow(file);
    disk.syncDirectory();
    disk.write(file, 0, Buffer.from('two'), 0, 3);
    disk.failNextSyncs(1);
    disk.sync(file, 1);
    settle();
    expect(done.get(1)).toMatchObject({ code: 'EIO' });
    disk.syncNow(file);
    expect(disk.contents('a').toString()).toBe('two');
    disk.crash({ below: (bound) => bound - 1 });
    expect(disk.contents('a').toString()).toBe('one');
  });

  it('does not take what was written after a sync began for synced', () => {
    const { disk, settle } = simulated();
    const file = write(disk, 'a', 'one');
    disk.syncDirectory();
    disk.sync(file, 1);
    disk.write(file, 0, Buffer.from('two'), 0, 3);
    settle();
    disk.crash({ below: () => 0 });
    expect(disk.contents('a').toString()).toBe('one');
  });

  it('delivers nothing of before a crash after it, and runs equal for equal seeds', () => {
    const run = (seed: number) => {
      const { disk, done, settle } = simulated({ shortWriteChance: 0.5 });
      const file = disk.open('a', true);
      const taken = disk.write(file, 0, Buffer.alloc(5000, 1), 0, 5000);
      disk.sync(file, 1);
      disk.crash(new Random(seed));
      settle();
      expect(done.size).toBe(0);
      return `${taken} ${disk.list().map((name) => `${name}${disk.contents(name).toString('hex')}`)}`;
    };
    expect(run(3)).toBe(run(3));
  });

  it('takes what fits when it is nearly full, and refuses when it is full', () => {
    const { disk, done, settle } = simulated({ capacityBytes: 1000 });
    const file = disk.open('a', true);
    expect(disk.write(file, 0, Buffer.alloc(1500), 0, 1500)).toBe(1000);
    expect(() => disk.write(file, 1000, Buffer.alloc(1), 0, 1)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    expect(disk.write(file, 0, Buffer.alloc(1000), 0, 1000)).toBe(1000);
    disk.prepare('spare', 512, 3);
    settle();
    expect(done.get(3)).toMatchObject({ code: 'ENOSPC' });
    expect(disk.list()).toEqual(['a']);
  });
});
