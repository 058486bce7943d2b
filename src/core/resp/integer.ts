/**
 * Decimal integers in bytes: strict reading as Redis does it (`string2ll`: no sign but `-`, no leading zero, no blank, at
 * most 64 bits) and writing without a string in between. The parser, the replies and the counters call it.
 * Guarded: a number that is returned is exact; what a double cannot hold is told apart from what is no integer at all.
 */

const INT64_MAX_DIGITS = '9223372036854775807';
const INT64_MIN_DIGITS = '9223372036854775808';
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Reads `bytes[start, end)`. NaN: not a 64-bit integer. An infinity of its sign: a 64-bit integer beyond 2^53, to be read by
 * `readBigInteger`. Otherwise the exact value.
 */
export function readInteger(bytes: Uint8Array, start: number, end: number): number {
  const negative = start < end && bytes[start] === MINUS;
  let at = negative ? start + 1 : start;
  const digits = end - at;
  if (digits === 0 || digits > 19) return Number.NaN;
  const first = bytes[at];
  if (first === ZERO) return digits === 1 && !negative ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte < ZERO || byte > NINE) return Number.NaN;
    value = value * 10 + (byte - ZERO);
  }
  if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
  if (digits === 19 && exceeds(bytes, end - 19, negative ? INT64_MIN_DIGITS : INT64_MAX_DIGITS)) return Number.NaN;
  return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Reads what `readInteger` found to be a 64-bit integer. */
export function readBigInteger(bytes: Buffer, start: number, end: number): bigint {
  return BigInt(bytes.latin1Slice(start, end));
}

/** Writes a safe integer at `at`, where there is room for 17 bytes; returns the position behind it. */
export function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let position = at;
  if (rest < 0) {
    bytes[position++] = MINUS;
    rest = -rest;
  }
  if (rest < 10) {
    bytes[position] = ZERO + rest;
    return position + 1;
  }
  let digits = 1;
  for (let bound = 10; rest >= bound && digits < 16; bound *= 10) digits++;
  const end = position + digits;
  let to = end - 1;
  while (rest > 0x7fffffff) {
    const quotient = Math.floor(rest / 10);
    bytes[to--] = ZERO + (rest - quotient * 10);
    rest = quotient;
  }
  for (; to >= position; to--) {
    const quotient = (rest / 10) | 0;
    bytes[to] = ZERO + (rest - quotient * 10);
    rest = quotient;
  }
  return end;
}

/** Whether the 19 digits at `at` are a greater number than `limit`. */
function exceeds(bytes: Uint8Array, at: number, limit: string): boolean {
  for (let index = 0; index < 19; index++) {
    const difference = bytes[at + index] - limit.charCodeAt(index);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
