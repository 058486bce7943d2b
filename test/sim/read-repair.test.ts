/** An owner that lost records, and does not know it, is repaired by reads that ask it, in the background, long before anything else would. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = 40;
/** No round of anti-entropy comes by: only reads repair. */
const READS_ALONE = { antiEntropyIntervalMs: 600_000 };

function repaired(scenario: Scenario): number {
  return Number(scenario.fact(0, 'reads_repaired'));
}

function read(scenario: Scenario, node: number, keys: readonly string[]): string[] {
  return keys.map((key) => scenario.text(node, 'GET', key));
}

/** Three nodes; node 2 has lost all keys. */
function withStaleOwner(): { scenario: Scenario; keys: string[]; all: string[] } {
  const scenario = new Scenario({ seed: 21, settings: READS_ALONE });
  const keys = Array.from({ length: KEYS }, (_, at) => `key-${at}`);
  for (const key of keys) scenario.text(0, 'SET', key, 'v');
  expect(scenario.text(0, 'WAIT', '2', '1000')).toBe('2');
  for (const key of keys) scenario.text(2, 'HEARSAY.FAULT', 'LOSE', key);
  expect(read(scenario, 2, keys)).toEqual(keys.map(() => 'null'));
  return { scenario, keys, all: keys.map(() => 'v') };
}

it('a read at quorum answers with the newest, and the owner that it found behind has that soon after', () => {
  const { scenario, keys } = withStaleOwner();
  // The third owner stands still, so that the stale one makes the quorum.
  scenario.cluster.pause(1);
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM');
  expect(scenario.text(0, 'GET', keys[0])).toBe('v');
  expect(repaired(scenario)).toBe(1);
  scenario.rest(50);
  expect(scenario.text(2, 'GET', keys[0])).toBe('v');
  scenario.cluster.resume(1);
  // What nobody has read is as it was.
  expect(scenario.text(2, 'GET', keys[1])).toBe('null');
});

it('each stale record is sent once, however often it is read, and all are repaired when all have been read', () => {
  const { scenario, keys, all } = withStaleOwner();
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ALL');
  for (let round = 0; round < 3; round++) {
    expect(read(scenario, 0, keys)).toEqual(all);
    scenario.rest(50);
  }
  expect(repaired(scenario)).toBe(KEYS);
  expect(read(scenario, 2, keys)).toEqual(all);
});

it('a repair goes over the link that writes go over: one that does not acknowledge holds no more than that takes', () => {
  const { scenario, keys, all } = withStaleOwner();
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ALL');
  const heal = scenario.cutDatagrams(2);
  expect(read(scenario, 0, keys)).toEqual(all);
  scenario.until(5_000, () => (read(scenario, 2, keys).includes('null') ? 'not all are repaired' : null));
  expect(scenario.fact(0, 'messages_unacknowledged')).toBe('0');
  heal();
});

it('the stale owner itself answers a read at quorum with the newest, and keeps it', () => {
  const { scenario, keys } = withStaleOwner();
  scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM');
  expect(scenario.text(2, 'GET', keys[0])).toBe('v');
  scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'ONE');
  expect(scenario.text(2, 'GET', keys[0])).toBe('v');
});
