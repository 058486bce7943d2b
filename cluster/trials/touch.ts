/**
 * Trial: an EXPIRE on a stale copy, on one side of a partition, races a SET on the other. The SET stays, without an end, whichever
 * came first by the clock.
 */
import { runBulk } from './bulk.js';
import { atMost, exactly, type Finding, none } from './finding.js';
import { part, rejoin, untilApart } from './parted.js';
import type { Stage } from './stage.js';
import type { Trial } from './trial.js';

const KEYS = 200;
/** Half of the keys are touched before the SET, half after it. */
const BEFORE = KEYS / 2;

export const touch: Trial = {
  name: 'touch',
  title: 'EXPIRE on a stale copy racing a SET elsewhere: the SET stays',
  sabotage: 'the touch is a SET of its own',
  async run(context) {
    const stage = await context.open({ nodes: 3 });
    await runBulk(stage.ports(), 'all', KEYS, (index) => ['SET', `touch:${index}`, 'old']);
    const sides = await part(stage, 1);
    await untilApart(stage, sides);
    const touchWords = (index: number): string[] =>
      context.sabotage ? ['SET', `touch:${index}`, 'old', 'EX', '2'] : ['EXPIRE', `touch:${index}`, '2'];
    const early = await runBulk(stage.ports(sides.left), 'one', BEFORE, (index) => touchWords(index));
    // Stamps are in ms and the sides hear nothing of each other's: later is a later millisecond.
    await context.pass(20);
    const set = await runBulk(stage.ports(sides.right), 'one', KEYS, (index) => ['SET', `touch:${index}`, 'new']);
    await context.pass(20);
    const late = await runBulk(stage.ports(sides.left), 'one', KEYS - BEFORE, (index) => touchWords(BEFORE + index));
    await rejoin(stage);
    await stage.cluster.untilReady();
    const agreedMs = await stage.untilEachAgreed(60_000);
    // Past every end that the touches gave.
    await context.pass(3000);
    return [
      exactly('EXPIRE answered', early.answered + late.answered, KEYS),
      exactly('SET answered', set.answered, KEYS),
      atMost('owners equal after the heal', agreedMs / 1000, 60, 's'),
      none('keys that lost the SET, or got an end', await wrongKeys(stage)),
    ] satisfies Finding[];
  },
};

async function wrongKeys(stage: Stage): Promise<string[]> {
  const wrong: string[] = [];
  const keys = Array.from({ length: KEYS }, (_, index) => `touch:${index}`);
  for (const node of stage.cluster.running()) {
    const values = await stage.valuesAt(node, keys);
    for (const [at, value] of values.entries())
      if (value !== 'new') wrong.push(`${keys[at]} on ${stage.name(node)}: ${String(value)}`);
    for (const key of keys) {
      const ttl = await stage.cluster.ask(node, 'TTL', key);
      if (ttl !== -1) wrong.push(`${key} on ${stage.name(node)}: TTL ${String(ttl)}`);
    }
  }
  return wrong;
}
