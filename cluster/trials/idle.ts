/**
 * Trial: a healthy cluster at rest. Anti-entropy takes little of the processor by its own account, and finds nothing to repair.
 */
import { fill } from './bulk.js';
import { atMost, exactly, type Finding } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial } from './trial.js';

const SHARE_PERCENT = 3;
const ACCOUNT = 'repair_cpu_seconds';

export const idle: Trial = {
  name: 'idle',
  title: 'a healthy cluster at rest: anti-entropy takes at most 3 % of a processor, and repairs nothing',
  sabotage: 'a node loses a key every second',
  async run(context) {
    const keys = context.quick ? 20_000 : 1_000_000;
    const stage = await context.open({ nodes: 5, memory: context.quick ? '48mb' : '320mb' });
    await fill(stage.ports(), 'idle', keys, 100);
    await stage.untilEachAgreed(60_000);
    await context.pass(5000);
    const nodes = stage.cluster.running();
    const before = await Promise.all(nodes.map((index) => figures(stage, index)));
    const fromMs = performance.now();
    const seconds = context.quick ? 15 : 120;
    for (let second = 0; second < seconds; second++) {
      if (context.sabotage) await stage.fault([second % nodes.length], 'LOSE', `idle:${second}`).catch(() => {});
      await context.pass(1000);
    }
    const after = await Promise.all(nodes.map((index) => figures(stage, index)));
    const elapsed = (performance.now() - fromMs) / 1000;
    const shares = nodes.map((_, at) => ((after[at].spent - before[at].spent) / elapsed) * 100);
    const whole = nodes.map((_, at) => ((after[at].cpu - before[at].cpu) / elapsed) * 100);
    const grown = (of: (one: Figures) => number): number =>
      nodes.reduce((sum, _, at) => sum + of(after[at]) - of(before[at]), 0);
    context.note(
      `${keys} keys held; a node at rest takes ${Math.max(...whole).toFixed(1)} % of a processor for everything, at most`,
    );
    return [
      atMost('processor time of anti-entropy, greatest of the nodes', Math.max(...shares), SHARE_PERCENT, '%'),
      exactly(
        'records sent for repair',
        grown((one) => one.repaired),
        0,
      ),
      exactly(
        'reads that repaired',
        grown((one) => one.reads),
        0,
      ),
    ] satisfies Finding[];
  },
};

interface Figures {
  spent: number;
  cpu: number;
  repaired: number;
  reads: number;
}

async function figures(stage: Stage, index: number): Promise<Figures> {
  const of = (field: string): Promise<number> => stage.total(field, [index]);
  return {
    spent: await of(ACCOUNT),
    cpu: (await of('cpu_user_seconds')) + (await of('cpu_system_seconds')),
    repaired: await of('repair_records_sent'),
    reads: await of('reads_repaired'),
  };
}
