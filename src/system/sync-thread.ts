/**
 * A thread that only calls fdatasync: what an acknowledgement waits for never queues behind the look-ups and hashes that an
 * application puts into libuv's pool. The disk hands it one descriptor after another and hears of each once.
 * Guarded: one call in the thread at a time, in order of arrival; the thread keeps no process alive while it waits; when it
 * dies, or can not be made, what was in it fails, and everything after goes to the pool. Descriptors are the process's, so
 * nothing but a number crosses: two words of shared memory wake the thread (Atomics.wait, no hop through its event loop).
 */
import { fdatasync } from 'node:fs';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { Log } from '../ports/log.js';

/** Words shared with the thread: how many calls it has been asked for, and the descriptor of the last. */
const WORD_CALLS = 0;
const WORD_FILE = 1;
const WORDS = 2;

/** Inline, so that a bundle needs no second file. It answers null, or code and message of what failed. */
const SOURCE = `
const { parentPort, workerData: words } = require('node:worker_threads');
const { fdatasyncSync } = require('node:fs');
for (let calls = 0; ; ) {
  Atomics.wait(words, ${WORD_CALLS}, calls);
  calls = Atomics.load(words, ${WORD_CALLS});
  let failure = null;
  try {
    fdatasyncSync(Atomics.load(words, ${WORD_FILE}));
  } catch (error) {
    failure = { code: error.code, message: error.message };
  }
  parentPort.postMessage(failure);
}
`;

type Failure = { code?: string; message: string } | null;
type Done = (failure: Failure) => void;

export class SyncThread {
  private readonly log: Log | null;
  private readonly start: (words: Int32Array) => Worker;
  private readonly words = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
  private worker: Worker | null = null;
  /** No thread is made any more: one died, could not be made, or all is over. */
  private ended = false;
  /** The first is in the thread. As many as files are synced at once: the log syncs one. */
  private readonly calls: { file: number; done: Done }[] = [];
  private whenIdle: (() => void) | null = null;

  constructor(ports: { log: Log | null }, start: (words: Int32Array) => Worker = startWorker) {
    this.log = ports.log;
    this.start = start;
  }

  /** Makes what was written to `file` durable; it stays open until `done` is called, which never happens within this call. */
  sync(file: number, done: Done): void {
    if (this.worker === null && !this.ended) this.begin();
    if (this.worker === null) {
      fdatasync(file, done);
      return;
    }
    this.calls.push({ file, done });
    if (this.calls.length > 1) return;
    this.worker.ref();
    this.wake(file);
  }

  /** Waits for the calls in the thread and ends it. */
  async stop(): Promise<void> {
    if (this.calls.length > 0) {
      await new Promise<void>((idle) => {
        this.whenIdle = idle;
      });
    }
    this.ended = true;
    const { worker } = this;
    this.worker = null;
    await worker?.terminate();
  }

  private begin(): void {
    try {
      const worker = this.start(this.words);
      worker.on('message', (failure: Failure) => this.landed(failure));
      worker.on('error', (error: unknown) => this.died(error instanceof Error ? error.message : String(error)));
      worker.on('exit', (code) => this.died(`exit code ${code}`));
      worker.unref();
      this.worker = worker;
    } catch (error) {
      this.died(error instanceof Error ? error.message : String(error));
    }
  }

  private wake(file: number): void {
    Atomics.store(this.words, WORD_FILE, file);
    Atomics.add(this.words, WORD_CALLS, 1);
    Atomics.notify(this.words, WORD_CALLS);
  }

  private landed(failure: Failure): void {
    const call = this.calls.shift();
    if (this.calls.length > 0) this.wake(this.calls[0].file);
    else this.idle();
    call?.done(failure);
  }

  /** The call that was in the thread fails, for nobody knows what became of it; those that waited go to the pool. */
  private died(why: string): void {
    if (this.ended) return;
    this.ended = true;
    this.worker = null;
    this.log?.warn('no thread of its own for syncs: they share the pool', { why });
    const [lost, ...waiting] = this.calls.splice(0);
    for (const { file, done } of waiting) fdatasync(file, done);
    this.idle();
    lost?.done({ code: 'EIO', message: `the thread that synced ended: ${why}` });
  }

  private idle(): void {
    this.worker?.unref();
    this.whenIdle?.();
    this.whenIdle = null;
  }
}

/** Small heaps: the thread runs one loop. */
function startWorker(words: Int32Array): Worker {
  const resourceLimits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };
  return new Worker(SOURCE, { eval: true, execArgv: [], env: SHARE_ENV, workerData: words, resourceLimits });
}
