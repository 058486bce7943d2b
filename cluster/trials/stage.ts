/**
 * The stage of a trial: a cluster of real nodes with fault injection, what the nodes say of membership, their figures from STATUS, and
 * whether owners agree. run.ts opens it and closes it; trials act on it as an operator would, by RESP, signals, flags and files.
 * Guarded: only facts from outside are used; what is waited for has a bound; digests of a partition are compared only where as many
 * nodes hold it as own it.
 */
import { compareDigests, type NodeDigests } from '../agreement.js';
import type { KeyHistory } from '../chaos/history.js';
import { judgeEverywhere } from '../chaos/judgement.js';
import { DirectReader } from '../direct-reader.js';
import { type ProbeReply, recordOf } from '../probe.js';
import { type Status, TemporaryCluster } from '../temporary.js';
import { runBulk } from './bulk.js';
import { Transitions } from './transitions.js';

const HOST = '127.0.0.1';

export interface StageOptions {
  nodes: number;
  /** How many start at once. Default all. */
  startedNodes?: number;
  /** `--max-memory` of each. Default 48mb. */
  memory?: string;
  flags?: readonly string[];
  flagsOf?: (index: number) => readonly string[];
  settings?: Readonly<Record<string, string | number | boolean>>;
}

/** Small logs: fifteen nodes preallocate theirs. */
const SETTINGS = { walFileBytes: '4mb' } as const;

export class Stage {
  private constructor(
    readonly cluster: TemporaryCluster,
    readonly transitions: Transitions,
    private readonly owners: number,
  ) {}

  static async open(command: readonly string[], options: StageOptions, print: (line: string) => void): Promise<Stage> {
    const transitions = new Transitions();
    const flags = ['--enable-fault-injection', '--max-memory', options.memory ?? '48mb', ...(options.flags ?? [])];
    const cluster = await TemporaryCluster.start(
      {
        nodes: options.nodes,
        startedNodes: options.startedNodes,
        command,
        flags,
        flagsOf: options.flagsOf,
        settings: { ...SETTINGS, ...options.settings },
        onLine: (node, line) => transitions.line(node.name, line),
      },
      print,
    );
    return new Stage(cluster, transitions, 3);
  }

  close(): Promise<void> {
    return this.cluster.stop();
  }

  name(index: number): string {
    return this.cluster.nodes[index].name;
  }

  port(index: number): number {
    return this.cluster.nodes[index].port;
  }

  /** RESP ports of these nodes, or of all that run. */
  ports(indexes: readonly number[] = this.cluster.running()): number[] {
    return indexes.map((index) => this.port(index));
  }

  /** All but these, of the nodes that run. */
  others(...indexes: readonly number[]): number[] {
    return this.cluster.running().filter((index) => !indexes.includes(index));
  }

  async fault(indexes: readonly number[], ...words: string[]): Promise<void> {
    await Promise.all(indexes.map((index) => this.cluster.ask(index, 'HEARSAY.FAULT', ...words)));
  }

  /** For spoilt runs: one node loses `prefix:0` to `prefix:count - 1` without a trace, as many of them as it holds. */
  async loseKeys(index: number, prefix: string, count: number): Promise<void> {
    await runBulk([this.port(index)], 'one', count, (at) => ['HEARSAY.FAULT', 'LOSE', `${prefix}:${at}`]);
  }

  /** One figure of STATUS, summed over nodes; NaN when a node does not give it. */
  async total(field: string, indexes: readonly number[] = this.cluster.running()): Promise<number> {
    const states = await Promise.all(indexes.map((index) => this.cluster.status(index)));
    return states.reduce((sum, status) => sum + figureOf(status, field), 0);
  }

  /** Bytes that nodes got from each other: datagrams without their headers, and streams. */
  async wireBytes(): Promise<number> {
    return (await this.total('packet_bytes_received')) + (await this.total('peer_stream_bytes_received'));
  }

  /** The row of one member in another's STATUS; empty if there is none. */
  async memberSeenBy(index: number, member: number): Promise<Status> {
    const { members } = await this.cluster.status(index);
    const rows = Array.isArray(members) ? members.map((row) => recordOf(row) ?? {}) : [];
    return rows.find((row) => row.id === this.name(member)) ?? {};
  }

  async digests(indexes: readonly number[] = this.cluster.running()): Promise<NodeDigests[]> {
    return Promise.all(indexes.map(async (index) => digestsOf(await this.cluster.ask(index, 'HEARSAY.DIGEST'))));
  }

  /**
   * Ms until every partition was seen equal at all its owners at least once, asked every `pauseMs`; NaN past the bound. For use under
   * load, which asking disturbs.
   */
  async untilEachAgreed(limitMs: number, pauseMs = 50): Promise<number> {
    const startedAtMs = performance.now();
    let left: number[] | null = null;
    while (performance.now() - startedAtMs < limitMs) {
      const askedAtMs = performance.now();
      try {
        const nodes = await this.digests();
        const partitions = Math.max(...nodes.flatMap((node) => [...node.keys()])) + 1;
        const owners = Math.min(this.owners, nodes.length);
        const { differing } = compareDigests(nodes, partitions, owners);
        left = left === null ? differing : left.filter((partition) => differing.includes(partition));
        if (left.length === 0) return askedAtMs - startedAtMs;
      } catch {
        // A node that does not answer now agrees with nobody.
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return Number.NaN;
  }

  /** Ms until the fact holds; NaN past the bound. */
  async timeUntil(limitMs: number, fact: () => Promise<boolean>): Promise<number> {
    const startedAtMs = performance.now();
    try {
      await this.cluster.until('the fact', limitMs, fact);
    } catch {
      return Number.NaN;
    }
    return performance.now() - startedAtMs;
  }

  /** What one node answers for these keys at level one. */
  async valuesAt(index: number, keys: readonly string[]): Promise<unknown[]> {
    const reader = await DirectReader.open(HOST, this.port(index));
    try {
      return await reader.values(keys);
    } finally {
      reader.close();
    }
  }

  /** Lines on every key whose value some node, asked directly, should not give. */
  judge(histories: readonly KeyHistory[]): Promise<string[]> {
    return judgeEverywhere(this.cluster, histories);
  }
}

/** A figure of STATUS, or of the one row of a table in it as `gossip.stalls`; NaN if there is none. */
export function figureOf(status: Status, field: string): number {
  const [name, inner] = field.split('.');
  const value: ProbeReply | undefined = status[name];
  if (inner === undefined) return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  const row = Array.isArray(value) ? recordOf(value[0]) : null;
  return row === null ? Number.NaN : figureOf(row, inner);
}

function digestsOf(reply: ProbeReply): NodeDigests {
  const digests = new Map<number, string>();
  if (!Array.isArray(reply)) return digests;
  for (const row of reply) if (Array.isArray(row)) digests.set(Number(row[0]), String(row[1]));
  return digests;
}
