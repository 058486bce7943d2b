/**
 * Trial: a node killed with -9 is known to be dead to all others in time, and nobody sees any other transition; in a cluster of five
 * and in one of fifteen.
 */
import { atLeast, atMost, exactly, type Finding, greatest, none, quantile } from './finding.js';
import type { Stage } from './stage.js';
import { describeTransition } from './transitions.js';
import type { Trial, TrialContext } from './trial.js';

const KNOWN_LIMIT_MS = 60_000;
const FIVE_BOUND_SECONDS = 10;
const FIFTEEN_P95_SECONDS = 11;

export const kill: Trial = {
  name: 'kill',
  title: 'kill -9 of one node of 5, and of one of 15: all others know in time, and see nothing else',
  sabotage: 'a second node stands still at each kill',
  async run(context) {
    const five = await kills(context, 5, context.quick ? 3 : 30);
    const fifteen = await kills(context, 15, context.quick ? 1 : 30);
    return [
      atLeast('of 5: kills', five.seconds.length, context.quick ? 3 : 30),
      atMost('of 5: all know, longest', greatest(five.seconds), FIVE_BOUND_SECONDS, 's'),
      none('of 5: other transitions', five.others),
      atLeast('of 15: kills', fifteen.seconds.length, context.quick ? 1 : 30),
      atMost('of 15: all know, p95', quantile(fifteen.seconds, 0.95), FIFTEEN_P95_SECONDS, 's'),
      none('of 15: other transitions', fifteen.others),
      exactly('kills that not all knew of', five.unknown + fifteen.unknown, 0),
    ] satisfies Finding[];
  },
};

interface Kills {
  seconds: number[];
  others: string[];
  unknown: number;
}

async function kills(context: TrialContext, nodes: number, count: number): Promise<Kills> {
  const found: Kills = { seconds: [], others: [], unknown: 0 };
  const stage = await context.open({ nodes, memory: '16mb' });
  for (let round = 0; round < count; round++) {
    const victim = round % nodes;
    const frozen = (victim + 1) % nodes;
    if (context.sabotage) stage.cluster.pause(frozen);
    const killedAtMs = Date.now();
    await stage.cluster.kill(victim);
    const witnesses = stage.others(victim, ...(context.sabotage ? [frozen] : []));
    const knownMs = await stage.timeUntil(
      KNOWN_LIMIT_MS,
      async () => missing(stage, witnesses, victim, killedAtMs) === 0,
    );
    if (Number.isNaN(knownMs)) found.unknown++;
    else found.seconds.push((lastKnownMs(stage, victim, killedAtMs) - killedAtMs) / 1000);
    context.tell(`${nodes} nodes, kill ${round + 1}: ${found.seconds.at(-1)?.toFixed(1) ?? 'not known'} s`);
    found.others.push(
      ...stage.transitions
        .since(killedAtMs)
        .filter(({ id }) => id !== stage.name(victim))
        .map(describeTransition),
    );
    if (context.sabotage) stage.cluster.resume(frozen);
    stage.cluster.start(victim);
    await stage.cluster.untilReady();
  }
  await stage.close();
  return found;
}

/** How many witnesses have not declared the victim dead since. */
function missing(stage: Stage, witnesses: readonly number[], victim: number, fromMs: number): number {
  const knowing = new Set(deaths(stage, victim, fromMs).map(({ seenBy }) => seenBy));
  return witnesses.filter((index) => !knowing.has(stage.name(index))).length;
}

function lastKnownMs(stage: Stage, victim: number, fromMs: number): number {
  return greatest(deaths(stage, victim, fromMs).map(({ atMs }) => atMs));
}

function deaths(stage: Stage, victim: number, fromMs: number) {
  return stage.transitions.since(fromMs).filter(({ id, to }) => id === stage.name(victim) && to === 'dead');
}
