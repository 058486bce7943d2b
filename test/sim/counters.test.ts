/** Counters on whole nodes: what is added on both sides of a partition, across kills and restarts, is the sum in the end. */
import { expect, it } from 'vitest';
import { CounterLedger } from '../../src/sim/counters.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import type { Reply } from '../../src/sim/replies.js';
import { runPlan } from '../../src/sim/run.js';
import { drawPlan, type Plan, type Step } from '../../src/sim/schedule.js';

const SEED = 1;
/** Until the others are suspected on both sides: before, an INCR may wait for an owner that can not answer. */
const SUSPECTED_MS = 5_000;

function planOf(lengthMs: number, steps: Step[]): Plan {
  const plan = drawPlan(SEED, { nodesMin: 3, nodesMax: 3, lengthMs });
  const clients = [0, 1, 2].map((node) => ({ node, readLevel: 'one', writeLevel: 'one', protocol: 2 }) as const);
  const clocks = clients.map(() => ({ offsetMs: 0, driftPpm: 0, grainMs: 1 }));
  steps.sort((left, right) => left.atMs - right.atMs);
  return { ...plan, nodes: 3, durability: 'interval', secrets: null, network: CALM_NETWORK, clocks, clients, steps };
}

function counts(client: number, fromMs: number, toMs: number, number: number, words: string[]): Step[] {
  return Array.from({ length: number }, (_, index) => {
    const atMs = fromMs + ((toMs - fromMs) * index) / number;
    return { atMs, kind: 'command' as const, client, words };
  });
}

function play(plan: Plan): { violations: unknown[]; marks: Record<string, number>; text: string | null } {
  const { violations, marks, finalState } = runPlan(hearsayFactories(), plan);
  const hits = finalState.get('hits');
  return { violations, marks, text: hits?.type === 'bulk' ? hits.text : null };
}

it('sums 1,000 INCR on each side of a partition exactly, for a key that neither had known', () => {
  const apart: Step = {
    atMs: 0,
    kind: 'partition',
    pairs: [0, 0, 1, 2].map((from, at) => [from, [1, 2, 0, 0][at]] as [number, number]),
    forMs: SUSPECTED_MS + 4_000,
  };
  const { violations, marks, text } = play(
    planOf(SUSPECTED_MS + 4_500, [
      apart,
      ...counts(0, SUSPECTED_MS, SUSPECTED_MS + 3_500, 1000, ['INCR', 'hits']),
      ...counts(1, SUSPECTED_MS, SUSPECTED_MS + 3_500, 500, ['INCR', 'hits']),
      ...counts(2, SUSPECTED_MS, SUSPECTED_MS + 3_500, 500, ['INCR', 'hits']),
    ]),
  );
  expect(violations).toEqual([]);
  expect([marks['commands ok'], text]).toEqual([2000, '2000']);
});

it('loses none of what was acknowledged while nodes are killed and come back, and counts none twice', () => {
  const kills: Step[] = Array.from({ length: 9 }, (_, index) => ({
    atMs: 1_000 + index * 1_000,
    kind: 'kill' as const,
    nodes: [index % 3],
    downMs: 400,
    onAck: false,
  }));
  const { violations, marks } = play(
    planOf(11_000, [
      ...kills,
      ...[0, 1, 2].flatMap((client) => counts(client, 500, 10_500, 150, ['INCRBY', 'hits', '3'])),
    ]),
  );
  expect(violations).toEqual([]);
  expect(marks['commands ok']).toBeGreaterThan(100);
});

it('is checked by a ledger that knows what was lost, counted twice, or only may have been added', () => {
  const ledger = new CounterLedger();
  const begin = (number: number, ...words: string[]) => ledger.begin({ number, words });
  const end = (number: number, outcome: 'ok' | 'refused' | 'indeterminate', reply: Reply | null) =>
    ledger.end({ number, outcome, reply });
  const isFinal = (text: string | null) =>
    ledger.checkFinal('hits', text === null ? { type: 'null' } : { type: 'bulk', text }) === null;
  begin(1, 'INCR', 'hits');
  begin(2, 'INCRBY', 'hits', '5');
  begin(3, 'INCRBY', 'hits', '10');
  expect(end(1, 'ok', { type: 'integer', value: 1 })).toEqual([]);
  expect(end(2, 'ok', { type: 'integer', value: 17 })).toEqual([expect.stringMatching(/^count: hits was answered 17/)]);
  expect(end(3, 'indeterminate', null)).toEqual([]);
  expect(['5', '6', '11', '16', '17', null].map(isFinal)).toEqual([false, true, true, true, false, false]);
  begin(4, 'INCR', 'hits');
  expect(end(4, 'refused', { type: 'error', text: 'BUSY' })).toEqual([]);
  expect(isFinal('17')).toBe(false);
  ledger.damaged();
  expect([isFinal(null), isFinal('17')]).toEqual([true, false]);
});
