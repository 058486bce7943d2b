/** Values that expired at a stand-in: what they took the place of does not come back. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = Array.from({ length: 40 }, (_, key) => `key:${key}`);

describe('a value that a stand-in took', () => {
  it('and that expired before an owner was there is still what the owners come to', () => {
    const scenario = new Scenario({ seed: 5, nodes: 5, settings: { memberGraceMs: 600_000 } });
    for (const key of KEYS) expect(scenario.text(0, 'SET', key, 'old')).toBe('OK');
    scenario.untilEqual(20_000);
    const heal = scenario.cutOff(0);
    scenario.rest(15_000);
    const taken = KEYS.filter((key) => scenario.ask(0, 'SET', key, 'new', 'PX', '300').reply?.type === 'status');
    expect(taken.length).toBe(KEYS.length);
    scenario.rest(4_000);
    heal();
    scenario.untilReady();
    scenario.untilEqual(20_000);
    scenario.rest(2_000);
    for (let node = 0; node < 5; node++) {
      expect(KEYS.filter((key) => scenario.text(node, 'GET', key) !== 'null')).toEqual([]);
    }
  });
});
