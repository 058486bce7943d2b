/**
 * Sessions under faults: one client reads and writes its keys at level one through a node drawn each time, carrying its token. What it
 * reads is never older than what it wrote or read before; the planted bug that ignores the token is found.
 */
import { expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

const SEEDS = 12;
const STEPS = 70;
const KEYS = 5;
const NODES = 4;

interface Outcome {
  violations: string[];
  answered: number;
  behind: number;
}

/** Plays one seed; what the session saw go backwards. */
function play(seed: number, mutations: ReadonlySet<string>): Outcome {
  const random = new Random(seed, 0x5e55);
  const network = { ...CALM_NETWORK, loss: random.below(30) / 100, lagMinMs: 1, lagMeanMs: random.between(2, 30) };
  const scenario = new Scenario({ seed, nodes: NODES, mutations, plan: { network } });
  /** Values in the order in which the session learnt of them; one whose write got no answer joins when it is first read. */
  const ranks = new Map<string, number>([['null', 0]]);
  /** Per key: the rank of the latest value known to the session. */
  const least = new Array<number>(KEYS).fill(0);
  const outcome: Outcome = { violations: [], answered: 0, behind: 0 };
  let token = scenario.text(0, 'HEARSAY.SESSION', 'ON') === 'OK' ? scenario.text(0, 'HEARSAY.SESSION', 'END') : '';
  let heal: (() => void) | null = null;
  let down = -1;
  for (let step = 1; step <= STEPS; step++) {
    if (random.chance(0.08)) {
      heal?.();
      heal = heal === null ? scenario.cutOff(random.below(NODES)) : null;
    }
    if (random.chance(0.06)) {
      if (down >= 0) scenario.start(down);
      else scenario.kill(random.below(NODES));
      down = down >= 0 ? -1 : scenario.cluster.nodes.findIndex((node) => !node.up);
    }
    const node = random.below(NODES);
    if (!scenario.cluster.nodes[node].up) continue;
    if (scenario.ask(node, 'HEARSAY.SESSION', 'RESUME', token).reply?.type !== 'status') continue;
    const key = random.below(KEYS);
    const write = random.chance(0.4);
    const words = write ? ['SET', `k${key}`, `${step}`] : ['GET', `k${key}`];
    const { reply } = scenario.ask(node, ...words);
    const after = scenario.ask(node, 'HEARSAY.SESSION', 'END').reply;
    if (after?.type !== 'bulk') continue;
    token = after.text;
    if (reply?.type === 'error') {
      if (reply.text.startsWith('SESSION')) outcome.behind++;
      continue;
    }
    if (reply === null) continue;
    outcome.answered++;
    const value = write ? `${step}` : reply.type === 'bulk' ? reply.text : 'null';
    if (!ranks.has(value)) ranks.set(value, ranks.size);
    const rank = ranks.get(value) ?? 0;
    if (rank < least[key]) outcome.violations.push(`step ${step}: k${key} went back to ${value} at node ${node}`);
    least[key] = Math.max(least[key], rank);
    scenario.rest(random.below(60));
  }
  return outcome;
}

it('a session reads its own writes, and never goes back behind what it has read, through any node and any fault', () => {
  let answered = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = play(seed, new Set());
    expect(outcome.violations, `seed ${seed}`).toEqual([]);
    answered += outcome.answered;
  }
  // Most are answered: a promise that nothing is said under would be kept too.
  expect(answered).toBeGreaterThan((SEEDS * STEPS) / 2);
}, 120_000);

it('the planted bug of a token that is ignored is found', () => {
  let found = false;
  for (let seed = 1; seed <= SEEDS && !found; seed++) {
    found = play(seed, new Set(['session-ignored'])).violations.length > 0;
  }
  expect(found).toBe(true);
}, 120_000);

/** A key that node 0 does not own, and its owners. */
function keyOfOthers(scenario: Scenario): { key: string; owners: number[] } {
  const owned = Array.from({ length: 300 }, (_, at) => {
    const owners = scenario.text(0, 'HEARSAY.EXPLAIN', `key-${at}`).split('owners')[1];
    return {
      key: `key-${at}`,
      owners: [...owners.matchAll(/node node-(\d) role owner/g)].map((match) => Number(match[1])),
    };
  }).find(({ owners }) => owners.length === 3 && !owners.includes(0));
  if (owned === undefined) throw new Error('node 0 owns every key');
  return owned;
}

