import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockDirectory, makeDirectory } from '../../src/system/data-directory.js';
import { NodeDisk } from '../../src/system/disk.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-directory-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('making a directory', () => {
  it('makes those above it too, with its mode, and is content with one that is there', () => {
    const path = join(place, 'a', 'b', 'c');
    makeDirectory(path, 0o700);
    makeDirectory(path, 0o755);
    for (const each of [path, join(place, 'a')]) expect(statSync(each).mode & 0o777).toBe(0o700);
  });

  it('refuses a file, and a place behind a file', () => {
    const file = join(place, 'file');
    writeFileSync(file, '');
    expect(() => makeDirectory(file)).toThrow('it is no directory');
    expect(() => makeDirectory(join(file, 'x'))).toThrow(/ENOTDIR/);
  });

  // A directory of the kernel's own: mkdir answers ENOENT there, though the parent is there.
  it.runIf(process.platform === 'linux')('ends with an error where no directory can be made', async () => {
    expect(() => makeDirectory('/proc/hearsay')).toThrow('/proc takes no directories');
    expect(() => makeDirectory('/proc/hearsay/node-1')).toThrow('/proc takes no directories');
    await expect(NodeDisk.open('/proc/hearsay', () => {})).rejects.toMatchObject({
      code: 'DATADIR',
      message: 'data directory /proc/hearsay can not be used: /proc takes no directories',
    });
  });
});

describe('the lock of a directory', () => {
  it('writes nothing, is refused while another has it, and can be had again', async () => {
    const path = join(place, 'locked');
    mkdirSync(path);
    const lock = await lockDirectory(path);
    await expect(lockDirectory(path)).rejects.toMatchObject({ code: 'DATADIR' });
    await lock.release();
    expect(existsSync(join(path, 'lock'))).toBe(false);
    await (await lockDirectory(path)).release();
  });
});
