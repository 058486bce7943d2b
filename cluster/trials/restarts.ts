/**
 * Trial: one node restarts two hundred times, with writes, increments and sibling writes through it each time. What the cluster
 * remembers of its earlier lives does not grow: frontiers, contexts, counters, members.
 */
import type { ProbeReply } from '../probe.js';
import { atLeast, atMost, exactly, type Finding } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial } from './trial.js';

const COUNTER = 'restarts:counter';
const SIBLINGS = 'restarts:siblings';
const FRONTIER_FIELD = 'frontier_actors';
/** After this many restarts the sizes are taken that later ones are held against. */
const EARLY_RESTARTS = 3;
const SLACK = 1.25;
const SLACK_ENTRIES = 16;
const SLACK_BYTES = 512;
/** Earlier lives are forgotten when floors have passed them, which takes a minute or two. */
const FORGOTTEN_LIMIT_MS = 180_000;

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
      if (names.round === EARLY_RESTARTS) early = await sizesOf(stage);
    }
    if (early === null) throw new Error('nothing was measured early on');
    const bounds = {
      frontiers: early.frontiers * SLACK + SLACK_ENTRIES,
      context: early.context * SLACK + SLACK_ENTRIES,
      bytes: early.bytes * SLACK + SLACK_BYTES,
    };
    const atOnce = await sizesOf(stage);
    const forgottenMs = await stage.timeUntil(FORGOTTEN_LIMIT_MS, async () => {
      const { frontiers, bytes } = await sizesOf(stage);
      return frontiers <= bounds.frontiers && bytes <= bounds.bytes;
    });
    const late = await sizesOf(stage);
    const counted = Number(await stage.cluster.ask(0, 'GET', COUNTER));
    context.note(
      `after ${EARLY_RESTARTS} restarts ${JSON.stringify(early)}, after ${rounds} ${JSON.stringify(atOnce)}, ` +
        `${Number.isNaN(forgottenMs) ? FORGOTTEN_LIMIT_MS / 1000 : Math.round(forgottenMs / 1000)} s later ${JSON.stringify(late)}`,
    );
    return [
      atLeast('restarts', names.round - 1, rounds),
      exactly('sum of the counter', counted, rounds),
      exactly('members known', late.members, 3),
      atMost('entries of frontiers', late.frontiers, bounds.frontiers),
      atMost('bytes of the context', late.context, bounds.context, 'B'),
      atMost('bytes of all records, counter and siblings among them', late.bytes, bounds.bytes, 'B'),
    ] satisfies Finding[];
  },
};

interface Sizes {
  members: number;
  frontiers: number;
  context: number;
  /** Of all live records of one node: the keys are always the same. */
  bytes: number;
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

async function sizesOf(stage: Stage): Promise<Sizes> {
  const siblings = await stage.cluster.ask(0, 'CGET', SIBLINGS).catch(() => null);
  return {
    members: await stage.total('members_known', [0]),
    frontiers: await stage.total(FRONTIER_FIELD, [0]),
    context: lengthOf(Array.isArray(siblings) ? (siblings[0] ?? null) : null),
    bytes: await stage.total('live_bytes', [0]),
  };
}

function lengthOf(reply: ProbeReply): number {
  return typeof reply === 'string' ? reply.length : Number.NaN;
}
