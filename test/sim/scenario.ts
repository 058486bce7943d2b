/**
 * A cluster of simulated nodes that a test tells what to do, step by step, instead of a drawn plan: commands at a node, kills, partitions,
 * waits for a fact with a bound. Guarded: a scenario depends on its seed and its steps alone.
 */
import type { NodeConfig } from '../../src/core/config.js';
import { type Completion, SimClient } from '../../src/sim/client.js';
import { addressOf, type NodePlace, SimCluster } from '../../src/sim/cluster.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import type { SimMachine } from '../../src/sim/process.js';
import type { Reply } from '../../src/sim/replies.js';
import { TICK_INTERVAL_MS } from '../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../src/sim/schedule.js';

const COMMAND_TIMEOUT_MS = 2_000;
const READY_BOUND_MS = 30_000;

export interface ScenarioOptions {
  seed?: number;
  nodes?: number;
  mutations?: ReadonlySet<string>;
  plan?: Partial<Plan>;
  /** The same for all nodes, or by number, read anew at each start of a node. */
  settings?: Partial<NodeConfig> | ((node: number) => Partial<NodeConfig>);
  /** So many nodes are started at first; the others join when told to. */
  started?: number;
  /** Puts something between the world and a node. */
  wrap?: (machine: SimMachine, place: NodePlace) => SimMachine;
}

export class Scenario {
  readonly cluster: SimCluster;
  readonly nodes: number;
  private readonly clients: SimClient[] = [];
  private readonly finished: Completion[] = [];
  private readonly replies = new Map<number, Completion>();
  private number = 0;
  private readonly cuts: [number, number][] = [];

  constructor(options: ScenarioOptions = {}) {
    const { seed = 1, nodes = 3 } = options;
    this.nodes = nodes;
    const calm = Array.from({ length: nodes }, () => ({ offsetMs: 0, driftPpm: 0, grainMs: 1 }));
    const drawn = {
      ...drawPlan(seed, { ...PLAN_LIMITS, families: [] }),
      nodes,
      durability: 'interval' as const,
      network: CALM_NETWORK,
      clocks: calm,
    };
    const plan: Plan = { ...drawn, turnCostMs: 0.1, receiveBufferDatagrams: 92, steps: [], ...options.plan };
    const factories = hearsayFactories(options.mutations, options.settings);
    const create = factories.createMachine(plan);
    const { wrap = (machine: SimMachine) => machine } = options;
    this.cluster = new SimCluster(
      {
        createMachine: (ports, place, machineSeed) => wrap(create(ports, place, machineSeed), place),
        createDisk: factories.createDisk,
      },
      {
        seed,
        nodes,
        network: plan.network,
        clocks: plan.clocks,
        tickIntervalMs: TICK_INTERVAL_MS,
        receiveBufferDatagrams: plan.receiveBufferDatagrams,
        turnCostMs: plan.turnCostMs,
      },
    );
    for (let node = 0; node < nodes; node++) {
      if (node < (options.started ?? nodes)) this.cluster.start(node);
      this.clients.push(this.clientOf(node));
    }
    this.untilReady();
  }

  /** Sends a command through a node and waits for its outcome. */
  ask(node: number, ...words: string[]): Completion {
    return this.outcome(this.send(node, ...words));
  }

  /** Waits for what comes of a command that was sent. */
  outcome(number: number): Completion {
    while (!this.replies.has(number)) this.rest(1);
    return this.replies.get(number) as Completion;
  }

  /** The reply's text: integers and bulk strings as they are, arrays in brackets, null as `null`. Throws on an error reply. */
  text(node: number, ...words: string[]): string {
    const { reply, why } = this.ask(node, ...words);
    if (reply === null || reply.type === 'error') throw new Error(`${words.join(' ')}: ${reply?.text ?? why}`);
    return textOf(reply);
  }

  /** Sends a command and does not wait. */
  send(node: number, ...words: string[]): number {
    const number = this.number++;
    this.clients[node].send(number, words);
    return number;
  }

  /** Waits for the replies to commands that were sent; gives back what stands in the map for those that came back without an error. */
  acknowledged(sent: ReadonlyMap<number, number>): number[] {
    const good: number[] = [];
    for (const [number, name] of sent) {
      while (!this.replies.has(number)) this.rest(1);
      const { reply } = this.replies.get(number) as Completion;
      if (reply !== null && reply.type !== 'error') good.push(name);
    }
    return good;
  }

  rest(forMs: number): void {
    const until = this.cluster.clock.nowMs + forMs;
    while (this.cluster.step(until)) {
      for (const completion of this.finished.splice(0)) this.replies.set(completion.command, completion);
      for (const failure of this.cluster.failures.splice(0)) throw failure.error;
    }
    for (const completion of this.finished.splice(0)) this.replies.set(completion.command, completion);
  }

