/** A disk that refuses: failed syncs, no room, short calls, no descriptors, read-only. Refused by name, nothing promised lost. */
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../../../src/core/base/errors.js';
import { Random } from '../../../../src/core/base/random.js';
import { type Call, FaultyDisk } from './faulty-disk.js';
import { EXHAUSTIVE, judge, judgeAll, POLICIES, type Policy, Rig } from './rig.js';

const TIMEOUT_MS = 600_000;

/** Twenty writes of a few keys, a change of files, a checkpoint and more writes. Whatever is refused is refused by name. */
function work(rig: Rig): void {
  for (let write = 1; write <= 14; write++) {
    if (!rig.write(`k${write % 5}`, write % 6 === 0 ? -1 : 500)) expect(rig.wal.refusal).not.toBeNull();
    rig.nowMs += 3;
    rig.turn();
    rig.land();
  }
  rig.pass(12);
  rig.checkpoint();
  for (let write = 1; write <= 4; write++) {
    rig.write(`k${write}`, 300);
    rig.pass(5);
  }
}

function live(durability: Policy): Rig {
  return new Rig(new FaultyDisk(), { durability }).start();
}

/** After a kill, and after a loss of power that keeps only what is durable. */
function judgeEnd(rig: Rig, context: string): void {
  judge(rig, rig.disk.contents(), { killed: true, prefix: false }, context);
  rig.disk.crashStates(3, rig.random, (files) => {
    judge(rig, files, { prefix: false }, context);
  });
}

describe.each(POLICIES)('under %s, a sync that fails once and then says done', (durability) => {
  it(
    'acknowledges nothing of what it lost, whichever sync it is',
    () => {
      let failed = 0;
      for (let skip = 0; skip < (EXHAUSTIVE ? 24 : 6); skip++) {
        const rig = live(durability);
        rig.disk.faults.push({ call: 'sync', name: /^log-/, code: 'EIO', times: 1, skip });
        judgeAll(rig, { prefix: false }, work, EXHAUSTIVE ? 128 : 2);
        failed += rig.wal.stats().syncsFailed;
        expect(rig.wal.refusal).toBeNull();
      }
      expect(failed > 0).toBe(durability !== 'off');
    },
    TIMEOUT_MS,
  );

  it('is never asked of the same file again', () => {
    const rig = live(durability);
    rig.disk.faults.push({ call: 'sync', name: /^log-/, code: 'EIO', times: 1 });
    const before = rig.disk.calls.length;
    work(rig);
    const syncs = rig.disk.calls.slice(before).filter((call) => call.startsWith('sync log-'));
    if (durability !== 'off') expect(syncs.slice(1)).not.toContain(syncs[0]);
  });
});

/** A process that ends with `second` on a cache that shows it as sound and clean, though no sync put it on the disk. */
function failedForGood(durability: Policy): Rig {
  const rig = live(durability);
  rig.write('first');
  rig.pass(25);
  rig.write('second');
  rig.disk.faults.push({ call: 'sync', name: /^log-/, code: 'EIO', times: 2 });
  rig.pass(25);
  expect(rig.wal.refusal).toBe('DISKFAILED');
  expect(rig.promised.durable).toBe(1);
  return rig;
}

/** The next process on the same cache. */
function onSameCache(rig: Rig, durability: Policy, seed: number): Rig {
  rig.disk.kill();
  return new Rig(rig.disk, { durability }, rig.ledger, rig.promised, seed).start();
}

