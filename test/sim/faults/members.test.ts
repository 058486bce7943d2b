/** Who is a member of a run and when; plans whose members change, and parts of a cluster that are healed alone, played to the end. */
import { describe, expect, it } from 'vitest';
import { MemberBook } from '../../../src/sim/faults/members.js';
import { hearsayFactories } from '../../../src/sim/hearsay.js';
import { runPlan } from '../../../src/sim/run.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../../src/sim/schedule.js';

function calmPlan(seed: number): Plan {
  const plan = drawPlan(seed, { ...PLAN_LIMITS, lengthMs: 4_000, families: [] });
  return { ...plan, steps: plan.steps.filter(({ kind }) => kind === 'command') };
}

describe('the book of members', () => {
  it('has no member that has yet to come, leaves or is gone', () => {
    const book = new MemberBook({ ...calmPlan(1), nodes: 3, late: 2 });
    expect(book.present()).toEqual([0, 1, 2]);
    book.joins(4);
    expect(book.leaves(0)).toBe(true);
    book.ends(1);
    expect([0, 1, 3].map((node) => book.leaves(node))).toEqual([false, false, false]);
    expect(book.present()).toEqual([2, 4]);
    expect(book.unforgotten()).toEqual([1]);
    book.forgot(1);
    expect(book.unforgotten()).toEqual([]);
    book.killed(0);
    book.killed(2);
    expect([...book.leaving]).toEqual([[0, { interrupted: true }]]);
  });
});

describe('the family of membership changes', () => {
  it('draws leavers that run, that are down when told, and that come back empty to leave', () => {
    const found = { up: 0, kill: 0, wipe: 0 };
    for (let seed = 1; seed <= 400; seed++) {
      const { steps } = drawPlan(seed, { ...PLAN_LIMITS, families: ['members'] });
      for (const leave of steps) {
        if (leave.kind !== 'leave') continue;
        if (leave.returning !== true) found.up++;
        for (const fall of steps) {
          if (leave.returning !== true || (fall.kind !== 'kill' && fall.kind !== 'wipe')) continue;
          const isOfLeaver = fall.kind === 'wipe' ? fall.node === leave.node : fall.nodes.join() === `${leave.node}`;
          if (isOfLeaver && fall.atMs <= leave.atMs && fall.atMs + fall.downMs > leave.atMs) found[fall.kind]++;
        }
      }
    }
    expect(Math.min(found.up, found.kill, found.wipe)).toBeGreaterThan(0);
  });
});

describe('a run', () => {
  it('has all that was acknowledged where members joined, one left while it was killed, and a dead one was forgotten', () => {
    const plan = calmPlan(5);
    plan.late = 2;
    plan.steps.push(
      { atMs: 500, kind: 'join', node: plan.nodes },
      { atMs: 1_500, kind: 'join', node: plan.nodes + 1 },
      { atMs: 2_000, kind: 'leave', node: 0 },
      { atMs: 2_050, kind: 'kill', nodes: [0], downMs: 300, onAck: false },
      { atMs: 3_000, kind: 'forget', node: 1 },
    );
    plan.steps.sort((left, right) => left.atMs - right.atMs);
    const { violations, marks } = runPlan(hearsayFactories(), plan);
    expect(violations).toEqual([]);
    expect([marks.join, marks.leave, marks.forget]).toEqual([2, 1, 1]);
  });

  it.each(['down', 'apart'] as const)('has a part of the cluster get on by itself while the rest is %s', (rest) => {
    const plan = calmPlan(6);
    plan.core = { nodes: Array.from({ length: plan.nodes - 1 }, (_, node) => node), rest };
    const { violations, marks } = runPlan(hearsayFactories(), plan);
    expect(violations).toEqual([]);
    expect(marks['live cores']).toBe(1);
  });

  it('says so when a part that ought to get on does not', () => {
    const plan = { ...calmPlan(6), core: { nodes: [0], rest: 'down' as const } };
    const { violations } = runPlan(hearsayFactories(), plan);
    expect(violations.map(({ message }) => message).join()).toMatch(
      /live core, nodes 0 while the rest is down, does not get on/,
    );
  });
});
