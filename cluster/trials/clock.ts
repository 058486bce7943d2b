/**
 * Trial: the clock of one node goes an hour ahead, and later an hour back. Its drift is refused and said, and no write is lost that
 * followed another: each key is written by one client in a row, through any node.
 */
import { atLeast, atMost, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const HOUR_MS = 3_600_000;
const ALARM_SECONDS = 15;
const LIMIT_MS = 60_000;

export const clock: Trial = {
  name: 'clock',
  title: 'a clock one hour ahead, then one hour back: refused and alarmed, no write lost that followed another',
  sabotage: 'the clock stays right',
  async run(context) {
    const stage = await context.open({ nodes: 5 });
    const wrong = 1;
    const ports = stage.ports();
    const load = context.load({
      ports: () => ports,
      level: 'quorum',
      prefix: 'clock',
      keys: 400,
      ratePerSecond: 200,
      deletePart: 0.1,
      readPart: 0.2,
      seed: context.seed,
    });
    await context.pass(3000);
    const ahead = await drift(context, stage, wrong, HOUR_MS);
    const back = await drift(context, stage, wrong, -HOUR_MS);
    const tally = await load.stop();
    context.note(load.describe());
    await stage.cluster.untilReady();
    const agreedMs = await stage.untilEachAgreed(LIMIT_MS);
    const violations = [...load.garbage, ...(await stage.judge(load.histories))];
    return [
      atMost('an hour ahead: until it is said', ahead.alarmMs / 1000, ALARM_SECONDS, 's'),
      atMost('an hour back: until it is said', back.alarmMs / 1000, ALARM_SECONDS, 's'),
      none('other nodes that took alarm of themselves', [...ahead.others, ...back.others]),
      atMost('right again: until it is said', Math.max(ahead.calmMs, back.calmMs) / 1000, ALARM_SECONDS, 's'),
      atLeast('writes acknowledged', tally.acknowledged, 500),
      atMost('owners equal afterwards', agreedMs / 1000, LIMIT_MS / 1000, 's'),
      none('wrong answers afterwards', violations),
    ] satisfies Finding[];
  },
};

interface Drift {
  alarmMs: number;
  calmMs: number;
  others: string[];
}

async function drift(context: TrialContext, stage: Stage, index: number, offsetMs: number): Promise<Drift> {
  context.tell(`${stage.name(index)} is ${offsetMs > 0 ? 'an hour ahead' : 'an hour back'}`);
  if (!context.sabotage) await stage.fault([index], 'CLOCK', String(offsetMs));
  const isDrifted = async (node: number): Promise<boolean> => (await stage.cluster.status(node)).clock_drifted === 1;
  const alarmMs = await stage.timeUntil(context.sabotage ? 5000 : LIMIT_MS, () => isDrifted(index));
  await context.pass(context.quick ? 8000 : 60_000);
  const others: string[] = [];
  for (const other of stage.others(index)) if (await isDrifted(other)) others.push(stage.name(other));
  await stage.fault([index], 'CLOCK', '0');
  const calmMs = await stage.timeUntil(LIMIT_MS, async () => !(await isDrifted(index)));
  await context.pass(2000);
  return { alarmMs, calmMs, others };
}
