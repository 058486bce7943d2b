/**
 * The family of long deaths: in a few plans a node stays down for longer than the others may take to see it, with nothing else going on at the
 * end, so that the watch of membership can ask whether all of them know (watches/members.ts). Guarded: only the length of the run and one
 * kill are added; commands and other faults stay where they were.
 */
import type { Family } from '../families.js';

/** More than the bound of detection for five nodes (16 s), from the end of what other families do. */
const DOWN_MS = 19_000;

export const LONG_DOWN: Family = {
  name: 'long-down',
  stream: 0x5ced0132,
  draw(plan, random) {
    if (!random.chance(0.05)) return;
    const atMs = Math.floor(plan.lengthMs / 2) + random.below(Math.floor(plan.lengthMs / 2));
    plan.steps.push({ atMs, kind: 'kill', nodes: [random.below(plan.nodes)], downMs: DOWN_MS, onAck: false });
    plan.lengthMs += DOWN_MS;
  },
};
