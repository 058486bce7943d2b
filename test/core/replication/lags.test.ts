/** How far peers are behind, as they last said. */
import { expect, it } from 'vitest';
import { Lags } from '../../../src/core/replication/lags.js';

it('sums what a peer lacks over partitions, forgets what it has caught up with, and the peer', () => {
  const lags = new Lags();
  lags.note('a', 1, 5);
  lags.note('a', 2, 7);
  lags.note('a', 1, 6);
  lags.note('b', 1, 1);
  expect(lags.of('a')).toEqual({ records: 13, partitions: 2 });
  lags.note('a', 2, 0);
  expect(lags.of('a')).toEqual({ records: 6, partitions: 1 });
  lags.forget('a');
  expect(lags.of('a')).toEqual({ records: 0, partitions: 0 });
  expect(lags.of('b').records).toBe(1);
});

it('keeps nothing of a partition that the two do not share any more', () => {
  const lags = new Lags();
  for (const partition of [1, 2, 3]) lags.note('a', partition, 5);
  lags.note('b', 1, 1);
  lags.keep('a', new Set([2, 9]));
  lags.keep('c', new Set());
  expect(lags.of('a')).toEqual({ records: 5, partitions: 1 });
  lags.keep('a', new Set());
  expect(lags.of('a')).toEqual({ records: 0, partitions: 0 });
  expect(lags.of('b').records).toBe(1);
});
