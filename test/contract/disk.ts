/**
 * The laws of the disk port, as tests that every world's disk must pass. A runner gives a fresh, empty disk and a way to
 * wait for a completion.
 */
import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/ports/disk.js';

export interface DiskUnderTest {
  disk: Disk;
  /** The completion of `token`, whenever it comes. */
  completion(token: number): Promise<Error | null>;
  release(): Promise<void>;
}

export function diskContract(world: string, make: () => Promise<DiskUnderTest>): void {
  const check = (name: string, run: (test: DiskUnderTest) => Promise<void> | void) =>
    it(name, async () => {
      const test = await make();
      try {
        await run(test);
      } finally {
        await test.release();
      }
    });

  describe(`the disk of ${world}`, () => {
    check('opens what is there, creates when asked, and names what is missing', ({ disk }) => {
      expect(disk.list()).toEqual([]);
      expect(() => disk.open('a', false)).toThrow(expect.objectContaining({ name: 'DiskError', code: 'ENOENT' }));
      const file = disk.open('a', true);
      expect(disk.size(file)).toBe(0);
      disk.close(file);
      expect(disk.list()).toEqual(['a']);
      disk.close(disk.open('a', false));
    });

    check('reads back what was written where it was written, zeros between, and nothing past the end', ({ disk }) => {
      const file = disk.open('a', true);
      const bytes = Buffer.from('..hello..');
      let at = 2;
      while (at < 7) at += disk.write(file, 1000 + at - 2, bytes, at, 7);
      expect(disk.size(file)).toBe(1005);
      const target = Buffer.alloc(20, 0xff);
      expect(disk.read(file, 998, target, 3, 10)).toBe(7);
      expect(target.subarray(3, 10)).toEqual(Buffer.from('\0\0hello'));
      expect(target[2]).toBe(0xff);
      expect(target[10]).toBe(0xff);
      expect(disk.read(file, 1005, target, 0, 10)).toBe(0);
      disk.close(file);
    });

    check('shows one file through two handles, before any sync', ({ disk }) => {
      const left = disk.open('a', true);
      const right = disk.open('a', false);
      disk.write(left, 0, Buffer.from('x'), 0, 1);
      const target = Buffer.alloc(1);
      expect(disk.read(right, 0, target, 0, 1)).toBe(1);
      expect(target.toString()).toBe('x');
      disk.close(left);
      disk.close(right);
    });

    check('truncates, and grows by zeros', ({ disk }) => {
      const file = disk.open('a', true);
      disk.write(file, 0, Buffer.from('abcdef'), 0, 6);
      disk.truncate(file, 2);
      expect(disk.size(file)).toBe(2);
      disk.truncate(file, 4);
      const target = Buffer.alloc(4, 1);
      expect(disk.read(file, 0, target, 0, 4)).toBe(4);
      expect(target).toEqual(Buffer.from('ab\0\0'));
      disk.close(file);
    });

    check('completes a sync once, with its token, and not within the call', async ({ disk, completion }) => {
      const file = disk.open('a', true);
      disk.write(file, 0, Buffer.from('abc'), 0, 3);
      let done = false;
      disk.sync(file, 41);
      const waiting = completion(41).then((error) => {
        done = true;
        return error;
      });
      expect(done).toBe(false);
      expect(await waiting).toBeNull();
      disk.syncNow(file);
      disk.close(file);
    });

    check('syncs in the background, and the directory, with a token each', async ({ disk, completion }) => {
      const file = disk.open('a', true);
      disk.write(file, 0, Buffer.from('abc'), 0, 3);
      disk.sync(file, 50, 'background');
      disk.syncDirectory(51);
      expect(await completion(50)).toBeNull();
      expect(await completion(51)).toBeNull();
      disk.sync(file, 52);
      expect(await completion(52)).toBeNull();
      disk.close(file);
    });

    check('completes syncs of several files at once, each once', async ({ disk, completion }) => {
      const files = ['a', 'b', 'c', 'd', 'e'].map((name) => disk.open(name, true));
      for (const [index, file] of files.entries()) {
        disk.write(file, 0, Buffer.alloc(1000), 0, 1000);
        disk.sync(file, 60 + index);
        disk.close(file);
      }
      for (const index of files.keys()) expect(await completion(60 + index)).toBeNull();
    });

    check('removes a file that is open: its name at once, its bytes with the handle', ({ disk }) => {
      const file = disk.open('a', true);
      disk.write(file, 0, Buffer.from('abc'), 0, 3);
      disk.remove('a');
      expect(disk.list()).toEqual([]);
      expect(disk.read(file, 0, Buffer.alloc(3), 0, 3)).toBe(3);
      disk.close(file);
    });

    check('lets a file be closed while its sync is in flight', async ({ disk, completion }) => {
      const file = disk.open('a', true);
      disk.write(file, 0, Buffer.alloc(100_000, 1), 0, 100_000);
      disk.sync(file, 7);
      disk.close(file);
      expect(await completion(7)).toBeNull();
      const again = disk.open('a', false);
      expect(disk.size(again)).toBe(100_000);
      disk.close(again);
    });

    check(
      'prepares a file of zeros of the size asked for, replacing one of that name',
      async ({ disk, completion }) => {
        const old = disk.open('spare', true);
        disk.write(old, 0, Buffer.from('old'), 0, 3);
        disk.close(old);
        disk.prepare('spare', 2_500_000, 9);
        expect(await completion(9)).toBeNull();
        const file = disk.open('spare', false);
        expect(disk.size(file)).toBe(2_500_000);
        const target = Buffer.alloc(4096, 1);
        expect(disk.read(file, 0, target, 0, 4096)).toBe(4096);
        expect(target.every((byte) => byte === 0)).toBe(true);
        disk.close(file);
      },
    );

    check('renames over what is there, keeps open handles, and removes', ({ disk }) => {
      const source = disk.open('from', true);
      disk.close(disk.open('to', true));
      disk.rename('from', 'to');
      disk.write(source, 0, Buffer.from('new'), 0, 3);
      disk.syncDirectory();
      expect(disk.list()).toEqual(['to']);
      const target = disk.open('to', false);
      expect(disk.size(target)).toBe(3);
      disk.close(source);
      disk.close(target);
      disk.remove('to');
      expect(disk.list()).toEqual([]);
      expect(() => disk.remove('to')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
      expect(() => disk.rename('to', 'x')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    });
  });
}
