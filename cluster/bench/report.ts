/**
 * A run's results as people and programs read them: the table, ratios first, and JSON. run.ts prints and writes it; chart.ts draws.
 * Guarded: what could not be measured is said with its reason and never filled in; a target is judged by the median alone.
 */
import type { Detail, Row, Target } from './context.js';
import type { Machine } from './machine.js';
import type { Sample } from './statistics.js';

export interface BenchReport {
  readonly machine: Machine;
  readonly pinning: string;
  readonly rounds: number;
  readonly quick: boolean;
  /** What is on on each side, and how it was measured. */
  readonly setup: readonly string[];
  readonly seconds: number;
  readonly rows: readonly Row[];
}

export type Verdict = 'reached' | 'missed' | 'not measured' | 'no target';

export function verdictOf(row: Row): Verdict {
  if (row.hearsay === null) return 'not measured';
  if (row.target === null) return 'no target';
  const judged = judgedFigure(row, row.target.kind);
  if (judged === null) return 'not measured';
  const reached = row.better === 'higher' ? judged >= row.target.limit : judged <= row.target.limit;
  return reached ? 'reached' : 'missed';
}

function judgedFigure(row: Row, kind: Target['kind']): number | null {
  if (kind === 'ratio') return row.ratio?.median ?? null;
  if (row.hearsay === null) return null;
  if (kind === 'figure') return row.hearsay.median;
  return row.redis === null ? null : row.hearsay.median - row.redis.median;
}

/** What holds for every run, in sentences. */
export function setupLines(redis: string | null): string[] {
  return [
    'Hearsay: one node (N = 1) where a case does not say three, real sockets; on: a dot and a version of every record, CRC-32 of every record and log frame, the digest trie, frequency for eviction',
    redis === null
      ? 'redis-server is not on PATH: Hearsay alone was measured, and no ratio can be given'
      : `Redis ${redis}: save "", io-threads 1; off = no AOF, interval = appendfsync everysec, always = appendfsync always`,
    'both are started with GLIBC_TUNABLES=glibc.malloc.hugetlb=1, as the Dockerfile and `hearsay cluster` do; Redis brings an allocator of its own, which does not heed it',
    'ratios are Hearsay over Redis, round by round: median (min..max); CPU is user and system time of the server with its children',
  ];
}

/** Lines for a terminal; also the body of the Markdown report. */
export function describeReport(report: BenchReport): string[] {
  const { machine } = report;
  return [
    `hearsay ${machine.hearsay}${machine.commit === null ? '' : ` (commit ${machine.commit})`}, redis-server ${machine.redis ?? 'not found'}, Node ${machine.node}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}; ${machine.date}`,
    report.pinning,
    `${report.rounds} rounds, alternating${report.quick ? '; quick: too short to be quoted' : ''}; took ${Math.round(report.seconds)} s`,
    ...report.setup,
    '',
    ...tableLines(report.rows),
    '',
    ...report.rows.flatMap(noteLines),
  ];
}

export function tableLines(rows: readonly Row[]): string[] {
  const cells = [
    ['CASE', 'RATIO', 'TARGET', '', 'HEARSAY', 'REDIS', 'CPU/OP', 'P99'],
    ...rows.map((row) => [
      row.name,
      row.ratio === null ? '-' : `${rangeText(row.ratio)} x`,
      targetText(row),
      verdictOf(row) === 'no target' ? '' : verdictOf(row),
      row.hearsay === null ? '-' : `${rangeText(row.hearsay)} ${row.unit}`,
      row.redis === null ? '-' : `${rangeText(row.redis)} ${row.unit}`,
      pairText(row.details.find((detail) => detail.name.startsWith('server CPU'))),
      pairText(row.details.find((detail) => detail.name === 'p99')),
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

/** The report as Markdown, with the chart beside it. */
export function markdownReport(report: BenchReport, chartFile: string): string {
  const details = report.rows.flatMap((row) => [
    `- **${row.name}**: ${row.title}`,
    ...row.details.map((detail) => `  - ${detail.name}: ${detailText(detail)}`),
  ]);
  return [
    '# Hearsay and redis-server, measured in one run',
    '',
    `![ratios](${chartFile})`,
    '',
    '```',
    ...describeReport(report),
    '```',
    '',
    '## Details',
    '',
    ...details,
    '',
  ].join('\n');
}

/** `1.02 (0.98..1.05)`; figures that vary by nothing have no range. */
export function rangeText(sample: Sample): string {
  const median = figureText(sample.median);
  const [min, max] = [figureText(sample.min), figureText(sample.max)];
  return min === median && max === median ? median : `${median} (${min}..${max})`;
}

/** Three digits that count: 1.53 M, 152 k, 0.947. */
export function figureText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)} G`;
  if (size >= 1e6) return `${digits(value / 1e6)} M`;
  if (size >= 1e4) return `${digits(value / 1e3)} k`;
  return digits(value);
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 || size === 0 ? value.toFixed(2) : value.toFixed(3);
}

function targetText(row: Row): string {
  if (row.target === null) return '';
  const sign = row.better === 'higher' ? '>=' : '<=';
  if (row.target.kind === 'excess') return `${sign} Redis + ${figureText(row.target.limit)} ${row.unit}`;
  return `${sign} ${figureText(row.target.limit)} ${row.target.kind === 'ratio' ? 'x' : row.unit}`;
}

function pairText(detail: Detail | undefined): string {
  if (detail === undefined || detail.hearsay === null) return '';
  const redis = detail.redis === null ? '' : ` : ${figureText(detail.redis.median)}`;
  return `${figureText(detail.hearsay.median)}${redis} ${detail.unit}`;
}

function detailText(detail: Detail): string {
  const side = (name: string, sample: Sample | null): string =>
    sample === null ? '' : `${name} ${rangeText(sample)} ${detail.unit}`;
  return [side('Hearsay', detail.hearsay), side('Redis', detail.redis)].filter((text) => text !== '').join(', ');
}

function noteLines(row: Row): string[] {
  return row.notes.map((note) => `${row.name}: ${note}`);
}
