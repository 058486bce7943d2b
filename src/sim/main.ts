/**
 * `hearsay simulate`: runs seeds of the simulator and says what broke. Called from a command line with the words below; the
 * exit code is 0 if every seed passed, 1 if one failed, 2 for wrong words, 3 if it was stopped. Guarded: words are checked before anything
 * runs, and none is taken in silence; nothing but this file, played.ts and planning/main.ts reads arguments or the real clock.
 * With --nodes or --scenario the words are those of planning/: what a large cluster would do, instead of seeds.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { readPlan } from './plan-file.js';
import { isPlanning, PLANNING_USAGE, planCluster } from './planning/main.js';
import { PLANNING_FLAGS } from './planning/words.js';
import { playSeeds, type SeedsAsked } from './played.js';
import type { Plan } from './schedule.js';

export const USAGE = `Two uses. Seeds try the real node under faults and say what broke; --nodes or --scenario says what a large cluster would do:
  hearsay simulate --from 1 --to 500
  hearsay simulate --nodes 1000 --loss 5% --scenario crash --svg crash.svg

simulate [--from SEED] [--to SEED] [--mutation NAME[+NAME]] [--shrink] [--plan FILE] [--replay FILE] [--key KEY] [--log LINES]
  --from, --to   seeds to run, both included (1 to 100)
  --mutation     plants bugs by name, to try the checkers
  --shrink       takes steps out of the first failing plan while it still fails
  --plan         where the shrunk plan goes as JSON, with --shrink
  --replay       plays such a plan instead of seeds, or one that a campaign wrote
  --key          prints what was done to one key in the first failing run
  --log          prints so many of the last log lines of the first failing run
  How far it has come goes to standard error. Ctrl-C ends it behind the seed that is played, with the summary so far.

${PLANNING_USAGE}`;

/** The bugs that the core lets itself be given. */
export const MUTATIONS: readonly string[] = [
  'ack-before-log',
  'actor-reused-after-restart',
  'asymmetric-tie-break',
  'context-ignored',
  'counter-adds-parts',
  'cover-as-of-the-end',
  'cover-before-records',
  'directory-of-another-taken',
  'dismissed-as-heard',
  'dots-reused',
  'doubt-ignored',
  'ended-met-again',
  'expiry-not-kept',
  'failed-sync-acknowledged',
  'failed-sync-repeated',
  'floor-ignored',
  'floor-past-silent',
  'former-life-returns',
  'former-life-trusted',
  'former-owners-unasked',
  'gone-still-heard',
  'hearsay-moves-members',
  'hints-uncounted',
  'hlc-ignores-received',
  'members-forgotten-with-the-log',
  'no-anti-entropy',
  'no-hints',
  'old-address-kept',
  'pending-unbounded',
  'reads-ignore-flushes',
  'refusal-ignored',
  'replay-window-off',
  'ring-kept-to-itself',
  'ring-mismatch-ignored',
  'rot-passed-over',
  'session-ignored',
  'session-reads-unnoted',
  'sketch-takes-less',
  'stall-ignored',
  'streams-believed',
  'tombstone-dropped-at-once',
  'torn-tail-trusted',
  'ttl-restarted-per-hop',
  'unready-copies-ignored',
  'versions-believed',
  'wait-counts-unacknowledged',
];

/** Where text goes, and what is known of who reads it. */
export interface SimulateDoors {
  out(line: string): void;
  complain(line: string): void;
  /** How far it has come, as it stands. */
  progress(text: string): void;
  /** Whether a person looks on, for whom a line of progress is drawn over. */
  readonly isLive: boolean;
  /** False once nobody reads what goes out: then no further seed is begun. */
  isRead(): boolean;
  /** Called when it is to be stopped. */
  onStop(listener: () => void): void;
  /** How this program was started, for commands to paste: `npx hearsay`. */
  readonly program: string;
}

