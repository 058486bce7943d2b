/** Two owners that do not reach each other, and a third that both reach: what one writes comes to the other by way of the third. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = Array.from({ length: 40 }, (_, key) => `key:${key}`);

it('an owner has what was written beyond a cut link from one who has it, though the writer lives', () => {
  const scenario = new Scenario({ seed: 3 });
  scenario.rest(3_000);
  scenario.cut(0, 1);
  scenario.rest(1_000);
  for (const key of KEYS) scenario.text(0, 'SET', key, 'v');
  scenario.until(30_000, () => {
    const lacking = KEYS.filter((key) => scenario.text(1, 'GET', key) !== 'v');
    return lacking.length === 0 ? null : `${lacking.length} keys are not there`;
  });
  expect([scenario.fact(0, 'members_alive'), scenario.fact(1, 'members_alive')]).toEqual(['3', '3']);
});