  /** Waits for a fact; throws what is wrong if it does not come true within the bound. */
  until(boundMs: number, problem: () => string | null): void {
    const since = this.cluster.clock.nowMs;
    let wrong = problem();
    while (wrong !== null) {
      if (this.cluster.clock.nowMs - since > boundMs) throw new Error(`not within ${boundMs} ms: ${wrong}`);
      this.rest(250);
      wrong = problem();
    }
  }

  untilReady(): void {
    this.until(READY_BOUND_MS, () => {
      for (let node = 0; node < this.nodes; node++) {
        if (!this.cluster.nodes[node].up) continue;
        const reply = this.ask(node, 'HEARSAY.STATUS').reply;
        const words = reply?.type === 'array' ? reply.items.map(textOf) : [];
        const alive = words[words.indexOf('members_alive') + 1];
        const up = this.cluster.nodes.filter((one) => one.up).length;
        if (words[words.indexOf('ready') + 1] !== '1' || Number(alive) < up) return `node ${node} is not ready`;
      }
      return null;
    });
  }

  /** All nodes that hold a partition hold the same of it. */
  untilEqual(boundMs: number): void {
    this.until(boundMs, () => {
      const digests = new Map<string, string>();
      for (let node = 0; node < this.nodes; node++) {
        if (!this.cluster.nodes[node].up) continue;
        const reply = this.ask(node, 'HEARSAY.DIGEST').reply;
        if (reply?.type !== 'array') return `node ${node} gives no digests`;
        for (const item of reply.items) {
          const [partition, digest] = item.type === 'array' ? item.items.map(textOf) : [];
          if ((digests.get(partition) ?? digest) !== digest) return `partition ${partition} differs at node ${node}`;
          digests.set(partition, digest);
        }
      }
      return null;
    });
  }

  fact(node: number, name: string): string {
    const reply = this.ask(node, 'HEARSAY.STATUS').reply;
    const words = reply?.type === 'array' ? reply.items.map(textOf) : [];
    return words[words.indexOf(name) + 1];
  }

  /** What a node says of each member, by its id. */
  members(node: number): Record<string, Record<string, string>> {
    const reply = this.ask(node, 'HEARSAY.STATUS').reply;
    const items = reply?.type === 'array' ? reply.items : [];
    const list = items[items.findIndex((item) => textOf(item) === 'members') + 1];
    const rows: Record<string, Record<string, string>> = {};
    for (const item of list?.type === 'array' ? list.items : []) {
      const row: Record<string, string> = {};
      if (item.type !== 'array') continue;
      for (let field = 0; field + 1 < item.items.length; field += 2) {
        row[textOf(item.items[field])] = textOf(item.items[field + 1]);
      }
      rows[row.id] = row;
    }
    return rows;
  }

  kill(node: number): void {
    this.cluster.kill(node);
  }

  start(node: number): void {
    this.cluster.start(node);
  }

  /** Cuts these nodes off from all others, both ways; gives back what heals it. */
  cutOff(...apart: number[]): () => void {
    const pairs: [number, number][] = [];
    for (let other = 0; other < this.nodes; other++) {
      if (apart.includes(other)) continue;
      for (const node of apart) pairs.push([node, other], [other, node]);
    }
    for (const [from, to] of pairs) this.cluster.network.block(from, to);
    return () => this.cluster.unblock(pairs);
  }

  /** Nothing gets from one of the two to the other, either way, until `heal`. */
  cut(left: number, right: number): void {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ]) {
      this.cluster.network.block(from, to);
      this.cuts.push([from, to]);
    }
  }

  /** Ends every `cut`. */
  heal(): void {
    this.cluster.unblock(this.cuts.splice(0));
  }

  /** No datagram gets to or from this node, while streams do; gives back what heals it. */
  cutDatagrams(node: number): () => void {
    this.cluster.network.blockDatagrams(node);
    return () => this.cluster.network.unblockDatagrams(node);
  }

  /** One more connection to a node: its number is given to `ask` and `send` in place of the node's. */
  connect(node: number): number {
    return this.clients.push(this.clientOf(node)) - 1;
  }

  private clientOf(node: number): SimClient {
    const { cluster } = this;
    const index = cluster.network.hosts.length;
    const client = new SimClient(
      { clock: cluster.clock, streams: cluster.streams, trace: cluster.trace, finished: this.finished },
      {
        index,
        client: node,
        address: addressOf(index),
        target: cluster.nodes[node],
        greeting: [],
        timeoutMs: COMMAND_TIMEOUT_MS,
      },
    );
    cluster.network.addHost(client);
    return client;
  }
}

export function textOf(reply: Reply): string {
  switch (reply.type) {
    case 'integer':
      return String(reply.value);
    case 'array':
      return `[${reply.items.map(textOf).join(' ')}]`;
    case 'null':
      return 'null';
    default:
      return reply.text;
  }
}
