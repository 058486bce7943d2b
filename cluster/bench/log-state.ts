/**
 * Brings Hearsay's log into a wanted state, from outside: just checkpointed, or nearly as long as it gets before a checkpoint.
 * Restart and checkpoint cases prepare their servers with it. An image under way is seen by its file.
 * Guarded: a state that does not come about is an error, never a measurement of something else.
 */
import { readdirSync } from 'node:fs';
import type { BenchContext } from './context.js';
import { runLoadClient } from './load-client.js';
import type { BenchServer } from './server.js';

/** A node that does not say its log's budget is taken to begin a checkpoint past this size and so many times what lives. */
const CHECKPOINT_MIN_BYTES = 64 * 1024 * 1024;
const LOG_TO_LIVE = 1.25;
const STATE_LIMIT_MS = 180_000;
const POLL_INTERVAL_MS = 20;
/** What a record takes in the log besides its value, about: header, key, padding, its share of a frame. */
const RECORD_OVERHEAD_BYTES = 52;
const REQUESTS_MIN = 1000;

export interface Entries {
  readonly keys: number;
  readonly valueBytes: number;
}

/** Files of images, finished or under way. */
export function imageFiles(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^image-[\d-]+$/.test(name));
}

/** Sees a checkpoint begin and end by the files it makes and removes. */
export class ImageWatch {
  private readonly before: ReadonlySet<string>;

  constructor(private readonly directory: string) {
    this.before = new Set(imageFiles(directory));
  }

  get begun(): boolean {
    return imageFiles(this.directory).some((name) => !this.before.has(name));
  }

  /** The new image has taken the place of the old one. */
  get ended(): boolean {
    return this.begun && !imageFiles(this.directory).some((name) => this.before.has(name));
  }
}

/** Overwrites random keys at full speed. */
export async function overwrite(
  context: BenchContext,
  server: BenchServer,
  entries: Entries,
  requests: number,
): Promise<void> {
  await runLoadClient(context, {
    ...entries,
    port: server.port,
    connections: 4,
    pipeline: 64,
    requests,
    seed: requests,
  });
}

/** Overwrites until a checkpoint begins, then waits for its end. Returns how many overwrites it took. */
export async function untilCheckpointed(context: BenchContext, server: BenchServer, entries: Entries): Promise<number> {
  let written = 0;
  const deadline = performance.now() + STATE_LIMIT_MS;
  while (performance.now() < deadline) {
    const { checkpoints, logBytes, limitBytes } = await logOf(server);
    const watch = new ImageWatch(server.directory);
    const requests = Math.max(REQUESTS_MIN, requestsFor(entries, (limitBytes - logBytes) * 0.7));
    await overwrite(context, server, entries, requests);
    written += requests;
    if (!watch.begun && (await logOf(server)).checkpoints === checkpoints) continue;
    while ((await logOf(server)).checkpoints === checkpoints) {
      if (performance.now() > deadline) throw new Error('the image was not finished in time');
      await pause();
    }
    return written;
  }
  throw new Error('no checkpoint began');
}

/**
 * Overwrites until the log has a share of the length at which a checkpoint begins, with none under way. Returns how many
 * overwrites it took.
 */
export async function untilLogFull(
  context: BenchContext,
  server: BenchServer,
  entries: Entries,
  share: number,
): Promise<number> {
  let written = 0;
  const deadline = performance.now() + STATE_LIMIT_MS;
  while (performance.now() < deadline) {
    const { logBytes, limitBytes, atRest } = await logOf(server);
    if (atRest && logBytes >= limitBytes * share && logBytes < limitBytes) return written;
    if (!atRest && logBytes >= limitBytes * share) {
      await pause();
      continue;
    }
    const requests = Math.max(REQUESTS_MIN, requestsFor(entries, limitBytes * share - logBytes));
    await overwrite(context, server, entries, requests);
    written += requests;
  }
  throw new Error('the log was never nearly full with no checkpoint under way');
}

interface LogState {
  checkpoints: number;
  logBytes: number;
  /** Past this a checkpoint begins. */
  limitBytes: number;
  /** One image, and none under way. */
  atRest: boolean;
}

async function logOf(server: BenchServer): Promise<LogState> {
  const { checkpoints, logBytes, live_bytes: liveBytes, budgetBytes } = await server.status();
  if (![checkpoints, logBytes, liveBytes].every(Number.isFinite))
    throw new Error('HEARSAY.STATUS says nothing of the log');
  const limitBytes = budgetBytes > 0 ? budgetBytes : Math.max(CHECKPOINT_MIN_BYTES, liveBytes * LOG_TO_LIVE);
  return { checkpoints, logBytes, limitBytes, atRest: imageFiles(server.directory).length === 1 };
}

function requestsFor({ valueBytes }: Entries, bytes: number): number {
  return Math.ceil(bytes / (valueBytes + RECORD_OVERHEAD_BYTES));
}

export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
}
