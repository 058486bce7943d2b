/** Bugs planted in the core, by name: each is found by the checkers on a seed that the core without it passes. */
import { expect, it } from 'vitest';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { drawPlan } from '../../src/sim/schedule.js';

const SEEDS_MAX = 200;
const TIMEOUT_MS = 600_000;

it.each([
  'no-anti-entropy+no-hints',
  'hlc-ignores-received',
  'tombstone-dropped-at-once',
  'ttl-restarted-per-hop',
  'asymmetric-tie-break',
  'actor-reused-after-restart',
  'counter-adds-parts',
  'ack-before-log',
  'replay-window-off',
  'cover-before-records',
  'hints-uncounted',
  'context-ignored',
  'sketch-takes-less',
  'expiry-not-kept',
  'wait-counts-unacknowledged',
  'session-reads-unnoted',
  'streams-believed',
  'old-address-kept',
  'versions-believed',
])(
  'finds the planted bug %s, and nothing without it on that seed',
  (name) => {
    const mutations = new Set(name.split('+'));
    let found = 0;
    for (let seed = 1; seed <= SEEDS_MAX && found === 0; seed++) {
      const plan = drawPlan(seed);
      if (runPlan(hearsayFactories(mutations), plan).ok) continue;
      if (runPlan(hearsayFactories(), plan).ok) found = seed;
    }
    expect(found).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
