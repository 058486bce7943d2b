/**
 * Runs trials one after the other, prints the table and writes the report. `hearsay trials` calls it with checked options.
 * Guarded: a trial that throws is missed and the next one runs; every cluster is gone at the end of its trial, and at Ctrl-C; the
 * result is 0 only when every bound of every trial was reached (when spoilt on purpose: when every trial was missed).
 */
import { renameSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../bench/machine.js';
import type { Finding, TrialResult } from './finding.js';
import { isReached } from './finding.js';
import { PacedLoad } from './load.js';
import { markdownReport, succeeded, type TrialsReport, tableLines, unrunLine, verdictLine } from './report.js';
import { Stage } from './stage.js';
import type { Trial } from './trial.js';

export interface TrialsOptions {
  readonly trials: readonly Trial[];
  /** Results of an earlier run that this one goes on with, the first trial of `trials` behind the last of them. */
  readonly earlier: readonly TrialResult[];
  /** Names of trials that belong to the run and are passed over, whether there is an earlier result or not. */
  readonly passedOver: readonly string[];
  readonly quick: boolean;
  readonly sabotage: boolean;
  readonly seed: number;
  /** Gets trials.md and trials.json; known to take files. */
  readonly reportDirectory: string | null;
  /** Program and words that run one node; flags follow. */
  readonly command: readonly string[];
  readonly launcher: string;
  readonly version: string;
  readonly signal: AbortSignal;
}

export async function runTrials(options: TrialsOptions, print: (line: string) => void): Promise<number> {
  const loadAverage = loadavg()[0];
  const machine = describeMachine(options.version, options.launcher, null);
  const trials: TrialResult[] = [...options.earlier];
  const names = [...options.passedOver, ...options.trials.map(({ name }) => name)];
  const report = (): TrialsReport => ({
    machine,
    quick: options.quick,
    sabotage: options.sabotage,
    seed: options.seed,
    loadAverage,
    trials,
    unrun: names.filter((name) => !trials.some((trial) => trial.name === name)),
  });
  let next = '';
  for (const trial of options.trials) {
    if (options.signal.aborted) break;
    next = trial.name;
    trials.push(await runTrial(trial, options, print));
    // After each: hours of trials are not lost with the last.
    writeReport(report(), options.reportDirectory);
  }
  print('');
  for (const line of tableLines(trials)) print(line);
  print('');
  if (options.quick) print('shortened: durations and counts are cut down');
  print(options.signal.aborted ? `stopped; to go on: --from ${next}` : verdictLine(report()));
  if (report().unrun.length > 0) print(unrunLine(report()));
  return !options.signal.aborted && succeeded(report()) ? 0 : 1;
}

/** One trial from its first process to its findings. */
export async function runTrial(
  trial: Trial,
  options: Pick<TrialsOptions, 'quick' | 'sabotage' | 'seed' | 'command' | 'signal'>,
  print: (line: string) => void,
): Promise<TrialResult> {
  const { quick, sabotage, seed, command, signal } = options;
  const startedAtMs = performance.now();
  const stages: Promise<Stage>[] = [];
  const loads: PacedLoad[] = [];
  const notes: string[] = [];
  const tell = (line: string): void =>
    print(`${((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  print(`${trial.name}: ${trial.title}${quick ? ' (shortened)' : ''}`);
  if (sabotage) print(`        spoilt: ${trial.sabotage}`);
  let findings: Finding[] = [];
  let failure: string | null = null;
  try {
    const running = trial.run({
      quick,
      sabotage,
      seed,
      tell,
      note: (line) => {
        notes.push(line);
        tell(line);
      },
      pass: (ms) => passing(ms, signal),
      load: (loadOptions) => {
        signal.throwIfAborted();
        const load = new PacedLoad(loadOptions);
        loads.push(load);
        return load;
      },
      open: (stageOptions) => {
        signal.throwIfAborted();
        const stage = Stage.open(command, stageOptions, (line) => tell(line));
        stages.push(stage);
        return stage;
      },
    });
    findings = await untilAborted(running, signal);
  } catch (error) {
    failure = (error as Error).message;
  } finally {
    // A load that went on would write to whoever gets the ports next.
    await Promise.all(loads.map((load) => load.stop()));
    // One that is still opening is waited for: nothing is left behind.
    for (const stage of await Promise.allSettled(stages)) if (stage.status === 'fulfilled') await stage.value.close();
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  const spoilt = sabotage ? trial.sabotage : null;
  const { name, title } = trial;
  const result = { name, title, shortened: quick, sabotage: spoilt, findings, notes, failure, seconds };
  for (const { what, bound, measured, reached } of findings) {
    tell(`${reached ? 'reached' : 'MISSED '}  ${what}: ${measured} (${bound})`);
  }
  tell(failure === null ? (isReached(result) ? 'reached' : 'missed') : `broke off: ${failure}`);
  return result;
}

function writeReport(report: TrialsReport, directory: string | null): void {
  if (directory === null) return;
  replaceFile(join(directory, 'trials.json'), `${JSON.stringify(report, null, 2)}\n`);
  replaceFile(join(directory, 'trials.md'), markdownReport(report));
}

/** Whole or not at all: a run that is interrupted here is gone on with by what the file holds. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function passing(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', stopped, { once: true });
    function done(): void {
      signal.removeEventListener('abort', stopped);
      resolve();
    }
    function stopped(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}

/** The work's result; rejects at once when the run is stopped. The work itself fails when its cluster is gone. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  work.catch(() => {});
  let stopped = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stopped = () => reject(signal.reason);
    if (signal.aborted) stopped();
    signal.addEventListener('abort', stopped, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stopped);
  }
}
