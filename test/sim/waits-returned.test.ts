/** WAIT and WAITAOF about a peer that has begun anew: it counts again, for what was written before, once it has all of it again. */
import { describe, expect, it } from 'vitest';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

const keys = Array.from({ length: 60 }, (_, at) => `k${at}`);
const write = ['MSET', ...keys.flatMap((key) => [key, 'v'])];

/** Keys that a node does not hold, as another one knows it. */
function lacking(scenario: Scenario, node: number): string[] {
  const asked = keys.map((key) => scenario.send(0, 'HEARSAY.EXPLAIN', key));
  return keys.filter((_, at) => {
    const { reply } = scenario.outcome(asked[at]);
    return reply === null || !new RegExp(`node node-${node} role owner state \\w+ holds value`).test(textOf(reply));
  });
}

/** Asks until the answer is the one wanted. */
function untilAnswered(scenario: Scenario, wanted: string, ...wait: string[]): void {
  for (let asked = 0; scenario.text(0, ...wait) !== wanted; asked++) expect(asked).toBeLessThan(10_000);
}

describe('a peer that has begun anew', () => {
  it.each([
    ['without its disk', 'WAIT', 31],
    ['without its disk', 'WAITAOF', 31],
    ['without what was not synced', 'WAIT', 31],
    ['without what was not synced', 'WAITAOF', 31],
  ])('%s is not counted by %s before it has everything again', (how, command, seed) => {
    const network = { ...CALM_NETWORK, lagMinMs: 20, lagMeanMs: 40 };
    const scenario = new Scenario({ seed, plan: { network } });
    const [wait, all] = command === 'WAIT' ? [['WAIT', '2', '1'], '2'] : [['WAITAOF', '0', '2', '1'], '[1 2]'];
    scenario.rest(1_500);
    scenario.text(0, ...write);
    untilAnswered(scenario, '2', 'WAIT', '2', '1');
    if (how === 'without its disk') {
      scenario.rest(1_500);
      scenario.cluster.wipe(2);
    } else scenario.cluster.cutPower(2);
    scenario.until(20_000, () => (scenario.text(0, 'WAIT', '2', '1') === '1' ? null : 'not dead'));
    scenario.start(2);
    untilAnswered(scenario, all, ...wait);
    expect(lacking(scenario, 2)).toEqual([]);
  });

  /** Node 1 loses what it has of a write of node 0 and catches up from node 2, which never had it; then what it lacks once it counts. */
  function caughtUpElsewhere(mutations: ReadonlySet<string>): string[] {
    const scenario = new Scenario({ seed: 42, mutations, settings: { suspicionFloorMs: 60_000 } });
    scenario.rest(3_000);
    scenario.cut(0, 2);
    scenario.rest(100);
    scenario.text(0, ...write);
    expect(scenario.text(0, 'WAIT', '1', '100')).toBe('1');
    scenario.cluster.cutPower(1);
    scenario.rest(300);
    scenario.start(1);
    scenario.until(20_000, () => (scenario.fact(1, 'ready') === '1' ? null : 'not ready'));
    untilAnswered(scenario, '1', 'WAIT', '1', '1');
    return lacking(scenario, 1);
  }

  it('is not counted for having caught up from somebody who never had what was written', () => {
    expect(caughtUpElsewhere(new Set())).toEqual([]);
    // As long as it believes that its log is whole it does not hear node 0 out before it answers; it does not count all the same.
    expect(caughtUpElsewhere(new Set(['torn-tail-trusted']))).toEqual([]);
  });

  it('would be, if what its former life acknowledged counted on', () => {
    expect(caughtUpElsewhere(new Set(['torn-tail-trusted', 'former-life-trusted']))).not.toEqual([]);
  });

  it('is counted again by WAITAOF on a connection that was open all the time, though nothing is written any more', () => {
    const scenario = new Scenario({ seed: 31 });
    const open = scenario.connect(0);
    scenario.rest(1_000);
    for (let count = 0; count < 60; count++) {
      scenario.text(open, 'SET', `a${count % 7}`, `${count}`);
      scenario.rest(7);
    }
    scenario.kill(2);
    scenario.rest(500);
    scenario.start(2);
    scenario.untilReady();
    scenario.until(20_000, () => (scenario.text(open, 'WAITAOF', '1', '2', '1') === '[1 2]' ? null : 'not counted'));
    scenario.text(open, 'SET', 'a', '2');
    expect(scenario.text(open, 'WAITAOF', '1', '2', '1900')).toBe('[1 2]');
  });
});
