/**
 * The results of trials as people and programs read them: a table, Markdown, JSON. run.ts prints and writes them.
 * Guarded: a shortened or a spoilt run says so beside every result, and what broke off says why.
 */
import type { Machine } from '../bench/machine.js';
import { isReached, type TrialResult } from './finding.js';

export interface TrialsReport {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly sabotage: boolean;
  readonly seed: number;
  /** Load average of the machine at the start, without the trials' own. */
  readonly loadAverage: number;
  readonly trials: readonly TrialResult[];
  /** Names of trials that were chosen and have no result: not yet run, or left out by `--from`. */
  readonly unrun: readonly string[];
}

const CELL_MAX = 64;
const HEAD = ['TRIAL', 'BEHAVIOUR', 'MEASURED', 'BOUND', ''];

/** A row for each finding; a trial that broke off has one that says why. */
export function rowsOf(trials: readonly TrialResult[]): string[][] {
  return trials.flatMap((trial) => [
    ...trial.findings.map((finding) => [
      trial.name,
      finding.what,
      finding.measured,
      finding.bound,
      finding.reached ? 'reached' : 'missed',
    ]),
    ...(trial.failure === null ? [] : [[trial.name, 'goes to its end', trial.failure, 'yes', 'missed']]),
    ...(trial.failure === null && trial.findings.length === 0
      ? [[trial.name, 'has findings', 'none', 'yes', 'missed']]
      : []),
  ]);
}

/** Lines for a terminal. */
export function tableLines(trials: readonly TrialResult[]): string[] {
  const rows = [HEAD, ...rowsOf(trials).map((row) => row.map(shortened))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

/** A cell of the terminal's table; the reports have it whole. */
function shortened(cell: string): string {
  return cell.length <= CELL_MAX ? cell : `${cell.slice(0, CELL_MAX - 3)}...`;
}

export function verdictLine(report: TrialsReport): string {
  const reached = report.trials.filter(isReached).length;
  const missed = report.trials.filter((trial) => !isReached(trial)).map((trial) => trial.name);
  if (report.sabotage) {
    const unnoticed = report.trials
      .filter((trial) => isReached(trial) || trial.failure !== null)
      .map(({ name }) => name);
    return unnoticed.length === 0
      ? `every one of ${report.trials.length} spoilt trials was missed, as it should be`
      : `spoilt, and not missed by a bound: ${unnoticed.join(', ')}`;
  }
  return missed.length === 0
    ? `${reached} of ${report.trials.length} trials reached every bound`
    : `${reached} of ${report.trials.length} trials reached every bound; missed: ${missed.join(', ')}`;
}

/** Which of the chosen trials the table says nothing of. */
export function unrunLine(report: TrialsReport): string {
  return `no result of: ${report.unrun.join(', ')}`;
}

/** Whether the run is a success: all reached, or, when spoilt on purpose, all missed by a finding. */
export function succeeded(report: TrialsReport): boolean {
  if (report.trials.length === 0) return false;
  if (report.sabotage) return report.trials.every((trial) => trial.failure === null && !isReached(trial));
  return report.trials.every(isReached);
}

export function markdownReport(report: TrialsReport): string {
  const { machine } = report;
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const lines = [
    '# Acceptance trials',
    '',
    `hearsay ${machine.hearsay}${machine.commit === null ? '' : ` (commit ${machine.commit})`}, Node ${machine.node}; ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}; ${machine.date}`,
    '',
    `Real processes on loopback, all on this machine, the load too; load average before: ${report.loadAverage.toFixed(2)}; seed ${report.seed}.${report.quick ? ' Shortened: durations and counts are cut down.' : ''}${report.sabotage ? ' Spoilt on purpose: every trial should be missed.' : ''}`,
    '',
    '| trial | behaviour | measured | bound | |',
    '| --- | --- | --- | --- | --- |',
    ...rowsOf(report.trials).map((row) => `| ${row.map(cell).join(' | ')} |`),
    '',
    verdictLine(report),
    ...(report.unrun.length === 0 ? [] : ['', unrunLine(report)]),
    '',
  ];
  for (const trial of report.trials) {
    lines.push(
      `## ${trial.name}`,
      '',
      `${trial.title} (${Math.round(trial.seconds)} s${trial.shortened ? ', shortened' : ''})`,
    );
    if (trial.sabotage !== null) lines.push('', `Spoilt: ${trial.sabotage}`);
    lines.push('', ...trial.notes.map((note) => `- ${note}`), '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
