/**
 * One node in this process: disk, world and machine put together, and taken apart again.
 * `hearsay serve` and an embedding program call `startNode`; the answer is a node that takes clients.
 * Guarded: a start that fails leaves no port bound and no directory locked; a stop waits for the node's goodbye, then
 * for its bytes to leave, each with a bound.
 */
import type { NodeConfig } from '../core/config.js';
import { HearsayNode } from '../core/node.js';
import type { Log } from '../ports/log.js';
import { NodeDisk } from './disk.js';
import { drawSeed } from './entropy.js';
import { releaseFault } from './release.js';
import { NodeSecrets } from './secrets.js';
import { NodeWorld } from './world.js';

export interface RunningNode {
  readonly id: string;
  readonly port: number;
  readonly gossipPort: number;
  readonly world: NodeWorld;
  /** Resolves when the node has ended: by `stop`, or with the error for which it can not go on. */
  readonly ended: Promise<Error | null>;
  /** Says goodbye to the other nodes, makes the log durable, closes everything. Any number of calls. */
  stop(): Promise<void>;
  /** Reads the secret file again; what is wrong with it is logged, and the keys stay. */
  reloadSecrets(): void;
}

/** Throws HearsayError CONFIG (a port is taken) or DATADIR, with nothing left behind. */
export async function startNode(config: NodeConfig, log: Log): Promise<RunningNode> {
  const fault = releaseFault(process.versions.node);
  if (fault !== null) log.warn(fault);
  const secrets = config.secretFile === null ? null : new NodeSecrets(config.secretFile);
  const completions = { world: null as NodeWorld | null };
  const disk = await NodeDisk.open(config.data, (token, error) => completions.world?.diskCompleted(token, error), log);
  const world = new NodeWorld(log, {
    bind: config.bind,
    port: config.port,
    gossipPort: config.gossipPort,
    tickIntervalMs: config.tickIntervalMs,
    faultInjection: config.enableFaultInjection,
  });
  completions.world = world;
  const takeApart = async (): Promise<void> => {
    await world.stop();
    await disk.release();
  };
  let node: HearsayNode;
  try {
    await world.listen();
    const bound = { ...config, port: world.port, gossipPort: world.gossipPort };
    node = new HearsayNode(world.portsOver(disk, secrets), bound, { seed: drawSeed() });
    world.run(node, () => node.start());
  } catch (error) {
    await takeApart();
    throw error;
  }
  let stopping: Promise<void> | null = null;
  return {
    id: node.id,
    port: world.port,
    gossipPort: world.gossipPort,
    world,
    ended: world.untilStopped().then(() => node.fatal),
    reloadSecrets: () => world.inTurn(() => node.reloadSecrets()),
    stop: () => {
      stopping ??= (async () => {
        world.inTurn(() => node.shutdown());
        await world.untilStopped();
        await takeApart();
      })();
      return stopping;
    },
  };
}
