/**
 * Chaos by a bad network: datagrams lost, doubled, late and out of order at every node, streams late, by HEARSAY.FAULT. What did not
 * come by datagram comes by stream; nobody is lost by it.
 */
import { type ChaosScript, inTurns } from './disturbance.js';

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
        begin: async ({ cluster }) => {
          for (const rule of rules)
            await tellAll(cluster.running(), (index) => cluster.ask(index, 'HEARSAY.FAULT', ...rule));
        },
        end: async ({ cluster }) => {
          for (const [kind, peer, way, , ...carrier] of rules) {
            await tellAll(cluster.running(), (index) =>
              cluster.ask(index, 'HEARSAY.FAULT', kind, peer, way, '0', ...carrier),
            );
          }
        },
      };
    }),
});

/** A node that is down or paused beside this is passed over. */
async function tellAll(indexes: readonly number[], tell: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.allSettled(indexes.map(tell));
}
