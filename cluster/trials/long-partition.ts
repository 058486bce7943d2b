/**
 * Trial: a partition that lasts past the time after which a dead member loses its place, with writes and deletes on both sides. After
 * it heals nothing that was acknowledged is lost, and nothing that was deleted comes back.
 */
import { atLeast, atMost, type Finding, none } from './finding.js';
import type { PacedLoad } from './load.js';
import { part, rejoin, type Sides } from './parted.js';
import type { Stage } from './stage.js';
import type { Trial } from './trial.js';

const AGREED_SECONDS = 120;

export const longPartition: Trial = {
  name: 'long-partition',
  title:
    'a partition of 10 minutes, past the time a dead member keeps its place: nothing acknowledged lost, nothing deleted back',
  sabotage: 'keys are deleted that the book knows nothing of',
  async run(context) {
    const partedMs = context.quick ? 45_000 : 600_000;
    const graceMs = context.quick ? 15_000 : 240_000;
    const stage = await context.open({
      nodes: 5,
      settings: { memberGraceMs: graceMs, tombstoneGraceMs: context.quick ? 3_600_000 : 86_400_000 },
    });
    let sides: Sides | null = null;
    const loadOf = (side: 'left' | 'right', seed: number): PacedLoad =>
      context.load({
        ports: () => (sides === null ? stage.ports() : stage.ports(sides[side])),
        level: 'quorum',
        prefix: side,
        keys: 1500,
        ratePerSecond: context.quick ? 150 : 50,
        deletePart: 0.25,
        readPart: 0.1,
        seed,
        lateEffectMs: 5000,
      });
    const loads = [loadOf('left', context.seed), loadOf('right', context.seed + 1)];
    await context.pass(8000);
    sides = { left: [0, 1], right: [2, 3, 4] };
    await part(stage, 2);
    context.tell('parted');
    await context.pass(partedMs);
    const atPart = await stage.memberSeenBy(2, 0);
    await rejoin(stage);
    context.tell('healed');
    await context.pass(5000);
    for (const load of loads) {
      await load.stop();
      context.note(load.describe());
    }
    await stage.cluster.untilReady();
    const agreedMs = await stage.untilEachAgreed(AGREED_SECONDS * 1000);
    if (context.sabotage) await spoil(stage, loads[0]);
    const violations: string[] = [];
    for (const load of loads) violations.push(...load.garbage, ...(await stage.judge(load.histories)));
    context.note(
      `member grace ${graceMs / 1000} s; before the heal the right side held ${stage.name(0)} as ${String(atPart.state ?? 'forgotten')}`,
    );
    return [
      atLeast('writes acknowledged left', loads[0].tally.acknowledged, 500),
      atLeast('writes acknowledged right', loads[1].tally.acknowledged, 500),
      atMost('owners equal after the heal', agreedMs / 1000, AGREED_SECONDS, 's'),
      none('wrong answers afterwards', violations),
    ] satisfies Finding[];
  },
};

async function spoil(stage: Stage, load: PacedLoad): Promise<void> {
  for (const history of load.histories.slice(0, 200)) await stage.cluster.ask(0, 'DEL', history.key);
}
