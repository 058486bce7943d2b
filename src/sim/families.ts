/**
 * The families of what a plan holds that were added to the first draw (schedule.ts), in the order of their coming. Each draws from a
 * generator of its own and only adds: so a seed keeps what it had when a family comes along, and a seed that once found a bug is played
 * again by naming the families there were (`PlanLimits.families`). schedule.ts draws them, main.ts completes plans from files.
 * Guarded: no family looks at or changes another's steps; a plan without a family's fields is completed with what leaves the run as it was.
 */
import type { Random } from '../core/base/random.js';
import { DISK_FAMILY } from './disk-faults.js';
import { ECHOES } from './echoes.js';
import { CLOCKS } from './faults/clocks.js';
import { LIMITS } from './faults/limits.js';
import { LIVE_CORE } from './faults/live-core.js';
import { LONG_DOWN } from './faults/long-down.js';
import { MEMBERS } from './faults/members.js';
import { OUTSKIRTS } from './faults/outskirts.js';
import { PATHS, STREAMS } from './faults/paths.js';
import { PROCESSORS } from './faults/processors.js';
import { RENEWALS } from './faults/renewals.js';
import type { Plan } from './schedule.js';
import { SESSIONS } from './sessions.js';
import { SIBLINGS } from './siblings.js';
import { SKETCHES } from './sketches.js';
import { VARIANTS, WAITS } from './variants.js';

export interface Family {
  readonly name: string;
  /** Second word of its generator's seed: different for every family. */
  readonly stream: number;
  /** Adds its fields and steps; steps are put in order afterwards. */
  draw(plan: Plan, random: Random): void;
}

export const FAMILIES: readonly Family[] = [
  PATHS,
  STREAMS,
  PROCESSORS,
  CLOCKS,
  DISK_FAMILY,
  SIBLINGS,
  SKETCHES,
  VARIANTS,
  WAITS,
  SESSIONS,
  LIVE_CORE,
  LIMITS,
  MEMBERS,
  RENEWALS,
  ECHOES,
  LONG_DOWN,
  OUTSKIRTS,
];
