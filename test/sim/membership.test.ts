/** Who belongs to the cluster, on whole nodes: blocked datagrams, leaving, forgetting, partitions past the grace. */
import { describe, expect, it } from 'vitest';
import { configFor } from '../../src/sim/hearsay.js';
import { drawPlan } from '../../src/sim/schedule.js';
import { detectionBoundMs } from '../../src/sim/watches/members.js';
import { Scenario } from './scenario.js';

/** Those of a run. */
const TIMINGS = configFor(drawPlan(1), {
  id: 'any',
  address: '10.0.0.1',
  clientPort: 1,
  gossipPort: 2,
  join: [],
} as never);

/** What a node says of each member, by name. */
function write(scenario: Scenario, node: number, from: number, to: number): void {
  for (let key = from; key < to; key++) scenario.send(node, 'SET', `key:${key}`, `v${key}`);
  expect(scenario.text(node, 'PING')).toBe('PONG');
}

function missing(scenario: Scenario, node: number, from: number, to: number): number[] {
  const lost: number[] = [];
  for (let key = from; key < to; key++) if (scenario.text(node, 'GET', `key:${key}`) !== `v${key}`) lost.push(key);
  return lost;
}

const untilState = (scenario: Scenario, node: number, id: string, state: string, boundMs: number) =>
  scenario.until(boundMs, () => {
    const row = scenario.members(node)[id];
    return row?.state === state ? null : `${id} is ${row?.state} at node ${node}`;
  });

describe('a node whose datagrams are blocked', () => {
  it.each([3, 5])(
    'of %i stays a member, is said to be blocked by all, and gets every write by stream at once',
    (nodes) => {
      const scenario = new Scenario({ nodes, seed: 7 });
      const heal = scenario.cutDatagrams(1);
      scenario.until(15_000, () => {
        if (scenario.fact(1, 'udp_blocked') !== '1') return 'node 1 does not know';
        const others = Array.from({ length: nodes }, (_, node) => node).filter((node) => node !== 1);
        const late = others.filter((node) => scenario.members(node)['node-1'].udp_blocked !== '1');
        return late.length === 0 ? null : `nodes ${late} do not know`;
      });
      expect(scenario.fact(0, 'udp_blocked')).toBe('0');
      const resent = Number(scenario.fact(0, 'messages_resent'));
      write(scenario, 0, 0, 100);
      // Nothing was sent in vain first and again by stream later.
      scenario.rest(200);
      expect(Number(scenario.fact(0, 'messages_resent'))).toBe(resent);
      scenario.untilEqual(3_000);
      expect(missing(scenario, 1, 0, 100)).toEqual([]);
      scenario.rest(60_000);
      for (let node = 0; node < nodes; node++) {
        expect(Object.values(scenario.members(node)).map(({ state }) => state)).toEqual(Array(nodes).fill('alive'));
      }
      heal();
      scenario.until(10_000, () => (scenario.fact(1, 'udp_blocked') === '0' ? null : 'not healed'));
    },
  );
});

