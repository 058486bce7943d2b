/**
 * `hearsay trials [name...]`: what the cluster promises under disturbances, shown by real processes on this machine. It checks the
 * flags, reads what an interrupted run left behind when it is to go on from there, and leaves the run to cluster/trials/run.ts; exit
 * code 1 when a bound was missed.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseTrials, TRIALS } from '../../cluster/trials/catalogue.js';
import { type Earlier, earlierResults, type RunKind } from '../../cluster/trials/resume.js';
import { runTrials } from '../../cluster/trials/run.js';
import { directoryProblem } from './places.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const SEED_MAX = 2 ** 31 - 1;
const NOTHING = { trials: [], seed: null } as const;

export async function runTrialsVerb(
  names: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  version: string,
  terminal: Terminal,
): Promise<number> {
  const print = (line: string): void => terminal.out(`${line}\n`);
  if (flags.list === true) {
    const width = Math.max(...TRIALS.map(({ name }) => name.length));
    for (const { name, title } of TRIALS) print(`${name.padEnd(width)}  ${title}`);
    return 0;
  }
  if (terminal.launcher === null) throw new UsageError(['trials: start it by bin/hearsay.js']);
  const problems: string[] = [];
  const { trials, unknown } = chooseTrials(names);
  for (const word of unknown) problems.push(`trials: no trial is named ${word}; --list prints them`);
  const kind = { quick: flags.quick === true, sabotage: flags.sabotage === true };
  const from = flags.from === undefined ? 0 : trials.findIndex(({ name }) => name === flags.from);
  if (from < 0) problems.push(`--from: ${flags.from} is none of the trials chosen; --list prints their names`);
  const givenSeed = flags.seed === undefined ? null : wholeNumber(flags.seed);
  if (givenSeed !== null && !(givenSeed <= SEED_MAX)) {
    problems.push(`--seed: ${flags.seed} is not from 0 to ${SEED_MAX}`);
  }
  const reportDirectory = typeof flags.report === 'string' && flags.report !== '' ? flags.report : null;
  if (problems.length === 0 && reportDirectory !== null) {
    const problem = directoryProblem(reportDirectory);
    if (problem !== null) problems.push(`--report: ${problem}`);
  }
  const passedOver = trials.slice(0, Math.max(0, from)).map(({ name }) => name);
  const earlier = problems.length > 0 || from <= 0 ? NOTHING : readEarlier(reportDirectory, kind, passedOver);
  if (typeof earlier === 'string') problems.push(`--from: ${earlier}`);
  if (problems.length > 0 || typeof earlier === 'string') throw new UsageError(problems);
  const stop = new AbortController();
  terminal.onStopSignal(() => stop.abort(new Error('stopped')));
  return runTrials(
    {
      ...kind,
      trials: trials.slice(from),
      earlier: earlier.trials,
      passedOver,
      seed: givenSeed ?? earlier.seed ?? randomInt(SEED_MAX),
      reportDirectory,
      command: [process.execPath, terminal.launcher, 'serve'],
      launcher: terminal.launcher,
      version,
      signal: stop.signal,
    },
    print,
  );
}

/** What the run before left in the directory, if it left anything; a string says why it can not be gone on with. */
function readEarlier(
  directory: string | null,
  kind: RunKind,
  names: readonly string[],
): Earlier | typeof NOTHING | string {
  if (directory === null) return NOTHING;
  const file = join(directory, 'trials.json');
  try {
    const earlier = earlierResults(readFileSync(file, 'utf8'), kind, names);
    return typeof earlier === 'string' ? `${file} ${earlier}` : earlier;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? NOTHING : `${file}: ${message}`;
  }
}

function wholeNumber(raw: unknown): number {
  return /^\d{1,10}$/.test(String(raw)) ? Number(raw) : Number.NaN;
}
