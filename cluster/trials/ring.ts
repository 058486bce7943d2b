/**
 * Trial: two nodes join, two leave for good, one is killed and loses its place, all under load: no acknowledged write is lost. And
 * ownership is even in clusters of 3 to 15 nodes.
 */
import { rm } from 'node:fs/promises';
import { atLeast, atMost, type Finding, greatest, none } from './finding.js';
import type { Stage } from './stage.js';
import { figureOf } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const UNEVEN_PERCENT = 6;
const CAUGHT_UP_LIMIT_MS = 120_000;
const LEAVE_LIMIT_MS = 240_000;

export const ring: Trial = {
  name: 'ring',
  title:
    '2 join, 2 leave, 1 is killed, under load: no acknowledged write lost; ownership within 6 % of even at 3 to 15 nodes',
  sabotage: 'three nodes lose their disks and memory at once',
  async run(context) {
    const graceMs = context.quick ? 15_000 : 60_000;
    const stage = await context.open({ nodes: 7, startedNodes: 5, settings: { memberGraceMs: graceMs } });
    const leaving = new Set<number>();
    const load = context.load({
      ports: () => stage.ports(stage.others(...leaving)),
      level: 'quorum',
      prefix: 'ring',
      keys: 3000,
      ratePerSecond: 300,
      deletePart: 0.1,
      readPart: 0.1,
      seed: context.seed,
      lateEffectMs: 5000,
    });
    await context.pass(5000);
    for (const joiner of [5, 6]) {
      context.tell(`${stage.name(joiner)} joins`);
      stage.cluster.start(joiner);
      await caughtUp(stage);
    }
    for (const leaver of [0, 1]) {
      leaving.add(leaver);
      await leave(context, stage, leaver);
    }
    context.tell(`kill -9 ${stage.name(2)}`);
    await stage.cluster.kill(2);
    if (context.sabotage) await loseAll(stage);
    await context.pass(graceMs + 15_000);
    await caughtUp(stage);
    await context.pass(5000);
    const tally = await load.stop();
    context.note(load.describe());
    const agreedMs = await stage.untilEachAgreed(60_000);
    const violations = [...load.garbage, ...(await stage.judge(load.histories))];
    await stage.close();
    const uneven = await evenness(context);
    return [
      atLeast('writes acknowledged', tally.acknowledged, 3000),
      none('wrong answers', violations),
      atMost('owners equal afterwards', agreedMs / 1000, 60, 's'),
      atLeast('sizes of clusters looked at', uneven.length, context.quick ? 4 : 13),
      atMost('farthest from even', greatest(uneven), UNEVEN_PERCENT, '%'),
    ] satisfies Finding[];
  },
};

async function caughtUp(stage: Stage): Promise<void> {
  await stage.cluster.until('no partition is catching up', CAUGHT_UP_LIMIT_MS, async () => {
    const states = await Promise.all(stage.cluster.running().map((index) => stage.cluster.status(index)));
    return states.every((status) => status.ready === 1 && status.partitions_catching_up === 0);
  });
}

/** Asks a node to give its place up, and waits until it has gone. */
async function leave(context: TrialContext, stage: Stage, index: number): Promise<void> {
  context.tell(`${stage.name(index)} leaves`);
  const node = stage.cluster.nodes[index];
  node.expectedToEnd = true;
  await stage.cluster.ask(index, 'HEARSAY.LEAVE');
  const goneMs = await stage.timeUntil(LEAVE_LIMIT_MS, async () => node.process === null);
  if (Number.isNaN(goneMs)) {
    const { partitions_to_hand_over: left, keys } = await stage.cluster.status(index);
    throw new Error(
      `${node.name} has not left after ${LEAVE_LIMIT_MS / 1000} s: ${left} partitions to hand over, ${keys} keys held`,
    );
  }
  context.note(`${node.name} had handed over and ended after ${(goneMs / 1000).toFixed(0)} s`);
  await caughtUp(stage);
}

async function loseAll(stage: Stage): Promise<void> {
  const victims = stage.cluster.running().slice(0, 3);
  await Promise.all(victims.map((index) => stage.cluster.kill(index)));
  for (const index of victims) await rm(stage.cluster.nodes[index].dataDirectory, { recursive: true, force: true });
  for (const index of victims) stage.cluster.start(index);
}

/** How far the node with most or fewest partitions is from the mean, in percent, for each size. */
async function evenness(context: TrialContext): Promise<number[]> {
  const nodes = context.quick ? 6 : 15;
  const stage = await context.open({ nodes, startedNodes: 3, memory: '16mb' });
  const uneven: number[] = [];
  for (let size = 3; size <= nodes; size++) {
    if (size > 3) stage.cluster.start(size - 1);
    await stage.cluster.untilReady();
    await caughtUp(stage);
    const states = await Promise.all(stage.cluster.running().map((index) => stage.cluster.status(index)));
    const owned = states.map((status) => figureOf(status, 'partitions_owned'));
    const mean = owned.reduce((sum, count) => sum + count, 0) / size;
    const farthest = Math.max(...owned.map((count) => Math.abs(count - mean))) / mean;
    uneven.push(farthest * 100);
    context.tell(`${size} nodes own ${owned.join(', ')} partitions`);
  }
  await stage.close();
  return uneven;
}
