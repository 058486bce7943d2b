/**
 * Trial: one node restarts two hundred times, with writes, increments and sibling writes through it each time. What the cluster
 * remembers of its earlier lives does not grow: frontiers, contexts, counters, members.
 */
import type { ProbeReply } from '../probe.js';
import { atLeast, atMost, exactly, type Finding } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const COUNTER = 'restarts:counter';
const SIBLINGS = 'restarts:siblings';
const FRONTIER_FIELD = 'frontier_actors';
/** Lives that may still be remembered, over what was remembered after the first few restarts. */
const SLACK = 1.25;

export const restarts: Trial = {
  name: 'restarts',
  title: '200 restarts of one node: frontiers, contexts and counters do not grow',
  sabotage: 'the node starts under a new name every time',
  async run(context) {
    const rounds = context.quick ? 12 : 200;
    const names = { round: 0 };
    const stage = await context.open({
      nodes: 3,
      settings: { memberGraceMs: 6000, tombstoneGraceMs: 6000 },
      flagsOf: (index) => (context.sabotage && index === 2 ? ['--id', `life-${names.round}`] : []),
    });
    let early: Sizes | null = null;
    for (names.round = 1; names.round <= rounds; names.round++) {
      await live(stage, names.round);
      await (names.round % 2 === 0 ? stage.cluster.end(2) : stage.cluster.kill(2));
      stage.cluster.start(2);
      await stage.cluster.until('it takes writes', 60_000, async () => (await stage.cluster.status(2)).ready === 1);
      if (names.round === Math.ceil(rounds / 4)) early = await settledSizes(context, stage);
    }
    const late = await settledSizes(context, stage);
    const counted = Number(await stage.cluster.ask(0, 'GET', COUNTER));
    if (early === null) throw new Error('nothing was measured early on');
    context.note(
      `after ${Math.ceil(rounds / 4)} restarts ${JSON.stringify(early)}, after ${rounds} ${JSON.stringify(late)}`,
    );
    return [
      atLeast('restarts', names.round - 1, rounds),
      exactly('sum of the counter', counted, rounds),
      exactly('members known', late.members, 3),
      atMost('entries of frontiers', late.frontiers, early.frontiers * SLACK + 16),
      atMost('bytes of the context', late.context, early.context * SLACK + 16, 'B'),
      atMost('bytes of the counter', late.counter, early.counter * SLACK + 16, 'B'),
    ] satisfies Finding[];
  },
};

interface Sizes {
  members: number;
  frontiers: number;
  context: number;
  counter: number;
}

/** One life of the node: it writes a little of everything. */
async function live(stage: Stage, round: number): Promise<void> {
  await stage.cluster.ask(2, 'INCR', COUNTER);
  for (let key = 0; key < 50; key++) await stage.cluster.ask(2, 'SET', `restarts:${key}`, String(round));
  await siblingWrite(stage, String(round)).catch(() => {});
}

async function siblingWrite(stage: Stage, value: string): Promise<void> {
  const seen = await stage.cluster.ask(2, 'CGET', SIBLINGS);
  const context = Array.isArray(seen) && seen.length > 0 ? String(seen[0] ?? '') : '';
  await stage.cluster.ask(2, 'CPUT', SIBLINGS, context, value);
}

/** Sizes once floors have had the time to pass. */
async function settledSizes(context: TrialContext, stage: Stage): Promise<Sizes> {
  await context.pass(15_000);
  const siblings = await stage.cluster.ask(0, 'CGET', SIBLINGS).catch(() => null);
  return {
    members: await stage.total('members_known', [0]),
    frontiers: await stage.total(FRONTIER_FIELD, [0]),
    context: lengthOf(Array.isArray(siblings) ? (siblings[0] ?? null) : null),
    counter: Number(await stage.cluster.ask(0, 'MEMORY', 'USAGE', COUNTER).catch(() => Number.NaN)),
  };
}

function lengthOf(reply: ProbeReply): number {
  return typeof reply === 'string' ? reply.length : Number.NaN;
}
