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
/** Sizes at the end over those before the first restart: each is less than what one thing kept of every life comes to in the quick form. */
const SLACK_ENTRIES = 6;
const SLACK_CONTEXT_BYTES = 32;
const SLACK_BYTES = 128;
/** Earlier lives are forgotten when floors have passed them, which takes a minute or two. */
const FORGOTTEN_LIMIT_MS = 180_000;
/** Several times what it takes when nothing is spoilt. */
const FORGOTTEN_SPOILT_LIMIT_MS = 90_000;
const AT_REST_LIMIT_MS = 30_000;
const SPOILT_FLOOR_MARGIN_MS = 3_600_000;

export const restarts: Trial = {
  name: 'restarts',
  title: '200 restarts of one node: frontiers, contexts and counters do not grow',
  sabotage: 'floors stay an hour behind: no earlier life of the node is forgotten',
  async run(context) {
    const rounds = context.quick ? 12 : 200;
    const settings = { memberGraceMs: 6000, tombstoneGraceMs: 6000 };
    const stage = await context.open({
      nodes: 3,
      settings: context.sabotage ? { ...settings, floorMarginMs: SPOILT_FLOOR_MARGIN_MS } : settings,
    });
    let first: Sizes | null = null;
    let restarted = 0;
    while (restarted < rounds) {
      await live(stage, restarted + 1);
      first ??= await sizesAtRest(stage);
      await (restarted % 2 === 0 ? stage.cluster.kill(2) : stage.cluster.end(2));
      stage.cluster.start(2);
      await stage.cluster.until('it takes writes', 60_000, async () => (await stage.cluster.status(2)).ready === 1);
      restarted++;
    }
    if (first === null) throw new Error('nothing was measured before the first restart');
    // Then there is one life to remember; at the end there must be one again.
    const bounds = {
      frontiers: first.frontiers + SLACK_ENTRIES,
      context: first.context + SLACK_CONTEXT_BYTES,
      bytes: first.bytes + SLACK_BYTES,
    };
    const atOnce = await sizesOf(stage);
    const limitMs = context.sabotage ? FORGOTTEN_SPOILT_LIMIT_MS : FORGOTTEN_LIMIT_MS;
    const forgottenMs = await stage.timeUntil(limitMs, async () => {
      const { frontiers, context, bytes } = await sizesOf(stage);
      return frontiers <= bounds.frontiers && context <= bounds.context && bytes <= bounds.bytes;
    });
    const late = await sizesOf(stage);
    const counted = Number(await stage.cluster.ask(0, 'GET', COUNTER));
    context.note(
      `before the first restart ${JSON.stringify(first)}, after ${rounds} ${JSON.stringify(atOnce)}, ` +
        `${Math.round((Number.isNaN(forgottenMs) ? limitMs : forgottenMs) / 1000)} s later ${JSON.stringify(late)}`,
    );
    return [
      atLeast('restarts', restarted, rounds),
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
  // Of one length, so that records grow by what is remembered alone.
  const value = String(round).padStart(4, '0');
  for (let key = 0; key < 50; key++) await stage.cluster.ask(2, 'SET', `restarts:${key}`, value);
  await siblingWrite(stage, value).catch(() => {});
}

async function siblingWrite(stage: Stage, value: string): Promise<void> {
  const seen = await stage.cluster.ask(2, 'CGET', SIBLINGS);
  const context = Array.isArray(seen) && seen.length > 0 ? String(seen[0] ?? '') : '';
  await stage.cluster.ask(2, 'CPUT', SIBLINGS, context, value);
}

/** Sizes once the writes of the first life are everywhere. */
async function sizesAtRest(stage: Stage): Promise<Sizes> {
  await stage.untilEachAgreed(AT_REST_LIMIT_MS);
  return sizesOf(stage);
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
