/** When a lasting state is said again, with time as an argument. */
import { describe, expect, it } from 'vitest';
import { Reminder } from '../../../src/core/node/reminder.js';

const MINUTE = 60_000;

/** The ms at which a line is due when asked every second. */
function linesWithin(reminder: Reminder, fromMs: number, forMs: number): number[] {
  const at: number[] = [];
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1_000) if (reminder.isDue(nowMs)) at.push(nowMs - fromMs);
  return at;
}

describe('a reminder', () => {
  it('is due at once, after a minute, two, four, eight, and then every quarter of an hour', () => {
    const reminder = new Reminder({ firstMs: 0, againMs: MINUTE, mostMs: 15 * MINUTE });
    const minutes = linesWithin(reminder, 7_000, 62 * MINUTE).map((ms) => ms / MINUTE);
    expect(minutes).toEqual([0, 1, 3, 7, 15, 30, 45, 60]);
  });

  it('waits before the first line when told to, and begins anew when the state ends', () => {
    const reminder = new Reminder({ firstMs: 10_000, againMs: 20_000, mostMs: 15 * MINUTE });
    expect(linesWithin(reminder, 0, 9_000)).toEqual([]);
    expect(reminder.end()).toBe(false);
    expect(linesWithin(reminder, 100_000, 71_000)).toEqual([10_000, 30_000, 70_000]);
    expect(reminder.end()).toBe(true);
    expect(linesWithin(reminder, 500_000, 31_000)).toEqual([10_000, 30_000]);
  });
});
