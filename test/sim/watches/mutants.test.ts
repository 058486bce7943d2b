/** Bugs planted for the watches: each is seen by its watch before any check of replies or of the last state sees it. */
import { expect, it } from 'vitest';
import type { Inspected } from '../../../src/core/node/inspected.js';
import type { MachineFactory } from '../../../src/sim/cluster.js';
import { SimDisk } from '../../../src/sim/disk.js';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import type { SimMachine } from '../../../src/sim/process.js';
import { type RunFactories, runPlan } from '../../../src/sim/run.js';
import { drawPlan } from '../../../src/sim/schedule.js';

const SEEDS_MAX = 60;
const TIMEOUT_MS = 600_000;

/** Every machine is changed by `plant` before anything happens to it. */
function planted(plant: (machine: SimMachine, inspected: Inspected) => void): RunFactories {
  const sound = hearsayFactories();
  const createMachine: RunFactories['createMachine'] = (plan) => {
    const create: MachineFactory = sound.createMachine(plan);
    return (ports, place, seed) => {
      const machine = create(ports, place, seed);
      if (machine.inspect !== undefined) plant(machine, machine.inspect());
      return machine;
    };
  };
  return { ...sound, createMachine };
}

const olderTaken = (): RunFactories =>
  planted((_, { store }) => {
    const { merge } = store;
    store.merge = (partition, hash, source, at) => {
      const outcome = merge.call(store, partition, hash, source, at);
      return outcome === 1 && source[at + 8] === 1 && store.offset > 0
        ? store.take(partition, hash, source, at)
        : outcome;
    };
  });

const hintsForgotten = (): RunFactories =>
  planted((machine) => {
    const { start } = machine;
    machine.start = () => {
      start.call(machine);
      for (const { hints } of machine.inspect?.().rooms?.peers.all() ?? []) {
        for (const [key] of [...hints.entries()]) hints.drop(key, 0);
      }
    };
  });

/** Says that a sync is done, and has done nothing. */
const disksLie = (): RunFactories => ({
  ...hearsayFactories(),
  createDisk: (random, schedule, completed) => {
    const disk = new SimDisk({ random, schedule, completed });
    disk.sync = (_file, token) => schedule(2, () => completed(token, null));
    return disk;
  },
});

/** One operation at a time waits for others, where there is such a bound. */
const FEW = { pendingMax: 1, pendingPerPeerMax: 1 };

it.each([
  [
    'stamps that come are not taken in',
    'clock',
    () => hearsayFactories(new Set(['hlc-ignores-received'])),
    hearsayFactories,
  ],
  ['an older record takes the place of a newer one', 'regressed', olderTaken, hearsayFactories],
  [
    'each hop begins the time to live anew',
    'life',
    () => hearsayFactories(new Set(['ttl-restarted-per-hop'])),
    hearsayFactories,
  ],
  ['a start forgets hints', 'hint', hintsForgotten, hearsayFactories],
  ['syncs are said to be done that are not', 'log', disksLie, hearsayFactories],
  [
    'what waits for others has no bound',
    'bound',
    () => hearsayFactories(new Set(['pending-unbounded']), FEW),
    () => hearsayFactories(new Set(), FEW),
  ],
])(
  'sees first that %s, as %s, and nothing without it on that seed',
  (_what, kind, mutant, sound) => {
    let found = 0;
    for (let seed = 1; seed <= SEEDS_MAX && found === 0; seed++) {
      const plan = drawPlan(seed);
      if (runPlan(mutant(), plan).violations[0]?.kind !== kind) continue;
      if (runPlan(sound(), plan).ok) found = seed;
    }
    expect(found).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
