/**
 * How the laws of this room are run: a few hundred cases each in the ordinary tests, and for `HEARSAY_FUZZ` seconds each by `npm run fuzz`,
 * with seed, cases and time printed. Every *.test.ts here calls `law`. Guarded: whatever fails names the command that runs that case again.
 *
 *     HEARSAY_FUZZ=60            seconds for each law
 *     HEARSAY_FUZZ_SEED=n        instead of a seed of the moment
 *     HEARSAY_FUZZ_PATH=a:b:c    only that case of that seed: what a failure prints
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';

const SECONDS = Number(process.env.HEARSAY_FUZZ ?? 0);
const SEED = process.env.HEARSAY_FUZZ_SEED === undefined ? undefined : Number(process.env.HEARSAY_FUZZ_SEED);
const PATH = process.env.HEARSAY_FUZZ_PATH;
/** What a law may take beyond its seconds: its last case, and shrinking. */
const GRACE_MS = 90_000;

/** True in a long run: laws that are tables then go through all of it. */
export const isLong = SECONDS > 0;

/** One law: `runs` cases of it in the ordinary tests. */
export function law<T>(name: string, runs: number, property: fc.IRawProperty<T>): void {
  it(
    name,
    async ({ task }) => {
      const startedMs = Date.now();
      const details = await fc.check(property, {
        seed: SEED,
        path: PATH,
        numRuns: isLong ? Number.MAX_SAFE_INTEGER : runs,
        ...(isLong ? { interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false } : {}),
      });
      const { seed, numRuns, counterexamplePath } = details;
      if (isLong) {
        const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
        process.stdout.write(`fuzz: ${name}: seed ${seed}, ${numRuns} cases in ${seconds} s\n`);
      }
      const replay =
        `HEARSAY_FUZZ_SEED=${seed} HEARSAY_FUZZ_PATH=${counterexamplePath ?? '0'} ` +
        `npx vitest run ${task.file.name} -t ${JSON.stringify(name)}`;
      const why = details.errorInstance instanceof Error ? details.errorInstance.stack : '';
      expect(details.failed, `${fc.defaultReportMessage(details) ?? ''}\n${why}\nagain: ${replay}`).toBe(false);
    },
    SECONDS * 1000 + GRACE_MS,
  );
}
