/** What a node says of the partitions that it waits for, with time as an argument. */
import { expect, it } from 'vitest';
import { ReadyWatch } from '../../../src/core/node/ready-watch.js';
import type { Rooms } from '../../../src/core/node/rooms.js';

/** Four partitions owned: 0 is being fetched, 1 is with b, which has it, and 2 with nobody; 3 is ready. */
function watchOf() {
  const lines: [string, Record<string, unknown>][] = [];
  const say = (event: string, fields: Record<string, unknown> = {}): void => void lines.push([event, fields]);
  const unready = new Set([0, 1, 2]);
  const peers = [{ id: 'a' }, { id: 'b' }];
  const row = { partition: 0, source: 'a', percent: 40, records: 7, bytes: 700, eta_seconds: 3 };
  const rooms = {
    ownership: {
      serves: true,
      get unready() {
        return unready.size;
      },
      unreadyPartitions: () => unready,
      owns: () => true,
      sources: (partition: number) => (partition === 2 ? [] : peers),
      isSource: (peer: { id: string }, partition: number) => partition === 1 && peer.id === 'b',
    },
    antiEntropy: {
      catchUp: { size: 1, progress: () => [row], isPulling: (partition: number) => partition === 0 },
    },
  };
  const log = { debug: say, info: say, warn: say, error: say };
  return { watch: new ReadyWatch({ log }, rooms as unknown as Rooms), lines, unready, row };
}

it('lists what is fetched and what is waited for, each with from whom, as many as asked for', () => {
  const { watch, row } = watchOf();
  const waiting = { percent: 0, records: 0, bytes: 0, eta_seconds: -1, fetching: false };
  const rows = [
    { ...row, fetching: true },
    { partition: 1, source: 'b', ...waiting },
    { partition: 2, source: '', ...waiting },
  ];
  expect(watch.rows(8)).toEqual(rows);
  expect(watch.rows(2)).toEqual(rows.slice(0, 2));
});

it('logs after ten seconds for what it waits and from whom, then at growing intervals, and that it is ready', () => {
  const { watch, lines, unready } = watchOf();
  for (let nowMs = 0; nowMs <= 80_000; nowMs += 100) watch.tick(nowMs);
  expect(lines.map(([, fields]) => fields.forSeconds)).toEqual([10, 30, 70]);
  expect(lines[0]).toEqual([
    'not ready yet',
    {
      forSeconds: 10,
      partitions: 3,
      first: '0 1 2',
      awaited: 'b (2), a (1), nobody reachable (1)',
      fetching: 1,
    },
  ]);
  unready.clear();
  watch.tick(81_000);
  watch.tick(82_000);
  expect(lines.slice(3)).toEqual([['ready', { afterSeconds: 81 }]]);
});

it('says nothing of a wait that is short', () => {
  const { watch, lines, unready } = watchOf();
  watch.tick(0);
  watch.tick(9_900);
  unready.clear();
  watch.tick(10_000);
  expect(lines).toEqual([]);
});
