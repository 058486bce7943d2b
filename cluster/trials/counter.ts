/**
 * Trial: counters are incremented on both sides of a partition. After it heals each holds exactly the sum, on every node.
 */
import { runBulk } from './bulk.js';
import { exactly, type Finding, none } from './finding.js';
import { part, rejoin, untilApart } from './parted.js';
import type { Trial } from './trial.js';

const COUNTERS = 10;
const PER_SIDE = 1000;

export const counter: Trial = {
  name: 'counter',
  title: '1,000 INCR on each side of a partition: exactly the sum after it heals',
  sabotage: 'one more is added than is told',
  async run(context) {
    const stage = await context.open({ nodes: 5 });
    const keys = Array.from({ length: COUNTERS }, (_, index) => `counter:${index}`);
    await runBulk(stage.ports(), 'all', COUNTERS, (index) => ['INCR', keys[index]]);
    const sides = await part(stage, 2);
    await untilApart(stage, sides);
    const increment = (side: readonly number[]) =>
      runBulk(stage.ports(side), 'one', PER_SIDE, (index) => ['INCR', keys[index % COUNTERS]]);
    const [left, right] = await Promise.all([increment(sides.left), increment(sides.right)]);
    if (context.sabotage) await stage.cluster.ask(0, 'INCR', keys[0]);
    context.note(
      `left: ${left.answered} answered, ${left.refused} refused (${left.firstRefusal ?? '-'}); ` +
        `right: ${right.answered} answered, ${right.refused} refused (${right.firstRefusal ?? '-'})`,
    );
    await rejoin(stage);
    await stage.cluster.untilReady();
    const agreedMs = await stage.untilEachAgreed(60_000);
    const wrong: string[] = [];
    const sums: number[] = [];
    for (const index of stage.cluster.running()) {
      const values = (await stage.valuesAt(index, keys)).map(Number);
      const sum = values.reduce((total, value) => total + value, 0);
      sums.push(sum);
      if (sum !== 2 * PER_SIDE + COUNTERS) wrong.push(`${stage.name(index)} has ${sum}`);
    }
    return [
      exactly('INCR answered, left', left.answered, PER_SIDE),
      exactly('INCR answered, right', right.answered, PER_SIDE),
      exactly('sum of the counters, least of the nodes', Math.min(...sums), 2 * PER_SIDE + COUNTERS),
      none('nodes with another sum', wrong),
      exactly('partitions came to be equal', Number.isNaN(agreedMs) ? 0 : 1, 1),
    ] satisfies Finding[];
  },
};
