import { spawn } from 'node:child_process';
import { pbkdf2 } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NodeDisk } from '../../src/system/disk.js';
import { diskContract } from '../contract/disk.js';

async function temporary() {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-disk-'));
  const done = new Map<number, Error | null>();
  const waiting = new Map<number, (error: Error | null) => void>();
  const disk = await NodeDisk.open(directory, (token, error) => {
    done.set(token, error);
    waiting.get(token)?.(error);
  });
  return {
    disk,
    directory,
    completion(token: number): Promise<Error | null> {
      const known = done.get(token);
      return known === undefined ? new Promise((resolve) => waiting.set(token, resolve)) : Promise.resolve(known);
    },
    async release() {
      await disk.release();
      rmSync(directory, { recursive: true });
    },
  };
}

diskContract('Node', temporary);

it('closes the data directory to others and names nothing outside it', async () => {
  const { disk, directory, release } = await temporary();
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  const file = disk.open('a', true);
  disk.close(file);
  expect(statSync(join(directory, 'a')).mode & 0o777).toBe(0o600);
  for (const name of ['../a', '/tmp/a', '..', 'a/b', '']) {
    expect(() => disk.open(name, true)).toThrow(expect.objectContaining({ code: 'EACCES' }));
  }
  await release();
});

it('lets one process at a time have a data directory, and the next when that one is killed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-lock-'));
  const first = await NodeDisk.open(directory, () => {});
  await expect(NodeDisk.open(directory, () => {})).rejects.toMatchObject({
    code: 'DATADIR',
    message: `data directory ${directory} is in use by another process (pid ${process.pid})`,
  });
  await first.release();
  const { dev, ino } = statSync(directory, { bigint: true });
  const script = `require('net').createServer().listen({ path: '\\0hearsay-${dev}-${ino}' }, () => console.log('held'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await expect(NodeDisk.open(directory, () => {})).rejects.toMatchObject({ code: 'DATADIR' });
  child.kill('SIGKILL');
  await once(child, 'close');
  const second = await NodeDisk.open(directory, () => {});
  await second.release();
  rmSync(directory, { recursive: true });
});

it('refuses a directory that can not be one, in one line', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-file-'));
  const disk = await NodeDisk.open(directory, () => {});
  disk.close(disk.open('file', true));
  await disk.release();
  await expect(NodeDisk.open(join(directory, 'file'), () => {})).rejects.toMatchObject({ code: 'DATADIR' });
  rmSync(directory, { recursive: true });
});

it('syncs what an acknowledgement waits for though the pool is full, and one step of the rest at a time', async () => {
  const { disk, completion, release } = await temporary();
  const file = disk.open('log', true);
  const image = disk.open('image', true);
  disk.sync(file, 1);
  expect(await completion(1)).toBeNull();
  let hashed = 0;
  const hashes = Array.from(
    { length: 8 },
    () => new Promise<void>((done) => pbkdf2('x', 'y', 400_000, 64, 'sha512', () => done(void hashed++))),
  );
  disk.write(image, 0, Buffer.alloc(1000), 0, 1000);
  disk.sync(image, 2, 'background');
  disk.syncDirectory(3);
  disk.write(file, 0, Buffer.alloc(1000), 0, 1000);
  disk.sync(file, 4);
  expect(await completion(4)).toBeNull();
  // In the pool of four threads the sync would have come behind five hashes at least.
  expect(hashed).toBeLessThan(5);
  expect(await completion(2)).toBeNull();
  expect(await completion(3)).toBeNull();
  expect(hashed).toBeGreaterThanOrEqual(5);
  await Promise.all(hashes);
  disk.close(file);
  disk.close(image);
  await release();
});
