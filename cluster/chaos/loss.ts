/**
 * Chaos by a bad network: datagrams lost, doubled, late and out of order at every node, streams late, by HEARSAY.FAULT. What did not
 * come by datagram comes by stream; nobody is lost by it.
 */
import { type Arena, type ChaosScript, inTurns, tellFault } from './disturbance.js';

const LENGTH_MS = [1500, 10_000] as const;

export const loss = (): ChaosScript => ({
  lateEffectMs: 4000,
  plan: (draws, _nodes, durationMs) =>
    inTurns(draws, durationMs, LENGTH_MS, (beginsAtMs, endsAtMs) => {
      const lost = draws.between(5, 40);
      const doubled = draws.between(0, 50);
      const overtaken = draws.between(0, 50);
      const lateMs = draws.between(0, 60);
      const rules = [
        ['DROP', '*', 'IN', String(lost), 'DATAGRAMS'],
        ['DUP', '*', 'IN', String(doubled), 'DATAGRAMS'],
        ['REORDER', '*', 'IN', String(overtaken), 'DATAGRAMS'],
        ['DELAY', '*', 'IN', String(lateMs)],
      ];
      return {
        beginsAtMs,
        endsAtMs,
        begins: `${lost} % of datagrams lost, ${doubled} % doubled, ${overtaken} % out of order, all ${lateMs} ms late`,
        ends: 'a good network again',
        begin: async (arena) => {
          let told = 0;
          for (const rule of rules) told += await tellAll(arena, rule);
          return told > 0;
        },
        end: async (arena) => {
          for (const [kind, peer, way, , ...carrier] of rules) await tellAll(arena, [kind, peer, way, '0', ...carrier]);
        },
      };
    }),
});

/** How many nodes took it. */
async function tellAll(arena: Arena, rule: readonly string[]): Promise<number> {
  const taken = await Promise.all(arena.cluster.running().map((index) => tellFault(arena, index, ...rule)));
  return taken.filter(Boolean).length;
}