describe('a sync that failed for good', () => {
  it.each(['always', 'interval'] as const)(
    'is not forgotten by the next process on the same cache: what it calls durable survives a loss of power, under %s',
    (durability) => {
      const rig = failedForGood(durability);
      const next = onSameCache(rig, durability, 2);
      expect([...next.found.keys()]).toEqual([1, 2]);
      expect(next.wal.durableBatch).toBe(2);
      next.disk.crashStates(256, next.random, (files) => {
        expect([...next.next(files, 3).start().found.keys()]).toEqual([1, 2]);
      });
    },
  );

  it('while the log was closed is no shutdown that the next process may trust', () => {
    for (const skip of [0, 1]) {
      const rig = live('interval');
      rig.write('first');
      rig.pass(25);
      rig.write('second');
      rig.disk.faults.push({ call: 'sync', name: /^log-/, code: 'EIO', times: 1, skip });
      rig.wal.close();
      const next = onSameCache(rig, 'always', 2);
      expect(next.wal.durableBatch).toBe(next.wal.writtenBatch);
      next.disk.crashStates(256, next.random, (files) => {
        expect([...next.next(files, 3).start().found.keys()]).toEqual([1, 2]);
      });
    }
  });

  it('costs a second start nothing, nor one after a shutdown in order: what is proven is not written again', () => {
    const rig = failedForGood('interval');
    let next = onSameCache(rig, 'interval', 2);
    const { logBytes } = next.wal.stats();
    for (let life = 3; life < 9; life++) next = onSameCache(next, 'interval', life);
    expect(next.wal.stats().logBytes).toBe(logBytes);
    next.write('third');
    next.pass(25);
    next.wal.close();
    const before = next.disk.calls.length;
    const last = onSameCache(next, 'interval', 9);
    expect(last.recovery.cleanShutdown).toBe(true);
    expect(last.found.size).toBe(3);
    expect(last.disk.calls.slice(before).some((call) => call.startsWith('create log-'))).toBe(false);
  });

  it('is not called made good under a policy that promises nothing, nor when there is no room, until a checkpoint is durable', () => {
    expect(onSameCache(failedForGood('interval'), 'off', 2).wal.durableBatch).toBe(1);
    const rig = failedForGood('always');
    const used = [...rig.disk.contents().values()].reduce((sum, bytes) => sum + bytes.length, 0);
    rig.disk.options.capacityBytes = used + 300;
    rig.disk.kill();
    const next = new Rig(rig.disk, {}, rig.ledger, rig.promised, 2);
    next.disk.faults.push({ call: 'write', name: /^log-/, code: 'ENOSPC', times: 1 });
    next.start();
    expect([...next.found.keys()]).toEqual([1, 2]);
    expect(next.wal.durableBatch).toBe(1);
    expect(next.wal.wantsCheckpoint(0)).toBe(true);
    next.disk.crashStates(64, next.random, (files) => {
      judge(rig, files, { prefix: true });
    });
    next.disk.options.capacityBytes = 1_000_000;
    next.pass(3000);
    next.checkpoint();
    expect(next.wal.durableBatch).toBeGreaterThanOrEqual(2);
    next.disk.crashStates(64, next.random, (files) => {
      expect([...next.next(files, 3).start().found.keys()].sort()).toEqual([1, 2]);
    });
  });
});

