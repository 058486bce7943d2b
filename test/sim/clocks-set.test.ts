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
