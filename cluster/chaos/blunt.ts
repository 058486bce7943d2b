/**
 * A cluster on which no fault bites: what HEARSAY.FAULT is told is answered and never sent. Runs that are asked to be blunt use it, for
 * tests: a scenario whose own check finds nothing wrong here proves nothing elsewhere.
 * Guarded: everything else goes through as it is.
 */
import type { TemporaryCluster } from '../temporary.js';

export function blunted(cluster: TemporaryCluster): TemporaryCluster {
  const ask: TemporaryCluster['ask'] = (index, ...words) =>
    words[0] === 'HEARSAY.FAULT' ? Promise.resolve('OK') : cluster.ask(index, ...words);
  return Object.assign(Object.create(cluster), { ask });
}
