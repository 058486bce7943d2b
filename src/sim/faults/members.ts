/**
 * The family of membership changes: nodes that join during the load, leave for good with what they hold handed over, and dead ones that are
 * forgotten. The book of a run says who is a member: nemesis.ts starts no other node, run.ts asks no other one. Guarded: what was
 * acknowledged stays, whoever holds it: at least as many members stay as there are replicas, and only one node is ever forgotten.
 */
import type { Random } from '../../core/base/random.js';
import type { Family } from '../families.js';
import type { Plan, Step } from '../schedule.js';

/** A leaver that is down when it is told went this long before at most, and would have come back within this time. */
const DOWN_BEFORE_MS = 1_000;
const DOWN_AFTER_MS = 1_500;

export type MemberStep =
  | { atMs: number; kind: 'join'; node: number }
  /** `returning`: one that is down is started when all is healed, to leave then; else an operator tells only a node that runs. */
  | { atMs: number; kind: 'leave'; node: number; returning?: boolean }
  /** It dies for good, and an operator says so. */
  | { atMs: number; kind: 'forget'; node: number };

export const MEMBERS: Family = {
  name: 'members',
  stream: 0x5ced0107,
  draw(plan, random) {
    if (!random.chance(0.15)) return;
    const { steps, lengthMs } = plan;
    plan.late = random.between(1, 2);
    for (let node = plan.nodes; node < plan.nodes + plan.late; node++) {
      steps.push({ atMs: random.below(lengthMs), kind: 'join', node });
    }
    const going = random.shuffle(Array.from({ length: plan.nodes }, (_, index) => index));
    let spare = plan.nodes + plan.late - plan.replicas;
    for (const kind of ['leave', 'forget'] as const) {
      if (spare === 0 || !random.chance(0.6)) continue;
      spare--;
      steps.push({ atMs: random.below(lengthMs), kind, node: going.pop() as number });
    }
    for (const step of steps) if (step.kind === 'leave' && random.chance(0.5)) steps.push(takeDown(step, random));
  },
};

/** Who is told to leave is down just then, with its disk or without what was on it, and leaves when it is back. */
function takeDown(leave: MemberStep & { kind: 'leave' }, random: Random): Step {
  const { node } = leave;
  leave.returning = true;
  const atMs = Math.max(0, leave.atMs - random.below(DOWN_BEFORE_MS));
  const downMs = leave.atMs - atMs + random.between(1, DOWN_AFTER_MS);
  if (random.chance(0.5)) return { atMs, kind: 'wipe', node, downMs };
  return { atMs, kind: 'kill', nodes: [node], downMs, onAck: false };
}

export class MemberBook {
  private readonly waiting = new Set<number>();
  /** Asked to leave, and whether they died before they had. */
  readonly leaving = new Map<number, { interrupted: boolean }>();
  private readonly gone = new Set<number>();
  private readonly told = new Set<number>();

  constructor(private readonly plan: Plan) {
    for (let node = plan.nodes; node < nodesOf(plan); node++) this.waiting.add(node);
  }

  /** Dead for good, and yet to be forgotten by the others. */
  unforgotten(): readonly number[] {
    return [...this.gone].filter((node) => !this.told.has(node));
  }

  forgot(node: number): void {
    this.told.add(node);
  }

  joins(node: number): void {
    this.waiting.delete(node);
  }

  /** False where it is none that may leave: it leaves already, is gone, or has yet to come. */
  leaves(node: number): boolean {
    if (!this.mayRun(node)) return false;
    this.leaving.set(node, { interrupted: false });
    return true;
  }

  ends(node: number): void {
    this.gone.add(node);
  }

  /** A node that runs is killed. */
  killed(node: number): void {
    const leaving = this.leaving.get(node);
    if (leaving !== undefined) leaving.interrupted = true;
  }

  isGone(node: number): boolean {
    return this.gone.has(node);
  }

  mayRun(node: number): boolean {
    return !this.waiting.has(node) && !this.gone.has(node) && !this.leaving.has(node);
  }

  /** Who is a member and asked about everything. */
  present(): readonly number[] {
    return Array.from({ length: nodesOf(this.plan) }, (_, node) => node).filter((node) => this.mayRun(node));
  }
}

/** Those of the start and those that come. */
export function nodesOf(plan: Plan): number {
  return plan.nodes + (plan.late ?? 0);
}
