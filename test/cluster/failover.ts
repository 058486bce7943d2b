/**
 * How long a cluster client cannot write after a kill -9: ioredis Cluster at its defaults under load, one key in each of many
 * ranges of slots, the time until every one has been written again. failover.test.ts and `npm run measure:failover` use it.
 */
import { Cluster } from 'ioredis';
import { slotOf } from '../../src/core/partitions/slots.js';
import { HOST, startCluster } from './harness.js';

const RANGES = 256;
const SLOTS = 16_384;
const LOAD_WORKERS = 16;
const WRITABLE_LIMIT_MS = 30_000;

/** Kills each node of fresh clusters of three, one after the other, until `kills` are done; the times in ms. */
export async function measureFailover(kills: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < kills) {
    const cluster = await startCluster(3);
    const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: HOST, port })));
    client.on('error', () => {});
    const load = startLoad(client);
    try {
      await writeEveryRange(client, performance.now() + WRITABLE_LIMIT_MS);
      for (let victim = 0; victim < 3 && times.length < kills; victim++) {
        const killedAtMs = performance.now();
        await cluster.kill(victim);
        await writeEveryRange(client, killedAtMs + WRITABLE_LIMIT_MS);
        times.push(performance.now() - killedAtMs);
        cluster.start(victim);
        await cluster.untilReady();
        await writeEveryRange(client, performance.now() + WRITABLE_LIMIT_MS);
      }
    } finally {
      await load.stop();
      client.disconnect();
      await cluster.stop();
    }
  }
  return times;
}

/** Resolves when one key of every range was written; rejects past the deadline. */
async function writeEveryRange(client: Cluster, deadline: number): Promise<void> {
  await Promise.all(
    rangeKeys.map(async (key) => {
      for (;;) {
        try {
          await client.set(key, 'v');
          return;
        } catch (error) {
          if (performance.now() > deadline) throw new Error(`${key} is not writable: ${(error as Error).message}`);
        }
      }
    }),
  );
}

/** Sets and gets on many keys until it is stopped; what fails is tried no more, as an application would. */
function startLoad(client: Cluster): { stop(): Promise<void> } {
  let running = true;
  const workers = Array.from({ length: LOAD_WORKERS }, async (_, worker) => {
    for (let count = 0; running; count++) {
      const key = `load:${worker}:${count % 1000}`;
      await client.set(key, String(count)).catch(() => {});
      await client.get(key).catch(() => {});
    }
  });
  return {
    stop: async () => {
      running = false;
      await Promise.all(workers);
    },
  };
}

/** A key in each range of slots. */
const rangeKeys = ((): string[] => {
  const keys = new Map<number, string>();
  for (let number = 0; keys.size < RANGES; number++) {
    const key = `range:${number}`;
    const bytes = Buffer.from(key);
    const range = Math.floor((slotOf(bytes, 0, bytes.length) * RANGES) / SLOTS);
    if (!keys.has(range)) keys.set(range, key);
  }
  return [...keys.values()];
})();
