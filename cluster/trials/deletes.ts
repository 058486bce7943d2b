/**
 * Trial: keys are deleted while one owner is down for longer than tombstones live; it returns. Then an old copy of another node's data
 * directory, from before the deletes, is put back. No deleted key can be read again from any node, ever.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fill, runBulk } from './bulk.js';
import { exactly, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

/** A delete that a busy machine was too slow for is given again. */
const ATTEMPTS = 4;
const WATCHED_MS = 60_000;
const WATCHED_QUICK_MS = 15_000;

export const deletes: Trial = {
  name: 'deletes',
  title:
    'keys deleted while an owner is down past the life of tombstones, and an old data directory restored: none readable again',
  sabotage: 'a deleted key is written again',
  async run(context) {
    const keys = context.quick ? 2000 : 10_000;
    const graceMs = context.quick ? 12_000 : 60_000;
    const stage = await context.open({ nodes: 5, settings: { memberGraceMs: graceMs, tombstoneGraceMs: graceMs } });
    const names = Array.from({ length: keys }, (_, index) => `deleted:${index}`);
    await fill(stage.ports(), 'deleted', keys, 50, 'all');
    const restored = 3;
    const copy = join(stage.cluster.directory, 'old-copy');
    await stage.cluster.end(restored);
    await cp(stage.cluster.nodes[restored].dataDirectory, copy, { recursive: true });
    stage.cluster.start(restored);
    await stage.cluster.untilReady();
    const absent = 4;
    await stage.cluster.kill(absent);
    context.tell(`${stage.name(absent)} is down; deleting ${keys} keys`);
    const wordsOf = (index: number): string[] => ['DEL', names[index]];
    const deleted = await runBulk(stage.ports(stage.others(absent)), 'quorum', keys, wordsOf, ATTEMPTS);
    const tombstonesMs = await stage.timeUntil(graceMs * 5, async () => (await stage.total('tombstones')) === 0);
    const gone = Number.isNaN(tombstonesMs)
      ? 'are not all gone'
      : `were gone after ${(tombstonesMs / 1000).toFixed(0)} s`;
    context.note(`${keys} keys, tombstone grace ${graceMs / 1000} s; tombstones ${gone}`);
    await context.pass(1000);
    const before = await readable(stage, names);
    stage.cluster.start(absent);
    context.tell(`${stage.name(absent)} returns`);
    if (context.sabotage) await stage.cluster.ask(0, 'SET', names[7], 'again');
    const afterReturn = await watch(context, stage, names);
    await stage.cluster.end(restored);
    const directory = stage.cluster.nodes[restored].dataDirectory;
    await rm(directory, { recursive: true, force: true });
    await cp(copy, directory, { recursive: true });
    stage.cluster.start(restored);
    context.tell(`${stage.name(restored)} starts on its data directory from before the deletes`);
    const afterRestore = await watch(context, stage, names);
    await stage.cluster.untilReady();
    const atLast = await readable(stage, names);
    return [
      exactly('deletes acknowledged', deleted.answered, keys),
      none('readable while the owner is down', before),
      none('readable after its return', afterReturn),
      none('readable after an old data directory came back', afterRestore),
      none('readable at last', atLast),
    ] satisfies Finding[];
  },
};

/** Reads all keys from all nodes again and again; each sight of a key on a node counts once. */
async function watch(context: TrialContext, stage: Stage, keys: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const untilMs = performance.now() + (context.quick ? WATCHED_QUICK_MS : WATCHED_MS);
  while (performance.now() < untilMs) {
    for (const line of await readable(stage, keys)) found.add(line);
    await context.pass(200);
  }
  return [...found];
}

/** A line for each key that some node gives; a node that does not answer yet gives none. */
async function readable(stage: Stage, keys: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const index of stage.cluster.running()) {
    const values = await stage.valuesAt(index, keys).catch(() => []);
    for (const [at, value] of values.entries())
      if (value !== undefined) found.push(`${keys[at]} on ${stage.name(index)}`);
  }
  return found;
}
