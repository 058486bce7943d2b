/**
 * Going on with a run of trials that was interrupted: what its trials.json holds of the trials before the one to go on from. The
 * command line reads it, run.ts puts the new results behind. Pure.
 * Guarded: results of a run of another kind (shortened or not, spoilt or not) are refused, so that no table mixes them; each that is
 * taken over says from which run it is; a file that is no such report is refused with a line and taken in no part.
 */
import type { Finding, TrialResult } from './finding.js';

export interface RunKind {
  readonly quick: boolean;
  readonly sabotage: boolean;
}

export interface Earlier {
  readonly trials: readonly TrialResult[];
  readonly seed: number;
}

const TAKEN_OVER = 'taken over from the run of';

/** The results of the trials of these names, in their order; a string says why there are none to be had. */
export function earlierResults(text: string, kind: RunKind, names: readonly string[]): Earlier | string {
  const report = recordOf(parsed(text));
  const machine = recordOf(report?.machine);
  if (report === null || machine === null || !Array.isArray(report.trials)) return 'is no report of trials';
  const { seed, quick, sabotage } = report;
  if (typeof seed !== 'number' || typeof quick !== 'boolean' || typeof sabotage !== 'boolean') {
    return 'is no report of trials';
  }
  if (quick !== kind.quick) return `is of a run ${quick ? 'with' : 'without'} --quick`;
  if (sabotage !== kind.sabotage) return `is of a run ${sabotage ? 'with' : 'without'} --sabotage`;
  const origin = `${TAKEN_OVER} ${String(machine.date)}, commit ${String(machine.commit ?? 'unknown')}, seed ${seed}`;
  const trials: TrialResult[] = [];
  for (const raw of report.trials) {
    const result = resultOf(raw);
    if (result === null) return 'is no report of trials';
    if (names.includes(result.name)) trials.push(takenOver(result, origin));
  }
  trials.sort((left, right) => names.indexOf(left.name) - names.indexOf(right.name));
  return { trials, seed };
}

/** Says of a result where it is from, unless it was taken over already. */
function takenOver(result: TrialResult, origin: string): TrialResult {
  if (result.notes.some((note) => note.startsWith(TAKEN_OVER))) return result;
  return { ...result, notes: [...result.notes, origin] };
}

function resultOf(raw: unknown): TrialResult | null {
  const record = recordOf(raw);
  if (record === null) return null;
  const { name, title, shortened, sabotage, findings, notes, failure, seconds } = record;
  if (typeof name !== 'string' || typeof title !== 'string' || typeof shortened !== 'boolean') return null;
  if (!isTextOrNull(sabotage) || !isTextOrNull(failure) || typeof seconds !== 'number') return null;
  if (!Array.isArray(notes) || !notes.every((note) => typeof note === 'string')) return null;
  if (!Array.isArray(findings) || !findings.every(isFinding)) return null;
  return { name, title, shortened, sabotage, findings, notes, failure, seconds };
}

function isFinding(raw: unknown): raw is Finding {
  const record = recordOf(raw);
  if (record === null) return false;
  const { what, bound, measured, figure, reached } = record;
  const isText = [what, bound, measured].every((text) => typeof text === 'string');
  return isText && (figure === null || typeof figure === 'number') && typeof reached === 'boolean';
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
