/**
 * Expiry times out of arguments: relative or absolute, in seconds or milliseconds, to absolute ms. SET, SETEX, GETEX and the
 * EXPIRE family call it. Guarded: what comes out fits the record's 48 bits and is never 0, which would mean "no expiry".
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { readBigInteger } from '../resp/integer.js';
import { notAnInteger } from './command.js';

/** The latest expiry that a record can hold: the year 10889. */
export const EXPIRE_AT_MS_MAX = 0xffffffffffff;

const INT64_MIN = -(2n ** 63n);

/** A time from now that must be positive. */
export function expiryAfter(args: Args, index: number, unitMs: number, wallMs: number, command: string): number {
  return bounded(wallMs + positive(args, index, command) * unitMs, command);
}

/** An absolute time that must be positive; it may be past. */
export function expiryAt(args: Args, index: number, unitMs: number, command: string): number {
  return bounded(positive(args, index, command) * unitMs, command);
}

/** Any time, as EXPIRE takes it: what is past the start of time is one moment after it. */
export function expiryAnyTime(args: Args, index: number, unitMs: number, baseMs: number, command: string): number {
  const amount = args.integer(index);
  if (Number.isNaN(amount)) throw notAnInteger();
  // Beyond 2^53 the past is still the past, as far as 64 bits of milliseconds go.
  if (amount === Number.NEGATIVE_INFINITY && unitMs > 1) {
    const exact = readBigInteger(args.buffer, args.starts[index], args.ends[index]);
    if (exact < INT64_MIN / BigInt(unitMs)) throw invalid(command);
  }
  const atMs = bounded(baseMs + amount * unitMs, command);
  return Math.max(1, atMs);
}

function positive(args: Args, index: number, command: string): number {
  const amount = args.integer(index);
  if (Number.isNaN(amount)) throw notAnInteger();
  if (!(amount > 0 && amount < Number.POSITIVE_INFINITY)) throw invalid(command);
  return amount;
}

function bounded(atMs: number, command: string): number {
  if (atMs > EXPIRE_AT_MS_MAX) throw invalid(command);
  return atMs;
}

function invalid(command: string): HearsayError {
  return new HearsayError('ERR', `invalid expire time in '${command}' command`);
}
