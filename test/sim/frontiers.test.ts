/** Nodes that were apart, lost what they had, or came and went: they agree again by what they have seen, never by comparing leaf by leaf. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = 150;
const CONVERGE_MS = 10_000;
/** Hardly a hint is kept, so that repair has to find what was missed. */
const NO_HINTS = { hintBytesPerPeerMax: 64, hintBytesMax: 64 };

function write(scenario: Scenario, node: number, prefix: string, count = KEYS): void {
  for (let each = 0; each < count; each++) scenario.text(node, 'SET', `${prefix}${each}`, `${prefix}-${node}-${each}`);
}

function sumOf(scenario: Scenario, fact: string, nodes = scenario.nodes): number {
  let sum = 0;
  for (let node = 0; node < nodes; node++) sum += Number(scenario.fact(node, fact));
  return sum;
}

function expectNoLeaves(scenario: Scenario): void {
  expect(sumOf(scenario, 'repair_leaves_compared')).toBe(0);
  expect(sumOf(scenario, 'repair_records_wanted') + sumOf(scenario, 'repair_records_pushed')).toBe(0);
}

it('two sides of a partition that both wrote agree within ten seconds of its end, by vectors alone', () => {
  const scenario = new Scenario({ seed: 3, settings: NO_HINTS });
  write(scenario, 0, 'both');
  const heal = scenario.cutOff(2);
  scenario.rest(3_000);
  write(scenario, 0, 'left');
  write(scenario, 2, 'right');
  write(scenario, 2, 'both', 40);
  heal();
  scenario.untilReady();
  scenario.untilEqual(CONVERGE_MS);
  expect(scenario.text(1, 'GET', 'right7')).toBe('right-2-7');
  expect(scenario.text(2, 'GET', 'left7')).toBe('left-0-7');
  expect(scenario.text(0, 'GET', 'both7')).toBe('both-2-7');
  expect(sumOf(scenario, 'catch_up_records')).toBeGreaterThan(KEYS);
  expectNoLeaves(scenario);
});

it('a node that was away while others wrote is complete soon after its return, and is sent little more than it missed', () => {
  const scenario = new Scenario({ seed: 4, settings: NO_HINTS });
  write(scenario, 0, 'old', 400);
  scenario.rest(2_000);
  scenario.kill(1);
  scenario.rest(3_000);
  write(scenario, 0, 'missed');
  scenario.start(1);
  scenario.untilReady();
  scenario.untilEqual(CONVERGE_MS);
  expect(Number(scenario.fact(1, 'catch_up_records'))).toBeGreaterThan(KEYS / 2);
  expect(Number(scenario.fact(1, 'catch_up_records'))).toBeLessThan(3 * KEYS);
  expectNoLeaves(scenario);
});

it('a node whose disk was wiped is filled again by pulls', () => {
  const scenario = new Scenario({ seed: 5 });
  write(scenario, 0, 'key', 300);
  scenario.rest(1_000);
  scenario.cluster.wipe(2);
  scenario.rest(500);
  scenario.start(2);
  scenario.untilReady();
  scenario.untilEqual(CONVERGE_MS);
  expect(Number(scenario.fact(2, 'keys'))).toBe(300);
  expectNoLeaves(scenario);
});

it('a node that lost the unsynced end of its log with the power gets it back from those who saw it', () => {
  const scenario = new Scenario({ seed: 6 });
  write(scenario, 1, 'safe', 50);
  scenario.rest(1_000);
  write(scenario, 1, 'tail', 50);
  scenario.cluster.cutPower(1);
  scenario.rest(500);
  scenario.start(1);
  scenario.untilReady();
  scenario.untilEqual(CONVERGE_MS);
  expect(scenario.text(1, 'GET', 'tail40')).toBe('tail-1-40');
  expectNoLeaves(scenario);
});

