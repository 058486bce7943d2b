/** Hints that the log has no room for stand in memory, and are logged as soon as it has: a kill after that forgets none. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const WRITES = 60;

it('a node owes after a kill what it came to owe while its disk was full', () => {
  const scenario = new Scenario({ seed: 910 });
  const { disk } = scenario.cluster.nodes[0];
  if (disk === null) throw new Error('a node that runs has a disk');
  scenario.cutOff(2);
  for (let at = 0; at < WRITES; at++) scenario.text(0, 'SET', `k${at}`, `v${at}`);
  disk.options.capacityBytes = disk.bytesUsed;
  // Nothing is acknowledged by the third, so that hints are made of it, though each of them takes room in the log.
  let refused = 0;
  scenario.until(20_000, () => {
    for (let more = 0; more < 20; more++) {
      refused += scenario.ask(0, 'SET', 'filler', 'x'.repeat(1_000)).reply?.type === 'error' ? 1 : 0;
    }
    return Number(scenario.fact(0, 'hints_pending')) >= WRITES ? null : 'the writes are no hints yet';
  });
  expect(refused).toBeGreaterThan(0);
  expect(Number(scenario.fact(0, 'hints_unlogged'))).toBeGreaterThan(0);
  disk.options.capacityBytes = Number.POSITIVE_INFINITY;
  scenario.until(20_000, () => (scenario.fact(0, 'hints_unlogged') === '0' ? null : 'hints are not in the log'));
  const owed = Number(scenario.fact(0, 'hints_pending'));
  scenario.kill(0);
  scenario.start(0);
  scenario.rest(1_000);
  expect(Number(scenario.fact(0, 'hints_pending'))).toBe(owed);
  expect(owed).toBeGreaterThanOrEqual(WRITES);
});
