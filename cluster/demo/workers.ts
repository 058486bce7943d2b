/**
 * Many operations at a steady concurrency, each tried until it is acknowledged. The demonstration loads, reads and updates
 * through it. Guarded: an operation that fails counts as not acknowledged and is tried again; one that fails for longer than
 * its bound ends the whole run with its error.
 */

const RETRY_PAUSE_MS = 50;

export interface WorkOptions {
  concurrency: number;
  /** One operation is tried for so long. */
  patienceMs: number;
  /** Ends the run early. */
  signal: AbortSignal;
}

export interface WorkTally {
  /** Operations that failed and were tried again. */
  retries: number;
}

/** Runs `operate` for every index below `count`. */
export async function workThrough(
  count: number,
  options: WorkOptions,
  operate: (index: number) => Promise<void>,
): Promise<WorkTally> {
  const tally: WorkTally = { retries: 0 };
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        await insist(() => operate(index), options, tally);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, count) }, worker));
  return tally;
}

async function insist(operate: () => Promise<void>, options: WorkOptions, tally: WorkTally): Promise<void> {
  const deadline = Date.now() + options.patienceMs;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      await operate();
      return;
    } catch (error) {
      if (error instanceof BrokenPromise || Date.now() > deadline) throw error;
      tally.retries++;
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
    }
  }
}

/** Something that Hearsay promises did not hold: no reason to try again. */
export class BrokenPromise extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BrokenPromise';
  }
}