it('restarts leave nothing behind: what is remembered of ended starts goes with the floors', () => {
  const scenario = new Scenario({ seed: 7, settings: { floorMarginMs: 200 } });
  const restarts = 20;
  for (let restart = 0; restart < restarts; restart++) {
    for (let each = 0; each < 20; each++) scenario.text(2, 'SET', `k${each}`, `v${restart}`);
    scenario.kill(2);
    scenario.rest(100);
    scenario.start(2);
    scenario.untilReady();
  }
  scenario.untilEqual(CONVERGE_MS);
  scenario.until(60_000, () => {
    const actors = sumOf(scenario, 'frontier_actors') / scenario.nodes / 16;
    return actors < 8 ? null : `${actors} actors a partition`;
  });
  expectNoLeaves(scenario);
});

it('a node that joins after all others were restarted is given what they wrote before, though nobody remembers those starts any more', () => {
  for (const replicas of [1, 2]) {
    const scenario = new Scenario({ seed: 8, nodes: replicas + 2, started: replicas + 1, plan: { replicas } });
    write(scenario, 0, 'old', 200);
    scenario.rest(2_000);
    for (let node = 0; node <= replicas; node++) {
      scenario.kill(node);
      scenario.start(node);
      scenario.untilReady();
    }
    scenario.until(60_000, () => (sumOf(scenario, 'frontier_actors', replicas + 1) === 0 ? null : 'remembered still'));
    scenario.start(replicas + 1);
    scenario.untilReady();
    scenario.rest(5_000);
    for (let node = 0; node < scenario.nodes; node++) {
      const lost = Array.from({ length: 200 }, (_, each) => each).filter(
        (each) => scenario.text(node, 'GET', `old${each}`) !== `old-0-${each}`,
      );
      expect([replicas, node, lost]).toEqual([replicas, node, []]);
    }
    expect(Number(scenario.fact(replicas + 1, 'keys'))).toBeGreaterThan(20);
  }
});

it('what a node wrote alone before it died is had by the others soon after its return, though it lay still meanwhile', () => {
  for (let seed = 30; seed < 36; seed++) {
    const scenario = new Scenario({ seed, nodes: 3, settings: NO_HINTS });
    write(scenario, 0, 'old', 60);
    scenario.rest(3_000);
    const heal = scenario.cutOff(2);
    write(scenario, 2, 'alone', 60);
    scenario.kill(2);
    heal();
    scenario.rest(60_000);
    scenario.start(2);
    scenario.untilReady();
    scenario.untilEqual(CONVERGE_MS);
    expectNoLeaves(scenario);
    scenario.kill(2);
    scenario.rest(3_000);
    const had = Array.from({ length: 60 }, (_, each) => scenario.text(0, 'GET', `alone${each}`));
    expect([seed, had.filter((value) => value === 'null').length]).toEqual([seed, 0]);
  }
});

it('a node that left and comes back is ready though the others have forgotten a start whose writes it meets, and have forgotten deletes', () => {
  const scenario = new Scenario({ seed: 9, settings: { floorMarginMs: 2_000, maxClockDriftMs: 500 } });
  write(scenario, 1, 'kept', 100);
  for (let each = 0; each < 100; each++) scenario.text(each % 3, 'SET', `brief${each}`, 'v', 'PX', '1500');
  scenario.rest(1_000);
  const load = (rounds: number): void => {
    for (let each = 0; each < rounds; each++) scenario.ask(each % 3, 'SET', `live${each % 90}`, `v${each}`);
  };
  load(200);
  scenario.kill(1);
  load(100);
  scenario.rest(3_000);
  scenario.start(1);
  scenario.untilReady();
  expect(scenario.text(2, 'HEARSAY.LEAVE')).toBe('OK');
  scenario.until(60_000, () => (scenario.cluster.nodes[2].up ? 'node 2 is there still' : null));
  scenario.rest(18_000);
  scenario.start(2);
  scenario.untilReady();
  expect(scenario.text(2, 'GET', 'kept7')).toBe('kept-1-7');
});
