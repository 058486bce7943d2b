/**
 * Since when a node, and the way from one node to another, have had no trouble: what the watch of membership (members.ts) measures its
 * promises by. It looks at the cluster itself, not at the plan, many times a second of virtual time. Guarded: what is shorter than a look
 * apart may go unseen, and is too short to matter to a failure detector of a run.
 */
import type { ClusterSecret } from '../../ports/secrets.js';
import type { SimCluster } from '../cluster.js';

/** Loss, each way, up to which a probe with its helpers fails rarely enough not to be seen in a campaign. */
const LOSS_MAX = 0.03;
/** Delays that leave a round trip well below the time after which a probe counts as silent, ms. */
const LAG_MAX_MS = 10;
const TURN_COST_MAX_MS = 1;
/** A datagram of the failure detector has about so many bytes at most. */
const MTU_MIN = 1_100;
const NODES_MAX = 64;

export class Calm {
  private readonly nodes: number[] = [];
  private readonly ways: number[] = [];
  private readonly dropped: number[] = [];
  /** The keys that each used when it was last looked at. */
  private readonly keys: (readonly ClusterSecret[] | null)[] = [];
  private readonly downSince: number[] = [];

  constructor(
    private readonly cluster: SimCluster,
    private readonly turnCostMs: number,
  ) {}

  /** For how long the node has run without trouble, ms. */
  ofNode(node: number): number {
    return this.cluster.clock.nowMs - (this.nodes[node] ?? Number.POSITIVE_INFINITY);
  }

  /** For how long what either sends has come to the other as it should, ms. */
  between(left: number, right: number): number {
    const since = Math.max(this.wayOf(left, right), this.wayOf(right, left));
    return this.cluster.clock.nowMs - since;
  }

  /** For how long the node has not run, ms; 0 if it runs. */
  down(node: number): number {
    const since = this.downSince[node];
    return since === undefined || since < 0 ? 0 : this.cluster.clock.nowMs - since;
  }

  look(): void {
    const { clock, nodes, network } = this.cluster;
    const { options } = network;
    const { nowMs } = clock;
    const loss = options.loss + options.corrupt + options.truncate;
    const slow = options.lagMinMs > LAG_MAX_MS || options.lagMeanMs > LAG_MAX_MS || this.turnCostMs > TURN_COST_MAX_MS;
    const bad = loss > LOSS_MAX || slow || options.mtuBytes < MTU_MIN;
    for (const { index } of nodes) {
      if (bad || this.isTroubled(index)) this.nodes[index] = nowMs;
      else this.nodes[index] ??= nowMs;
      if (nodes[index].up) this.downSince[index] = -1;
      else if ((this.downSince[index] ?? -1) < 0) this.downSince[index] = nowMs;
    }
    for (const from of nodes) {
      for (const to of nodes) {
        const way = from.index * NODES_MAX + to.index;
        const { troubles } = network;
        const isCut = network.swallows(from.index, to.index) || troubles.lagMs(from.index, to.index) > 0;
        const isBad = isCut || !opens(to.secrets?.keys, from.secrets?.keys);
        if (isBad) this.ways[way] = nowMs;
        else this.ways[way] ??= nowMs;
      }
    }
  }

  private wayOf(from: number, to: number): number {
    return this.ways[from * NODES_MAX + to] ?? Number.POSITIVE_INFINITY;
  }

  private isTroubled(index: number): boolean {
    const { nodes, network } = this.cluster;
    const { troubles } = network;
    const { process, slowMs, droppedDatagrams, wire } = nodes[index];
    const keys = nodes[index].secrets?.keys ?? null;
    const dropped = droppedDatagrams + (process?.droppedDatagrams ?? 0);
    const isNew = dropped !== this.dropped[index] || keys !== this.keys[index];
    this.dropped[index] = dropped;
    this.keys[index] = keys;
    if (process === null || process.paused || slowMs > 0 || isNew) return true;
    // Another build may understand nobody.
    if (wire !== undefined) return true;
    const isDeaf = troubles.deaf.has(index) || troubles.refuses(index) || troubles.acceptMs(index) > 0;
    return isDeaf || troubles.spreadMs(index) > 0 || network.isBlockedForDatagrams(index);
  }
}

/** Whether who has the first of these keys can open what is sealed by who has the second: the first of them seals. */
function opens(keys: readonly ClusterSecret[] | undefined, sealing: readonly ClusterSecret[] | undefined): boolean {
  if (keys === undefined || sealing === undefined) return true;
  return keys.some(({ id }) => id === sealing[0].id);
}
