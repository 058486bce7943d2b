/**
 * Trial: the datagrams of one node are blocked both ways while its streams are open, as a firewall does. It stays a member, STATUS says
 * what is wrong with it, and what is written meanwhile reaches all owners.
 */
import { atMost, type Finding, holds, none } from './finding.js';
import type { Trial } from './trial.js';

/** Longer than any suspicion lasts. */
const BLOCKED_MS = 60_000;
const BLOCKED_QUICK_MS = 25_000;
const CONVERGED_SECONDS = 10;
const CONVERGED_LIMIT_MS = 60_000;
/** Beside the bound is enough when it has to be missed. */
const CONVERGED_SPOILT_LIMIT_MS = 15_000;

export const udp: Trial = {
  name: 'udp',
  title: 'UDP of one node blocked both ways, TCP open: it stays a member, says so, and data converges',
  sabotage: 'its streams are blocked, too',
  async run(context) {
    const stage = await context.open({ nodes: 5 });
    const fromMs = Date.now();
    const blocked = 0;
    const carrier = context.sabotage ? [] : ['DATAGRAMS'];
    await stage.fault([blocked], 'DROP', '*', 'BOTH', '100', ...carrier);
    const ports = stage.ports();
    const load = context.load({
      ports: () => ports,
      level: 'quorum',
      prefix: 'udp',
      keys: 2000,
      ratePerSecond: 200,
      deletePart: 0.1,
      seed: context.seed,
    });
    await context.pass(context.quick ? BLOCKED_QUICK_MS : BLOCKED_MS);
    await load.stop();
    context.note(load.describe());
    // The fault still stands: data must find its way without datagrams.
    const convergedMs = await stage.untilEachAgreed(context.sabotage ? CONVERGED_SPOILT_LIMIT_MS : CONVERGED_LIMIT_MS);
    const own = await stage.cluster.status(blocked);
    const seen = await stage.memberSeenBy(1, blocked);
    const violations = await stage.judge(load.histories);
    const deaths = stage.transitions.deathsSince(fromMs);
    await stage.fault([blocked], 'CLEAR');
    const healedMs = await stage.timeUntil(60_000, async () => {
      const row = await stage.memberSeenBy(1, blocked);
      return !saysBlocked(await stage.cluster.status(blocked)) && !saysBlocked(row);
    });
    return [
      none('deaths declared', deaths),
      holds('the node says udp_blocked of itself', saysBlocked(own), `udp_blocked: ${String(own.udp_blocked)}`),
      holds('another says udp_blocked of it', saysBlocked(seen), `udp_blocked: ${String(seen.udp_blocked)}`),
      atMost('owners equal after the load, while blocked', convergedMs / 1000, CONVERGED_SECONDS, 's'),
      none('wrong answers while blocked', violations),
      atMost('no longer said once UDP is back', healedMs / 1000, 60, 's'),
    ] satisfies Finding[];
  },
};

function saysBlocked(status: Readonly<Record<string, unknown>>): boolean {
  return status.udp_blocked === 1 || status.udp_blocked === '1';
}
