/**
 * `hearsay bench`: Hearsay against redis-server on this machine, in one run. It checks the flags and leaves the run to
 * cluster/bench/run.ts. `hearsay bench-child ROLE SPEC` is what that run starts as processes of their own.
 */
import { allCaseNames, chooseCases } from '../../cluster/bench/cases.js';
import type { InProcessSpec } from '../../cluster/bench/in-process.js';
import { runLoad } from '../../cluster/bench/load.js';
import type { LoadSpec } from '../../cluster/bench/load-spec.js';
import { type ReplaySpec, runReplay } from '../../cluster/bench/replay.js';
import { runReplays } from '../../cluster/bench/replay-run.js';
import { type BenchDoors, runBench } from '../../cluster/bench/run.js';
import { readTrace } from '../../cluster/bench/trace.js';
import { benchInProcess } from './bench-node.js';
import { replayPlan } from './bench-replay.js';
import { directoryProblem, placeProblem } from './places.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const ROUNDS_MAX = 100;

export async function runBenchVerb(
  flags: Readonly<Record<string, unknown>>,
  version: string,
  terminal: Terminal,
): Promise<number> {
  if (flags.list === true) {
    for (const name of allCaseNames()) terminal.out(`${name}\n`);
    return 0;
  }
  if (terminal.launcher === null) throw new UsageError(['bench: start it by bin/hearsay.js']);
  const problems: string[] = [];
  const quick = flags.quick === true;
  const rounds = flags.rounds === undefined ? (quick ? 1 : 5) : wholeNumber(flags.rounds);
  if (!(rounds >= 1 && rounds <= ROUNDS_MAX)) problems.push(`--rounds: ${flags.rounds} is not from 1 to ${ROUNDS_MAX}`);
  const words = typeof flags.cases === 'string' ? flags.cases.split(',').filter(Boolean) : [];
  const { names, unknown } = chooseCases(words, flags.all === true ? 'all' : quick ? 'quick' : 'default');
  for (const word of unknown) problems.push(`--cases: no case is named ${word}; --list prints them`);
  const plan = replayPlan(flags, problems);
  for (const source of plan?.sources ?? []) {
    // Its first key shows what is wrong with a trace as a whole: it is not there, not readable, empty.
    if (source.kind === 'file')
      await readTrace(source.path, 1).catch((error: Error) => problems.push(`--trace: ${error.message}`));
  }
  if (problems.length === 0) problems.push(...problemsOfPlaces(flags));
  if (problems.length > 0) throw new UsageError(problems);
  const options = {
    rounds,
    quick,
    jsonFile: fileOf(flags.json),
    svgFile: fileOf(flags.svg),
    reportDirectory: fileOf(flags.report),
  };
  const doors: BenchDoors = {
    command: [process.execPath, terminal.launcher],
    version,
    out: (line) => terminal.out(`${line}\n`),
    complain: (line) => terminal.error(`${line}\n`),
    onStop: (listener) => terminal.onStopSignal(listener),
  };
  return plan === null ? runBench({ ...options, cases: names }, doors) : runReplays(plan, options, doors);
}

/** What is wrong with the places where results go: a run takes minutes, and is not to be lost at its end. Directories are made. */
function problemsOfPlaces(flags: Readonly<Record<string, unknown>>): string[] {
  const problems: string[] = [];
  for (const flag of ['json', 'svg']) {
    const file = fileOf(flags[flag]);
    const problem = file === null ? null : placeProblem(file);
    if (problem !== null) problems.push(`--${flag}: ${problem}`);
  }
  const directory = fileOf(flags.report);
  const problem = directory === null ? null : directoryProblem(directory);
  if (problem !== null) problems.push(`--report: ${problem}`);
  return problems;
}

/** One role of a run, told by JSON; its result is one line of JSON. What it throws is one line for the run that started it. */
export async function runBenchChild(role: string, spec: string, terminal: Terminal): Promise<number> {
  const onStop = (listener: () => void): void => void process.stdin.once('end', listener).resume();
  const work: Record<string, (parsed: unknown) => Promise<unknown>> = {
    load: (parsed) => runLoad(parsed as LoadSpec, onStop),
    'in-process': (parsed) => benchInProcess(parsed as InProcessSpec),
    replay: (parsed) => runReplay(parsed as ReplaySpec),
  };
  if (!Object.hasOwn(work, role)) throw new UsageError([`bench-child: ${role} is no role`]);
  try {
    terminal.out(`${JSON.stringify(await work[role](JSON.parse(spec)))}\n`);
    return 0;
  } catch (error) {
    terminal.error(`hearsay: bench-child ${role}: ${(error as Error).message}\n`);
    return 1;
  }
}

function wholeNumber(raw: unknown): number {
  return /^\d{1,9}$/.test(String(raw)) ? Number(raw) : Number.NaN;
}

function fileOf(raw: unknown): string | null {
  return typeof raw === 'string' && raw !== '' ? raw : null;
}
