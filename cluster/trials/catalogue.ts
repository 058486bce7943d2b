/**
 * Every trial by its name, in the order in which a run of all goes through them. `hearsay trials` and its tests choose from here.
 * Guarded: a name is given once and stays what it is.
 */
import { away } from './away.js';
import { clock } from './clock.js';
import { counter } from './counter.js';
import { deletes } from './deletes.js';
import { heal } from './heal.js';
import { hintCap } from './hint-cap.js';
import { idle } from './idle.js';
import { kill } from './kill.js';
import { longPartition } from './long-partition.js';
import { loss } from './loss.js';
import { lostKey } from './lost-key.js';
import { restarts } from './restarts.js';
import { ring } from './ring.js';
import { smallNode } from './small-node.js';
import { stall } from './stall.js';
import { touch } from './touch.js';
import type { Trial } from './trial.js';
import { ttl } from './ttl.js';
import { twoNodes } from './two-nodes.js';
import { udp } from './udp.js';
import { visible } from './visible.js';

export const TRIALS: readonly Trial[] = [
  ...[kill, stall, loss, udp, visible, heal, lostKey, idle, away, hintCap],
  ...[deletes, ttl, smallNode, clock, counter, ring, longPartition, restarts, twoNodes, touch],
];

/** In the place of names: every trial. */
export const ALL = 'all';

/** The trials of these names, all for none; `unknown` holds words that name nothing. */
export function chooseTrials(words: readonly string[]): { trials: Trial[]; unknown: string[] } {
  const unknown = words.filter((word) => word !== ALL && !TRIALS.some((trial) => trial.name === word));
  const isAll = words.length === 0 || words.includes(ALL);
  return { trials: TRIALS.filter((trial) => isAll || words.includes(trial.name)), unknown };
}