describe('a node that leaves', () => {
  it.each([
    [3, 'own everything already'],
    [5, 'have to be handed what they do not own yet'],
  ])('a cluster of %i has lost nothing when the others %s, and ends by itself', (nodes) => {
    const scenario = new Scenario({ nodes, seed: 8 });
    write(scenario, 0, 0, 200);
    scenario.untilEqual(10_000);
    expect(scenario.text(1, 'HEARSAY.LEAVE')).toBe('OK');
    expect(scenario.text(1, 'HEARSAY.LEAVE')).toBe('OK');
    // It still takes commands.
    scenario.send(1, 'SET', 'key:200', 'v200');
    scenario.until(60_000, () => (scenario.cluster.nodes[1].up ? 'it has not ended' : null));
    scenario.rest(1_000);
    const rows = scenario.members(0);
    expect(rows['node-1']).toMatchObject({ state: 'left', place: 'left' });
    for (const node of [0, 2]) {
      expect(missing(scenario, node, 0, 200)).toEqual([]);
      const owned = scenario.text(node, 'HEARSAY.EXPLAIN', 'key:1');
      expect(owned).not.toContain('node-1');
    }
  });

  it('comes back as a newcomer when it is started again: it is handed what it is to own before it answers for it', () => {
    const scenario = new Scenario({ nodes: 3, seed: 9 });
    write(scenario, 0, 0, 100);
    scenario.text(1, 'HEARSAY.LEAVE');
    scenario.until(60_000, () => (scenario.cluster.nodes[1].up ? 'it has not ended' : null));
    write(scenario, 0, 100, 200);
    scenario.start(1);
    scenario.untilReady();
    expect(missing(scenario, 1, 0, 200)).toEqual([]);
    expect(scenario.members(0)['node-1'].place).toBe('in');
  });

  it('is refused when it is the last one', () => {
    const scenario = new Scenario({ nodes: 3, seed: 10 });
    for (const node of [1, 2]) scenario.kill(node);
    untilState(scenario, 0, 'node-1', 'dead', 60_000);
    untilState(scenario, 0, 'node-2', 'dead', 60_000);
    expect(() => scenario.text(0, 'HEARSAY.LEAVE')).toThrow('no other member is alive');
    expect(scenario.fact(0, 'leaving')).toBe('0');
  });

  it('keeps its place when it is only stopped', () => {
    const scenario = new Scenario({ nodes: 3, seed: 11 });
    scenario.cluster.stop(1);
    untilState(scenario, 0, 'node-1', 'left', 3_000);
    expect(scenario.members(0)['node-1'].place).toBe('in');
    scenario.start(1);
    scenario.untilReady();
    expect(scenario.members(0)['node-1']).toMatchObject({ state: 'alive', place: 'in' });
  });
});

describe('a dead member', () => {
  it.each([
    [3, 1, 0, 'kill'],
    [5, 4, 0, 'power'],
    [3, 2, 2_600, 'power'],
    [5, 3, 2_600, 'power'],
  ] as const)(
    'of %i is known to be dead in time where %i end at once and the others were paused for %i ms before, by a loss of %s',
    (nodes, dead, pausedMs, how) => {
      const scenario = new Scenario({ nodes, seed: 3 });
      const { cluster } = scenario;
      const numbers = Array.from({ length: nodes }, (_, node) => node);
      const [victims, others] = [numbers.slice(nodes - dead), numbers.slice(0, nodes - dead)];
      if (pausedMs > 0) for (const node of others) cluster.pause(node);
      scenario.rest(Math.max(0, pausedMs - 25));
      for (const node of victims) how === 'kill' ? cluster.kill(node) : cluster.cutPower(node);
      scenario.rest(25);
      for (const node of others) cluster.resume(node);
      const since = cluster.clock.nowMs;
      const boundMs = detectionBoundMs(nodes, TIMINGS, pausedMs > 0 || dead > 1);
      for (const node of others) {
        for (const victim of victims) untilState(scenario, node, `node-${victim}`, 'dead', boundMs);
      }
      expect(cluster.clock.nowMs - since).toBeLessThan(boundMs);
    },
  );

  it('is forgotten on every node, loses its place and its say, and is owed nothing any more', () => {
    const scenario = new Scenario({ nodes: 4, seed: 12 });
    scenario.kill(3);
    untilState(scenario, 0, 'node-3', 'dead', 30_000);
    write(scenario, 0, 0, 100);
    expect(Number(scenario.fact(0, 'hints_pending'))).toBeGreaterThan(0);
    expect(scenario.text(0, 'HEARSAY.FORGET', 'node-3')).toBe('OK');
    expect(scenario.text(0, 'HEARSAY.FORGET', 'node-3')).toBe('OK');
    for (const node of [0, 1, 2]) {
      scenario.until(3_000, () => {
        const row = scenario.members(node)['node-3'];
        return row.place === 'forgotten' && row.state === 'left' ? null : JSON.stringify(row);
      });
    }
    expect(scenario.fact(0, 'hints_pending')).toBe('0');
    expect(missing(scenario, 1, 0, 100)).toEqual([]);
  });

  it('that was forgotten ends by name when it comes back with what it held, and joins when it comes with nothing', () => {
    const scenario = new Scenario({ nodes: 4, seed: 13 });
    write(scenario, 0, 0, 50);
    scenario.kill(3);
    untilState(scenario, 0, 'node-3', 'dead', 30_000);
    scenario.text(0, 'HEARSAY.FORGET', 'node-3');
    scenario.rest(2_000);
    scenario.start(3);
    expect(() => scenario.rest(5_000)).toThrow('was told to forget node-3');
    scenario.rest(1_000);
    expect(scenario.cluster.nodes[3].up).toBe(false);
    scenario.start(3);
    expect(() => scenario.rest(5_000)).toThrow('was told to forget node-3');
    untilState(scenario, 0, 'node-3', 'left', 30_000);
    scenario.cluster.wipe(3);
    scenario.start(3);
    scenario.untilReady();
    expect(scenario.members(0)['node-3']).toMatchObject({ state: 'alive', place: 'in' });
    expect(missing(scenario, 3, 0, 50)).toEqual([]);
  });

  it('is not forgotten by a node that has just started, and knows it from its log alone', () => {
    const scenario = new Scenario({ nodes: 3, seed: 14 });
    scenario.kill(0);
    const heal = scenario.cutOff(0);
    scenario.start(0);
    scenario.ask(0, 'PING');
    expect(() => scenario.text(0, 'HEARSAY.FORGET', 'node-1')).toThrow('LOADING node-1 has not been met');
    heal();
    scenario.untilReady();
    expect(scenario.members(0)['node-1']).toMatchObject({ state: 'alive', place: 'in' });
    // Nobody else is there any more, and it is never met.
    for (const node of [0, 1, 2]) scenario.kill(node);
    scenario.start(0);
    scenario.rest(31_000);
    expect(scenario.text(0, 'HEARSAY.FORGET', 'node-1')).toBe('OK');
  });

  it('is not forgotten while it lives, nor under a name that nobody has, nor by itself', () => {
    const scenario = new Scenario({ nodes: 3, seed: 14 });
    expect(() => scenario.text(0, 'HEARSAY.FORGET', 'node-1')).toThrow('node-1 is alive');
    expect(() => scenario.text(0, 'HEARSAY.FORGET', 'nobody')).toThrow('no member is called nobody');
    expect(() => scenario.text(0, 'HEARSAY.FORGET', 'node-0')).toThrow('HEARSAY.LEAVE');
    expect(scenario.members(0)['node-1'].place).toBe('in');
  });
});

