/**
 * Carries out what goes wrong around the nodes (steps.ts) on a cluster, and takes it back. The nemesis hands each step here with a way to
 * do something later that is void once all is healed; `SimCluster.calm` ends what is left. Guarded: nothing here touches what a node holds,
 * so no ledger need be told.
 */
import type { SimCluster } from '../cluster.js';
import type { AroundStep } from './steps.js';

export type Later = (delayMs: number, action: () => void) => void;

/** `acted` hears when a step has met something that ran, or lies on the way of all that will. */
export function applyAround(cluster: SimCluster, step: AroundStep, later: Later, acted = (): void => {}): void {
  const { troubles } = cluster.network;
  switch (step.kind) {
    case 'lag':
      for (const [from, to] of step.pairs) troubles.lag(from, to, step.byMs);
      later(step.forMs, () => {
        for (const [from, to] of step.pairs) troubles.lag(from, to, -step.byMs);
      });
      break;
    case 'shuffle':
      troubles.shuffle(step.node, step.spreadMs);
      later(step.forMs, () => troubles.shuffle(step.node, -step.spreadMs));
      break;
    case 'narrow':
      for (const [from, to] of step.pairs) troubles.narrow(from, to, 1 / step.bytesPerMs);
      later(step.forMs, () => {
        for (const [from, to] of step.pairs) troubles.narrow(from, to, -1 / step.bytesPerMs);
      });
      break;
    case 'mute':
      for (const [from, to] of step.pairs) troubles.mute(from, to);
      later(step.forMs, () => {
        for (const [from, to] of step.pairs) troubles.unmute(from, to);
      });
      break;
    case 'halve':
      if (cluster.streams.halve(step.nodes[0], step.nodes[1], step.closed) > 0) acted();
      return;
    case 'deaf':
      troubles.deaf.begin(step.node);
      later(step.forMs, () => {
        if (troubles.deaf.end(step.node)) cluster.streams.hears(step.node);
      });
      break;
    case 'unwelcome':
      troubles.welcome(step.node, step.delayMs);
      later(step.forMs, () => troubles.endWelcome(step.node, step.delayMs));
      break;
    case 'slow':
      cluster.slow(step.node, step.turnCostMs);
      later(step.forMs, () => cluster.slow(step.node, -step.turnCostMs));
      break;
    case 'stalls':
      for (let time = 0; time < step.times; time++) {
        later(time * step.everyMs, () => {
          if (step.nodes.some((node) => cluster.nodes[node].up)) acted();
          for (const node of step.nodes) cluster.pause(node);
        });
        later(time * step.everyMs + step.forMs, () => {
          for (const node of step.nodes) cluster.resume(node);
        });
      }
      return;
    case 'rate':
      cluster.slewClock(step.node, step.ppm);
      later(step.forMs, () => cluster.slewClock(step.node, -step.ppm));
      break;
    case 'grain':
      cluster.nodes[step.node].clock.coarsen(step.grainMs);
      break;
  }
  acted();
}
