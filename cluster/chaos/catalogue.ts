/**
 * The chaos scenarios: what each does to the cluster and what is expected of it. `hearsay chaos list` prints the table, `run` takes
 * names from it.
 * Guarded: every scenario is judged by the history of what was acknowledged; what stands under `expects` is what a run checks.
 */
import { clockJump } from './clocks.js';
import { expiryStorm, hotKey, memoryPressure, slowReaders } from './crowds.js';
import { staleRestore, swappedDirectories, wipe } from './directories.js';
import { diskError, diskFull, slowDisk } from './disks.js';
import type { Scenario } from './disturbance.js';
import { garbageDatagrams } from './garbage.js';
import { kill, rollingRestart } from './kill.js';
import { loss } from './loss.js';
import { membershipChange } from './members.js';
import { mixOf } from './mix.js';
import { partitionBridge, partitionFlapping, partitionHalves, partitionIsolate, partitionOneWay } from './partition.js';
import { pause, stall } from './pause.js';
import { powerCut } from './power-cut.js';

const NOTHING = 'nothing acknowledged is lost, at level one neither';

const SINGLE: readonly Scenario[] = [
  {
    name: 'partition-halves',
    does: 'two random groups hear nothing of each other for 0.5 to 8 s',
    expects: `${NOTHING}; both groups take writes, and neither has what the other took until it is healed`,
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
    expects: `${NOTHING}; that node takes writes all the time, and the others do not have them until it is healed`,
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
  {
    name: 'clock-jump',
    does: 'the wall clock of one node jumps by 2 s to an hour, by libfaketime',
    expects: `${NOTHING}; the node says so, and no key of it ends earlier or later`,
    mixes: false,
    script: clockJump,
  },
  {
    name: 'disk-full',
    does: 'the disk of one node is full for a while',
    expects: `${NOTHING}; writes are refused by name, reads go on`,
    mixes: true,
    script: diskFull,
  },
  {
    name: 'slow-disk',
    does: 'each sync of one node takes 20 to 800 ms longer',
    expects: `${NOTHING}; no reply waits for that disk`,
    mixes: true,
    script: slowDisk,
  },
  {
    name: 'disk-error',
    does: 'syncs of one node fail once or a few times, then it is restarted',
    expects: `${NOTHING}; a log that ended refuses writes by name, reads and other nodes go on`,
    mixes: true,
    script: diskError,
  },
  {
    name: 'power-cut',
    does: 'all nodes lose power at one moment and start from what the disk had; needs root and loop devices',
    expects: `${NOTHING}: with \`--durability always\` the disk had it`,
    mixes: false,
    script: powerCut,
  },
  {
    name: 'wipe',
    does: 'one node, always the same, is killed and comes back with an empty directory',
    expects: 'nothing that a quorum acknowledged is lost; at level one at most what was acknowledged shortly before',
    mixes: false,
    script: wipe,
  },
  {
    name: 'stale-restore',
    does: 'one node, always the same, is killed and comes back with an old copy of its directory',
    expects: 'nothing that a quorum acknowledged is lost; at level one at most what was acknowledged shortly before',
    mixes: false,
    script: staleRestore,
  },
  {
    name: 'swapped-directories',
    does: "two nodes are started with each other's directory",
    expects: `both refuse it and end; with their own back, ${NOTHING}`,
    mixes: false,
    script: swappedDirectories,
  },
  {
    name: 'memory-pressure',
    does: 'nodes of 8 MiB are given more than fits',
    expects: 'evictions are counted; what is read is never old, wrong or back from a delete',
    mixes: false,
    script: memoryPressure,
  },
  {
    name: 'membership-change',
    does: 'a node joins, and another leaves for good and hands over',
    expects: `${NOTHING}; the leaver ends when all is handed over`,
    mixes: true,
    script: membershipChange,
  },
  {
    name: 'hot-key',
    does: '32 clients read one key and increment one counter',
    expects: `${NOTHING}; the counter is exact`,
    mixes: true,
    script: hotKey,
  },
  {
    name: 'expiry-storm',
    does: 'up to 20,000 keys end at one moment, again and again',
    expects: `${NOTHING}; no key is there past its end`,
    mixes: true,
    script: expiryStorm,
  },
  {
    name: 'slow-readers',
    does: 'connections ask every node for far more than they read',
    expects: `${NOTHING}; memory is bounded, others are served`,
    mixes: true,
    script: slowReaders,
  },
  {
    name: 'garbage-datagrams',
    does: 'random bytes and packets of strange clusters at every gossip port and client port',
    expects: `${NOTHING}; no node ends, no member is made up`,
    mixes: true,
    script: garbageDatagrams,
  },
];

const MIX: Scenario = {
  name: 'mix',
  does: 'two of the others at once, drawn from the seed',
  expects: 'what both promise together',
  mixes: false,
  script: () => mixOf(SINGLE.filter(({ mixes }) => mixes)),
};

export const SCENARIOS: readonly Scenario[] = [...SINGLE, MIX];

/** One scenario by its name, or all of them; null when there is none. */
export function chooseScenarios(name: string): readonly Scenario[] | null {
  if (name === 'all') return SCENARIOS;
  const found = SCENARIOS.filter((scenario) => scenario.name === name);
  return found.length === 0 ? null : found;
}
