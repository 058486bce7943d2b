/**
 * Throughput of writes on three nodes of this machine: Hearsay with three owners at level one beside a Redis master with two replicas,
 * without and with WAIT 1. Three load generators drive each side: one for each node of Hearsay, all for the master of Redis.
 * Guarded: rounds alternate, the side that rests is frozen whole; a round begins when every copy has everything, and how long it takes
 * until that is so again afterwards stands beside the figure: what is acknowledged and not yet copied is not hidden.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill, runLoadClient } from './load-client.js';
import type { LoadResult } from './load-spec.js';
import { alternate, noFigures, rowFrom, type SideFigures } from './rows.js';
import { BenchServer, HOST, type Side } from './server.js';

const NODES = 3;
const KEYS = 200_000;
const QUICK_KEYS = 20_000;
const VALUE_BYTES = 100;
const CONNECTIONS_EACH = 17;
const RUN_MS = 3000;
const QUICK_RUN_MS = 400;
const SETTLED_LIMIT_MS = 60_000;
const MEMORY_BYTES = 512 * 2 ** 20;

interface Line {
  readonly name: string;
  readonly title: string;
  readonly pipeline: number;
  /** Whether each write of a side is followed by WAIT 1. */
  readonly waits: Readonly<Record<Side, boolean>>;
}

const LINES: readonly Line[] = [
  {
    name: 'replicated-set-p1',
    title: 'SET on 3 nodes, level one, beside a master with 2 replicas, pipeline 1',
    pipeline: 1,
    waits: { hearsay: false, redis: false },
  },
  {
    name: 'replicated-set-p16',
    title: 'SET on 3 nodes, level one, beside a master with 2 replicas, pipeline 16',
    pipeline: 16,
    waits: { hearsay: false, redis: false },
  },
  {
    name: 'replicated-set-wait-p1',
    title: 'SET on 3 nodes, level one, beside a master with 2 replicas and WAIT 1 behind each SET, pipeline 1',
    pipeline: 1,
    waits: { hearsay: false, redis: true },
  },
  {
    name: 'replicated-waits-p1',
    title: 'SET and WAIT 1 on 3 nodes, beside SET and WAIT 1 on a master with 2 replicas, pipeline 1',
    pipeline: 1,
    waits: { hearsay: true, redis: true },
  },
];

export const REPLICATION_DEFAULT: readonly string[] = [
  'replicated-set-p1',
  'replicated-set-p16',
  'replicated-set-wait-p1',
];

export function replicationGroup(): CaseGroup {
  return {
    names: LINES.map((line) => line.name),
    run: async (context, wanted) => {
      const groups: Partial<Record<Side, ServerGroup>> = {};
      try {
        const rows: Row[] = [];
        for (const line of LINES.filter(({ name }) => wanted.includes(name))) {
          rows.push(await measureLine(context, groups, line));
        }
        return rows;
      } finally {
        for (const group of Object.values(groups)) await group.discard();
      }
    },
  };
}

async function measureLine(
  context: BenchContext,
  groups: Partial<Record<Side, ServerGroup>>,
  line: Line,
): Promise<Row> {
  const rates = noFigures();
  const p99s = noFigures();
  const settled = noFigures();
  const cpu = noFigures();
  const notes = ['three load generators with 17 connections each; the three servers of a side share one core'];
  await alternate(context, context.rounds, notes, async (side, round) => {
    const started = groups[side];
    const group = started ?? (await ServerGroup.start(context, side));
    groups[side] = group;
    group.thaw();
    await group.untilSettled();
    // The first round finds everything cold.
    if (round === 0) await drive(context, group, line, side);
    await group.untilSettled();
    const cpuBefore = group.cpuSeconds();
    const results = await drive(context, group, line, side);
    const requests = results.reduce((sum, result) => sum + result.requests, 0);
    const settledMs = await group.untilSettled();
    rates[side].push(results.reduce((sum, result) => sum + result.operationsPerSecond, 0));
    p99s[side].push(Math.max(...results.map((result) => result.p99Ms)));
    settled[side].push(settledMs);
    cpu[side].push(((group.cpuSeconds() - cpuBefore) * 1e6) / requests);
    group.freeze();
  });
  const details: { name: string; unit: string; figures: SideFigures }[] = [
    { name: 'server CPU per operation', unit: 'us', figures: cpu },
    { name: 'p99', unit: 'ms', figures: p99s },
    { name: 'until all copies have it', unit: 'ms', figures: settled },
  ];
  const row = rowFrom({
    name: line.name,
    title: line.title,
    unit: 'op/s',
    better: 'higher',
    target: null,
    figures: rates,
    details,
    notes,
  });
  context.print(`  ${line.name}: ${row.ratio === null ? 'no ratio' : `${row.ratio.median.toFixed(2)} x`}`);
  return row;
}

