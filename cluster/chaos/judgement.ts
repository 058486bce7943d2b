/**
 * Every key on every running node, at level one: what this node would tell a client, judged by the key's history. Chaos runs and
 * trials end with it.
 */
import { DirectReader } from '../direct-reader.js';
import type { TemporaryCluster } from '../temporary.js';
import type { KeyHistory, Value } from './history.js';

/** A line for each answer that is not right. */
export async function judgeEverywhere(cluster: TemporaryCluster, histories: readonly KeyHistory[]): Promise<string[]> {
  const violations: string[] = [];
  for (const index of cluster.running()) {
    const node = cluster.nodes[index];
    const reader = await DirectReader.open('127.0.0.1', node.port);
    try {
      const values = await reader.values(histories.map((history) => history.key));
      for (const [at, history] of histories.entries()) {
        const found = withoutPadding(values[at]);
        const verdict = history.judge(found);
        if (verdict !== 'right') violations.push(`${verdict} on ${node.name} ${history.describe(found)}`);
      }
    } finally {
      reader.close();
    }
  }
  return violations;
}

/** A value as its history has it: loads may pad values behind a bar. */
export function withoutPadding(found: unknown): Value {
  return found === undefined || found === null ? null : String(found).split('|')[0];
}
