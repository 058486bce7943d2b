/**
 * Every key on every running node, at level one: what this node would tell a client, judged by the key's history. Chaos runs and
 * trials end with it.
 * Guarded: a node that gives no answer is a finding like any other; it never ends the judgement of those that do.
 */
import { DirectReader } from '../direct-reader.js';
import type { TemporaryCluster } from '../temporary.js';
import type { KeyHistory, Value } from './history.js';

/** A line for each answer that is not right, and one for each node that gives none. */
export async function judgeEverywhere(cluster: TemporaryCluster, histories: readonly KeyHistory[]): Promise<string[]> {
  const keys = histories.map((history) => history.key);
  const violations: string[] = [];
  for (const index of cluster.running()) {
    const { name, port } = cluster.nodes[index];
    try {
      const values = await valuesOf(port, keys);
      for (const [at, history] of histories.entries()) {
        const found = withoutPadding(values[at]);
        const verdict = history.judge(found);
        if (verdict !== 'right') violations.push(`${verdict} on ${name} ${history.describe(found)}`);
      }
    } catch (error) {
      violations.push(`no answer from ${name}: ${(error as Error).message}`);
    }
  }
  return violations;
}

async function valuesOf(port: number, keys: readonly string[]): Promise<unknown[]> {
  const reader = await DirectReader.open('127.0.0.1', port);
  try {
    return await reader.values(keys);
  } finally {
    reader.close();
  }
}

/** A value as its history has it: loads may pad values behind a bar. */
export function withoutPadding(found: unknown): Value {
  return found === undefined || found === null ? null : String(found).split('|')[0];
}
