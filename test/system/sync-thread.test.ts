import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { SyncThread } from '../../src/system/sync-thread.js';

type Failure = { code?: string; message: string } | null;

/** Runs `body` with an open file and a list of what the threads it makes have said. */
async function withFile(
  body: (file: number, make: (start?: (words: Int32Array) => Worker) => SyncThread, said: string[]) => Promise<void>,
) {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-sync-'));
  const file = openSync(join(directory, 'log'), 'w+');
  const said: string[] = [];
  const quiet = () => {};
  const log = { debug: quiet, info: quiet, warn: (message: string) => said.push(message), error: quiet };
  const made: SyncThread[] = [];
  const make = (start?: (words: Int32Array) => Worker) => {
    const thread = new SyncThread({ log }, start);
    made.push(thread);
    return thread;
  };
  try {
    await body(file, make, said);
  } finally {
    for (const thread of made) await thread.stop();
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

const synced = (thread: SyncThread, file: number) => new Promise<Failure>((done) => thread.sync(file, done));

it('syncs one file after another, in the order asked for, and never within the call', () =>
  withFile(async (file, make, said) => {
    const thread = make();
    const order: number[] = [];
    const calls = [1, 2, 3, 4].map((number) => {
      writeSync(file, Buffer.alloc(100), 0, 100, number * 100);
      return new Promise<Failure>((done) =>
        thread.sync(file, (failure) => {
          order.push(number);
          done(failure);
        }),
      );
    });
    expect(order).toEqual([]);
    expect(await Promise.all(calls)).toEqual([null, null, null, null]);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(said).toEqual([]);
  }));

it('says why a sync failed', () =>
  withFile(async (_file, make) => {
    expect(await synced(make(), 1_000_000)).toMatchObject({ code: 'EBADF' });
  }));

it('fails what was in a thread that dies, and has the pool do what waited and what comes', () =>
  withFile(async (file, make, said) => {
    const source = `
      const { workerData: words } = require('node:worker_threads');
      Atomics.wait(words, 0, 0);
      throw new Error('planted');`;
    const thread = make((words) => new Worker(source, { eval: true, workerData: words }));
    const [lost, waited] = await Promise.all([synced(thread, file), synced(thread, file)]);
    expect(lost).toMatchObject({ code: 'EIO', message: expect.stringContaining('planted') });
    expect(waited).toBeNull();
    expect(await synced(thread, file)).toBeNull();
    expect(said).toHaveLength(1);
  }));

it('syncs in the pool where no thread can be made, and says so once', () =>
  withFile(async (file, make, said) => {
    const thread = make(() => {
      throw new Error('no more threads');
    });
    expect(await synced(thread, file)).toBeNull();
    expect(await synced(thread, file)).toBeNull();
    expect(said).toHaveLength(1);
  }));

it('stops behind the call that is in the thread, and before any', () =>
  withFile(async (file, make, said) => {
    const thread = make();
    let done = false;
    thread.sync(file, () => {
      done = true;
    });
    await thread.stop();
    expect(done).toBe(true);
    await make().stop();
    expect(said).toEqual([]);
  }));

it('keeps the process alive while a call is in it, and only then', () =>
  withFile(async (file, make) => {
    let held: boolean | null = null;
    const thread = make((words) => {
      const source = `
        const { parentPort, workerData: words } = require('node:worker_threads');
        for (let calls = 0; ; calls++) {
          Atomics.wait(words, 0, calls);
          parentPort.postMessage(null);
        }`;
      const worker = new Worker(source, { eval: true, workerData: words });
      const { ref, unref } = worker;
      worker.ref = () => {
        held = true;
        ref.call(worker);
      };
      worker.unref = () => {
        held = false;
        unref.call(worker);
      };
      return worker;
    });
    const call = synced(thread, file);
    expect(held).toBe(true);
    expect(await call).toBeNull();
    expect(held).toBe(false);
  }));
