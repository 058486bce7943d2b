/**
 * A load that remembers: workers write, delete and read their own keys through the client library at level quorum, and keep
 * the history of each key. A chaos run disturbs the cluster under it and judges the histories afterwards.
 * Guarded: no write is sent twice (a repeat could undo a later write), so each is acknowledged, known not to be sent, or
 * doubtful; what is read while it runs must be a value that was written.
 */
import { createClient } from '../../src/index.js';
import { Draws } from './draws.js';
import { KeyHistory, type Value } from './history.js';

const REQUEST_TIMEOUT_MS = 1500;
const FAILURE_PAUSE_MS = 20;
const DELETE_PART = 0.12;
const READ_PART = 0.25;

export interface LoadOptions {
  workers: number;
  keysPerWorker: number;
  seed: number;
  lateEffectMs: number;
}

export interface LoadTally {
  acknowledged: number;
  doubtful: number;
  /** Writes that failed before anything was sent. */
  unsent: number;
  reads: number;
  readsFailed: number;
}

export class CheckedLoad {
  readonly tally: LoadTally = { acknowledged: 0, doubtful: 0, unsent: 0, reads: 0, readsFailed: 0 };
  readonly histories: KeyHistory[] = [];
  /** Reads that gave what nobody wrote. */
  readonly garbage: string[] = [];
  private readonly client: ReturnType<typeof createClient>;
  private readonly running: Promise<void>[] = [];
  private stopping = false;

  constructor(servers: readonly string[], options: LoadOptions) {
    this.client = createClient({
      servers,
      consistency: 'quorum',
      requestTimeout: REQUEST_TIMEOUT_MS,
      onError: 'throw',
      name: 'chaos',
    });
    for (let worker = 0; worker < options.workers; worker++) {
      const own = Array.from(
        { length: options.keysPerWorker },
        (_, index) => new KeyHistory(`chaos:${worker}:${index}`, options.lateEffectMs),
      );
      this.histories.push(...own);
      this.running.push(this.work(own, new Draws(options.seed + worker + 1)));
    }
  }

  /** Resolves when the last operation has ended. */
  async stop(): Promise<LoadTally> {
    this.stopping = true;
    await Promise.all(this.running);
    await this.client.close();
    return this.tally;
  }

  private async work(histories: readonly KeyHistory[], draws: Draws): Promise<void> {
    while (!this.stopping) {
      const history = histories[draws.below(histories.length)];
      const choice = draws.fraction();
      const done =
        choice < READ_PART
          ? await this.read(history)
          : await this.write(history, choice < READ_PART + DELETE_PART ? null : history.nextValue());
      if (!done) await new Promise((resolve) => setTimeout(resolve, FAILURE_PAUSE_MS));
    }
  }

  private async write(history: KeyHistory, value: Value): Promise<boolean> {
    const startedAtMs = performance.now();
    try {
      if (value === null) await this.client.command('DEL', history.key);
      else await this.client.command('SET', history.key, value);
      history.acknowledge(value, startedAtMs);
      this.tally.acknowledged++;
      return true;
    } catch (error) {
      if ((error as Error).message.endsWith('nothing was sent')) {
        this.tally.unsent++;
      } else {
        history.doubt(value, startedAtMs, performance.now());
        this.tally.doubtful++;
      }
      return false;
    }
  }

  private async read(history: KeyHistory): Promise<boolean> {
    try {
      const value = (await this.client.get<string>(history.key)) ?? null;
      this.tally.reads++;
      if (!history.knows(value)) this.garbage.push(history.describe(value));
      return true;
    } catch {
      this.tally.readsFailed++;
      return false;
    }
  }
}
