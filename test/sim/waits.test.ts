/** WAIT and WAITAOF: every one is answered, and nobody is counted that does not have what was written. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

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
