/**
 * Whether the owners of every partition hold the same: HEARSAY.DIGEST of all nodes, put side by side. Demonstrations, chaos
 * runs and tests wait for it after faults are healed.
 * Guarded: agreement means that every partition is held by as many nodes as own it, and that their digests are equal; a
 * partition that nobody shows is no agreement.
 */
import type { ProbeReply } from './probe.js';
import type { TemporaryCluster } from './temporary.js';

export interface Agreement {
  agreed: boolean;
  /** Partitions that anybody holds, and digests compared. */
  partitions: number;
  digests: number;
  /** Partitions whose owners differ, or are fewer than they should be. */
  differing: number[];
}

/** Digests by partition, as nodes answer them. */
export type NodeDigests = ReadonlyMap<number, string>;

/** Compares what nodes answered. `owners`: how many nodes hold each partition. */
export function compareDigests(nodes: readonly NodeDigests[], partitions: number, owners: number): Agreement {
  const differing: number[] = [];
  let digests = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const held = nodes.flatMap((node) => node.get(partition) ?? []);
    digests += held.length;
    if (held.length !== owners || held.some((digest) => digest !== held[0])) differing.push(partition);
  }
  return { agreed: differing.length === 0 && partitions > 0, partitions, digests, differing };
}

/** Asks all running nodes and compares. */
export async function readAgreement(cluster: TemporaryCluster, replicas = 3): Promise<Agreement> {
  const running = cluster.running();
  const nodes = await Promise.all(running.map(async (index) => digestsOf(await cluster.ask(index, 'HEARSAY.DIGEST'))));
  const seen = new Set(nodes.flatMap((node) => [...node.keys()]));
  const partitions = seen.size === 0 ? 0 : Math.max(...seen) + 1;
  return compareDigests(nodes, partitions, Math.min(replicas, running.length));
}

/** Resolves with the agreement once it is reached; throws past the bound, naming what differs. */
export async function untilAgreed(cluster: TemporaryCluster, limitMs: number, replicas = 3): Promise<Agreement> {
  let latest: Agreement = { agreed: false, partitions: 0, digests: 0, differing: [] };
  try {
    await cluster.until('the owners agree', limitMs, async () => {
      latest = await readAgreement(cluster, replicas);
      return latest.agreed;
    });
  } catch (error) {
    const shown = latest.differing.slice(0, 8).join(', ');
    throw new Error(`${(error as Error).message}; ${latest.differing.length} partitions differ (${shown})`);
  }
  return latest;
}

function digestsOf(reply: ProbeReply): NodeDigests {
  const digests = new Map<number, string>();
  if (!Array.isArray(reply)) return digests;
  for (const row of reply) if (Array.isArray(row)) digests.set(Number(row[0]), String(row[1]));
  return digests;
}
