/**
 * Siblings under faults, checked against what clients know: a value that was acknowledged is there until somebody who has seen it
 * replaces it, one that was replaced or deleted by somebody who has seen it does not come back. HyperLogLogs: after healing every
 * owner estimates the union.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

const KEYS = ['k0', 'k1', 'k2'];
const STEPS = 100;

interface Write {
  readonly value: string | null;
  /** Values that its context had seen, and those that they had. */
  readonly seen: ReadonlySet<string>;
  /** Values that its context showed. */
  readonly shown: readonly string[];
  readonly key: string;
  readonly outcome: 'ok' | 'refused' | 'indeterminate';
}

interface Context {
  readonly text: string;
  readonly key: string;
  readonly shown: readonly string[];
}

/** What was promised and is not so, in the end. */
function broken(scenario: Scenario, seed: number): string[] {
  const random = new Random(seed, 0x51b5);
  const writes: Write[] = [];
  const contexts: Context[] = KEYS.map((key) => ({ text: '', key, shown: [] }));
  const down = new Set<number>();
  let heal: (() => void) | null = null;
  for (let step = 0; step < STEPS; step++) {
    const node = random.below(scenario.nodes);
    const what = random.below(20);
    if (what === 0) {
      heal?.();
      heal = random.chance(0.5) ? scenario.cutOff(node) : null;
    } else if (what === 1 && down.size === 0) {
      scenario.kill(node);
      down.add(node);
    } else if (what === 2) {
      for (const one of down) scenario.start(one);
      down.clear();
    } else if (what < 9) {
      const key = KEYS[random.below(KEYS.length)];
      const { reply } = scenario.ask(node, 'CGET', key);
      if (reply?.type === 'array') {
        const [text, ...shown] = reply.items.map(textOf);
        contexts.push({ text, key, shown });
      }
    } else {
      const recent = contexts.slice(-8);
      const { key, text, shown } = recent[random.below(recent.length)];
      const deletes = what === 9;
      const value = deletes ? null : `v${writes.length}`;
      const words = value === null ? ['CDEL', key, text] : ['CPUT', key, text, value];
      const { outcome } = scenario.ask(node, ...words);
      const seen = new Set(shown);
      for (const write of writes)
        if (write.value !== null && seen.has(write.value)) for (const one of write.seen) seen.add(one);
      writes.push({ value, seen, shown: text === '' ? [] : shown, key, outcome });
    }
    scenario.rest(random.below(30));
  }
  heal?.();
  for (const one of down) scenario.start(one);
  scenario.untilReady();
  scenario.untilEqual(60_000);
  return check(scenario, writes);
}

function check(scenario: Scenario, writes: readonly Write[]): string[] {
  const wrong: string[] = [];
  for (const key of KEYS) {
    const states = Array.from({ length: scenario.nodes }, (_, node) => {
      // Just after a partition an owner may not be heard in time: that answers nothing, and is asked again.
      let { reply } = scenario.ask(node, 'CGET', key);
      for (let tries = 0; reply?.type === 'error' && tries < 5; tries++) {
        scenario.rest(1_000);
        ({ reply } = scenario.ask(node, 'CGET', key));
      }
      return reply?.type === 'array' ? reply.items.slice(1).map(textOf) : [`${reply?.type}`];
    });
    for (const state of states) if (state.join() !== states[0].join()) wrong.push(`${key}: ${states.join(' | ')}`);
    const here = writes.filter((write) => write.key === key && write.outcome !== 'refused');
    for (const { value, outcome } of here) {
      const isCovered = here.some(({ seen }) => value !== null && seen.has(value));
      if (value !== null && outcome === 'ok' && !isCovered && !states[0].includes(value))
        wrong.push(`${value} is lost`);
    }
    for (const value of states[0]) {
      if (!here.some((write) => write.value === value)) wrong.push(`${value} was never written`);
      const by = here.find(({ outcome, shown }) => outcome === 'ok' && shown.includes(value));
      if (by !== undefined) wrong.push(`${value} is back, though ${by.value ?? 'a delete'} had seen it`);
    }
  }
  return wrong;
}

function world(seed: number, mutations: ReadonlySet<string> = new Set()): Scenario {
  const network = seed % 2 === 0 ? CALM_NETWORK : { ...CALM_NETWORK, loss: 0.1, duplicate: 0.2, lagMeanMs: 10 };
  return new Scenario({ seed, nodes: seed % 3 === 0 ? 5 : 3, mutations, plan: { network } });
}

describe('siblings under partitions, kills and restarts', () => {
  it.each([1, 2, 3, 4, 5, 6])('keep what was acknowledged and not seen, and nothing that was (seed %i)', (seed) => {
    expect(broken(world(seed), seed)).toEqual([]);
  });

  it.each(['context-ignored', 'dots-reused'])('are checked by something that finds the planted bug %s', (name) => {
    const found = [1, 2, 3, 4].some((seed) => {
      try {
        return broken(world(seed, new Set([name])), seed).length > 0;
      } catch (error) {
        // An assertion of the core may see it first.
        return error instanceof Error && error.message.startsWith('invariant broken');
      }
    });
    expect(found).toBe(true);
  });
});

describe('the context of a key', () => {
  it('does not grow with restarts: what every member has needs no chain', () => {
    const scenario = new Scenario();
    const lengths: number[] = [];
    for (let life = 0; life < 14; life++) {
      const [context] = cget(scenario, life % 3);
      lengths.push(context.length);
      expect(scenario.ask(life % 3, 'CPUT', 'k', context, `life ${life}`).outcome).toBe('ok');
      scenario.kill(life % 3);
      scenario.rest(300);
      scenario.start(life % 3);
      scenario.untilReady();
      scenario.rest(20_000);
    }
    expect(cget(scenario, 0).slice(1)).toEqual(['life 13']);
    expect(Math.max(...lengths.slice(4))).toBeLessThanOrEqual(Math.max(...lengths.slice(0, 4)) + 40);
  });
});

function cget(scenario: Scenario, node: number): string[] {
  const { reply } = scenario.ask(node, 'CGET', 'k');
  return reply?.type === 'array' ? reply.items.map(textOf) : [];
}

describe('HyperLogLogs under a partition', () => {
  it('estimate the union on every node once it has healed, as if all had been counted at one place', () => {
    const scenario = new Scenario();
    const heal = scenario.cutOff(2);
    scenario.rest(3000);
    for (let from = 0; from < 3000; from += 500) {
      const elements = Array.from({ length: 500 }, (_, index) => `e${from + index}`);
      scenario.send(from < 1500 ? 0 : 2, 'PFADD', 'h', ...elements);
      scenario.send(1, 'PFADD', 'whole', ...elements);
    }
    scenario.rest(1000);
    scenario.kill(1);
    scenario.rest(500);
    scenario.start(1);
    heal();
    scenario.untilReady();
    scenario.untilEqual(60_000);
    const whole = scenario.text(0, 'PFCOUNT', 'whole');
    for (let node = 0; node < 3; node++) expect(scenario.text(node, 'PFCOUNT', 'h')).toBe(whole);
    expect(scenario.text(0, 'PFCOUNT', 'h', 'whole')).toBe(whole);
  });
});
