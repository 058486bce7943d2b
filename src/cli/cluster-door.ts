/**
 * The cluster as backup and restore see it: its settings, its nodes and who answers for which partition, learnt by
 * `HEARSAY.DUMP START` from any node that answers, and learnt again whenever a node does not. Links are kept per node.
 * Guarded: a node that cannot be reached is passed by as long as another one answers; a cluster of another name or other
 * settings than the one first met is never taken for the same.
 */
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { partitionOfSlot } from '../core/partitions/slots.js';
import { isAnyAddress } from '../core/setting.js';
import { NodeLink } from './node-link.js';

export interface Address {
  host: string;
  port: number;
}

export interface ClusterNode extends Address {
  name: string;
  state: string;
}

/** What a node said of its cluster. */
export interface ClusterFacts {
  hlc: number;
  flushedHlc: number;
  flushedActor: number;
  cluster: string;
  clusterId: string;
  version: string;
  partitions: number;
  replicas: number;
  tombstoneGraceMs: number;
  maxClockDriftMs: number;
  nodes: ClusterNode[];
  /** Per partition: index into `nodes` of the one that answers for it; -1 for none. */
  answers: Int32Array;
}

export interface ClusterDoorOptions {
  contact: Address;
  password: string | null;
  timeoutMs: number;
}

export class ClusterDoor {
  private readonly links = new Map<string, Promise<NodeLink>>();
  private current: ClusterFacts;

  private constructor(
    private readonly options: ClusterDoorOptions,
    facts: ClusterFacts,
  ) {
    this.current = facts;
  }

  /** Throws UNAVAILABLE when the contact cannot be reached, or what it answers. */
  static async open(options: ClusterDoorOptions): Promise<ClusterDoor> {
    const link = await NodeLink.open({ ...options.contact, ...options, isContact: true });
    const facts = factsIn(await link.request('HEARSAY.DUMP', 'START'), options.contact);
    link.close();
    return new ClusterDoor(options, facts);
  }

  get facts(): ClusterFacts {
    return this.current;
  }

  /** Asks again who answers for what: the first node that answers is believed. */
  async refresh(): Promise<ClusterFacts> {
    let failure: unknown;
    for (const address of [...reachable(this.current.nodes), this.options.contact]) {
      try {
        const link = await this.linkTo(address);
        const facts = factsIn(await link.request('HEARSAY.DUMP', 'START'), address);
        if (facts.clusterId !== this.current.clusterId) {
          throw new HearsayError('ERR', `${address.host}:${address.port} is of another cluster, ${facts.cluster}`);
        }
        this.current = facts;
        return facts;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** What every node that can be reached says now; at least one. */
  async askAll(): Promise<ClusterFacts[]> {
    const { nodes } = await this.refresh();
    const said = await Promise.allSettled(
      reachable(nodes).map(async (node) =>
        factsIn(await (await this.linkTo(node)).request('HEARSAY.DUMP', 'START'), node),
      ),
    );
    return [this.current, ...said.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))];
  }

  /** Nodes to ask for a partition: the one that answers for it, then the others that live. */
  candidates(partition: number): ClusterNode[] {
    const { nodes, answers } = this.current;
    const first = answers[partition];
    const others = reachable(nodes.filter((_, index) => index !== first));
    return first < 0 ? others : [nodes[first], ...others];
  }

  /** An open link to a node. Throws UNAVAILABLE. */
  linkTo({ host, port }: Address): Promise<NodeLink> {
    const name = `${host}:${port}`;
    const kept = this.links.get(name) ?? Promise.reject(new HearsayError('UNAVAILABLE', 'not open'));
    const link = kept.then(
      (known) => (known.usable ? known : NodeLink.open({ host, port, ...this.options })),
      () => NodeLink.open({ host, port, ...this.options }),
    );
    this.links.set(name, link);
    return link;
  }

  async close(): Promise<void> {
    for (const link of await Promise.allSettled(this.links.values())) {
      if (link.status === 'fulfilled') link.value.close();
    }
  }
}

/** Nodes worth asking, those that nobody doubts before the others. */
function reachable(nodes: readonly ClusterNode[]): ClusterNode[] {
  const alive = nodes.filter(({ state }) => state === 'alive');
  return [...alive, ...nodes.filter(({ state }) => state === 'suspect')];
}

/** Reads a reply to DUMP START. A node that listens everywhere is where it was found. Throws ERR if it is none. */
export function factsIn(reply: Reply, from: Address): ClusterFacts {
  const fields = new Map<string, Reply>();
  if (Array.isArray(reply))
    for (let at = 0; at + 1 < reply.length; at += 2) fields.set(String(reply[at]), reply[at + 1]);
  const count = (name: string): number => {
    const value = fields.get(name);
    if (typeof value !== 'number') throw new HearsayError('ERR', `the node says no ${name}: is it of another version?`);
    return value;
  };
  const partitions = count('partitions');
  const rows = fields.get('nodes');
  const nodes: ClusterNode[] = [];
  const answers = new Int32Array(partitions).fill(-1);
  for (const row of Array.isArray(rows) ? rows : []) {
    if (!Array.isArray(row) || row.length < 4) continue;
    const host = String(row[1]);
    for (let at = 4; at + 1 < row.length; at += 2) {
      const last = partitionOfSlot(Number(row[at + 1]), partitions);
      for (let partition = partitionOfSlot(Number(row[at]), partitions); partition <= last; partition++) {
        answers[partition] = nodes.length;
      }
    }
    nodes.push({
      name: String(row[0]),
      host: host === '' || isAnyAddress(host) ? from.host : host,
      port: Number(row[2]),
      state: String(row[3]),
    });
  }
  return {
    hlc: count('hlc'),
    flushedHlc: count('flushed_hlc'),
    flushedActor: count('flushed_actor'),
    cluster: String(fields.get('cluster')),
    clusterId: String(fields.get('cluster_id')),
    version: String(fields.get('version')),
    partitions,
    replicas: count('replicas'),
    tombstoneGraceMs: count('tombstone_grace_ms'),
    maxClockDriftMs: count('max_clock_drift_ms'),
    nodes,
    answers,
  };
}
