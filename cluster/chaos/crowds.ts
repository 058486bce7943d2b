/**
 * Chaos by clients. memory-pressure: more data than fits. hot-key: everybody wants one key. expiry-storm: tens of thousands of keys
 * end at once. slow-readers: connections ask for much and do not read it.
 */
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../src/client/command-bytes.js';
import type { Level } from '../trials/connection.js';
import { Doors } from '../trials/doors.js';
import { type Arena, type ChaosScript, inTurns, passing, throughout, untilTaken } from './disturbance.js';
import { CounterLedger } from './ledgers.js';

const LATE_EFFECT_MS = 3000;
const TIMEOUT_MS = 1500;

/** `lanes` loops through random nodes for as long as it goes. */
class Crowd {
  private going = true;
  private loops: Promise<void>[] = [];

  start(arena: Arena, level: Level, lanes: number, once: (call: Call, lane: number) => Promise<void>): void {
    const doors = new Doors(level, TIMEOUT_MS);
    const call: Call = (at, ...words) => {
      const running = arena.cluster.running();
      const index = running[at % Math.max(1, running.length)] ?? 0;
      return doors.call(arena.cluster.nodes[index].port, ...words);
    };
    const loop = async (lane: number): Promise<void> => {
      while (this.going && !arena.signal.aborted) await once(call, lane).catch(() => passing(20));
    };
    this.loops = Array.from({ length: lanes }, (_, lane) => loop(lane));
    void Promise.all(this.loops).then(() => doors.close());
  }

  async end(): Promise<void> {
    this.going = false;
    await Promise.all(this.loops);
  }
}

/** One command to one of the running nodes. */
type Call = (at: number, ...words: string[]) => Promise<unknown>;

const FILL_VALUE = 'm'.repeat(64_000);
const FILL_LANES = 24;

export const memoryPressure = (): ChaosScript => {
  const crowd = new Crowd();
  let written = 0;
  return {
    lateEffectMs: LATE_EFFECT_MS,
    flags: ['--max-memory', '8mb'],
    settings: { walFileBytes: '1mb' },
    budget: { levelOne: false, evicts: true },
    plan: (_draws, _nodes, durationMs) =>
      throughout(
        durationMs,
        { begins: 'write more than fits in memory', ends: 'no more filling' },
        async (arena) => {
          crowd.start(arena, 'one', FILL_LANES, async (call, lane) => {
            await call(lane, 'SET', `fill:${written++}`, FILL_VALUE);
          });
        },
        () => crowd.end(),
      ),
    check: async ({ cluster }) => {
      const states = await Promise.all(cluster.running().map((index) => cluster.status(index)));
      const evictions = states.reduce((sum, status) => sum + Number(status.evictions), 0);
      return evictions > 0 ? [] : [`nothing was evicted by ${written} writes: the run proves nothing`];
    },
  };
};

const HOT_LANES = 32;
const HOT_KEY = 'hot:key';

export const hotKey = (): ChaosScript => {
  const crowd = new Crowd();
  const counter = new CounterLedger('hot:count');
  return {
    lateEffectMs: LATE_EFFECT_MS,
    plan: (_draws, _nodes, durationMs) =>
      throughout(
        durationMs,
        { begins: `${HOT_LANES} clients read one key and increment one counter`, ends: 'no hot key any more' },
        async (arena) => {
          await untilTaken(arena, 'SET', HOT_KEY, 'hot');
          crowd.start(arena, 'quorum', HOT_LANES, async (call, lane) => {
            try {
              await call(lane, 'INCR', counter.key);
              counter.definite++;
            } catch (error) {
              counter.doubtful++;
              throw error;
            }
            for (let reads = 0; reads < 4; reads++) await call(lane + reads, 'GET', HOT_KEY);
          });
        },
        () => crowd.end(),
      ),
    check: async ({ cluster }) => {
      const answers = await Promise.all(cluster.running().map((index) => cluster.ask(index, 'GET', counter.key)));
      return answers.flatMap((found) => counter.judge(found === null ? null : String(found), 0) ?? []);
    },
  };
};

const STORM_KEYS = 20_000;
const STORM_LENGTH_MS = [3000, 6000] as const;
const STORM_LANES = 32;

