/** Durations: units, rounding and refusals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DURATION_MS_MAX, type Duration, parseDurationMs } from '../../src/client/durations.js';

describe('durations', () => {
  it.each([
    [1, 1],
    ['250ms', 250],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5s', 1500],
  ] as [Duration, number][])('reads %s as %d ms', (duration, ms) => {
    expect(parseDurationMs(duration, 'ttl')).toBe(ms);
  });

  it('rounds a part of a millisecond up, so that no time to live becomes none', () => {
    expect(parseDurationMs(0.2, 'ttl')).toBe(1);
    expect(parseDurationMs('0.1ms', 'ttl')).toBe(1);
  });

  it.each([
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    DURATION_MS_MAX * 2,
    '',
    '10',
    '10 s',
    '-5s',
    '1w',
    '1e3s',
    null,
    {},
  ])('refuses %j and names the option', (duration) => {
    expect(() => parseDurationMs(duration as Duration, 'ttl')).toThrowError(/^ttl must be/);
  });

  it('never throws anything but its own error, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const ms = parseDurationMs(text as Duration, 'ttl');
          expect(Number.isSafeInteger(ms) && ms > 0).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR' });
        }
      }),
    );
  });
});
