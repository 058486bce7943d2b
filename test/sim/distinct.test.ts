/** The estimate of distinct keys is one for the whole cluster: over partitions, restarts and resets. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

/** Of the simulator's 256 registers: three standard errors. */
const ERROR = 3 * (1.04 / Math.sqrt(256));
/** Every node has told every other a few times by then. */
const AGREE_BOUND_MS = 120_000;

function write(scenario: Scenario, node: number, from: number, to: number): void {
  for (let key = from; key < to; key++) scenario.send(node, 'SET', `key:${key}`, 'v');
  scenario.ask(node, 'PING');
}

function untilAll(scenario: Scenario, count: number): void {
  scenario.until(AGREE_BOUND_MS, () => {
    const seen = Array.from({ length: scenario.nodes }, (_, node) => Number(scenario.text(node, 'HEARSAY.DISTINCT')));
    const good = seen.every((one) => one === seen[0]) && Math.abs(seen[0] - count) <= count * ERROR;
    return good ? null : `${seen.join(', ')} for ${count}`;
  });
}

describe('the estimate of distinct keys', () => {
  it('comes to agree on all nodes after a partition with writes on both sides, some of them to the same keys', () => {
    const scenario = new Scenario();
    const heal = scenario.cutOff(2);
    scenario.rest(100);
    write(scenario, 0, 0, 400);
    write(scenario, 2, 200, 600);
    heal();
    untilAll(scenario, 600);
  });

  it('survives that all nodes are killed', () => {
    const scenario = new Scenario();
    write(scenario, 0, 0, 400);
    for (let key = 0; key < 400; key++) scenario.send(1, 'DEL', `key:${key}`);
    scenario.ask(1, 'PING');
    untilAll(scenario, 400);
    for (let node = 0; node < 3; node++) scenario.kill(node);
    scenario.rest(100);
    for (let node = 0; node < 3; node++) scenario.start(node);
    scenario.untilReady();
    untilAll(scenario, 400);
  });

  it('counts from nothing after a reset, on a node too that did not hear of it and was written to since', () => {
    const scenario = new Scenario();
    write(scenario, 0, 0, 300);
    untilAll(scenario, 300);
    const heal = scenario.cutOff(2);
    scenario.rest(100);
    expect(scenario.text(0, 'HEARSAY.DISTINCT', 'RESET')).toBe('OK');
    expect(scenario.text(0, 'HEARSAY.DISTINCT')).toBe('0');
    scenario.rest(100);
    write(scenario, 0, 100, 200);
    write(scenario, 2, 200, 300);
    heal();
    untilAll(scenario, 200);
    for (let node = 0; node < 3; node++) scenario.kill(node);
    scenario.rest(100);
    for (let node = 0; node < 3; node++) scenario.start(node);
    scenario.untilReady();
    untilAll(scenario, 200);
  });
});
