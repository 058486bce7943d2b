/**
 * Mixed operations of a cache's everyday, the same for every client: each worker has keys of its own and knows what every
 * reply must be. The client tests give an adapter each. Guarded: a reply that differs, or an error, fails the test with the
 * command that got it.
 */
import { expect } from 'vitest';
import type { TemporaryCluster } from '../../cluster/temporary.js';

/** What the scenario needs of a client. */
export interface EverydayClient {
  set(key: string, value: string): Promise<unknown>;
  setFor(key: string, value: string, seconds: number): Promise<unknown>;
  get(key: string): Promise<string | null>;
  ttl(key: string): Promise<number>;
  del(keys: string[]): Promise<number>;
  incr(key: string): Promise<number>;
  mset(entries: [string, string][]): Promise<unknown>;
  mget(keys: string[]): Promise<(string | null)[]>;
  exists(keys: string[]): Promise<number>;
}

const WORKERS = 20;
const ROUNDS = 20;
const KEYS_TOGETHER = 12;

/** Operations that `everyday` performs. */
export const EVERYDAY_OPERATIONS = WORKERS * ROUNDS * 11;

export async function everyday(client: EverydayClient, prefix: string): Promise<void> {
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(client, `${prefix}:${worker}`)));
}

async function work(client: EverydayClient, prefix: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const key = `${prefix}:${round}`;
    await client.set(key, `${key} first`);
    expect(await client.get(key)).toBe(`${key} first`);
    await client.setFor(key, `${key} ü`, 100);
    expect(await client.get(key)).toBe(`${key} ü`);
    expect(await client.ttl(key)).toBeGreaterThan(90);
    expect(await client.del([key])).toBe(1);
    expect(await client.incr(`${prefix}:counter`)).toBe(round + 1);
    // Keys of many slots in one command: the client sends it to one node, which answers for all.
    const keys = Array.from({ length: KEYS_TOGETHER }, (_, index) => `${prefix}:${round}:${index}`);
    await client.mset(keys.map((name): [string, string] => [name, `value of ${name}`]));
    expect(await client.mget([...keys, `${prefix}:none`])).toEqual([...keys.map((name) => `value of ${name}`), null]);
    expect(await client.del(keys.slice(0, 4))).toBe(4);
    expect(await client.exists(keys)).toBe(KEYS_TOGETHER - 4);
  }
}

/** How many writes each node has coordinated. */
export async function writesByNode(cluster: TemporaryCluster): Promise<number[]> {
  const states = await Promise.all(cluster.running().map((index) => cluster.status(index)));
  return states.map((status) => Number(status.writes_coordinated));
}
