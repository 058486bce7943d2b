/** The faulty disk keeps the laws of the port, leaves the states it says, and the checks built on it can fail. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../../src/core/base/random.js';
import { diskContract } from '../../../contract/disk.js';
import { FaultyDisk, forChoices } from './faulty-disk.js';
import { judgeAll, POLICIES, Rig } from './rig.js';

diskContract('the pitfalls', async () => {
  const disk = new FaultyDisk();
  return {
    disk,
    async completion(token) {
      const landed = disk.land();
      expect(landed?.token).toBe(token);
      return landed?.error ?? null;
    },
    async release() {},
  };
});

describe('the faulty disk', () => {
  const write = (disk: FaultyDisk, file: number, text: string, position = 0) =>
    disk.write(file, position, Buffer.from(text), 0, text.length);
  const states = (disk: FaultyDisk): string[] => {
    const found = new Set<string>();
    disk.crashStates(10_000, new Random(1), (files) => {
      found.add(
        [...files].map(([name, bytes]) => `${name}=${bytes.toString('latin1').replace(/(.)\1+/g, '$1')}`).join(),
      );
    });
    return [...found].sort();
  };

  it('keeps or loses each sector, size and name by itself until a sync', () => {
    const disk = new FaultyDisk();
    const file = disk.open('a', true);
    disk.syncDirectory();
    write(disk, file, 'x'.repeat(512) + 'y'.repeat(512));
    expect(states(disk)).toEqual(['a=', 'a=\0', 'a=\0y', 'a=x\0', 'a=xy']);
    disk.syncNow(file);
    expect(states(disk)).toEqual(['a=xy']);
    disk.rename('a', 'b');
    expect(states(disk)).toEqual(['a=xy', 'b=xy']);
    disk.syncDirectory();
    expect(states(disk)).toEqual(['b=xy']);
  });

  it('applies a rename without the data behind it', () => {
    const disk = new FaultyDisk(new Map([['to', Buffer.from('old')]]));
    const file = disk.open('from', true);
    write(disk, file, 'new');
    disk.rename('from', 'to');
    expect(states(disk)).toEqual(expect.arrayContaining(['to=', 'to=\0', 'to=new', 'to=old']));
  });

  it('may have each write of a sector, or zeros where it is told to garble', () => {
    const disk = new FaultyDisk(new Map([['a', Buffer.from('1')]]));
    const file = disk.open('a', false);
    write(disk, file, '2');
    write(disk, file, '3');
    expect(states(disk)).toEqual(['a=1', 'a=2', 'a=3']);
    disk.options.garbled = true;
    expect(states(disk)).toEqual(['a=\0', 'a=1', 'a=2', 'a=3']);
  });

  it('does not count what was written while a sync was in flight, nor what a failed one covered', () => {
    const disk = new FaultyDisk(new Map([['a', Buffer.from('1')]]));
    const file = disk.open('a', false);
    write(disk, file, '2');
    disk.sync(file, 1);
    write(disk, file, '3');
    disk.land();
    expect(states(disk)).toEqual(['a=2', 'a=3']);
    disk.faults.push({ call: 'sync', code: 'EIO', times: 1 });
    disk.sync(file, 2);
    expect(disk.land()).toMatchObject({ token: 2, error: { code: 'EIO' } });
    disk.syncNow(file);
    expect(states(disk)).toEqual(['a=2', 'a=3']);
    write(disk, file, '4');
    disk.syncNow(file);
    expect(states(disk)).toEqual(['a=4']);
  });

  it('walks all choices while they are few, and keeps to the bound beyond', () => {
    const walked: string[] = [];
    forChoices([2, 1, 3], 6, new Random(1), (choices) => walked.push(choices.join('')));
    expect(walked).toEqual(['000', '001', '002', '100', '101', '102']);
    const sampled = new Set<string>();
    let visits = 0;
    forChoices(new Array(20).fill(2), 50, new Random(1), (choices) => {
      visits++;
      sampled.add(choices.join(''));
    });
    expect(visits).toBe(50);
    expect(sampled).toContain('0'.repeat(20));
    expect(sampled).toContain('1'.repeat(20));
    expect(sampled.size).toBeGreaterThan(40);
  });
});

describe('the checks of this folder', () => {
  const script = (rig: Rig) => {
    for (let write = 0; write < 8; write++) {
      rig.write(`k${write}`, 600);
      rig.turn();
      rig.land();
      rig.land();
    }
    rig.checkpoint();
    rig.pass(20);
  };

  it.each(POLICIES)('pass on an honest disk and fail on one whose syncs lie, under %s', (durability) => {
    judgeAll(new Rig(new FaultyDisk(), { durability }).start(), { prefix: false }, script);
    for (const lie of ['sync', 'syncDirectory'] as const) {
      const rig = new Rig(new FaultyDisk(), { durability }).start();
      rig.disk.lies[lie] = true;
      expect(() => judgeAll(rig, { prefix: false }, script), lie).toThrow();
    }
  });

  it('see a record that was never written, and one that comes back', () => {
    const rig = new Rig(new FaultyDisk()).start();
    rig.write('a');
    rig.pass(3);
    rig.ledger[0].crc ^= 1;
    expect(() => judgeAll(rig, { prefix: true }, (rig) => rig.wal.close())).toThrow('never written');
    rig.ledger[0].crc ^= 1;
    rig.ledger[0].hlc = 9;
    expect(() => judgeAll(rig, { prefix: true }, (rig) => rig.wal.setState({ boot: 1 }))).toThrow('never written');
  });
});
