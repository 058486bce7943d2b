/** Values that merge, as the commands for any key meet them: in lists over owners, by type, in snapshots, under sessions. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Reply } from '../../../src/sim/replies.js';
import { Scenario, textOf } from '../../sim/scenario.js';

const NODES = 5;
let scenario: Scenario;

function text(node: number, ...words: string[]): string {
  const { reply } = scenario.ask(node, ...words);
  if (reply === null) throw new Error(`no reply to ${words.join(' ')}`);
  return textOf(reply);
}

/** All keys of a type, by SCAN until its cursor is 0 again. */
function scanned(node: number, type: string): string[] {
  const keys: string[] = [];
  for (let cursor = '0'; ; ) {
    const { reply } = scenario.ask(node, 'SCAN', cursor, 'COUNT', '1000', 'TYPE', type);
    if (reply?.type !== 'array') throw new Error('no page');
    const [next, page] = reply.items;
    if (page.type === 'array') keys.push(...page.items.map(textOf));
    cursor = textOf(next);
    if (cursor === '0') return keys.sort();
  }
}

beforeAll(() => {
  scenario = new Scenario({ nodes: NODES });
  for (let index = 0; index < 6; index++) {
    text(index % NODES, 'SET', `text${index}`, `value ${index}`);
    text(index % NODES, 'INCR', `count${index}`);
    text(index % NODES, 'PFADD', `sketch${index}`, 'a', 'b');
    text(index % NODES, 'CPUT', `beside${index}`, '', 'one');
    text(index % NODES, 'CPUT', `beside${index}`, '', 'two');
  }
  scenario.rest(500);
});

describe('values that merge', () => {
  it('of another type count as nothing in MGET, wherever their keys live, and spoil no others', () => {
    const keys = [0, 1, 2, 3, 4, 5].flatMap((index) => [`text${index}`, `sketch${index}`, `count${index}`]);
    const expected = `[${[0, 1, 2, 3, 4, 5].map((index) => `value ${index} null 1`).join(' ')}]`;
    for (let node = 0; node < NODES; node++) expect(text(node, 'MGET', ...keys)).toBe(expected);
  });

  it('are found by SCAN under the name that TYPE gives them', () => {
    const named = (name: string): string[] => [0, 1, 2, 3, 4, 5].map((index) => `${name}${index}`);
    // Each node gives the keys that it answers for.
    const all = (type: string): string[] => [0, 1, 2, 3, 4].flatMap((node) => scanned(node, type)).sort();
    expect(all('siblings')).toEqual(named('beside'));
    expect(all('HyperLogLog')).toEqual(named('sketch'));
    expect(all('string')).toEqual([...named('count'), ...named('text')]);
    expect(all('list')).toEqual([]);
  });

  it('show in a snapshot each sibling for itself', () => {
    const entries: Reply[] = [];
    for (let node = 0; node < NODES; node++) {
      const id = text(node, 'HEARSAY.SNAPSHOT', 'OPEN');
      const { reply } = scenario.ask(
        node,
        'HEARSAY.SNAPSHOT',
        'SCAN',
        id,
        '0',
        'COUNT',
        '9999',
        'MATCH',
        'beside*',
        'VALUES',
      );
      if (reply?.type === 'array' && reply.items[1].type === 'array') entries.push(...reply.items[1].items);
    }
    const shown = entries.map((entry) => (entry.type === 'array' ? entry.items : []));
    expect(new Set(shown.map((items) => textOf(items[0]))).size).toBe(6);
    for (const items of shown) expect([textOf(items[1]), textOf(items[4])]).toEqual(['[two one]', 'siblings']);
  });
});

describe('a session that has read what a merge made', () => {
  it('is not answered by a node that lacks one of the writes in it', () => {
    scenario = new Scenario({ nodes: 3 });
    const heal = scenario.cutOff(2);
    scenario.rest(15_000);
    expect([text(0, 'INCR', 'n'), text(2, 'INCRBY', 'n', '10')]).toEqual(['1', '10']);
    heal();
    scenario.until(10_000, () => (text(0, 'GET', 'n') === '11' ? null : 'not merged'));
    const healAgain = scenario.cutOff(1);
    scenario.rest(15_000);
    text(0, 'HEARSAY.SESSION', 'ON');
    const before = Number(text(0, 'INCR', 'n'));
    expect([before, text(0, 'GET', 'n')]).toEqual([12, '12']);
    const token = text(0, 'HEARSAY.SESSION', 'END');
    healAgain();
    text(1, 'HEARSAY.SESSION', 'RESUME', token);
    const after = text(1, 'GET', 'n');
    expect(after.startsWith('SESSION') || Number(after) >= before, after).toBe(true);
  });
});
