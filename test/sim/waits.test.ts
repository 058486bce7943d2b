/** WAIT and WAITAOF: every one is answered, and nobody is counted that does not have what was written. */
import { describe, expect, it } from 'vitest';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

/** A key that the node does not own. */
function foreignKey(scenario: Scenario, node: number): string {
  for (let number = 0; number < 200; number++) {
    const owners = scenario.text(node, 'HEARSAY.EXPLAIN', `key-${number}`).split('owners')[1];
    if (!owners.includes(`node node-${node} role owner`)) return `key-${number}`;
  }
  throw new Error('no such key');
}

describe('a WAIT without a timeout', () => {
  it('is answered with 0 when the node that coordinated the write can not be asked, because too much waits for others', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5, settings: { pendingMax: 4 } });
    const key = foreignKey(scenario, 0);
    scenario.text(0, 'SET', key, '1');
    for (const node of [1, 2, 3, 4]) scenario.cluster.pause(node);
    const other = scenario.connect(0);
    for (let at = 0; at < 4; at++) scenario.send(other, 'SET', key, `${at}`);
    scenario.rest(20);
    const wait = scenario.send(0, 'WAIT', '2', '0');
    scenario.rest(50);
    for (const node of [1, 2, 3, 4]) scenario.cluster.resume(node);
    expect(scenario.outcome(wait).reply).toMatchObject({ type: 'integer', value: 0 });
  });
});

describe('WAIT', () => {
  const keys = Array.from({ length: 60 }, (_, at) => `k${at}`);

  /** Writes at node 0 while node 2 gets nothing, until that is given up; then asks until WAIT counts both others. */
  function behindACut(write: (scenario: Scenario) => void, settings: { hintBytesPerPeerMax?: number } = {}): Scenario {
    const scenario = new Scenario({ seed: 31, settings: { suspicionFloorMs: 60_000, ...settings } });
    scenario.text(0, 'MSET', ...keys.flatMap((key) => [key, 'old']));
    expect(scenario.text(0, 'WAIT', '2', '1000')).toBe('2');
    const heal = scenario.cutOff(2);
    write(scenario);
    scenario.rest(4_000);
    expect(scenario.text(0, 'WAIT', '2', '1')).toBe('1');
    heal();
    for (let asked = 0; scenario.text(0, 'WAIT', '2', '5') !== '2'; asked++) expect(asked).toBeLessThan(5_000);
    return scenario;
  }

  it('does not count a peer for whose hints there was no room, until a comparison has found that it lacks nothing', () => {
    const scenario = behindACut((on) => on.text(0, 'MSET', ...keys.flatMap((key) => [key, 'new'])), {
      hintBytesPerPeerMax: 256,
    });
    expect(Number(scenario.fact(0, 'hints_dropped'))).toBeGreaterThan(0);
    expect(keys.filter((key) => scenario.text(2, 'GET', key) !== 'new')).toEqual([]);
  });

  it('does not count a peer that has missed a flush, until it has said that it knows of it', () => {
    const scenario = behindACut((on) => on.text(0, 'FLUSHALL'));
    expect(keys.filter((key) => scenario.text(2, 'GET', key) !== 'null')).toEqual([]);
  });

  it('does not count a node that has come to own what was written before, until it has caught up', () => {
    const network = { ...CALM_NETWORK, lagMinMs: 20, lagMeanMs: 40 };
    const scenario = new Scenario({ seed: 33, nodes: 6, started: 3, plan: { network } });
    scenario.text(0, 'MSET', ...keys.flatMap((key) => [key, 'v']));
    scenario.until(10_000, () => (scenario.text(scenario.connect(0), 'WAIT', '2', '1') === '2' ? null : 'not there'));
    for (const joiner of [3, 4, 5]) scenario.start(joiner);
    scenario.until(20_000, () => (scenario.fact(0, 'ring_members') === '6' ? null : 'they have not joined'));
    for (let asked = 0; scenario.text(0, 'WAIT', '2', '5') !== '2'; asked++) expect(asked).toBeLessThan(5_000);
    const asked = keys.map((key) => scenario.send(0, 'HEARSAY.EXPLAIN', key));
    const lacking = keys.filter((_, at) => {
      const { reply } = scenario.outcome(asked[at]);
      const owners = reply === null ? '' : textOf(reply);
      return [...owners.matchAll(/node node-[1-5] role owner state \w+ holds value/g)].length < 2;
    });
    expect(lacking).toEqual([]);
  });
});

describe('a connection that has written nothing', () => {
  it('is told by WAIT and WAITAOF how many peers there are, also after one has begun anew', () => {
    const scenario = new Scenario({ seed: 31 });
    expect(scenario.text(scenario.connect(0), 'WAIT', '2', '500')).toBe('2');
    expect(scenario.text(scenario.connect(0), 'WAITAOF', '1', '2', '1500')).toBe('[1 2]');
    scenario.kill(2);
    scenario.rest(500);
    scenario.start(2);
    scenario.untilReady();
    expect(scenario.text(scenario.connect(0), 'WAITAOF', '1', '2', '1500')).toBe('[1 2]');
  });
});

describe('a client that has gone while it waited without a timeout', () => {
  it('leaves nothing behind: neither the way to the coordinator is busy, nor does that keep its question', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5, settings: { pendingPerPeerMax: 16 } });
    const key = foreignKey(scenario, 0);
    for (let client = 0; client < 20; client++) {
      const connection = scenario.connect(0);
      scenario.ask(connection, 'SET', key, '1');
      scenario.send(connection, 'WAIT', '4', '0');
    }
    scenario.rest(3_000);
    expect(scenario.text(0, 'SET', key, '2')).toBe('OK');
    expect(scenario.fact(0, 'waits_abandoned')).toBe('16');
    expect(scenario.fact(0, 'commands_forwarding')).toBe('0');
    scenario.rest(10_000);
    expect([0, 1, 2, 3, 4].map((node) => scenario.fact(node, 'waiters'))).toEqual(['0', '0', '0', '0', '0']);
  });
});
