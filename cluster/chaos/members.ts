/**
 * Chaos by membership: under load a node joins, and another gives its place up by HEARSAY.LEAVE, hands over and ends.
 */
import { type ChaosScript, type Disturbance, namesOf } from './disturbance.js';

const JOINED_LIMIT_MS = 60_000;
const ASKED_LIMIT_MS = 30_000;
const LEFT_LIMIT_MS = 120_000;

export const membershipChange = (): ChaosScript => ({
  lateEffectMs: 3000,
  spareNodes: 1,
  plan: (draws, nodes, durationMs) => {
    const leaver = draws.below(nodes);
    const joins = draws.between(500, 1500);
    const leaves = Math.max(joins + 1000, Math.floor(durationMs * 0.45));
    const plan: Disturbance[] = [
      {
        beginsAtMs: joins,
        endsAtMs: leaves - 200,
        begins: `${namesOf([nodes])} joins`,
        ends: `${namesOf([nodes])} is ready`,
        begin: async ({ cluster }) => cluster.start(nodes),
        end: ({ cluster }) =>
          cluster.until(
            `${namesOf([nodes])} has joined`,
            JOINED_LIMIT_MS,
            async () => (await cluster.status(nodes)).ready === 1,
          ),
      },
      {
        beginsAtMs: leaves,
        endsAtMs: leaves + 500,
        begins: `${namesOf([leaver])} leaves for good`,
        ends: `${namesOf([leaver])} has handed over and ended`,
        begin: async ({ cluster, retired }) => {
          const node = cluster.nodes[leaver];
          // One that is down, paused or starting beside this takes it later; an order whose answer was lost may have been taken.
          await cluster.until(`${namesOf([leaver])} takes the order to leave`, ASKED_LIMIT_MS, async () => {
            if (!node.hasLeft) {
              if (node.process === null) return false;
              node.expectedToEnd = true;
              await cluster.ask(leaver, 'HEARSAY.LEAVE');
            }
            retired.add(leaver);
            return true;
          });
        },
        end: async ({ cluster, retired }) => {
          if (!retired.has(leaver)) return;
          const node = cluster.nodes[leaver];
          const hasLeft = (): boolean => node.process === null && node.hasLeft;
          await cluster.until(`${namesOf([leaver])} has left`, LEFT_LIMIT_MS, hasLeft);
        },
      },
    ];
    return plan;
  },
});
