/**
 * Trial: one owner loses a key without a trace, with nothing evicted anywhere. Anti-entropy finds it and puts it back.
 */
import { fill } from './bulk.js';
import { atLeast, atMost, exactly, type Finding, greatest } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial } from './trial.js';

const REPAIRED_SECONDS = 30;
const LIMIT_MS = 120_000;

export const lostKey: Trial = {
  name: 'lost-key',
  title: 'one key lost on one owner, of 1 million held: found and repaired within 30 s',
  sabotage: 'anti-entropy comes by every ten minutes only',
  async run(context) {
    const keys = context.quick ? 5000 : 1_000_000;
    const stage = await context.open({
      nodes: 5,
      memory: context.quick ? '32mb' : '320mb',
      flags: ['--eviction', 'none'],
      settings: context.sabotage ? { antiEntropyIntervalMs: 600_000 } : {},
    });
    await fill(stage.ports(), 'lost', keys, 100);
    await stage.untilEachAgreed(60_000);
    const seconds: number[] = [];
    let lost = 0;
    for (let round = 0; round < (context.quick ? 2 : 5); round++) {
      const key = `lost:${Math.floor(((round + 0.5) * keys) / 5)}`;
      const owner = await loseOnOwner(key, round, stage);
      const [gone] = await stage.valuesAt(owner, [key]);
      if (gone === undefined) lost++;
      const ms = await stage.timeUntil(context.sabotage ? REPAIRED_SECONDS * 1000 : LIMIT_MS, async () => {
        const [value] = await stage.valuesAt(owner, [key]);
        return value !== undefined;
      });
      seconds.push(ms / 1000);
      context.tell(`${stage.name(owner)} lost ${key}: back after ${(ms / 1000).toFixed(1)} s`);
    }
    return [
      atLeast('keys that an owner no longer had', lost, 1),
      exactly('keys that came back', seconds.filter(Number.isFinite).length, seconds.length),
      atMost('until it is back, longest', greatest(seconds), REPAIRED_SECONDS, 's'),
    ] satisfies Finding[];
  },
};

/** Asks nodes in turn until one that holds the key has lost it. */
async function loseOnOwner(key: string, from: number, stage: Stage): Promise<number> {
  const nodes = stage.cluster.nodes.length;
  for (let step = 0; step < nodes; step++) {
    const index = (from + step) % nodes;
    try {
      await stage.fault([index], 'LOSE', key);
      return index;
    } catch {
      // Not an owner of it.
    }
  }
  throw new Error(`no node holds ${key}`);
}
