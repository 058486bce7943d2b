/** What was forgotten on purpose, deleted or expired, does not come back from a log or a member that knew it before. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = Array.from({ length: 40 }, (_, key) => `key:${key}`);
/** Longer than floors lag behind what was deleted. */
const FORGET_MS = 20_000;

function standing(scenario: Scenario, nodes: readonly number[]): string[] {
  return nodes.flatMap((node) =>
    KEYS.filter((key) => scenario.text(node, 'GET', key) !== 'null').map((key) => `${key} at node ${node}`),
  );
}

describe('a partition that was given away and came back', () => {
  it('is not filled again by the log of its first time here: what was deleted since stays deleted', () => {
    const scenario = new Scenario({ nodes: 4, started: 3, seed: 51, plan: { replicas: 2 } });
    for (const key of KEYS) expect(scenario.text(0, 'SET', key, 'v')).toBe('OK');
    scenario.untilEqual(20_000);
    scenario.start(3);
    scenario.untilReady();
    scenario.until(30_000, () => {
      const handing = [0, 1, 2].filter((node) => scenario.fact(node, 'partitions_to_hand_over') !== '0');
      return handing.length === 0 ? null : `nodes ${handing} hand over`;
    });
    for (const key of KEYS) expect(scenario.text(0, 'DEL', key)).toBe('1');
    scenario.rest(FORGET_MS);
    for (let node = 0; node < 4; node++) expect(scenario.fact(node, 'tombstones')).toBe('0');
    scenario.text(3, 'HEARSAY.LEAVE');
    scenario.until(60_000, () => (scenario.cluster.nodes[3].up ? 'it has not left' : null));
    scenario.untilReady();
    scenario.rest(2_000);
    for (let node = 0; node < 3; node++) scenario.kill(node);
    for (let node = 0; node < 3; node++) scenario.start(node);
    scenario.untilReady();
    scenario.rest(2_000);
    expect(standing(scenario, [0, 1, 2])).toEqual([]);
  });
});

describe('a value that was told later when to expire', () => {
  it('stays gone when somebody is back who was not told, though the value itself is older than all that was forgotten', () => {
    const scenario = new Scenario({ nodes: 3, seed: 52 });
    for (const key of KEYS) expect(scenario.text(0, 'SET', key, 'v')).toBe('OK');
    for (const key of KEYS) scenario.text(0, 'SET', `{${key}}:later`, 'v');
    for (const key of KEYS) scenario.text(0, 'DEL', `{${key}}:later`);
    scenario.rest(FORGET_MS);
    for (let node = 0; node < 3; node++) expect(scenario.fact(node, 'tombstones')).toBe('0');
    scenario.kill(0);
    for (const key of KEYS) expect(scenario.text(1, 'PEXPIRE', key, '300')).toBe('1');
    scenario.rest(8_000);
    expect(standing(scenario, [1, 2])).toEqual([]);
    scenario.start(0);
    scenario.untilReady();
    scenario.untilEqual(20_000);
    scenario.rest(4_000);
    expect(standing(scenario, [0, 1, 2])).toEqual([]);
  });
});

describe('a value that has expired, and that a member may have missed', () => {
  it('is kept by a node that came empty, as by the others, though it knew of nobody when it started', () => {
    const scenario = new Scenario({ nodes: 3, seed: 53 });
    for (const key of KEYS) expect(scenario.text(0, 'SET', key, 'old')).toBe('OK');
    scenario.untilEqual(20_000);
    scenario.kill(0);
    for (const key of KEYS) expect(scenario.text(1, 'SET', key, 'new', 'PX', '300')).toBe('OK');
    scenario.rest(5_000);
    scenario.cluster.wipe(2);
    scenario.start(2);
    scenario.until(20_000, () => {
      const has = Number(scenario.fact(2, 'members_alive')) === 2 && scenario.fact(2, 'partitions_catching_up') === '0';
      return has ? null : 'it is not ready';
    });
    expect(scenario.fact(1, 'expired_kept')).toBe(String(KEYS.length));
    expect(scenario.fact(2, 'expired_kept')).toBe(String(KEYS.length));
    scenario.start(0);
    scenario.untilReady();
    scenario.untilEqual(20_000);
    scenario.rest(2_000);
    expect(standing(scenario, [0, 1, 2])).toEqual([]);
  });
});
