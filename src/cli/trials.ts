/**
 * `hearsay trials [name...]`: what the cluster promises under disturbances, shown by real processes on this machine. It checks the
 * flags and leaves the run to cluster/trials/run.ts; exit code 1 when a bound was missed.
 */
import { randomInt } from 'node:crypto';
import { chooseTrials, TRIALS } from '../../cluster/trials/catalogue.js';
import { runTrials } from '../../cluster/trials/run.js';
import { directoryProblem } from './places.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const SEED_MAX = 2 ** 31 - 1;

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
  const seed = flags.seed === undefined ? randomInt(SEED_MAX) : wholeNumber(flags.seed);
  if (!(seed >= 0 && seed <= SEED_MAX)) problems.push(`--seed: ${flags.seed} is not from 0 to ${SEED_MAX}`);
  const reportDirectory = typeof flags.report === 'string' && flags.report !== '' ? flags.report : null;
  if (problems.length === 0 && reportDirectory !== null) {
    const problem = directoryProblem(reportDirectory);
    if (problem !== null) problems.push(`--report: ${problem}`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  const stop = new AbortController();
  terminal.onStopSignal(() => stop.abort(new Error('stopped')));
  return runTrials(
    {
      trials,
      quick: flags.quick === true,
      sabotage: flags.sabotage === true,
      seed,
      reportDirectory,
      command: [process.execPath, terminal.launcher, 'serve'],
      launcher: terminal.launcher,
      version,
      signal: stop.signal,
    },
    print,
  );
}

function wholeNumber(raw: unknown): number {
  return /^\d{1,10}$/.test(String(raw)) ? Number(raw) : Number.NaN;
}
