import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerTime, HedgeBudget } from '../../../src/core/replication/hedges.js';

describe('the budget of hedges', () => {
  it('lets through at most one in twenty reads, in whatever order they come and are late', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 600 }), (steps) => {
        const budget = new HedgeBudget();
        let reads = 0;
        for (const late of steps) {
          if (late) budget.take();
          else {
            budget.earn();
            reads++;
          }
          expect(budget.hedged).toBeLessThanOrEqual(reads / 20);
        }
        expect(budget.hedged + budget.denied).toBe(steps.length - reads);
      }),
    );
  });

  it('is spent at the rate it is earned, and saves up no more than ten hedges', () => {
    const budget = new HedgeBudget();
    for (let read = 0; read < 20; read++) budget.earn();
    expect([budget.take(), budget.take()]).toEqual([true, false]);
    for (let read = 0; read < 5000; read++) budget.earn();
    for (let late = 0; late < 50; late++) budget.take();
    expect(budget).toMatchObject({ hedged: 11, denied: 41 });
  });
});

describe('how long a peer takes to answer', () => {
  it('is late after about its mean and two deviations, and never before 5 ms', () => {
    const quick = new AnswerTime();
    const slow = new AnswerTime();
    for (let round = 0; round < 100; round++) {
      quick.asked(round);
      quick.answered(0.2, round);
      slow.asked(round);
      slow.answered(round % 2 === 0 ? 30 : 50, round);
    }
    expect(quick.lateAfterMs).toBe(5);
    expect(slow.lateAfterMs).toBeGreaterThan(50);
    expect(slow.lateAfterMs).toBeLessThan(80);
    expect(quick.expectedMs(100)).toBeLessThan(slow.expectedMs(100));
  });

  it('counts as silent while requests wait and nothing has come for long, and no longer once something has', () => {
    const peer = new AnswerTime();
    peer.asked(0);
    expect(peer.isSilent(5)).toBe(false);
    expect(peer.isSilent(500)).toBe(true);
    peer.answered(500, 500);
    expect(peer.isSilent(501)).toBe(false);
    expect(peer.isSilent(5000)).toBe(false);
  });

  it('is left to last for a while after it was given up late, and tried again then', () => {
    const peer = new AnswerTime();
    peer.asked(0);
    peer.givenUp(40, 40);
    expect(peer.isSilent(41)).toBe(true);
    expect(peer.expectedMs(41)).toBeGreaterThan(1000);
    expect(peer.isSilent(441)).toBe(false);
    peer.asked(500);
    peer.givenUp(1, 501);
    expect(peer.isSilent(502)).toBe(false);
  });
});
