/**
 * Chaos by clocks: the wall clock of one node jumps, by libfaketime, while its monotonic clock goes on. The node must not believe a
 * jump that its peers do not see, and lose nothing by it.
 * Guarded: where the library is not there the scenario says so and is not run; it is looked for in HEARSAY_FAKETIME and where
 * distributions put it.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChaosScript, indexesTo, inTurns, namesOf } from './disturbance.js';

const PLACES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
  '/usr/lib/faketime/libfaketime.so.1',
];
const JUMPS_SECONDS = [-3600, -20, -10, -2, 2, 10, 20, 3600] as const;
const LENGTH_MS = [1000, 6000] as const;
const NO_JUMP = '+0';

export const clockJump = (): ChaosScript => {
  let directory: string | null = null;
  const fileOf = (index: number): string => join(directory ?? tmpdir(), `node-${index + 1}.offset`);
  const set = async (index: number, offset: string): Promise<void> => {
    // A node reads it at any time: whole or not at all.
    await writeFile(`${fileOf(index)}.new`, `${offset}\n`);
    await rename(`${fileOf(index)}.new`, fileOf(index));
  };
  return {
    lateEffectMs: 4000,
    missing: async () => (libraryFile() === null ? 'libfaketime is not installed (apt install libfaketime)' : null),
    setUp: async (_draws, nodes) => {
      directory = await mkdtemp(join(tmpdir(), 'hearsay-clock-'));
      for (const index of indexesTo(nodes)) await set(index, NO_JUMP);
    },
    environmentOf: (index) => ({
      LD_PRELOAD: libraryFile() ?? '',
      FAKETIME_TIMESTAMP_FILE: fileOf(index),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_NO_CACHE: '1',
    }),
    plan: (draws, nodes, durationMs) =>
      inTurns(draws, durationMs, LENGTH_MS, (beginsAtMs, endsAtMs) => {
        const victim = draws.below(nodes);
        const seconds = JUMPS_SECONDS[draws.below(JUMPS_SECONDS.length)];
        const offset = seconds < 0 ? String(seconds) : `+${seconds}`;
        return {
          beginsAtMs,
          endsAtMs,
          begins: `the clock of ${namesOf([victim])} jumps by ${offset} s`,
          ends: `the clock of ${namesOf([victim])} is right again`,
          begin: () => set(victim, offset),
          end: () => set(victim, NO_JUMP),
        };
      }),
    tearDown: async () => {
      if (directory !== null) await rm(directory, { recursive: true, force: true });
    },
  };
};

function libraryFile(): string | null {
  const named = process.env.HEARSAY_FAKETIME;
  return [...(named === undefined ? [] : [named]), ...PLACES].find((place) => existsSync(place)) ?? null;
}
