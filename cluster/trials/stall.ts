/**
 * Trial: nodes whose main thread stands still are not dead, and do not think others dead: one for three seconds, by a busy loop and by
 * SIGSTOP; some of fifteen for 800 ms every two seconds; all at once for a minute, continued together.
 */
import { atLeast, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const STALL_MS = 3000;
const HICCUP_MS = 800;
const HICCUP_INTERVAL_MS = 2000;
/** After each part: longer than any suspicion lasts. */
const AFTERMATH_MS = 15_000;

export const stall: Trial = {
  name: 'stall',
  title: 'main threads that stand still: 0 deaths declared',
  sabotage: 'one node stands still three times as long as any suspicion lasts',
  async run(context) {
    const five = await context.open({ nodes: 5, memory: '16mb' });
    const once = await standStill(context, five);
    const together = await allTogether(context, five);
    await five.close();
    const many = await context.open({ nodes: context.quick ? 7 : 15, memory: '16mb' });
    const hiccups = await hiccup(context, many);
    return [
      atLeast('nodes that noticed that they had stood still', once.stalls, 1),
      none('one of 5 for 3 s, busy, then stopped: deaths', once.deaths),
      none(`all 5 stopped ${context.quick ? 20 : 60} s, continued together: deaths`, together),
      none(`3 of ${context.quick ? 7 : 15}, 800 ms every 2 s: deaths`, hiccups),
    ] satisfies Finding[];
  },
};

async function standStill(context: TrialContext, stage: Stage): Promise<{ deaths: string[]; stalls: number }> {
  const fromMs = Date.now();
  context.tell('node-1 is busy for 3 s');
  await stage.fault([0], 'STALL', String(STALL_MS));
  context.tell('node-2 is stopped for 3 s');
  await stopped(context, stage, [1], context.sabotage ? 3 * AFTERMATH_MS : STALL_MS);
  await context.pass(AFTERMATH_MS);
  return { deaths: stage.transitions.deathsSince(fromMs), stalls: await stage.total('gossip.stalls', [0, 1]) };
}

async function allTogether(context: TrialContext, stage: Stage): Promise<string[]> {
  const fromMs = Date.now();
  context.tell('all are stopped');
  await stopped(context, stage, stage.cluster.running(), context.quick ? 20_000 : 60_000);
  context.tell('all continue');
  await context.pass(AFTERMATH_MS);
  await stage.cluster.untilReady();
  return stage.transitions.deathsSince(fromMs);
}

async function hiccup(context: TrialContext, stage: Stage): Promise<string[]> {
  const fromMs = Date.now();
  const victims = [0, 1, 2];
  const untilMs = performance.now() + (context.quick ? 20_000 : 300_000);
  context.tell('three nodes stand still for 800 ms, again and again');
  while (performance.now() < untilMs) {
    await stopped(context, stage, victims, HICCUP_MS);
    await context.pass(HICCUP_INTERVAL_MS - HICCUP_MS);
  }
  await context.pass(AFTERMATH_MS);
  return stage.transitions.deathsSince(fromMs);
}

async function stopped(context: TrialContext, stage: Stage, indexes: readonly number[], ms: number): Promise<void> {
  for (const index of indexes) stage.cluster.pause(index);
  try {
    await context.pass(ms);
  } finally {
    for (const index of indexes) stage.cluster.resume(index);
  }
}
