/**
 * Trial: of all datagrams 30 % are lost at every node. Nobody is declared dead, and a write is at all its owners soon: what did not
 * come by datagram comes by stream.
 */
import { atLeast, atMost, exactly, type Finding, none, quantile } from './finding.js';
import type { Trial } from './trial.js';

const LOSS_PERCENT = 30;
const RATE = 100;
const AT_ALL_P99_MS = 250;

export const loss: Trial = {
  name: 'loss',
  title: '30 % of datagrams lost: no false death, a write at all owners within 250 ms at p99',
  sabotage: 'one node loses everything, streams too',
  async run(context) {
    const stage = await context.open({ nodes: 5 });
    const fromMs = Date.now();
    await stage.fault(stage.cluster.running(), 'DROP', '*', 'IN', String(LOSS_PERCENT), 'DATAGRAMS');
    if (context.sabotage) await stage.fault([0], 'DROP', '*', 'BOTH', '100');
    const ports = stage.ports();
    const load = context.load({
      ports: () => ports,
      level: 'all',
      prefix: 'loss',
      keys: 2000,
      ratePerSecond: RATE,
      seed: context.seed,
    });
    await context.pass(context.quick ? 30_000 : 600_000);
    const tally = await load.stop();
    context.note(load.describe());
    const deaths = stage.transitions.deathsSince(fromMs);
    const resent = await stage.total('messages_resent');
    await stage.fault(stage.cluster.running(), 'CLEAR');
    await stage.cluster.untilReady();
    await stage.untilEachAgreed(60_000);
    const violations = await stage.judge(load.histories);
    return [
      none('deaths declared', deaths),
      atMost('written at all owners and acknowledged, p99', quantile(load.latenciesMs(), 0.99), AT_ALL_P99_MS, 'ms'),
      exactly('writes not acknowledged', tally.doubtful + tally.unsent, 0),
      atLeast('messages that had to go again', resent, 10),
      none('wrong answers afterwards', violations),
    ] satisfies Finding[];
  },
};
