/** The garbage of the chaos scenario of that name: drawn from a seed, of every shape, within its bounds. */
import { expect, test } from 'vitest';
import { Draws } from '../../../cluster/chaos/draws.js';
import { command, datagram } from '../../../cluster/chaos/garbage.js';

const REAL = Buffer.from('a datagram as nodes send them, with some length to it');

test('is decided by the seed', () => {
  const thrown = (seed: number): string => {
    const draws = new Draws(seed);
    return Array.from(
      { length: 50 },
      () => datagram(draws, [REAL]).toString('hex') + command(draws).toString('hex'),
    ).join();
  };
  expect(thrown(1)).toBe(thrown(1));
  expect(thrown(1)).not.toBe(thrown(2));
});

test('has real datagrams whole, cut, lengthened and changed, and random ones', () => {
  const draws = new Draws(3);
  const kinds = new Set<string>();
  for (let count = 0; count < 500; count++) {
    const bytes = datagram(draws, [REAL]);
    expect(bytes.length).toBeLessThanOrEqual(1400);
    if (bytes.equals(REAL)) kinds.add('whole');
    else if (bytes.length < REAL.length && REAL.subarray(0, bytes.length).equals(bytes)) kinds.add('cut');
    else if (bytes.length > REAL.length && bytes.subarray(0, REAL.length).equals(REAL)) kinds.add('lengthened');
    else if (bytes.length === REAL.length) kinds.add('changed');
    else kinds.add('random');
  }
  expect(kinds).toEqual(new Set(['whole', 'cut', 'lengthened', 'changed', 'random']));
});

test('does not change the datagram that it is made from', () => {
  const real = Buffer.from(REAL);
  const draws = new Draws(4);
  for (let count = 0; count < 200; count++) datagram(draws, [real]);
  expect(real.equals(REAL)).toBe(true);
});

test('is random before the first real datagram was seen', () => {
  const draws = new Draws(5);
  for (let count = 0; count < 50; count++) expect(datagram(draws, []).length).toBeLessThan(1400);
});
