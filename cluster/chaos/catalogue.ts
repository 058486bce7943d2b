/**
 * The chaos scenarios: what each does to the cluster and what is expected of it. `hearsay chaos list` prints the table, `run` takes
 * names from it.
 * Guarded: every scenario is judged by the history of what was acknowledged; what stands under `expects` is what a run checks.
 */
import type { Scenario } from './disturbance.js';
import { kill, rollingRestart } from './kill.js';
import { loss } from './loss.js';
import { partitionBridge, partitionFlapping, partitionHalves, partitionIsolate, partitionOneWay } from './partition.js';
import { pause, stall } from './pause.js';

const NOTHING = 'nothing acknowledged is lost, at level one neither';

const SINGLE: readonly Scenario[] = [
  {
    name: 'partition-halves',
    does: 'two random groups hear nothing of each other for 0.5 to 8 s',
    expects: `${NOTHING}; both sides take writes`,
    mixes: true,
    script: partitionHalves,
  },
  {
    name: 'partition-one-way',
    does: 'some nodes hear nothing of the others, which hear them',
    expects: NOTHING,
    mixes: true,
    script: partitionOneWay,
  },
  {
    name: 'partition-bridge',
    does: 'two groups are parted, and one node reaches both',
    expects: NOTHING,
    mixes: true,
    script: partitionBridge,
  },
  {
    name: 'partition-isolate',
    does: 'one node hears and reaches nobody',
    expects: `${NOTHING}; the node alone takes writes too`,
    mixes: true,
    script: partitionIsolate,
  },
  {
    name: 'partition-flapping',
    does: 'a partition comes and goes every 0.15 to 0.9 s',
    expects: NOTHING,
    mixes: true,
    script: partitionFlapping,
  },
  {
    name: 'kill',
    does: 'kill -9 of one node, of several, of all; started again after 0.3 to 5 s',
    expects: NOTHING,
    mixes: true,
    script: kill,
  },
  {
    name: 'rolling-restart',
    does: 'SIGTERM to one node after the other, each back before the next',
    expects: `${NOTHING}; writes go on all the time`,
    mixes: true,
    script: rollingRestart,
  },
  {
    name: 'pause',
    does: 'SIGSTOP of one node for 0.2 to 6 s',
    expects: `${NOTHING}, and nothing late is applied`,
    mixes: true,
    script: pause,
  },
  {
    name: 'stall',
    does: 'SIGSTOP of random nodes for 20 to 250 ms, again and again',
    expects: NOTHING,
    mixes: true,
    script: stall,
  },
  {
    name: 'loss',
    does: 'datagrams lost (5 to 40 %), doubled, out of order; all traffic up to 60 ms late',
    expects: NOTHING,
    mixes: true,
    script: loss,
  },
];

export const SCENARIOS: readonly Scenario[] = SINGLE;

/** One scenario by its name, or all of them; null when there is none. */
export function chooseScenarios(name: string): readonly Scenario[] | null {
  if (name === 'all') return SCENARIOS;
  const found = SCENARIOS.filter((scenario) => scenario.name === name);
  return found.length === 0 ? null : found;
}
