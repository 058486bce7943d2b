import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { SimDisk } from '../../src/sim/disk.js';
import { FaultyDisk } from '../../src/system/faulty-disk.js';

interface Stage {
  disk: FaultyDisk;
  real: SimDisk;
  /** `token: code` of what the machine has heard, in order. */
  heard: string[];
  fault(words: string): void;
  /** What the real disk has under way is done. */
  finish(): void;
  until(count: number): Promise<void>;
}

function stage(): Stage {
  const heard: string[] = [];
  const underWay: (() => void)[] = [];
  let listener = (): void => {};
  const disk = new FaultyDisk((token, error) => {
    heard.push(`${token}: ${error === null ? 'done' : (error as Error & { code: string }).code}`);
    listener();
  });
  const real = new SimDisk({
    random: new Random(1, 2),
    schedule: (_delayMs, run) => underWay.push(run),
    completed: (token, error) => disk.diskCompleted(token, error),
  });
  disk.attach(real);
  return {
    disk,
    real,
    heard,
    fault: (words) => disk.change(words.split(' ')),
    finish: () => {
      for (const run of underWay.splice(0)) run();
    },
    until: (count) =>
      new Promise((resolve) => {
        listener = () => {
          if (heard.length >= count) resolve();
        };
        listener();
      }),
  };
}

const BYTES = Buffer.from('bytes');

describe('a disk under faults', () => {
  it('that is full takes nothing, reads and syncs on, and takes all again when there is room', async () => {
    const { disk, heard, fault, finish, until } = stage();
    const file = disk.open('a', true);
    disk.write(file, 0, BYTES, 0, 5);
    fault('FULL');
    expect(() => disk.write(file, 0, BYTES, 0, 5)).toThrow(/no space/);
    expect(() => disk.truncate(file, 10)).toThrow(/no space/);
    disk.truncate(file, 3);
    const read = Buffer.alloc(5);
    expect(disk.read(file, 0, read, 0, 5)).toBe(3);
    disk.prepare('spare', 4096, 1);
    expect(heard).toEqual([]);
    await until(1);
    disk.sync(file, 2);
    finish();
    expect(heard).toEqual(['1: ENOSPC', '2: done']);
    expect(disk.list()).toEqual(['a']);
    fault('CLEAR');
    expect(disk.write(file, 0, BYTES, 0, 5)).toBe(5);
  });

  it('that fails does so for as many syncs as were said, of files alone', () => {
    const { disk, heard, fault, finish } = stage();
    const file = disk.open('a', true);
    fault('EIO ON 2');
    disk.sync(file, 1);
    disk.syncDirectory(2);
    disk.syncDirectory();
    finish();
    expect(disk.lines()).toEqual(['DISK EIO ON 1']);
    expect(() => disk.syncNow(file)).toThrow(/failed/);
    expect(disk.lines()).toEqual([]);
    disk.sync(file, 3);
    finish();
    expect(heard).toEqual(['1: EIO', '2: done', '3: done']);
  });

  it('that is slow says late what is done, and promptly what is asked of it after it was lifted', async () => {
    const { disk, heard, fault, finish, until } = stage();
    const [late, prompt] = [disk.open('a', true), disk.open('b', true)];
    fault('SLOW 30');
    expect(disk.lines()).toEqual(['DISK SLOW 30']);
    disk.sync(late, 1);
    fault('SLOW 0');
    disk.sync(prompt, 2);
    finish();
    expect(heard).toEqual(['2: done']);
    await until(2);
    expect(heard).toEqual(['2: done', '1: done']);
  });

  it('that is slow and fails says so late, and says nothing once it is stopped', async () => {
    const { disk, heard, fault, finish, until } = stage();
    const file = disk.open('a', true);
    fault('slow 20 on 1');
    fault('eio on 1');
    disk.sync(file, 1);
    finish();
    await until(1);
    expect(heard).toEqual(['1: EIO']);
    fault('SLOW 1');
    disk.sync(file, 2);
    finish();
    disk.stop();
    // Timers of one length fire in order: this one behind what would have been said.
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(heard).toEqual(['1: EIO']);
  });

  it.each([
    ['', 'DISK FULL [ON calls], DISK EIO [ON calls], DISK SLOW ms [ON calls], or DISK CLEAR'],
    ['SLOW', 'DISK FULL [ON calls], DISK EIO [ON calls], DISK SLOW ms [ON calls], or DISK CLEAR'],
    ['foo', '"foo" is none of FULL, EIO, SLOW, CLEAR'],
    ['FULL ON', 'a number from 0 to 1000000000 is missing'],
  ])('says what it would take where it was told %j', (words, message) => {
    const { disk } = stage();
    expect(() => disk.change(words.split(' ').filter(Boolean))).toThrow(`fault: ${message}`);
  });

  it.each(['', 'FAST', 'SLOW', 'SLOW -1', 'SLOW 600001', 'FULL 5', 'EIO ON', 'EIO ON many', 'EIO BY 2', 'CLEAR all'])(
    'refuses %j and changes nothing',
    (words) => {
      const { disk } = stage();
      expect(() => disk.change(words.split(' ').filter(Boolean))).toThrow(/^fault: /);
      expect(disk.lines()).toEqual([]);
    },
  );
});
