/**
 * Every book of a load against every node that belongs to the cluster, asked directly at level one: what this node would tell a client. Chaos runs end with it.
 * Guarded: a node that gives no answer, or does not run, is a finding like any other, never the end of the judgement; what a scenario may cost is
 * counted as excused, and covers neither garbage nor what is past its end.
 */
import { DirectReader } from '../direct-reader.js';
import type { TemporaryCluster } from '../temporary.js';
import type { KeyHistory, Span, Value } from './history.js';
import { type Budget, MortalLedger, unpadded } from './ledgers.js';
import type { Book } from './load.js';

export interface Judgement {
  readonly violations: string[];
  /** Wrong answers that the budget of the scenario covers. */
  excused: number;
  /** Keys read from every node. */
  keys: number;
}

/** What a scenario may cost, and when disks were lost. */
export interface Costs {
  readonly budget: Budget;
  /** What was acknowledged at level one in these may be gone. */
  readonly losses: readonly Span[];
}

export async function judgeBooks(
  cluster: TemporaryCluster,
  books: readonly Book[],
  costs: Costs,
  retired: ReadonlySet<number>,
): Promise<Judgement> {
  const judgement: Judgement = { violations: [], excused: 0, keys: 0 };
  for (const book of books) judgement.keys += keysOf(book).length;
  for (const index of cluster.nodes.keys()) {
    if (!cluster.wasStarted(index) || retired.has(index)) continue;
    const { name, port } = cluster.nodes[index];
    try {
      const reader = await DirectReader.open('127.0.0.1', port);
      try {
        for (const book of books) {
          const askedAtMs = performance.now();
          judgeBook(name, book, (await reader.values(keysOf(book))).map(textOf), askedAtMs, costs, judgement);
        }
      } finally {
        reader.close();
      }
    } catch (error) {
      judgement.violations.push(`no answer from ${name}: ${(error as Error).message}`);
    }
  }
  return judgement;
}

/** The keys of a book, in the order in which `judgeBook` takes what was found. */
export function keysOf({ histories, counters, mortals }: Book): string[] {
  return [
    ...histories.map(({ key }) => key),
    ...counters.map(({ key }) => key),
    ...mortals.mortals.map(({ key }) => key),
  ];
}

/** What one node answered for `keysOf(book)`. */
export function judgeBook(
  name: string,
  { lane, histories, counters, mortals }: Book,
  found: readonly Value[],
  askedAtMs: number,
  { budget, losses }: Costs,
  judgement: Judgement,
): void {
  const spans = budget.levelOne && lane.level === 'one' ? losses : [];
  for (const [at, history] of histories.entries()) {
    judgeValue(name, history, unpadded(found[at]), budget, spans, judgement);
  }
  for (const [at, counter] of counters.entries()) {
    const value = found[histories.length + at];
    const wrong = counter.judge(value, budget.evicts ? Number.POSITIVE_INFINITY : counter.countWithin(spans));
    if (wrong !== null) judgement.violations.push(`${wrong} on ${name}`);
    else if (counter.judge(value, 0) !== null) judgement.excused++;
  }
  for (const [at, mortal] of mortals.mortals.entries()) {
    const value = found[histories.length + counters.length + at];
    if (value !== null && MortalLedger.isLate(mortal, askedAtMs)) {
      judgement.violations.push(`expired ${mortal.key} on ${name}: still there in the end`);
    }
  }
}

function judgeValue(
  name: string,
  history: KeyHistory,
  value: Value,
  budget: Budget,
  spans: readonly Span[],
  judgement: Judgement,
): void {
  const verdict = history.judge(value);
  if (verdict === 'right') return;
  // Memory that is too small makes values absent; it brings none back. A disk that is lost takes the newest of its writes along, a delete
  // among them: then every node may hold what was there before.
  const isExcused = verdict !== 'garbage' && ((budget.evicts && value === null) || history.endsWithin(spans));
  if (isExcused) judgement.excused++;
  else judgement.violations.push(`${verdict} on ${name} ${history.describe(value)}`);
}

function textOf(value: unknown): Value {
  return value === undefined || value === null ? null : String(value);
}
