/** Reads of which an owner does not answer: another one is asked in time, within the budget. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

function reads(scenario: Scenario, name: string): number {
  return Number(scenario.fact(0, `reads_${name}`));
}

/** Reads one after the other; how long each took, in order of time. */
function timeReads(scenario: Scenario, count: number, key: (index: number) => string): number[] {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = scenario.cluster.clock.nowMs;
    expect(scenario.text(0, 'GET', key(index))).toBe('v');
    times.push(scenario.cluster.clock.nowMs - began);
  }
  return times.sort((left, right) => left - right);
}

describe('a quorum read', () => {
  it('asks no more owners than it needs, and one more when that is late: a node that stalls costs few reads much', () => {
    const scenario = new Scenario({ seed: 7 });
    scenario.text(0, 'SET', 'k', 'v');
    scenario.text(0, 'WAIT', '2', '1000');
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM');
    timeReads(scenario, 200, () => 'k');
    expect(reads(scenario, 'hedged')).toBe(0);
    scenario.cluster.pause(1);
    const times = timeReads(scenario, 100, () => 'k');
    expect(reads(scenario, 'hedged')).toBeGreaterThan(0);
    expect(reads(scenario, 'hedged')).toBeLessThanOrEqual((reads(scenario, 'begun') + 1) / 20);
    expect(reads(scenario, 'hedge_won')).toBeGreaterThan(0);
    expect(times[94]).toBeLessThan(10);
    expect(times[99]).toBeLessThan(60);
  });

  it('asks all owners that are left at half of its time when no budget is left, so that it does not fail for that', () => {
    const scenario = new Scenario({ seed: 7 });
    scenario.text(0, 'SET', 'k', 'v');
    scenario.text(0, 'WAIT', '2', '1000');
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM');
    scenario.cluster.pause(1);
    for (let index = 0; index < 4; index++) expect(scenario.text(0, 'GET', 'k')).toBe('v');
    expect(reads(scenario, 'hedged')).toBe(0);
  });
});

describe('a read at level one through a node that does not own its key', () => {
  it('is asked of a second owner when the first is late', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5 });
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`);
    for (const key of keys) scenario.text(0, 'SET', key, 'v');
    scenario.rest(1000);
    timeReads(scenario, 300, (index) => keys[index % keys.length]);
    scenario.cluster.pause(1);
    const times = timeReads(scenario, 60, (index) => keys[index % keys.length]);
    expect(reads(scenario, 'hedged')).toBeGreaterThan(0);
    expect(reads(scenario, 'hedge_won')).toBeGreaterThan(0);
    expect(times[50]).toBeLessThan(60);
  });
});
