/**
 * How long a cluster that begins takes until every node is ready, in virtual time: what is spent on waiting, whatever the machine. One second
 * of it is the time in which a member that is on its way may still speak.
 */
import { expect, it } from 'vitest';
import type { NodeConfig } from '../../src/core/config.js';
import { START_MS } from '../../src/sim/clock.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import type { Plan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

/** As in life: the simulator's own are shorter. */
const SETTINGS: Partial<NodeConfig> = {
  antiEntropyIntervalMs: 1000,
  gossipIntervalMs: 200,
  probeIntervalMs: 1000,
  probeTimeoutMs: 300,
  suspicionFloorMs: 5000,
  partitions: 256,
};

/** Virtual ms until all are ready, to the quarter of a second above. */
function readyAfterMs(nodes: number, seed: number, network: Partial<Plan['network']> = {}): number {
  const plan = { partitions: 256, replicas: 3, network: { ...CALM_NETWORK, ...network } };
  return new Scenario({ nodes, seed, settings: SETTINGS, plan }).cluster.clock.nowMs - START_MS;
}

it.each([
  [5, 1],
  [5, 2],
  [3, 1],
  [3, 2],
])('a fresh cluster of %i is ready within 1.6 s (seed %i)', (nodes, seed) => {
  expect(readyAfterMs(nodes, seed)).toBeLessThan(1600);
});

it('is ready within 3 s where a message takes 20 ms', () => {
  expect(readyAfterMs(5, 1, { lagMinMs: 20, lagMeanMs: 20.5 })).toBeLessThan(3000);
});