/** One load generator for each node that takes writes; all at once. */
function drive(context: BenchContext, group: ServerGroup, line: Line, side: Side): Promise<LoadResult[]> {
  return Promise.all(
    Array.from({ length: NODES }, (_, index) =>
      runLoadClient(context, {
        port: group.writable(index).port,
        operation: line.waits[side] ? 'set-wait' : 'set',
        connections: CONNECTIONS_EACH,
        pipeline: line.pipeline,
        keys: context.quick ? QUICK_KEYS : KEYS,
        valueBytes: VALUE_BYTES,
        durationMs: context.quick ? QUICK_RUN_MS : RUN_MS,
        seed: index + 1,
      }),
    ),
  );
}

/** Three servers of one side that hold the same. */
class ServerGroup {
  private constructor(
    readonly side: Side,
    private readonly servers: readonly BenchServer[],
  ) {}

  static async start(context: BenchContext, side: Side): Promise<ServerGroup> {
    const servers: BenchServer[] = [];
    const options = { durability: 'off', memoryBytes: MEMORY_BYTES } as const;
    try {
      for (let index = 0; index < NODES; index++) {
        const first = servers[0];
        const join = index === 0 ? [] : ['--join', `${HOST}:${first.port + 1}`];
        const follow = index === 0 ? [] : ['--replicaof', HOST, String(first.port)];
        servers.push(
          await BenchServer.start(context, side, {
            ...options,
            hearsayWords: ['--replicas', String(NODES), ...join],
            redisWords: ['--repl-diskless-sync-delay', '0', ...follow],
          }),
        );
      }
      const group = new ServerGroup(side, servers);
      await group.untilSettled();
      await fill(context, servers[0].port, { from: 0, to: context.quick ? QUICK_KEYS : KEYS, valueBytes: VALUE_BYTES });
      await group.untilSettled();
      return group;
    } catch (error) {
      for (const server of servers) await server.discard();
      throw error;
    }
  }

  /** Any node of Hearsay takes writes, of Redis the master alone. */
  writable(index: number): BenchServer {
    return this.side === 'hearsay' ? this.servers[index] : this.servers[0];
  }

  /** Ms until every copy has everything; throws past the bound. */
  async untilSettled(): Promise<number> {
    const startedMs = performance.now();
    while (!(await this.isSettled())) {
      const ms = performance.now() - startedMs;
      if (ms > SETTLED_LIMIT_MS) throw new Error(`${this.side}: the copies differ after ${SETTLED_LIMIT_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - startedMs;
  }

  cpuSeconds(): number {
    return this.servers.reduce((sum, server) => sum + server.cpuSeconds(), 0);
  }

  freeze(): void {
    for (const server of this.servers) server.freeze();
  }

  thaw(): void {
    for (const server of this.servers) server.thaw();
  }

  async discard(): Promise<void> {
    for (const server of this.servers) await server.discard();
  }

  private async isSettled(): Promise<boolean> {
    if (this.side === 'hearsay') {
      const states = await Promise.all(this.servers.map((server) => server.status()));
      return states.every(
        (status) => status.members_alive === NODES && status.ready === 1 && status.messages_unacknowledged === 0,
      );
    }
    const [master, ...replicas] = this.servers;
    if ((await master.info('connected_slaves')) !== NODES - 1) return false;
    const offset = await master.info('master_repl_offset');
    const offsets = await Promise.all(replicas.map((replica) => replica.info('slave_repl_offset')));
    return offsets.every((other) => other >= offset);
  }
}
