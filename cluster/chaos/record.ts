/**
 * What is left of a chaos run when its cluster is gone: data alone, from which the lines for a terminal and the report (report.ts) are made.
 * Guarded: a run that was not possible is neither right nor wrong, and says why.
 */
import type { LoadTally } from './load.js';
import type { DivergenceSample, Slice } from './recorder.js';

export type RunVerdict = 'right' | 'wrong' | 'not run';

export interface FaultBar {
  readonly what: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface TimelineLine {
  readonly atMs: number;
  readonly what: string;
}

export interface RunRecord {
  readonly scenario: string;
  readonly does: string;
  readonly expects: string;
  readonly seed: number;
  readonly nodes: number;
  readonly durationMs: number;
  /** The command that runs it again. */
  readonly again: string;
  readonly verdict: RunVerdict;
  /** Why it was not run. */
  readonly reason: string | null;
  readonly violations: readonly string[];
  /** Wrong answers that the scenario is allowed. */
  readonly excused: number;
  readonly tally: LoadTally;
  /** Keys that were read from every node in the end. */
  readonly keys: number;
  readonly faults: readonly FaultBar[];
  readonly timeline: readonly TimelineLine[];
  readonly sliceMs: number;
  readonly slices: readonly Slice[];
  readonly divergence: readonly DivergenceSample[];
  /** From the end of the load until all copies were equal; null when they were not, or need not be. */
  readonly agreedMs: number | null;
  /** The longest time without an acknowledged write at level one through the client library. */
  readonly silenceMs: number;
}

const VIOLATIONS_SHOWN = 10;
const NO_TALLY: LoadTally = { acknowledged: 0, doubtful: 0, unsent: 0, reads: 0, readsFailed: 0, refusals: {} };

type Heading = Pick<RunRecord, 'scenario' | 'does' | 'expects' | 'seed' | 'nodes' | 'durationMs' | 'again'>;

export function notRun(heading: Heading, reason: string): RunRecord {
  const nothing = { violations: [], faults: [], timeline: [], slices: [], divergence: [] };
  return {
    ...heading,
    ...nothing,
    verdict: 'not run',
    reason,
    excused: 0,
    tally: NO_TALLY,
    keys: 0,
    sliceMs: 1,
    agreedMs: null,
    silenceMs: 0,
  };
}

/** For people; the last line is the verdict. */
export function describeRun(record: RunRecord): string[] {
  if (record.verdict === 'not run') return [`verdict: NOT RUN. ${record.reason}`];
  const { tally, faults, violations, excused, keys, agreedMs, silenceMs } = record;
  const more = violations.length - VIOLATIONS_SHOWN;
  const refusals = refusalsText(tally);
  return [
    `${faults.length} disturbances; writes: ${tally.acknowledged} acknowledged, ${tally.doubtful} doubtful, ` +
      `${tally.unsent} not sent; reads: ${tally.reads}, ${tally.readsFailed} failed${refusals === '' ? '' : `; refused: ${refusals}`}`,
    `longest time without a write at level one: ${seconds(silenceMs)}` +
      `${agreedMs === null ? '' : `; all copies equal ${seconds(agreedMs)} after the load`}` +
      `${excused === 0 ? '' : `; ${excused} answers excused`}`,
    ...violations.slice(0, VIOLATIONS_SHOWN),
    ...(more > 0 ? [`and ${more} more`] : []),
    record.verdict === 'right'
      ? `verdict: right. ${keys} keys read from every node, no acknowledged write lost, nothing resurrected, no garbage`
      : `verdict: WRONG. ${violations.length} violations; again: ${record.again}`,
  ];
}

/** `3 NOSPACE, 1 BUSY`; empty when nothing was refused. */
export function refusalsText({ refusals }: LoadTally): string {
  const rows = Object.entries(refusals).sort(([, left], [, right]) => right - left);
  return rows.map(([name, count]) => `${count} ${name}`).join(', ');
}

/** One line for each of several runs. */
export function summaryLines(records: readonly RunRecord[]): string[] {
  const width = Math.max(...records.map(({ scenario }) => scenario.length));
  return records.map(({ scenario, verdict, violations, reason }) => {
    const rest = verdict === 'wrong' ? `: ${violations[0]}` : verdict === 'not run' ? `: ${reason}` : '';
    return `${scenario.padEnd(width)}  ${verdict}${rest}`;
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
