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
import { type Arena, type ChaosScript, indexesTo, inTurns, namesOf } from './disturbance.js';
import { answerOf, probeKeys, Witness, Writes } from './witness.js';

const PLACES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
  '/usr/lib/faketime/libfaketime.so.1',
];
const JUMPS_SECONDS = [-3600, -20, -10, -2, 2, 10, 20, 3600] as const;
const LENGTH_MS = [1000, 6000] as const;
const NO_JUMP = '+0';
/** As Writes gives it. */
const PROBE_LIFE_MS = 600_000;
/** Less than the least jump, more than a busy machine takes to answer. */
const STRAY_MS_MAX = 1500;
const NOTICED_LIMIT_MS = 4000;
const TRUSTED_LIMIT_MS = 30_000;

export const clockJump = (): ChaosScript => {
  let directory: string | null = null;
  const witness = new Witness('clock-jump: no node noticed that its clock had jumped');
  let turn = 0;
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
        let steady: Steady | null = null;
        return {
          beginsAtMs,
          endsAtMs,
          begins: `the clock of ${namesOf([victim])} jumps by ${offset} s`,
          ends: `the clock of ${namesOf([victim])} is right again`,
          begin: async (arena) => {
            steady = arena.alone ? await Steady.begin(arena, victim, turn++) : null;
            await set(victim, offset);
          },
          end: async () => {
            if (steady !== null) witness.note(await steady.look(seconds * 1000));
            await set(victim, NO_JUMP);
          },
        };
      }),
    check: async (arena) => {
      const wrong = witness.violations(arena);
      for (const index of arena.cluster.running()) {
        const agrees = async (): Promise<boolean> => (await arena.cluster.status(index)).clock_drifted === 0;
        await arena.cluster.until(`${namesOf([index])} trusts its clock again`, TRUSTED_LIMIT_MS, agrees);
      }
      return wrong;
    },
    tearDown: async () => {
      if (directory !== null) await rm(directory, { recursive: true, force: true });
    },
  };
};

/** Keys whose end is known on a node whose clock jumps: it must neither come nearer nor go away by that. */
class Steady {
  private constructor(
    private readonly arena: Arena,
    private readonly victim: number,
    private readonly keys: readonly string[],
    /** On the clock of this process. */
    private readonly endsAtMs: number,
  ) {}

  static async begin(arena: Arena, victim: number, turn: number): Promise<Steady> {
    const keys = probeKeys(arena.cluster, `clock:${turn}`);
    const endsAtMs = performance.now() + PROBE_LIFE_MS;
    const { taken } = await new Writes(arena.cluster, victim, keys, 'steady').all();
    return new Steady(arena, victim, taken, endsAtMs);
  }

  /** While the clock is wrong. Whether the node noticed, and says by how much. */
  async look(jumpMs: number): Promise<boolean> {
    const { arena, victim, keys, endsAtMs } = this;
    const { cluster } = arena;
    const notices = async (): Promise<boolean> => {
      const { clock_drifted, clock_offset_ms } = await cluster.status(victim);
      return clock_drifted === 1 && Math.abs(Number(clock_offset_ms) + jumpMs) < STRAY_MS_MAX;
    };
    const noticed = await cluster.until('it notices', NOTICED_LIMIT_MS, notices).then(
      () => true,
      () => false,
    );
    arena.signal.throwIfAborted();
    for (const key of keys) {
      const left = await answerOf(cluster, victim, 'PTTL', key);
      if (typeof left !== 'number') continue;
      const strayMs = Math.round(left - (endsAtMs - performance.now()));
      if (Math.abs(strayMs) <= STRAY_MS_MAX) continue;
      arena.complain(`clock-jump: ${namesOf([victim])} followed its clock: the end of ${key} moved by ${strayMs} ms`);
      break;
    }
    if (!noticed)
      arena.complain(`clock-jump: ${namesOf([victim])} did not notice that its clock jumped by ${jumpMs} ms`);
    return noticed;
  }
}

function libraryFile(): string | null {
  const named = process.env.HEARSAY_FAKETIME;
  return [...(named === undefined ? [] : [named]), ...PLACES].find((place) => existsSync(place)) ?? null;
}
