import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ReplayWindows, WINDOW_COUNTERS } from '../../../src/core/gossip/replay.js';

it('lets each counter in once, and none that fell out of the window', () => {
  const jump = fc.oneof(fc.integer({ min: -9000, max: 9000 }), fc.integer({ min: -40, max: 40 }));
  fc.assert(
    fc.property(fc.array(jump, { maxLength: 300 }), (jumps) => {
      const windows = new ReplayWindows();
      const met = new Set<number>();
      let counter = 2 ** 40;
      let highest = 0;
      for (const by of jumps) {
        counter += by;
        const fresh = windows.isFresh(7, counter);
        const within = highest === 0 || counter + WINDOW_COUNTERS > highest;
        if (met.has(counter) || !within) expect(fresh).toBe(false);
        else expect(fresh).toBe(true);
        if (!fresh) continue;
        windows.note(7, counter);
        met.add(counter);
        highest = Math.max(highest, counter);
      }
    }),
  );
});

it('keeps senders apart, and gives up the one that is silent longest when there are too many', () => {
  const windows = new ReplayWindows(4);
  for (const actor of [1, 2, 3, 4]) windows.note(actor, 100);
  expect(windows.isFresh(1, 100)).toBe(false);
  windows.note(1, 101);
  windows.note(5, 100);
  expect([windows.size, windows.forgotten]).toEqual([4, 1]);
  expect(windows.isFresh(1, 100)).toBe(false);
  expect(windows.isFresh(2, 100)).toBe(true);
});
