/**
 * Trial: hints for one peer are capped at 1 MB, and far more is written while it is down. No write is refused for it, and repair brings
 * the peer what no hint was kept for.
 */
import { runBulk } from './bulk.js';
import { atLeast, atMost, exactly, type Finding } from './finding.js';
import type { Trial } from './trial.js';

const CAP = '1mb';

export const hintCap: Trial = {
  name: 'hint-cap',
  title: 'hints capped at 1 MB: no write refused, repair finishes the job',
  sabotage: 'what the peer lacks is lost again after its return, and anti-entropy comes by every ten minutes only',
  async run(context) {
    const keys = context.quick ? 60_000 : 300_000;
    const stage = await context.open({
      nodes: 5,
      memory: '128mb',
      settings: { hintBytesPerPeerMax: CAP, ...(context.sabotage ? { antiEntropyIntervalMs: 600_000 } : {}) },
    });
    const victim = 4;
    await stage.cluster.kill(victim);
    const nodes = stage.others(victim);
    await stage.cluster.until('its death is known', 60_000, async () => {
      const states = await Promise.all(nodes.map((index) => stage.cluster.status(index)));
      return states.every((status) => status.members_alive === nodes.length);
    });
    const value = 'v'.repeat(100);
    const written = await runBulk(stage.ports(nodes), 'quorum', keys, (index) => ['SET', `hinted:${index}`, value]);
    const dropped = await stage.total('hints_dropped', nodes);
    const kept = await stage.total('hints_bytes', nodes);
    context.note(
      `${written.answered} writes answered, first refusal: ${written.firstRefusal ?? 'none'}; hints take ${kept} bytes on ${nodes.length} nodes`,
    );
    stage.cluster.start(victim);
    await stage.cluster.untilReady();
    if (context.sabotage) await stage.loseKeys(victim, 'hinted', 1000);
    const completeMs = await stage.untilEachAgreed(context.sabotage ? 30_000 : 180_000);
    return [
      exactly('writes refused', written.refused, 0),
      exactly('writes answered', written.answered, keys),
      atLeast('hints past the cap', dropped, 1),
      atMost('hint bytes a node', kept / nodes.length / 2 ** 20, 1, 'MiB'),
      atMost('owners equal after its return', completeMs / 1000, 120, 's'),
    ] satisfies Finding[];
  },
};