export async function simulate(words: readonly string[], doors: SimulateDoors): Promise<number> {
  const isPlan = isPlanning(words);
  const problems = strayFlags(words, isPlan);
  if (isPlan && problems.length === 0) return planCluster(words, doors);
  const asked = problems.length > 0 ? null : wordsIn(words, problems);
  for (const problem of problems) doors.complain(`simulate: ${problem}`);
  if (asked === null || problems.length > 0) return 2;
  return playSeeds(asked, doors);
}

/** The words as values; adds a line to `problems` for each that is wrong. */
function wordsIn(words: readonly string[], problems: string[]): SeedsAsked | null {
  const values = parsed(words, problems);
  if (values === null) return null;
  const count = (flag: string, text: string): number => {
    if (!/^\d{1,15}$/.test(text)) problems.push(`--${flag}: ${text} is not a whole number`);
    return Number(text);
  };
  const [from, to, logLines] = [count('from', values.from), count('to', values.to), count('log', values.log)];
  if (problems.length === 0 && from > to) problems.push(`--from ${from} is above --to ${to}: there is no seed to run`);
  for (const name of values.mutation.split('+').filter(Boolean)) {
    if (!MUTATIONS.includes(name)) problems.push(`--mutation: ${name} is none of ${MUTATIONS.join(', ')}`);
  }
  if (values.plan !== undefined) checkPlace(values.plan, problems);
  const plan = values.replay === undefined || problems.length > 0 ? null : planIn(values.replay, problems);
  const replay = plan === null ? null : { file: values.replay ?? '', plan };
  const { mutation, shrink } = values;
  return { from, to, mutation, shrink, planFile: values.plan ?? null, replay, key: values.key ?? null, logLines };
}

const OPTIONS = {
  from: { type: 'string', default: '1' },
  to: { type: 'string', default: '100' },
  mutation: { type: 'string', default: '' },
  shrink: { type: 'boolean', default: false },
  plan: { type: 'string' },
  replay: { type: 'string' },
  key: { type: 'string' },
  log: { type: 'string', default: '0' },
} as const;
const SEED_FLAGS: readonly string[] = Object.keys(OPTIONS);

function parsed(words: readonly string[], problems: string[]) {
  try {
    const { values, tokens } = parseArgs({ args: [...words], options: OPTIONS, tokens: true });
    const given = new Set<string>(tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : [])));
    for (const flag of given.has('replay') ? ['from', 'to'] : []) {
      if (given.has(flag)) problems.push(`--${flag} is for seeds: --replay plays the one plan of its file`);
    }
    if (given.has('plan') && !given.has('shrink')) problems.push('--plan is where --shrink writes: say that, too');
    return values;
  } catch (error) {
    problems.push((error as Error).message.split('\n')[0]);
    return null;
  }
}

/** Shrinking takes minutes: that its plan can be written is seen before. */
function checkPlace(file: string, problems: string[]): void {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Error('is a directory');
    accessSync(stats === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    problems.push(`--plan: ${file} can not be written: ${(error as Error).message}`);
  }
}

function planIn(file: string, problems: string[]): Plan | null {
  try {
    return readPlan(file);
  } catch (error) {
    problems.push(`--replay: ${(error as Error).message}`);
    return null;
  }
}

/** A flag of one use beside those of the other is told as such, and not as one that is not known. */
function strayFlags(words: readonly string[], isPlan: boolean): string[] {
  const given = words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=', 1)[0]);
  const [own, others]: (readonly string[])[] = isPlan ? [PLANNING_FLAGS, SEED_FLAGS] : [SEED_FLAGS, PLANNING_FLAGS];
  return given
    .filter((flag) => others.includes(flag) && !own.includes(flag))
    .map((flag) =>
      isPlan
        ? `--${flag} is for seeds, and does not go with --nodes or --scenario, which plan a large cluster`
        : `--${flag} is for planning a large cluster: say --nodes or --scenario, too`,
    );
}
