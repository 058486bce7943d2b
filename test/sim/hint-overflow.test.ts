/** Hints that do not fit cost no write and no record: what was dropped is repair work, and the repair finishes. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const WRITES = 300;
/** Room for about three keys. */
const FEW_HINTS = { hintBytesPerPeerMax: 256, hintBytesMax: 256 };

it('an owner is away for more writes than hints may wait: none is refused, and it has all of them after its return', () => {
  const scenario = new Scenario({ seed: 31, settings: FEW_HINTS });
  const heal = scenario.cutOff(2);
  const sent = Array.from({ length: WRITES }, (_, at) => scenario.send(at % 2, 'SET', `k${at}`, `v${at}`));
  for (const each of sent) expect(scenario.outcome(each).reply).toMatchObject({ type: 'status', text: 'OK' });
  scenario.rest(4_000);
  const facts = (name: string): number => Number(scenario.fact(0, name)) + Number(scenario.fact(1, name));
  expect(facts('hints_dropped')).toBeGreaterThan(WRITES / 2);
  expect(facts('hints_bytes')).toBeLessThanOrEqual(2 * FEW_HINTS.hintBytesMax);
  expect(facts('partitions_owing_repair')).toBeGreaterThan(0);
  heal();
  scenario.untilEqual(30_000);
  scenario.until(10_000, () => (facts('partitions_owing_repair') === 0 ? null : 'a repair is owed'));
  for (let at = 0; at < WRITES; at++) expect(scenario.text(2, 'GET', `k${at}`)).toBe(`v${at}`);
  expect(facts('hints_pending')).toBe(0);
});
