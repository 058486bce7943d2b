/**
 * Clients that a family of the plan brings along for its own keys, beside those of the first draw: so the commands of one kind never
 * stand behind those of another on a connection; and the steps that they take. Guarded: the clients that a plan had keep their numbers, and
 * no step lies beyond the plan's end.
 */
import type { Random } from '../core/base/random.js';
import type { Level, Plan } from './schedule.js';

const LEVELS: readonly (readonly [Level, Level])[] = [
  ['one', 'one'],
  ['quorum', 'quorum'],
  ['one', 'all'],
  ['one', 'quorum'],
];

/** Adds so many clients, each beside a node drawn for it, at levels drawn for it; returns their numbers. */
export function addClients(plan: Plan, random: Random, count: number): number[] {
  const nodes = random.shuffle(Array.from({ length: plan.nodes }, (_, node) => node));
  return Array.from({ length: count }, (_, place) => {
    const [readLevel, writeLevel] = LEVELS[random.below(LEVELS.length)];
    const protocol = random.chance(0.3) ? 3 : 2;
    return plan.clients.push({ node: nodes[place % nodes.length], readLevel, writeLevel, protocol }) - 1;
  });
}

/** Adds a command of one client, unless it would come after the plan's end. */
export function addCommand(plan: Plan, atMs: number, client: number, words: string[]): void {
  if (atMs < plan.lengthMs) plan.steps.push({ atMs, kind: 'command', client, words });
}
