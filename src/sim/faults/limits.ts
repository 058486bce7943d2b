/**
 * The family of tiny limits: some plans run on nodes that have little room for what waits, for hints and for the log, so that ends are met
 * which no workload of seconds reaches. hearsay.ts puts them among a node's settings. Guarded: no limit below what takes part in an
 * acknowledgement breaks a promise; a node may refuse more, never lose more, so the ledgers excuse nothing.
 */
import type { NodeConfig } from '../../core/config.js';
import type { Family } from '../families.js';

export type Limits = Partial<
  Pick<NodeConfig, 'pendingMax' | 'pendingPerPeerMax' | 'hintBytesPerPeerMax' | 'hintBytesMax' | 'walFileBytes'>
>;

/** An operator can not have less. */
const PENDING_LEAST = 16;

export const LIMITS: Family = {
  name: 'limits',
  stream: 0x5ced0106,
  draw(plan, random) {
    if (!random.chance(0.12)) return;
    const limits: Limits = {};
    if (random.chance(0.5)) {
      limits.pendingMax = random.between(PENDING_LEAST, 24);
      limits.pendingPerPeerMax = random.between(PENDING_LEAST, limits.pendingMax);
    }
    if (random.chance(0.5)) {
      limits.hintBytesMax = random.below(2_048);
      limits.hintBytesPerPeerMax = random.below(limits.hintBytesMax + 1);
    }
    if (random.chance(0.3)) limits.walFileBytes = 16 * 1024;
    plan.limits = limits;
  },
};
