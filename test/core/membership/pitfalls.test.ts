/** The table of pitfalls of membership has every row, and each names a test that exists. */
import { describe, expect, it } from 'vitest';
import { lostRows, readPitfalls } from '../pitfalls.js';

const { rows, lines } = readPitfalls(new URL('PITFALLS.md', import.meta.url));
const count = (letter: string, most: number) => Array.from({ length: most }, (_, at) => `${letter}${at + 1}`);
const NUMBERS = [...count('A', 6), ...count('B', 20)];

describe('the table of pitfalls of membership', () => {
  it('has every number, and each line of it is read', () => {
    expect(rows).toHaveLength(lines);
    expect([...new Set(rows.map(({ number }) => number))]).toEqual(NUMBERS);
  });

  it('names tests that exist', () => {
    expect(lostRows(rows)).toEqual([]);
  });

  it('would see a name that does not', () => {
    const file = 'core/membership/pitfalls.test.ts';
    const there = { number: '1', file, name: 'would see a name that does not' };
    const renamed = { number: '1', file, name: 'names a test that was renamed' };
    expect(lostRows([there, renamed, { ...there, file: 'nowhere.test.ts' }])).toEqual([
      renamed,
      { ...there, file: 'nowhere.test.ts' },
    ]);
  });
});