export const expiryStorm = (): ChaosScript => {
  const storms: { prefix: string; keys: number; endsAtMs: number }[] = [];
  return {
    lateEffectMs: LATE_EFFECT_MS,
    plan: (draws, _nodes, durationMs) =>
      inTurns(draws, durationMs, STORM_LENGTH_MS, (beginsAtMs, endsAtMs) => {
        const crowd = new Crowd();
        const storm = { prefix: `storm:${beginsAtMs}`, keys: 0, endsAtMs: 0 };
        return {
          beginsAtMs,
          endsAtMs,
          begins: 'write keys that all end at one moment',
          ends: 'the moment is past',
          begin: async (arena) => {
            const lifeMs = endsAtMs - beginsAtMs;
            storm.endsAtMs = performance.now() + lifeMs;
            storms.push(storm);
            crowd.start(arena, 'one', STORM_LANES, async (call, lane) => {
              const leftMs = Math.floor(storm.endsAtMs - performance.now());
              if (storm.keys >= STORM_KEYS || leftMs < 500) return passing(50);
              await call(lane, 'SET', `${storm.prefix}:${storm.keys++}`, 'storm', 'PX', String(leftMs));
            });
          },
          end: () => crowd.end(),
        };
      }),
    check: async ({ cluster }) => {
      const late: string[] = [];
      const lastMs = Math.max(0, ...storms.map(({ endsAtMs }) => endsAtMs));
      // A write that waited was stamped when it ran.
      await passing(Math.max(0, lastMs + 2 * TIMEOUT_MS - performance.now()));
      for (const index of cluster.running()) {
        for (const { prefix, keys } of storms) {
          for (let from = 0; from < keys; from += 1000) {
            const names = Array.from({ length: Math.min(1000, keys - from) }, (_, at) => `${prefix}:${from + at}`);
            const count = Number(await cluster.ask(index, 'EXISTS', ...names));
            if (count > 0) late.push(`expired: ${count} keys of a storm are still on ${cluster.nodes[index].name}`);
          }
        }
      }
      if (storms.every(({ keys }) => keys === 0)) late.push('no storm was written: the run proves nothing');
      return late;
    },
  };
};

const SLOW_CONNECTIONS = 8;
const SLOW_VALUE_BYTES = 1024 * 1024;
const SLOW_GETS = 200;
/** What one connection may have waiting (README, limits), with as much again for the collector to come by. */
const GROWTH_MAX_BYTES = SLOW_CONNECTIONS * 2 * 32 * 1024 * 1024;

const MEMORY_LIMIT_MS = 30_000;

export const slowReaders = (): ChaosScript => {
  const sockets: Socket[] = [];
  const before = new Map<number, number>();
  return {
    lateEffectMs: LATE_EFFECT_MS,
    flags: ['--max-memory', '64mb'],
    plan: (_draws, _nodes, durationMs) =>
      throughout(
        durationMs,
        {
          begins: `${SLOW_CONNECTIONS} connections a node ask for 200 MiB each and read nothing`,
          ends: 'they hang up',
        },
        async (arena) => {
          const { cluster } = arena;
          await untilTaken(arena, 'SET', 'slow:value', 's'.repeat(SLOW_VALUE_BYTES));
          const gets = Buffer.concat(Array.from({ length: SLOW_GETS }, () => encodeCommand(['GET', 'slow:value'])));
          for (const index of cluster.running()) {
            const bytes = await residentBytes(arena, index);
            if (bytes === null) continue;
            before.set(index, bytes);
            for (let count = 0; count < SLOW_CONNECTIONS; count++) sockets.push(deaf(cluster.nodes[index].port, gets));
          }
        },
        async (arena) => {
          for (const [index, bytes] of before) {
            const now = await residentBytes(arena, index);
            if (now === null) continue;
            const grown = now - bytes;
            const megabytes = Math.round(grown / 1024 / 1024);
            arena.tell(`${arena.cluster.nodes[index].name} has grown by ${megabytes} MiB`);
            if (grown > GROWTH_MAX_BYTES) {
              arena.complain(
                `memory: ${arena.cluster.nodes[index].name} grew by ${megabytes} MiB for clients that do not read`,
              );
            }
          }
          for (const socket of sockets) socket.destroy();
        },
      ),
    tearDown: async () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};

/** Asks, and never reads an answer. */
function deaf(port: number, bytes: Buffer): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.pause();
  socket.write(bytes);
  return socket;
}

/** Null for a node that is down or has left beside this; one that is paused is waited for. */
async function residentBytes({ cluster }: Arena, index: number): Promise<number | null> {
  let bytes: number | null = null;
  await cluster.until(`${cluster.nodes[index].name} tells its memory`, MEMORY_LIMIT_MS, async () => {
    if (cluster.nodes[index].process !== null) bytes = Number((await cluster.status(index)).rss_bytes);
    return true;
  });
  return bytes;
}
