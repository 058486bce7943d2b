/**
 * `hearsay chaos run SCENARIO|all` and `chaos list`: a checked load on a cluster of its own while a scenario disturbs it.
 * It checks the flags, leaves each run to cluster/chaos/run.ts, and prints timeline and verdict.
 * Guarded: exit code 1 on a violation; 3 when it was stopped, or when the one scenario that was asked for cannot be run here.
 */
import { randomInt } from 'node:crypto';
import { chooseScenarios, SCENARIOS } from '../../cluster/chaos/catalogue.js';
import type { Scenario } from '../../cluster/chaos/disturbance.js';
import { describeRun, type RunRecord, summaryLines } from '../../cluster/chaos/record.js';
import { writeReport } from '../../cluster/chaos/report.js';
import { runScenario } from '../../cluster/chaos/run.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { directoryProblem } from './places.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

/** For the help of the flags; they are checked below. */
export const CHAOS_BOUNDS = { nodes: '3 to 15', duration: '2s to 60m', seed: '0 to 4294967295' } as const;
const NODES_MIN = 3;
const NODES_MAX = 15;
const DURATION_MS_MIN = 2000;
const DURATION_MS_MAX = 3_600_000;
const SEED_MAX = 2 ** 32 - 1;

interface ChaosFlags {
  scenarios: readonly Scenario[];
  nodes: number;
  durationMs: number;
  seed: number;
  /** Gets the pages; known to take files. */
  reportDirectory: string | null;
}

/** Behind the flags in `chaos --help` and `chaos run --help`. */
export const CHAOS_EXAMPLES = `Examples:
  hearsay chaos list
  hearsay chaos run partition-halves --duration 20s --nodes 3
  hearsay chaos run all --duration 1m --report chaos-report
  hearsay chaos run kill --nodes 5 --duration 30s --seed 7

The seed decides the schedule; how the machine runs it is its own. Each run takes some seconds more than its duration: the nodes start, then
all is mended, and every key is read from every node. Nodes and their directories are temporary; Ctrl-C removes them.`;

export function listScenarios(terminal: Terminal): number {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  for (const { name, does, expects } of SCENARIOS) {
    terminal.out(`${name.padEnd(width)}  ${does}\n${' '.repeat(width)}  expected: ${expects}\n`);
  }
  return DONE;
}

export async function runChaosVerb(
  name: string,
  options: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<number> {
  const flags = flagsOf(name, options);
  if (terminal.launcher === null) throw new UsageError(['chaos: start it by bin/hearsay.js']);
  const stop = new AbortController();
  terminal.onStopSignal(() => stop.abort(new Error('stopped')));
  const command = [process.execPath, terminal.launcher, 'serve'];
  const print = (line: string): void => terminal.out(`${line}\n`);
  const records: RunRecord[] = [];
  let failed = false;
  for (const scenario of flags.scenarios) {
    const { nodes, durationMs, seed } = flags;
    print(`chaos ${scenario.name}: ${nodes} nodes, ${durationMs / 1000} s, seed ${seed}`);
    try {
      const record = await runScenario(
        { scenario, nodes, durationMs, seed, command, signal: stop.signal, program: terminal.program },
        print,
      );
      records.push(record);
      for (const line of describeRun(record)) print(line);
      // After each: an hour of runs is not lost with the last.
      if (flags.reportDirectory !== null)
        print(`report: ${writeReport(flags.reportDirectory, records, flags.scenarios.length > 1)}`);
    } catch (error) {
      if (stop.signal.aborted) break;
      failed = true;
      terminal.error(`hearsay: chaos ${scenario.name}, seed ${seed}: ${(error as Error).message}\n`);
    }
  }
  if (flags.scenarios.length > 1 && records.length > 0) for (const line of summaryLines(records)) print(line);
  if (stop.signal.aborted) terminal.error('hearsay: stopped\n');
  return exitCodeOf(records, failed, stop.signal.aborted);
}

/** What was not possible here counts only where it was all that was asked for. */
function exitCodeOf(records: readonly RunRecord[], failed: boolean, stopped: boolean): number {
  if (failed || records.some(({ verdict }) => verdict === 'wrong')) return FAILED;
  if (stopped || !records.some(({ verdict }) => verdict === 'right')) return UNWELL;
  return DONE;
}

function flagsOf(name: string, options: Readonly<Record<string, unknown>>): ChaosFlags {
  const problems: string[] = [];
  const scenarios = chooseScenarios(name) ?? [];
  if (scenarios.length === 0) problems.push(`chaos: no scenario is named ${name}; 'hearsay chaos list' prints them`);
  const nodes = wholeNumber(options.nodes);
  if (!(nodes >= NODES_MIN && nodes <= NODES_MAX)) {
    problems.push(`--nodes: ${options.nodes} is not from ${NODES_MIN} to ${NODES_MAX}`);
  }
  const durationMs = millisecondsOf(String(options.duration));
  if (!(durationMs >= DURATION_MS_MIN && durationMs <= DURATION_MS_MAX)) {
    problems.push(`--duration: ${options.duration} is not from 2s to 60m`);
  }
  const seed = options.seed === undefined ? randomInt(SEED_MAX) : wholeNumber(options.seed);
  if (!(seed >= 0 && seed <= SEED_MAX)) problems.push(`--seed: ${options.seed} is not from 0 to ${SEED_MAX}`);
  const reportDirectory = options.report === undefined ? null : String(options.report);
  if (reportDirectory === '') problems.push('--report: name a directory');
  if (problems.length === 0 && reportDirectory !== null) {
    const problem = directoryProblem(reportDirectory);
    if (problem !== null) problems.push(`--report: ${problem}`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  return { scenarios, nodes, durationMs, seed, reportDirectory };
}

function wholeNumber(raw: unknown): number {
  return /^\d{1,10}$/.test(String(raw)) ? Number(raw) : Number.NaN;
}

/** `20s`, `500ms`, `2m`. */
function millisecondsOf(text: string): number {
  const match = /^(\d{1,9})(ms|s|m)$/.exec(text);
  if (match === null) return Number.NaN;
  return Number(match[1]) * (match[2] === 'ms' ? 1 : match[2] === 's' ? 1000 : 60_000);
}