describe('a partition that outlasts the grace of members', () => {
  it('heals to one ring with everybody in it, and what both sides wrote', () => {
    const scenario = new Scenario({ nodes: 5, seed: 15, settings: { memberGraceMs: 5_000 } });
    const heal = scenario.cutOff(3, 4);
    scenario.until(120_000, () => (scenario.members(0)['node-4'].place === 'out' ? null : 'node-4 keeps its place'));
    scenario.until(120_000, () => (scenario.members(4)['node-0'].place === 'out' ? null : 'node-0 keeps its place'));
    write(scenario, 0, 0, 50);
    write(scenario, 4, 50, 100);
    heal();
    scenario.until(60_000, () => {
      for (let node = 0; node < 5; node++) {
        const away = Object.values(scenario.members(node)).filter(
          ({ place, state }) => place !== 'in' || state !== 'alive',
        );
        if (away.length > 0) return `node ${node}: ${JSON.stringify(away[0])}`;
      }
      return null;
    });
    scenario.untilReady();
    scenario.untilEqual(30_000);
    for (const node of [0, 4]) expect(missing(scenario, node, 0, 100)).toEqual([]);
  });
});

describe('a cluster of two', () => {
  it.each([0, 1])('goes on at level one when node %i dies, with everything', (victim) => {
    const scenario = new Scenario({ nodes: 2, seed: 16, plan: { replicas: 3 } });
    write(scenario, 0, 0, 50);
    scenario.untilEqual(10_000);
    scenario.kill(victim);
    const survivor = 1 - victim;
    untilState(scenario, survivor, `node-${victim}`, 'dead', 10_000);
    expect(missing(scenario, survivor, 0, 50)).toEqual([]);
    expect(scenario.text(survivor, 'SET', 'later', 'v')).toBe('OK');
    scenario.start(victim);
    scenario.untilReady();
    scenario.untilEqual(10_000);
    expect(scenario.text(victim, 'GET', 'later')).toBe('v');
  });
});
