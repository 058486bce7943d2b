/**
 * Rows from the figures of rounds: cases collect a figure for each side and round, and this makes them one line of the report.
 * Guarded: a side that lacks a round has no figure at all, so that no ratio compares different rounds.
 */
import type { BenchContext, Detail, Row, Target } from './context.js';
import { type Side, sidesOf } from './server.js';
import { ratioOf, sampleOf } from './statistics.js';

/** A figure for each side and round. */
export type SideFigures = Record<Side, number[]>;

export interface RowFacts {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: Row['better'];
  readonly target: Target | null;
  readonly figures: SideFigures;
  readonly details?: readonly { name: string; unit: string; figures: SideFigures }[];
  readonly notes: readonly string[];
}

export function noFigures(): SideFigures {
  return { hearsay: [], redis: [] };
}

export function rowFrom(facts: RowFacts): Row {
  const hearsay = sampleOf(facts.figures.hearsay);
  const redis = sampleOf(facts.figures.redis);
  return {
    name: facts.name,
    title: facts.title,
    unit: facts.unit,
    better: facts.better,
    hearsay,
    redis,
    ratio: ratioOf(hearsay, redis),
    target: facts.target,
    details: (facts.details ?? []).map(
      ({ name, unit, figures }): Detail => ({
        name,
        unit,
        hearsay: sampleOf(figures.hearsay),
        redis: sampleOf(figures.redis),
      }),
    ),
    notes: [...new Set(facts.notes)],
  };
}

/** Runs `measure` for each side in each round, alternating; a failure ends that side, with a note that says why. */
export async function alternate(
  context: BenchContext,
  rounds: number,
  notes: string[],
  measure: (side: Side, round: number) => Promise<void>,
): Promise<void> {
  const failed = new Set<Side>();
  for (let round = 0; round < rounds; round++) {
    for (const side of sidesOf(context)) {
      if (failed.has(side)) continue;
      try {
        await measure(side, round);
      } catch (error) {
        if (context.children.ended) throw error;
        failed.add(side);
        notes.push(`${side} not measured${round === 0 ? '' : ` after round ${round}`}: ${(error as Error).message}`);
      }
    }
  }
}
