/**
 * Trial: a cluster of two with three owners configured. Whichever dies, the other serves at level one and refuses a quorum by name; both
 * are equal after the return.
 */

import { fill, runBulk } from './bulk.js';
import { atMost, exactly, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const KEYS = 300;
const EQUAL_SECONDS = 60;

export const twoNodes: Trial = {
  name: 'two-nodes',
  title: 'two nodes, either dies: the other serves at level one, refuses a quorum by name; equal after the return',
  sabotage: 'both die',
  async run(context) {
    const stage = await context.open({ nodes: 2 });
    await fill(stage.ports(), 'both', KEYS, 20, 'quorum');
    const findings: Finding[] = [];
    for (const victim of [0, 1]) findings.push(...(await withoutOne(context, stage, victim)));
    return findings;
  },
};

async function withoutOne(context: TrialContext, stage: Stage, victim: number): Promise<Finding[]> {
  const survivor = 1 - victim;
  const label = `without ${stage.name(victim)}`;
  await stage.cluster.kill(victim);
  if (context.sabotage) await stage.cluster.kill(survivor);
  // From the first moment on, not from when its death is known.
  const atOnce = await serves(stage, survivor, `soon:${victim}`);
  await stage.timeUntil(
    60_000,
    async () => context.sabotage || (await stage.cluster.status(survivor)).members_alive === 1,
  );
  const later = await serves(stage, survivor, `late:${victim}`);
  const old = await stage.valuesAt(survivor, keysOf('both')).catch(() => []);
  const refusals = await quorumRefusals(stage, survivor);
  for (const index of context.sabotage ? [0, 1] : [victim]) stage.cluster.start(index);
  await stage.cluster.untilReady();
  const agreedMs = await stage.untilEachAgreed(EQUAL_SECONDS * 1000);
  const returned = await stage.valuesAt(victim, [...keysOf(`soon:${victim}`), ...keysOf(`late:${victim}`)]);
  return [
    exactly(`${label}, at once: writes and reads at level one`, atOnce, KEYS),
    exactly(`${label}, its death known: writes and reads at level one`, later, KEYS),
    exactly(`${label}: keys from before that can be read`, old.filter((value) => value !== undefined).length, KEYS),
    none(`${label}: quorum answers that are no NOQUORUM`, refusals),
    atMost(`${label}: equal after its return`, agreedMs / 1000, EQUAL_SECONDS, 's'),
    exactly(
      `${label}: keys written meanwhile that it then has`,
      returned.filter((value) => value !== undefined).length,
      2 * KEYS,
    ),
  ];
}

/** How many keys could be written and read back at level one. */
async function serves(stage: Stage, index: number, prefix: string): Promise<number> {
  try {
    await runBulk([stage.port(index)], 'one', KEYS, (at) => ['SET', `${prefix}:${at}`, 'v']);
    const values = await stage.valuesAt(index, keysOf(prefix));
    return values.filter((value) => value !== undefined).length;
  } catch {
    return 0;
  }
}

/** What else than NOQUORUM writes and reads at level quorum answer. */
async function quorumRefusals(stage: Stage, index: number): Promise<string[]> {
  const wrong: string[] = [];
  for (const words of [
    ['SET', 'both:1', 'w'],
    ['GET', 'both:1'],
  ]) {
    const { firstRefusal } = await runBulk([stage.port(index)], 'quorum', 1, () => words).catch((error: Error) => ({
      firstRefusal: error.message,
    }));
    if (firstRefusal === null || !/NOQUORUM/.test(firstRefusal))
      wrong.push(`${words[0]}: ${firstRefusal ?? 'an answer'}`);
  }
  return wrong;
}

function keysOf(prefix: string): string[] {
  return Array.from({ length: KEYS }, (_, index) => `${prefix}:${index}`);
}
