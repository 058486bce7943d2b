/** The run, its checkers and its shrinker, tried on a toy register that is right by reading, and on the toy with planted bugs. */
import { describe, expect, it } from 'vitest';
import { isCount } from '../../src/sim/counters.js';
import { SimDisk } from '../../src/sim/disk.js';
import { type RunFactories, runPlan } from '../../src/sim/run.js';
import { drawPlan, type Plan } from '../../src/sim/schedule.js';
import { shrinkPlan } from '../../src/sim/shrink.js';
import { ToyRegister } from './toy-register.js';

/** A plan that the toy can play: it knows one level, holds everything everywhere, never syncs, seals nothing and does not count. */
function toyPlan(seed: number): Plan {
  const plan = drawPlan(seed, { nodesMin: 3, nodesMax: 4, lengthMs: 6_000, families: [] });
  return {
    ...plan,
    replicas: plan.nodes,
    durability: 'interval',
    secrets: null,
    network: { ...plan.network, replay: 0 },
    clients: plan.clients.map((client) => ({ ...client, readLevel: 'one', writeLevel: 'one' })),
    steps: plan.steps.flatMap((step) => {
      if (step.kind === 'secret') return [];
      if (step.kind !== 'command') return step;
      return isCount(step.words) ? [] : { ...step, words: step.words.map((word) => word.replace(/\.+$/, '')) };
    }),
  };
}

function toyFactories(mutation: string | null): RunFactories {
  return {
    createMachine: (plan) => (ports, place, seed) => new ToyRegister(ports, place, plan.nodes, seed, mutation),
    createDisk: (random, schedule, completed) => new SimDisk({ random, schedule, completed }),
  };
}

describe('a run', () => {
  it('finds nothing wrong with the toy as it should be', () => {
    const wrong: unknown[] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const { violations } = runPlan(toyFactories(null), toyPlan(seed));
      if (violations.length > 0) wrong.push({ seed, violations });
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    'no-repair',
    'hlc-ignores-received',
    'tombstone-dropped-at-once',
    'ttl-restarted-per-hop',
    'asymmetric-tie-break',
    'ack-before-log',
  ])('finds the planted bug %s within 120 seeds', (mutation) => {
    let found = 0;
    for (let seed = 1; seed <= 120 && found === 0; seed++) {
      if (!runPlan(toyFactories(mutation), toyPlan(seed)).ok) found = seed;
    }
    expect(found).toBeGreaterThan(0);
  });

  it('takes a counter that nobody gives for no proof that nothing was counted', () => {
    const { violations } = runPlan(toyFactories('counter-renamed'), toyPlan(1));
    expect(violations[0]?.message).toBe('node 0 gives no number repair_records_wanted');
  });

  it('is the same run for the same seed, and another for another', () => {
    const hash = (seed: number): string => runPlan(toyFactories(null), toyPlan(seed)).traceHash;
    expect(hash(3)).toBe(hash(3));
    expect(hash(3)).not.toBe(hash(4));
  });

  it('has another trace once a single draw depends on something but the seed', () => {
    let machines = 0;
    const leaky: RunFactories = {
      ...toyFactories(null),
      createMachine: (plan) => (ports, place, seed) =>
        new ToyRegister(ports, place, plan.nodes, [seed[0], seed[1], ++machines], null),
    };
    const plan = toyPlan(3);
    expect(runPlan(leaky, plan).traceHash).not.toBe(runPlan(leaky, plan).traceHash);
  });

  it('shrinks a failing plan to a few steps that still fail', () => {
    const fails = (plan: Plan): boolean => !runPlan(toyFactories('tombstone-dropped-at-once'), plan).ok;
    let seed = 1;
    while (!fails(toyPlan(seed))) seed++;
    const shrunk = shrinkPlan(toyPlan(seed), fails, 300);
    expect(fails(shrunk.plan)).toBe(true);
    expect(shrunk.plan.steps.length).toBeLessThanOrEqual(8);
    expect(JSON.parse(JSON.stringify(shrunk.plan))).toEqual(shrunk.plan);
  });
});
