/** What many runs came to, and what a campaign must not lose of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { blockDone, newState, readState, seedsOf, writeState } from '../../src/cli/campaign-state.js';
import { MUST_HAPPEN, marksMissed, newTally } from '../../src/sim/tally.js';

it('a mark that never came up is missed, and no other', () => {
  const tally = newTally();
  for (const mark of MUST_HAPPEN) tally.marks[mark] = 1;
  expect(marksMissed(tally)).toEqual([]);
  delete tally.marks.wipe;
  tally.marks.kill = 0;
  expect(marksMissed(tally)).toEqual(['kill', 'wipe']);
});

it('blocks that end out of order are done once, and the lowest that is not done is known', () => {
  const state = newState('build', 100);
  const one = { ...newTally(), seeds: 20, events: 7, marks: { kill: 2 } };
  blockDone(state, 2, one);
  blockDone(state, 0, one);
  expect(state).toMatchObject({ floor: 1, done: [2] });
  blockDone(state, 1, one);
  expect(state).toMatchObject({ floor: 3, done: [], tally: { seeds: 60, events: 21, marks: { kill: 6 } } });
  expect(seedsOf(state.floor)).toEqual([61, 80]);
});

it('what was written is read again; no file is no campaign; another file is refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-state-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'state.json');
  expect(readState(file)).toBeNull();
  const state = newState('build', 40);
  blockDone(state, 0, { ...newTally(), failures: [{ seed: 3, violations: ['lost: k'] }] });
  writeState(file, state);
  expect(readState(file)).toEqual(state);
  for (const text of ['', '[]', 'null', '{"build":1}']) {
    writeFileSync(file, text);
    expect(() => readState(file)).toThrow(/is not the state of a campaign/);
  }
});
