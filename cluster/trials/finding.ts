/**
 * Findings of a trial: a figure beside its bound, and whether the bound is reached. Trials make them with the judges below,
 * report.ts prints them. Pure.
 * Guarded: what was not measured is missed, never reached: no figure, a figure that is no number, and an empty sample all count
 * as missed; a trial without findings, or one that broke off, is missed.
 */

export interface Finding {
  readonly what: string;
  readonly bound: string;
  readonly measured: string;
  /** The figure behind `measured`; null where there is none. */
  readonly figure: number | null;
  readonly reached: boolean;
}

export interface TrialResult {
  readonly name: string;
  readonly title: string;
  /** Durations and counts were cut down. */
  readonly shortened: boolean;
  /** What was spoilt on purpose; null in an honest run. */
  readonly sabotage: string | null;
  readonly findings: readonly Finding[];
  /** The load, and what a reader must know. */
  readonly notes: readonly string[];
  /** Why it broke off; null if it went to its end. */
  readonly failure: string | null;
  readonly seconds: number;
}

const EVIDENCE_SHOWN = 3;

export function atMost(what: string, figure: number | null | undefined, limit: number, unit = ''): Finding {
  return judged(what, `at most ${amount(limit, unit)}`, figure, unit, (value) => value <= limit);
}

export function atLeast(what: string, figure: number | null | undefined, limit: number, unit = ''): Finding {
  return judged(what, `at least ${amount(limit, unit)}`, figure, unit, (value) => value >= limit);
}

export function exactly(what: string, figure: number | null | undefined, expected: number, unit = ''): Finding {
  return judged(what, `exactly ${amount(expected, unit)}`, figure, unit, (value) => value === expected);
}

/** Nothing of the kind; what there is stands beside it, the first of it in words. */
export function none(what: string, found: readonly string[]): Finding {
  const shown = found.slice(0, EVIDENCE_SHOWN).join('; ');
  const more = found.length > EVIDENCE_SHOWN ? '; ...' : '';
  const measured = found.length === 0 ? '0' : `${found.length}: ${shown}${more}`;
  return { what, bound: 'none', measured, figure: found.length, reached: found.length === 0 };
}

export function holds(what: string, fact: boolean, otherwise = 'no'): Finding {
  return { what, bound: 'yes', measured: fact ? 'yes' : otherwise, figure: fact ? 1 : 0, reached: fact };
}

/** The value at or below which a share of the figures lies (nearest rank); NaN of none. */
export function quantile(figures: readonly number[], share: number): number {
  if (figures.length === 0) return Number.NaN;
  const sorted = Float64Array.from(figures).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** The greatest; NaN of none. */
export function greatest(figures: readonly number[]): number {
  return quantile(figures, 1);
}

/** Every bound reached, by a trial that went to its end. */
export function isReached(result: TrialResult): boolean {
  return (
    result.failure === null &&
    result.findings.length > 0 &&
    result.findings.every((finding) => finding.reached === true)
  );
}

function judged(
  what: string,
  bound: string,
  figure: number | null | undefined,
  unit: string,
  fits: (value: number) => boolean,
): Finding {
  if (figure === null || figure === undefined || !Number.isFinite(figure)) {
    return { what, bound, measured: 'not measured', figure: null, reached: false };
  }
  return { what, bound, measured: amount(figure, unit), figure, reached: fits(figure) };
}

function amount(value: number, unit: string): string {
  const digits = Number.isInteger(value) || Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  const text = value.toFixed(digits);
  return unit === '' ? text : `${text} ${unit}`;
}
