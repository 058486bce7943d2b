/** Clocks that are set while nodes run: all of them, as when every machine slept or a time service came back, or one alone. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const HOUR_MS = 3_600_000;
/** Both peers were asked since the last clock was set, and once more since they go by it: rounds of the probes of a run, and spare. */
const AGREED_MS = 6_000;

function untilWritable(scenario: Scenario): void {
  scenario.until(AGREED_MS, () => {
    for (let node = 0; node < scenario.nodes; node++) {
      const { reply } = scenario.ask(node, 'SET', `at-${node}`, 'after');
      if (reply?.type === 'error') return `node ${node}: ${reply.text}`;
    }
    return null;
  });
}

it.each([3, 4, 5])('writes go on soon after the clocks of all %i nodes were set ahead', (nodes) => {
  const scenario = new Scenario({ nodes, seed: 665 });
  scenario.rest(5_000);
  for (let node = 0; node < nodes; node++) {
    scenario.cluster.stepClock(node, HOUR_MS);
    scenario.rest(7);
  }
  untilWritable(scenario);
});

it('what ends by the time that was leapt over ends, once the nodes agree that it was', () => {
  const scenario = new Scenario({ nodes: 3, seed: 665 });
  scenario.rest(5_000);
  scenario.text(0, 'SET', 'short', 'value', 'EX', '600');
  for (const node of [0, 1, 2]) scenario.cluster.stepClock(node, HOUR_MS);
  untilWritable(scenario);
  expect([0, 1, 2].map((node) => scenario.text(node, 'GET', 'short'))).toEqual(['null', 'null', 'null']);
});

it('one clock that is set alone is not gone by, and its node writes nothing until it is set back', () => {
  const scenario = new Scenario({ nodes: 3, seed: 665 });
  scenario.rest(5_000);
  scenario.text(0, 'SET', 'short', 'value', 'EX', '600');
  scenario.cluster.stepClock(2, HOUR_MS);
  scenario.rest(30_000);
  expect([0, 1, 2].map((node) => scenario.text(node, 'GET', 'short'))).toEqual(['value', 'value', 'value']);
  expect([0, 1, 2].map((node) => scenario.fact(node, 'clock_drifted'))).toEqual(['0', '0', '1']);
  scenario.cluster.stepClock(2, -HOUR_MS);
  untilWritable(scenario);
});

/** A node that was off starts with its clock set by so much, and is found to be wrong. */
function startWrong(scenario: Scenario, node: number, byMs: number): void {
  scenario.kill(node);
  scenario.cluster.stepClock(node, byMs);
  scenario.start(node);
  scenario.until(AGREED_MS, () =>
    scenario.fact(node, 'clock_drifted') === '1' ? null : 'its clock is not found wrong',
  );
}

it.each([
  [3, 1, -HOUR_MS],
  [3, 1, HOUR_MS],
  [5, 2, -HOUR_MS],
  [5, 2, HOUR_MS],
])('of %i nodes %i start with their clocks wrong by %i ms, and the others write on', (nodes, wrong, byMs) => {
  const scenario = new Scenario({ nodes, seed: 665 });
  scenario.rest(5_000);
  for (let node = 0; node < wrong; node++) startWrong(scenario, node, byMs);
  const until = scenario.cluster.clock.nowMs + AGREED_MS;
  for (let write = 0; scenario.cluster.clock.nowMs < until; write++) {
    for (let node = wrong; node < nodes; node++) {
      expect(scenario.fact(node, 'clock_drifted')).toBe('0');
      expect(scenario.text(node, 'SET', `at-${node}`, `${write}`)).toBe('OK');
    }
    scenario.rest(500);
  }
});

it('a node whose clock is ahead forgets what the others have forgotten, when a start of whom was silent has ended meanwhile', () => {
  const scenario = new Scenario({ nodes: 3, seed: 665, settings: { floorMarginMs: 1_000 }, plan: { partitions: 1 } });
  scenario.rest(5_000);
  startWrong(scenario, 2, 3_000);
  scenario.untilReady();
  scenario.text(0, 'SET', 'deleted', 'value');
  scenario.text(0, 'DEL', 'deleted');
  scenario.text(1, 'SET', 'kept', 'value');
  scenario.kill(1);
  // So long that floors pass the delete and the end of that start at once.
  scenario.rest(30_000);
  const held = (): string => [0, 2].map((node) => scenario.fact(node, 'tombstones')).join(' ');
  expect(held()).toBe('1 1');
  scenario.start(1);
  scenario.untilReady();
  scenario.rest(20_000);
  expect(scenario.fact(2, 'clock_drifted')).toBe('1');
  expect(held()).toBe('0 0');
  scenario.untilEqual(0);
});
