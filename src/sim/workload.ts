/**
 * What the clients of a run ask for: commands over a few keys, drawn up front. schedule.ts puts them into the plan.
 * Guarded: every value is written once in a run (`v` and a number), so a read names the write it saw; keys are few, so
 * writes meet; some commands come as pairs at one instant or a moment apart, where ties and lost updates live.
 */
import type { Random } from '../core/base/random.js';
import type { ClientPlan, Step } from './schedule.js';

const KEYS_MAX = 20;
/** Beyond a datagram, so that the record goes by stream. */
const LONG_VALUE_BYTES = 2_500;
const LONG_TTL_MS = 600_000;
/** Follow-ups come this soon after, ms. */
const FOLLOW_MS_MAX = 60;

export function drawCommands(random: Random, clients: readonly ClientPlan[], lengthMs: number): Step[] {
  const steps: Step[] = [];
  const keys = random.between(2, KEYS_MAX);
  const perSecond = random.between(15, 60);
  const flushes = random.chance(0.25);
  let written = 0;
  const value = (): string => {
    const name = `v${++written}`;
    return random.chance(0.05) ? name.padEnd(LONG_VALUE_BYTES, '.') : name;
  };
  const key = (): string => `k${random.chance(0.3) ? 0 : random.below(keys)}`;
  const add = (atMs: number, client: number, words: string[]): void => {
    steps.push({ atMs, kind: 'command', client, words });
  };
  const anyone = (): number => random.below(clients.length);
  const atAnotherNode = (client: number): number => (client + 2 + random.below(clients.length - 2)) % clients.length;
  const atSameNode = (client: number): number => (random.chance(0.5) ? client : client ^ 1);

  for (let left = Math.floor((lengthMs / 1_000) * perSecond); left > 0; left--) {
    const atMs = random.below(lengthMs * 1_000) / 1_000;
    const client = anyone();
    const name = key();
    const roll = random.below(1_000);
    if (roll < 340) {
      add(atMs, client, ['SET', name, value()]);
      drawFollowUp(atMs, client, name);
    } else if (roll < 420) {
      const ttlMs = random.chance(0.2) ? LONG_TTL_MS : random.between(50, 2_000);
      add(atMs, client, ['SET', name, value(), 'PX', String(ttlMs)]);
      for (let reads = 0; reads < 3; reads++) {
        add(atMs + ttlMs + random.below(400), anyone(), ['GET', name]);
      }
    } else if (roll < 520) {
      add(atMs, client, ['DEL', name]);
      drawFollowUp(atMs, client, name);
    } else if (roll < 560) {
      add(atMs, client, ['PEXPIRE', name, String(random.between(50, 3_000))]);
    } else if (roll < 580) {
      add(atMs, client, ['PERSIST', name]);
    } else if (roll < 610) {
      add(atMs, client, ['MSET', 'k0', value(), 'k1', value()]);
    } else if (roll < 640) {
      add(atMs, client, ['MGET', 'k0', 'k1', name]);
    } else if (roll < 643 && flushes) {
      add(atMs, client, ['FLUSHALL']);
    } else {
      add(atMs, client, ['GET', name]);
    }
  }
  return steps.filter((step) => step.atMs < lengthMs);

  /** What tends to find bugs after a write: its own read, another node's write at the same instant or just after. */
  function drawFollowUp(atMs: number, client: number, name: string): void {
    const soonMs = atMs + random.between(1, FOLLOW_MS_MAX);
    if (random.chance(0.3)) add(soonMs, atSameNode(client), ['GET', name]);
    if (random.chance(0.2)) add(atMs, atAnotherNode(client), ['SET', name, value()]);
    if (random.chance(0.15)) {
      const other = anyone();
      add(soonMs, other, ['SET', name, value()]);
      add(soonMs + random.between(2, FOLLOW_MS_MAX), atSameNode(other), ['GET', name]);
    }
    if (random.chance(0.08)) add(soonMs, anyone(), ['DEL', name]);
  }
}
