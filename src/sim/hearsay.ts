/**
 * The real node in the simulated world: its settings for a run, scaled down so that seconds show what takes minutes in life,
 * and the factories that a run needs. Tests and `main.ts` call `hearsayFactories`, with the names of planted bugs if the
 * checkers are what is on trial. Guarded: nothing but settings differs from a node in the other world.
 */
import { completeConfig, type NodeConfig } from '../core/config.js';
import { HearsayNode } from '../core/node.js';
import type { MachineFactory, NodePlace } from './cluster.js';
import { SimDisk } from './disk.js';
import { type RunFactories, TICK_INTERVAL_MS } from './run.js';
import type { Plan } from './schedule.js';

/** Below the bounds that an operator has: small files and segments meet their ends often. */
const SMALL = { walFileBytes: 32 * 1024, maxMemory: 2 * 1024 * 1024, segmentBytes: 16 * 1024 };
/** Every eighth run has room for a few hints only, so that some overflow into repair. */
const FEW_HINTS = { hintBytesPerPeerMax: 1_024, hintBytesMax: 1_536 };
/** A walk over a handful of records takes several slices, of which some wait for a tick; own writes are soon forgotten. */
const SMALL_CATCH_UP = { sliceRecords: 2, recentWrites: 8, mergedBytesBegin: 2048 };

/** `settings` take the place of those of a run, on every node or by the node's number. */
export function hearsayFactories(
  mutations: ReadonlySet<string> = new Set(),
  settings: Partial<NodeConfig> | ((node: number) => Partial<NodeConfig>) = {},
): RunFactories {
  const settingsOf = typeof settings === 'function' ? settings : () => settings;
  return {
    createMachine:
      (plan: Plan): MachineFactory =>
      (ports, place, seed) =>
        new HearsayNode(
          ports,
          { ...configFor(plan, place), ...settingsOf(place.index) },
          { seed, mutations, catchUp: SMALL_CATCH_UP, wire: place.wire },
        ),
    createDisk: (random, schedule, completed) => new SimDisk({ random, schedule, completed }),
  };
}

export function configFor(plan: Plan, place: NodePlace): NodeConfig {
  const { config, violations } = completeConfig({
    id: place.id,
    port: place.clientPort,
    gossipPort: place.gossipPort,
    bind: place.address,
    advertise: place.address,
    insecure: true,
    join: [...place.join],
    durability: plan.durability,
    durabilityIntervalMs: 200,
    replicas: plan.replicas,
    partitions: plan.partitions,
    tickIntervalMs: TICK_INTERVAL_MS,
    probeIntervalMs: 300,
    probeTimeoutMs: 100,
    suspicionFloorMs: 1_200,
    gossipIntervalMs: 100,
    antiEntropyIntervalMs: 300,
    operationTimeoutMs: 400,
    memberGraceMs: 600_000,
  });
  if (config === null) throw new Error(`settings of a run: ${JSON.stringify(violations)}`);
  return { ...config, ...SMALL, ...(plan.seed % 8 === 7 ? FEW_HINTS : {}), ...plan.limits };
}