describe('a single call that fails, whichever it is', () => {
  const CODES: Partial<Record<Call, 'EIO' | 'ENOSPC' | 'EMFILE'>> = {
    open: 'EMFILE',
    write: 'ENOSPC',
    prepare: 'ENOSPC',
  };
  const calls: Call[] = ['open', 'write', 'truncate', 'sync', 'prepare', 'rename', 'remove', 'syncDirectory'];

  it.each(calls)(
    'of %s while the log runs loses nothing and throws nothing',
    (call) => {
      for (const durability of POLICIES) {
        for (let skip = 0; skip < (EXHAUSTIVE ? 60 : call === 'write' || call === 'sync' ? 18 : 6); skip++) {
          const rig = live(durability);
          rig.disk.faults.push({ call, code: CODES[call] ?? 'EIO', times: 1, skip });
          work(rig);
          rig.disk.faults.length = 0;
          rig.pass(2500);
          const context = `${call} ${skip} under ${durability}`;
          expect(rig.wal.refusal === null || rig.wal.refusal === 'DISKFAILED', context).toBe(true);
          judgeEnd(rig, context);
        }
      }
    },
    TIMEOUT_MS,
  );

  it.each([...calls, 'read'] as Call[])(
    'of %s at a start is a refusal with one name, or harmless, and the next start is whole',
    (call) => {
      const rig = live('always');
      work(rig);
      rig.write('torn', 200);
      rig.turn();
      const files = rig.disk.contents();
      let refusals = 0;
      for (let skip = 0; skip < 25; skip++) {
        const next = rig.next(files);
        next.disk.faults.push({ call, code: CODES[call] ?? 'EIO', times: 1, skip });
        try {
          next.start();
        } catch (error) {
          expect(error).toBeInstanceOf(HearsayError);
          expect(error).toMatchObject({ code: 'DATADIR' });
          refusals++;
        }
        judge(rig, next.disk.contents(), { killed: true, prefix: false }, `${call} ${skip}`);
      }
      if (call === 'open' || call === 'read') expect(refusals).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe('a disk without room', () => {
  it(
    'takes part of a frame and then nothing: the part is never read, and what was taken in stays',
    () => {
      for (let capacity = 9000; capacity < 26_000; capacity += EXHAUSTIVE ? 64 : 2741) {
        for (const durability of POLICIES) {
          const rig = live(durability);
          rig.disk.options.capacityBytes = capacity;
          judgeAll(rig, { prefix: false }, work, 1);
          rig.disk.options.capacityBytes = 1_000_000;
          rig.pass(3000);
          expect(rig.wal.refusal, `${capacity} under ${durability}`).toBeNull();
          expect(rig.write('after'), `${capacity} under ${durability}`).toBe(true);
          rig.pass(20);
          judgeEnd(rig, `${capacity} under ${durability}`);
        }
      }
    },
    TIMEOUT_MS,
  );

  it('refuses by name before anything changes, and goes on when there is room', () => {
    const rig = live('always');
    rig.disk.options.capacityBytes = 12_000;
    for (let write = 0; write < 60; write++) {
      rig.write('k', 300);
      rig.pass(3);
    }
    expect(rig.wal.refusal).toBe('NOSPACE');
    const taken = rig.ledger.length;
    expect(rig.promised).toEqual({ durable: taken, handed: taken });
    expect(rig.write('k', 300)).toBe(false);
    rig.disk.options.capacityBytes = 100_000;
    rig.pass(3000);
    expect(rig.wal.refusal).toBeNull();
  });

  it('heals though a checkpoint moved on to an empty file while there was none', () => {
    const rig = live('always');
    rig.disk.options.capacityBytes = 9000;
    for (let write = 0; write < 12; write++) {
      rig.write('k', 500);
      rig.pass(3);
    }
    expect(rig.wal.refusal).toBe('NOSPACE');
    rig.checkpoint();
    rig.disk.options.capacityBytes = 1_000_000;
    rig.pass(3000);
    expect(rig.wal.refusal).toBeNull();
    expect(rig.write('k')).toBe(true);
  });

  it('may not hold the parts of a spare that was never filled: a spare is filled before it counts', () => {
    const rig = live('always');
    work(rig);
    for (const [name, bytes] of rig.disk.contents()) {
      if (!name.startsWith('spare-')) continue;
      expect(bytes.length, name).toBe(4096);
    }
    const prepared = rig.disk.calls.findIndex((call) => call.startsWith('prepare spare-'));
    const used = rig.disk.calls.findIndex((call) => call.startsWith('rename spare-'));
    expect(prepared).toBeGreaterThanOrEqual(0);
    expect(used).toBeGreaterThan(prepared);
  });
});

describe('a disk that takes and gives less than it was asked', () => {
  it.each(POLICIES)(
    'is asked again until all of it is there, under %s',
    (durability) => {
      for (let seed = 1; seed <= (EXHAUSTIVE ? 100 : 2); seed++) {
        const rig = live(durability);
        rig.disk.options.shortCalls = new Random(seed);
        judgeAll(rig, { prefix: false }, work, 1);
        const next = rig.next(rig.disk.contents());
        next.disk.options.shortCalls = new Random(seed, 1);
        next.start();
        const plain = rig.next(rig.disk.contents()).start();
        expect([...next.found]).toEqual([...plain.found]);
        expect(next.recovery).toEqual(plain.recovery);
      }
    },
    TIMEOUT_MS,
  );
});

describe('a process without descriptors to spare', () => {
  it.each(POLICIES)(
    'keeps the log it has open, loses nothing, and goes on when there are some again, under %s',
    (durability) => {
      const rig = live(durability);
      const open = rig.disk.openHandles;
      for (let handles = open; handles < open + 4; handles++) {
        rig.disk.options.handlesMax = handles;
        work(rig);
        expect(rig.disk.openHandles).toBeLessThanOrEqual(handles);
      }
      rig.disk.options.handlesMax = Number.POSITIVE_INFINITY;
      rig.pass(8000);
      expect(rig.wal.refusal).toBeNull();
      expect(rig.write('after')).toBe(true);
      judgeEnd(rig, durability);
    },
  );

  it('holds few however long it runs: none is left open', () => {
    for (const durability of POLICIES) {
      const rig = live(durability);
      const held: number[] = [];
      for (let round = 0; round < 12; round++) {
        work(rig);
        rig.pass(20);
        held.push(rig.disk.openHandles);
      }
      expect(Math.max(...held)).toBeLessThanOrEqual(3);
      rig.wal.close();
      expect(rig.disk.openHandles).toBe(0);
    }
  });
});

describe('a file system that became read-only', () => {
  it('refuses a start in one line', () => {
    const rig = live('always');
    work(rig);
    const next = rig.next(rig.disk.contents());
    next.disk.options.readOnly = true;
    expect(() => next.start()).toThrow(
      expect.objectContaining({ code: 'DATADIR', message: expect.stringMatching(/^[^\n]+EROFS[^\n]+$/) }),
    );
  });

  it.each(POLICIES)(
    'while the log runs refuses writes by name, keeps what was promised, and heals, under %s',
    (durability) => {
      const rig = live(durability);
      work(rig);
      const before = rig.ledger.length;
      rig.disk.options.readOnly = true;
      work(rig);
      expect(rig.wal.refusal).not.toBeNull();
      expect(rig.ledger.length).toBeLessThan(before + 18);
      expect(() => rig.wal.setState({ boot: 9 })).toThrow(expect.objectContaining({ code: 'DISKFAILED' }));
      judgeEnd(rig, 'read-only');
      rig.disk.options.readOnly = false;
      rig.pass(8000);
      if (rig.wal.refusal === null) expect(rig.write('after')).toBe(true);
      judgeEnd(rig, 'after read-only');
    },
  );
});