it('what it reads of a value that merges through a node that forwards, it finds at every owner', () => {
  const scenario = new Scenario({ seed: 3, nodes: NODES });
  const owned = keyOfOthers(scenario);
  const { key } = owned;
  const [near, apart, far] = owned.owners;
  for (const other of [0, near, far]) scenario.cut(apart, other);
  scenario.rest(4_000);
  scenario.text(apart, 'CPUT', key, '', 'left');
  scenario.rest(5);
  scenario.text(near, 'CPUT', key, '', 'right');
  scenario.rest(100);
  // The one that has both is asked by the node that forwards, and can not tell the last owner.
  scenario.cluster.unblock([
    [apart, near],
    [near, apart],
  ]);
  scenario.until(20_000, () => {
    const text = scenario.text(near, 'CGET', key);
    return text.includes('left') && text.includes('right') ? null : text;
  });
  scenario.text(0, 'HEARSAY.SESSION', 'ON');
  const seen = scenario.text(0, 'CGET', key);
  expect(seen).toMatch(/left.*right|right.*left/);
  const token = scenario.text(0, 'HEARSAY.SESSION', 'END');
  scenario.text(far, 'HEARSAY.SESSION', 'RESUME', token);
  const { reply } = scenario.ask(far, 'CGET', key);
  if (reply?.type === 'array') expect(textOf(reply)).toMatch(/left.*right|right.*left/);
  else expect(reply).toMatchObject({ type: 'error', text: expect.stringMatching(/^SESSION /) });
});

it('what is no token of this cluster, and what was never begun, is refused by name', () => {
  const scenario = new Scenario({ seed: 2 });
  const ask = (...words: string[]) => scenario.ask(0, 'HEARSAY.SESSION', ...words).reply;
  expect(ask('TOKEN')).toMatchObject({ text: 'SESSION this connection has no session' });
  expect(ask('RESUME', 'nonsense')).toMatchObject({ text: 'SESSION this is no token of this cluster' });
  expect(ask('ON')).toMatchObject({ text: 'OK' });
  scenario.text(0, 'MSET', 'a', '1', 'b', '2', 'c', '3');
  const token = scenario.text(0, 'HEARSAY.SESSION', 'TOKEN');
  expect(scenario.ask(1, 'HEARSAY.SESSION', 'RESUME', token).reply).toMatchObject({ text: 'OK' });
  expect(scenario.text(1, 'MGET', 'a', 'b', 'c')).toBe('[1 2 3]');
  expect(scenario.text(1, 'HEARSAY.SESSION', 'END').length).toBeGreaterThan(20);
  expect(scenario.ask(1, 'HEARSAY.SESSION', 'END').reply?.type).toBe('error');
});

it('a write that its owner would stamp below what the session has seen is refused, not acknowledged and lost', () => {
  const scenario = new Scenario({ seed: 3, nodes: NODES });
  const { key, owners } = keyOfOthers(scenario);
  const [near, apart, far] = owners;
  // None of them is far from the median; the two ends are too far from each other.
  scenario.cluster.stepClock(apart, 300);
  for (const node of [near, far]) scenario.cluster.stepClock(node, -300);
  for (const other of [0, near, far]) scenario.cut(apart, other);
  scenario.rest(4_000);
  expect(scenario.text(apart, 'HEARSAY.SESSION', 'ON')).toBe('OK');
  expect(scenario.text(apart, 'SET', key, 'first')).toBe('OK');
  expect(scenario.text(0, 'HEARSAY.SESSION', 'RESUME', scenario.text(apart, 'HEARSAY.SESSION', 'END'))).toBe('OK');
  const { reply } = scenario.ask(0, 'SET', key, 'second');
  expect(reply).toMatchObject({ type: 'error', text: expect.stringMatching(/^SESSION what this session has seen/) });
  scenario.rest(1_000);
  expect(scenario.text(0, 'SET', key, 'third')).toBe('OK');
  scenario.heal();
  scenario.untilEqual(30_000);
  for (const node of owners) expect(scenario.text(node, 'GET', key)).toBe('third');
});
