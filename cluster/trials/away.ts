/**
 * Trial: a node is down for a minute under 2,000 writes a second. It is complete soon after its return, by hints and frontiers without
 * the trie, and those who write meanwhile hardly notice.
 */
import { atLeast, atMost, exactly, type Finding, none, quantile } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const RATE = 2000;
const COMPLETE_SECONDS = 60;
const FOREGROUND_RATIO = 1.5;
const PAUSE_MS = 1000;
/** Counts comparisons that came down to the trie. */
const TRIE_COUNTER = 'repair_leaves_compared';

/** Ms, NaN past the bound. Whoever asks is noticed, too: first the one node is asked, seldom, then all of them for their digests. */
async function timeUntilComplete(context: TrialContext, stage: Stage, index: number, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < limitMs) {
    const { partitions_catching_up } = await stage.cluster.status(index);
    if (partitions_catching_up === 0) break;
    await context.pass(PAUSE_MS);
  }
  const waitedMs = performance.now() - startedMs;
  return waitedMs + (await stage.untilEachAgreed(limitMs, PAUSE_MS));
}

export const away: Trial = {
  name: 'away',
  title: 'a node down 60 s under 2,000 writes a second: complete within 60 s of its return, unnoticed',
  sabotage: 'the node loses keys after its return, hints are off, anti-entropy comes by every ten minutes only',
  async run(context) {
    const stage = await context.open({
      nodes: 5,
      memory: '96mb',
      settings: context.sabotage ? { antiEntropyIntervalMs: 600_000, hintBytesPerPeerMax: 0 } : {},
    });
    const victim = 4;
    const spanMs = context.quick ? 5000 : 20_000;
    const ports = (): number[] => stage.ports(stage.others(victim));
    const load = context.load({
      ports,
      level: 'quorum',
      prefix: 'away',
      keys: 60_000,
      ratePerSecond: RATE,
      padding: 100,
      seed: context.seed,
    });
    await context.pass(5000);
    const calmFromMs = performance.now();
    await context.pass(spanMs);
    const calm = load.latenciesMs(calmFromMs, performance.now());
    const trieBefore = await stage.total(TRIE_COUNTER, stage.others(victim));
    await stage.cluster.kill(victim);
    context.tell(`${stage.name(victim)} is down`);
    await context.pass(context.quick ? 12_000 : 60_000);
    const startedMs = performance.now();
    stage.cluster.start(victim);
    await stage.cluster.until(
      'the node answers',
      60_000,
      async () => (await stage.cluster.status(victim)).joined === 1,
    );
    const returnedMs = performance.now();
    context.tell(`it is back after ${((returnedMs - startedMs) / 1000).toFixed(1)} s`);
    if (context.sabotage) {
      // What it lacks while it catches up it is still given.
      await stage.cluster.untilReady();
      await stage.loseKeys(victim, 'away', 20_000);
    }
    const limitMs = context.sabotage ? 30_000 : 120_000;
    const completeMs = await timeUntilComplete(context, stage, victim, limitMs);
    const completeAtMs = performance.now();
    await context.pass(Math.max(0, returnedMs + spanMs - completeAtMs));
    const catching = load.latenciesMs(returnedMs, completeAtMs);
    const after = load.latenciesMs(returnedMs, performance.now());
    const trie = (await stage.total(TRIE_COUNTER)) - trieBefore;
    const tally = await load.stop();
    context.note(load.describe());
    context.note(
      `p99 before ${quantile(calm, 0.99).toFixed(1)} ms; after the return, as long, ${quantile(after, 0.99).toFixed(1)} ms; until it was complete ${quantile(catching, 0.99).toFixed(1)} ms`,
    );
    await stage.untilEachAgreed(limitMs);
    const violations = await stage.judge(load.histories);
    return [
      atLeast('writes acknowledged a second, while all was well', (calm.length * 1000) / spanMs, RATE * 0.9),
      atLeast('writes acknowledged', tally.acknowledged, RATE * 10),
      atMost('complete after its return', completeMs / 1000, COMPLETE_SECONDS, 's'),
      exactly('comparisons that came down to the trie', trie, 0),
      atMost(
        'p99 of writes after the return, over that before',
        quantile(after, 0.99) / quantile(calm, 0.99),
        FOREGROUND_RATIO,
      ),
      none('wrong answers afterwards', violations),
    ] satisfies Finding[];
  },
};
