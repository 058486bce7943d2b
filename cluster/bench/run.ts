/**
 * A benchmark run from its first process to its report. `hearsay bench` calls `runBench` with checked options and exits with what
 * it returns: 0 when everything wanted was measured, 1 when something was not.
 * Guarded: every process is ended and every temporary folder removed at the end, after an error, and at Ctrl-C.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASE_GROUPS } from './cases.js';
import { ratioChart } from './chart.js';
import type { BenchContext, Row } from './context.js';
import { describeMachine, findProgram, pinCores } from './machine.js';
import { Children } from './processes.js';
import { type BenchReport, describeReport, markdownReport, setupLines } from './report.js';

export interface BenchDoors {
  /** Program and words of the command line; its last word is the launcher. */
  readonly command: readonly string[];
  readonly version: string;
  out(line: string): void;
  complain(line: string): void;
  onStop(listener: () => void): void;
}

export interface BenchOptions {
  readonly cases: readonly string[];
  readonly rounds: number;
  readonly quick: boolean;
  /** This and the places below are known to take files before a run begins. */
  readonly jsonFile: string | null;
  readonly svgFile: string | null;
  /** Gets report.md, report.json and report.svg. */
  readonly reportDirectory: string | null;
}

export async function runBench(options: BenchOptions, doors: BenchDoors): Promise<number> {
  return withContext(options, doors, async (context) => {
    const startedMs = performance.now();
    const machine = describeMachine(doors.version, doors.command[doors.command.length - 1], context.redisServer);
    if (context.redisServer === null) doors.out('redis-server is not on PATH: Hearsay alone is measured');
    const rows: Row[] = [];
    for (const group of CASE_GROUPS) {
      const wanted = group.names.filter((name) => options.cases.includes(name));
      if (wanted.length === 0) continue;
      doors.out(`${wanted.join(', ')}`);
      rows.push(...(await group.run(context, wanted)));
    }
    const report: BenchReport = {
      machine,
      pinning: context.pinning.description,
      rounds: context.rounds,
      quick: context.quick,
      setup: setupLines(machine.redis),
      seconds: (performance.now() - startedMs) / 1000,
      rows,
    };
    doors.out('');
    for (const line of describeReport(report)) doors.out(line);
    writeReport(report, options);
    return rows.every((row) => row.hearsay !== null) ? 0 : 1;
  });
}

/** Runs `work` with a context of its own, and ends what it started, however it ends. */
export async function withContext(
  options: { readonly rounds: number; readonly quick: boolean },
  doors: BenchDoors,
  work: (context: BenchContext) => Promise<number>,
): Promise<number> {
  const children = new Children();
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-bench-'));
  let stopped = false;
  doors.onStop(() => {
    stopped = true;
    children.killAll();
  });
  const removeAtExit = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  process.on('exit', removeAtExit);
  const redisServer = findProgram('redis-server');
  try {
    return await work({
      command: doors.command,
      redisServer,
      redisBenchmark: findProgram('redis-benchmark'),
      pinning: pinCores(),
      children,
      directory,
      rounds: options.rounds,
      quick: options.quick,
      print: doors.out,
    });
  } catch (error) {
    doors.complain(`hearsay: bench: ${stopped ? 'stopped' : (error as Error).message}`);
    return 1;
  } finally {
    children.killAll();
    removeAtExit();
    process.off('exit', removeAtExit);
  }
}

function writeReport(report: BenchReport, options: BenchOptions): void {
  const json = `${JSON.stringify(report, null, 2)}\n`;
  const chart = ratioChart(
    report.rows,
    `Hearsay ${report.machine.hearsay} and redis-server ${report.machine.redis ?? ''}`,
  );
  if (options.jsonFile !== null) writeFileSync(options.jsonFile, json);
  if (options.svgFile !== null) writeFileSync(options.svgFile, chart);
  if (options.reportDirectory === null) return;
  writeFileSync(join(options.reportDirectory, 'report.json'), json);
  writeFileSync(join(options.reportDirectory, 'report.svg'), chart);
  writeFileSync(join(options.reportDirectory, 'report.md'), markdownReport(report, 'report.svg'));
}
