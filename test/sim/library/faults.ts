/**
 * What goes wrong in a run of the library, drawn from its seed: at nodes, between them, between them and the application, and in the
 * application's own process. library-run.ts draws and plays it. Guarded: nothing takes from a node what it has acknowledged (no loss of
 * power, no wiped disk), so the ledgers excuse nothing; each family is off in a good part of the seeds.
 */
import type { Random } from '../../../src/core/base/random.js';
import type { SimCluster } from '../../../src/sim/cluster.js';
import { applyAround } from '../../../src/sim/faults/around.js';
import type { AroundStep } from '../../../src/sim/faults/steps.js';
import { CALM_NETWORK, type NetworkOptions } from '../../../src/sim/network.js';
import type { Application } from './application.js';

export type LibraryStep =
  | AroundStep
  | { atMs: number; kind: 'kill'; nodes: number[]; downMs: number }
  | { atMs: number; kind: 'stop'; node: number; downMs: number }
  | { atMs: number; kind: 'pause'; node: number; forMs: number }
  | { atMs: number; kind: 'partition'; pairs: [number, number][]; forMs: number }
  /** Nothing gets from the application to a node, or back, or both. */
  | { atMs: number; kind: 'unreachable'; node: number; there: boolean; back: boolean; forMs: number }
  /** Ways between the application and a node take longer. */
  | { atMs: number; kind: 'far'; node: number; byMs: number; forMs: number }
  /** The connections to a node are reset. */
  | { atMs: number; kind: 'reset'; node: number }
  /** The connections to a node are forgotten on their way: both ends stay open, nothing arrives. */
  | { atMs: number; kind: 'forgotten'; node: number }
  /** The application's process stands still. */
  | { atMs: number; kind: 'stall'; forMs: number };

export function drawSteps(random: Random, nodes: number, lengthMs: number): LibraryStep[] {
  const steps: LibraryStep[] = [];
  const some = (share: number, most: number, draw: (atMs: number) => LibraryStep): void => {
    if (!random.chance(share)) return;
    for (let left = random.between(1, most); left > 0; left--) steps.push(draw(random.below(lengthMs)));
  };
  const node = (): number => random.below(nodes);
  const forMs = (): number => random.between(30, 1_800);
  some(0.4, 3, (atMs) => ({ atMs, kind: 'kill', nodes: [node()], downMs: forMs() }));
  some(0.1, 1, (atMs) => ({
    atMs,
    kind: 'kill',
    nodes: Array.from({ length: nodes }, (_, at) => at),
    downMs: forMs(),
  }));
  some(0.15, 1, (atMs) => ({ atMs, kind: 'stop', node: node(), downMs: 300 + forMs() }));
  some(0.4, 3, (atMs) => ({ atMs, kind: 'pause', node: node(), forMs: forMs() }));
  some(0.4, 2, (atMs) => ({ atMs, kind: 'partition', pairs: drawCut(random, nodes), forMs: forMs() }));
  some(0.4, 3, (atMs) => {
    const way = random.below(3);
    return { atMs, kind: 'unreachable', node: node(), there: way !== 0, back: way !== 1, forMs: forMs() };
  });
  some(0.3, 2, (atMs) => ({ atMs, kind: 'far', node: node(), byMs: random.between(5, 160), forMs: forMs() }));
  some(0.4, 6, (atMs) => ({ atMs, kind: 'reset', node: node() }));
  some(0.3, 3, (atMs) => ({ atMs, kind: 'forgotten', node: node() }));
  some(0.3, 3, (atMs) => ({ atMs, kind: 'stall', forMs: random.between(20, 700) }));
  some(0.3, 2, (atMs) => ({ atMs, kind: 'slow', node: node(), turnCostMs: random.between(2, 60), forMs: forMs() }));
  some(0.15, 2, (atMs) => ({ atMs, kind: 'deaf', node: node(), forMs: forMs() }));
  return steps;
}

export function drawNetwork(random: Random): NetworkOptions {
  const options = { ...CALM_NETWORK };
  if (random.chance(0.3)) options.loss = random.below(20) / 100;
  if (random.chance(0.3)) options.lagMeanMs = random.between(1, 20);
  if (random.chance(0.4)) options.segmentCut = random.below(60) / 100;
  if (random.chance(0.3)) options.segmentOneByte = random.below(50) / 100;
  if (random.chance(0.2)) options.reset = random.between(1, 10) / 1_000;
  return options;
}

/** Carries a step out on the cluster and these applications; `later` is void once all is healed. */
export function applyStep(
  cluster: SimCluster,
  applications: readonly Application[],
  step: LibraryStep,
  later: (delayMs: number, action: () => void) => void,
): void {
  const { network } = cluster;
  switch (step.kind) {
    case 'kill':
      for (const node of step.nodes) cluster.kill(node);
      later(step.downMs, () => {
        for (const node of step.nodes) cluster.start(node);
      });
      break;
    case 'stop':
      cluster.stop(step.node);
      later(step.downMs, () => {
        cluster.kill(step.node);
        cluster.start(step.node);
      });
      break;
    case 'pause':
      cluster.pause(step.node);
      later(step.forMs, () => cluster.resume(step.node));
      break;
    case 'partition':
      block(cluster, step.pairs, step.forMs, later);
      break;
    case 'unreachable': {
      const pairs: [number, number][] = [];
      for (const { index } of applications) {
        if (step.there) pairs.push([index, step.node]);
        if (step.back) pairs.push([step.node, index]);
      }
      block(cluster, pairs, step.forMs, later);
      break;
    }
    case 'far':
      for (const { index } of applications) {
        const pairs: [number, number][] = [[index, step.node]];
        applyAround(cluster, { atMs: 0, kind: 'lag', pairs, byMs: step.byMs, forMs: step.forMs }, later);
      }
      break;
    case 'reset':
      for (const application of applications) application.reset(network.hosts[step.node].address);
      break;
    case 'forgotten':
      for (const { index } of applications) cluster.streams.halve(index, step.node, false);
      break;
    case 'stall':
      for (const application of applications) application.stall(step.forMs);
      break;
    default:
      applyAround(cluster, step, later);
  }
}

function block(
  cluster: SimCluster,
  pairs: readonly [number, number][],
  forMs: number,
  later: (delayMs: number, action: () => void) => void,
): void {
  for (const [from, to] of pairs) cluster.network.block(from, to);
  later(forMs, () => cluster.unblock(pairs));
}

/** One node apart from the others, both ways or one. */
function drawCut(random: Random, nodes: number): [number, number][] {
  const apart = random.below(nodes);
  const both = random.chance(0.7);
  const pairs: [number, number][] = [];
  for (let other = 0; other < nodes; other++) {
    if (other === apart) continue;
    pairs.push([apart, other]);
    if (both) pairs.push([other, apart]);
  }
  return pairs;
}
