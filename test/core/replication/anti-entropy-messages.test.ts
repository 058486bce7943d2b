import { expect, it } from 'vitest';
import { encodeEnd, type RoundEnd, readEnd } from '../../../src/core/replication/anti-entropy-messages.js';

const said: RoundEnd = {
  busy: true,
  flushed: { flushedHlc: 2 ** 52, flushedActor: 2 ** 47 },
  lastBatch: 7,
  durableBatch: 5,
  unready: new Set([0, 3]),
  handing: new Set([15]),
  holding: new Set([3]),
  remaining: new Set(),
  skipped: new Set([1]),
  doubted: new Set([2]),
  differing: new Set([4, 5]),
};

it('reads what the end of a round says of each partition', () => {
  expect(readEnd(encodeEnd(said), 16)).toEqual(said);
});

it('refuses an end that names a partition that is none, or is cut', () => {
  const end = encodeEnd(said);
  expect(readEnd(end, 15)).toBeNull();
  expect(readEnd(end.subarray(0, -1), 16)).toBeNull();
  expect(readEnd(end.subarray(0, 63), 16)).toBeNull();
  for (const at of [32, 48, 56]) {
    const wrong = Buffer.from(end);
    wrong.writeDoubleLE(Number.NaN, at);
    expect(readEnd(wrong, 16)).toBeNull();
  }
});
