/**
 * Trial: without faults, how long until a write is at all of its owners. The clock runs at the client, from the command at level all to
 * its reply, so the way to the node and back is in it.
 */
import { atLeast, atMost, exactly, type Finding, quantile } from './finding.js';
import type { Trial } from './trial.js';

const RATE = 1000;
const P99_MS = 20;
const WARM_UP_MS = 3000;

export const visible: Trial = {
  name: 'visible',
  title: 'a write is at all owners within 20 ms at p99, at 1,000 writes a second',
  sabotage: 'every message between nodes takes 50 ms',
  async run(context) {
    const stage = await context.open({ nodes: 5 });
    if (context.sabotage) await stage.fault(stage.cluster.running(), 'DELAY', '*', 'IN', '50');
    const ports = stage.ports();
    const load = context.load({
      ports: () => ports,
      level: 'all',
      prefix: 'visible',
      keys: 20_000,
      ratePerSecond: RATE,
      padding: 100,
      seed: context.seed,
    });
    await context.pass(WARM_UP_MS);
    const fromMs = performance.now();
    await context.pass(context.quick ? 8000 : 60_000);
    const untilMs = performance.now();
    const tally = await load.stop();
    context.note(load.describe());
    const times = load.latenciesMs(fromMs, untilMs);
    return [
      atLeast('writes a second', (times.length * 1000) / (untilMs - fromMs), RATE * 0.9),
      atMost('written at all owners and acknowledged, p99', quantile(times, 0.99), P99_MS, 'ms'),
      exactly('writes not acknowledged', tally.doubtful + tally.unsent, 0),
    ] satisfies Finding[];
  },
};
