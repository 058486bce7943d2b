/** Every legal state that a loss of power, or a kill, leaves at any change of the disk, for each phase of the log's life. */
import { describe, expect, it } from 'vitest';
import { FaultyDisk } from './faulty-disk.js';
import { judgeAll, POLICIES, type Policy, Rig } from './rig.js';

const TIMEOUT_MS = 600_000;

function writes(rig: Rig, count: number, valueBytes: number, landEvery = 2): void {
  for (let write = 1; write <= count; write++) {
    rig.write(`k${write % 5}`, write % 7 === 0 ? -1 : valueBytes);
    rig.nowMs++;
    rig.turn();
    if (write % landEvery === 0) rig.land();
  }
}

function live(durability: Policy, garbled = false): Rig {
  const disk = new FaultyDisk();
  disk.options.garbled = garbled;
  return new Rig(disk, { durability });
}

describe.each(POLICIES)('under %s, whatever a crash leaves', (durability) => {
  it(
    'of the first start is a directory that a node can start from',
    () => {
      const rig = live(durability);
      expect(judgeAll(rig, { prefix: true }, (rig) => rig.start(), 64)).toBeGreaterThan(3);
    },
    TIMEOUT_MS,
  );

  it(
    'of appends and syncs holds what was promised, sectors lost, kept or zeroed one by one',
    () => {
      for (const garbled of [false, true]) {
        const rig = live(durability, garbled).start();
        const states = judgeAll(rig, { prefix: true }, (rig) => {
          writes(rig, 4, 30, 1);
          writes(rig, 3, 700, 3);
          rig.pass(30);
        });
        expect(states).toBeGreaterThan(20);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'of a change of files holds what was promised, whether a spare was ready or not',
    () => {
      for (const landEvery of [1, 4]) {
        const rig = live(durability).start();
        const states = judgeAll(rig, { prefix: true }, (rig) => {
          writes(rig, 14, 600, landEvery);
          rig.pass(15);
        });
        expect(states).toBeGreaterThan(40);
        expect(rig.wal.stats().logFiles).toBeGreaterThan(1);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'of a checkpoint stands on the old root or on the new one',
    () => {
      const rig = live(durability).start();
      writes(rig, 10, 500);
      rig.pass(12);
      const states = judgeAll(rig, { prefix: false }, (rig) => {
        rig.checkpoint();
        writes(rig, 4, 100);
        rig.pass(12);
      });
      expect(rig.wal.stats().checkpoints).toBe(1);
      expect(states).toBeGreaterThan(40);
    },
    TIMEOUT_MS,
  );

  it(
    'of recycled files holds nothing of their earlier use',
    () => {
      const rig = live(durability).start();
      writes(rig, 12, 500);
      rig.pass(12);
      rig.checkpoint();
      expect(rig.wal.stats().filesRecycled).toBeGreaterThan(0);
      judgeAll(rig, { prefix: false }, (rig) => {
        writes(rig, 12, 500);
        rig.pass(12);
      });
      const before = rig.wal.stats().filesRecycled;
      judgeAll(rig, { prefix: false }, (rig) => rig.checkpoint());
      expect(rig.wal.stats().filesRecycled).toBeGreaterThan(before);
    },
    TIMEOUT_MS,
  );

  it(
    'of a failed sync and the rescue from memory holds what was promised',
    () => {
      const rig = live(durability).start();
      writes(rig, 3, 100);
      rig.pass(12);
      rig.disk.faults.push({ call: 'sync', name: /^log-/, code: 'EIO', times: 1 });
      judgeAll(rig, { prefix: true }, (rig) => {
        writes(rig, 6, 300, 3);
        rig.pass(25);
      });
      expect(rig.wal.stats().syncsFailed).toBe(durability === 'off' ? 0 : 1);
      expect(rig.wal.refusal).toBeNull();
    },
    TIMEOUT_MS,
  );

  it(
    'of a shutdown in order holds everything once it has returned',
    () => {
      const rig = live(durability).start();
      writes(rig, 3, 100);
      rig.write('last');
      judgeAll(rig, { prefix: true }, (rig) => rig.wal.close(), 64);
      const handed = rig.ledger.length;
      rig.disk.crashStates(64, rig.random, (files) => {
        const next = rig.next(files).start();
        expect(next.found.size).toBe(handed);
        expect(next.recovery.cleanShutdown).toBe(true);
      });
    },
    TIMEOUT_MS,
  );

  it(
    'of a change of the manifest is the old one or the new one, never a part',
    () => {
      const rig = live(durability).start();
      rig.wal.setState({ nodeId: 'old', boot: 1 });
      const states = new Set<string>();
      rig.disk.observe = () => {
        rig.disk.crashStates(64, rig.random, (files) => {
          states.add(rig.next(files).start().recovery.manifest.nodeId);
        });
      };
      rig.wal.setState({ nodeId: 'new' });
      rig.disk.observe = null;
      expect([...states].sort()).toEqual(['new', 'old']);
      rig.disk.crashStates(64, rig.random, (files) => {
        expect(rig.next(files).start().recovery.manifest.nodeId).toBe('new');
      });
    },
    TIMEOUT_MS,
  );
});
