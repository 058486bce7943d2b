/** FLUSHALL at the levels: acknowledged means that no read at quorum answers with what was flushed, whichever owners it asks. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const NODES = [0, 1, 2, 3, 4];

/** Flushes at each node in turn while nothing of it gets to `misses` of the others; the replies. */
function flushes(level: string, misses: number): string[] {
  const scenario = new Scenario({ seed: 7, nodes: 5 });
  return NODES.map((node) => {
    const pairs = NODES.filter((other) => other !== node)
      .slice(0, misses)
      .map((other): [number, number] => [node, other]);
    scenario.text(node, 'HEARSAY.CONSISTENCY', 'WRITE', level);
    for (const [from, to] of pairs) scenario.cluster.network.block(from, to);
    const { reply } = scenario.ask(node, 'FLUSHALL');
    scenario.cluster.unblock(pairs);
    scenario.rest(3_000);
    return reply?.type === 'error' || reply?.type === 'status' ? reply.text : 'none';
  });
}

describe('FLUSHALL', () => {
  it('at level all is acknowledged when every member has it, not as many as own a key', () => {
    for (const text of flushes('ALL', 1)) expect(text).toMatch(/^NOQUORUM/);
    for (const text of flushes('ALL', 0)) expect(text).toBe('OK');
  });

  it('at quorum is acknowledged when no more lack it than a quorum of the owners of a key may', () => {
    for (const text of flushes('QUORUM', 2)) expect(text).toMatch(/^NOQUORUM/);
    for (const text of flushes('QUORUM', 1)) expect(text).toBe('OK');
  });
});
