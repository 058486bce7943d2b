/**
 * Trial: one node has half the memory of the others and evicts; the others lose nothing by it, and repair does not pour back what it
 * evicts again and again.
 */

import { Zipf } from '../bench/zipf.js';
import { Draws } from '../chaos/draws.js';
import { fill } from './bulk.js';
import { Doors } from './doors.js';
import { atLeast, atMost, exactly, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const KEYS = 200_000;
const ALPHA = 0.9;
const RATE = 1000;
const WRITE_PART = 0.3;
const REFILL_PERCENT = 1;
const VALUE = 'z'.repeat(100);

export const smallNode: Trial = {
  name: 'small-node',
  title: 'one node with half the memory, under Zipf: the others lose nothing, refill by repair under 1 % of the writes',
  sabotage: 'all nodes have half the memory',
  async run(context) {
    const small = 0;
    const stage = await context.open({
      nodes: 5,
      memory: '40mb',
      flagsOf: (index) => (index === small || context.sabotage ? ['--max-memory', '20mb'] : []),
    });
    await fill(stage.ports(), 'zipf', KEYS, VALUE.length);
    const others = stage.others(small);
    const repairedBefore = await stage.total('repair_records_sent');
    const counts = await zipfLoad(context, stage);
    const repaired = (await stage.total('repair_records_sent')) - repairedBefore;
    await context.pass(3000);
    const differing = await differingAmong(stage, others);
    const written = counts.writes * 3;
    context.note(
      `${KEYS} keys of ${VALUE.length} B filled, then ${counts.writes} writes and ${counts.reads} reads, ${counts.failed} failed; ` +
        `repair sent ${repaired} records`,
    );
    return [
      atLeast('values that the small node evicted', await stage.total('evictions', [small]), 1000),
      exactly('values that the others evicted', await stage.total('evictions', others), 0),
      none('partitions in which the others differ', differing),
      atLeast('writes', counts.writes, RATE * WRITE_PART * 10),
      atMost('records sent for repair, of records written at owners', (repaired / written) * 100, REFILL_PERCENT, '%'),
    ] satisfies Finding[];
  },
};

async function zipfLoad(
  context: TrialContext,
  stage: Stage,
): Promise<{ writes: number; reads: number; failed: number }> {
  const counts = { writes: 0, reads: 0, failed: 0 };
  const draws = new Draws(context.seed);
  const zipf = new Zipf(ALPHA, KEYS, draws);
  const doors = new Doors('quorum', 1500);
  const ports = stage.ports();
  const startedAtMs = performance.now();
  let begun = 0;
  let underWay = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAtMs) * RATE) / 1000);
    for (; begun < due; begun++) {
      if (underWay > 500) continue;
      const key = `zipf:${zipf.key()}`;
      const isWrite = draws.fraction() < WRITE_PART;
      const words = isWrite ? ['SET', key, VALUE] : ['GET', key];
      underWay++;
      doors
        .call(ports[draws.below(ports.length)], ...words)
        .then(
          () => (isWrite ? counts.writes++ : counts.reads++),
          () => counts.failed++,
        )
        .finally(() => underWay--);
    }
  }, 5);
  try {
    await context.pass(context.quick ? 30_000 : 600_000);
  } finally {
    clearInterval(timer);
  }
  while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  doors.close();
  return counts;
}

/** Partitions that several of these nodes hold, and not alike. */
async function differingAmong(stage: Stage, indexes: readonly number[]): Promise<string[]> {
  const nodes = await stage.digests(indexes);
  const differing: string[] = [];
  for (const partition of new Set(nodes.flatMap((node) => [...node.keys()]))) {
    const held = nodes.flatMap((node) => node.get(partition) ?? []);
    if (new Set(held).size > 1) differing.push(`partition ${partition}`);
  }
  return differing;
}
