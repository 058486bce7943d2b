/**
 * Durations as people write them: a number is milliseconds, a string carries its unit ('250ms', '30s', '10m', '2h', '7d').
 * The client's options and calls parse with it; it gives back whole milliseconds, rounded up, so that a short time to live
 * never becomes none. A bare number of seconds does not exist here, which is the point.
 */
import { HearsayError } from '../core/base/errors.js';

/** Milliseconds, or a number with its unit. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** A thousand years: what every store of absolute milliseconds can still add to its clock. */
export const DURATION_MS_MAX = 1000 * 365.25 * 24 * 3_600_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/;

/**
 * Whole milliseconds in [1, DURATION_MS_MAX]. Throws HearsayError ERR, naming `what`, for anything else: zero and negative
 * times, NaN, an unknown unit.
 */
export function parseDurationMs(duration: Duration, what: string): number {
  const ms = typeof duration === 'number' ? duration : fromText(duration);
  if (!(ms > 0 && ms <= DURATION_MS_MAX)) {
    throw new HearsayError(
      'ERR',
      `${what} must be milliseconds above 0 or like '250ms', '30s', '10m', '2h', '7d'; got ${shown(duration)}`,
    );
  }
  return Math.ceil(ms);
}

function fromText(text: unknown): number {
  const match = typeof text === 'string' ? PATTERN.exec(text) : null;
  return match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2]];
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? `'${value.slice(0, 40)}'`
    : typeof value === 'number'
      ? String(value)
      : typeof value;
}
