/**
 * Floating point as Redis's INCRBYFLOAT does it, on any processor alike: the 80-bit format of x86 with its 64-bit significand, read from
 * decimal and hexadecimal text, added, and written with 17 decimals. A number is a count of units of 2^-16445, the smallest there is, so it is
 * exact as a BigInt; what an operation makes is rounded to 64 bits, half to even (IEEE 754, section 4.3.1).
 * Guarded: text is bounded before it is looked at, and no exponent makes a number longer than the greatest one (16,384 bits before the point).
 */

/** Longer text is no number, as in Redis. */
export const FLOAT_TEXT_BYTES_MAX = 5 * 1024 - 1;

const SIGNIFICAND_BITS = 64;
const FRACTION_BITS = 16_445;
/** One above the greatest number, in units. */
const LIMIT = 1n << BigInt(16_384 + FRACTION_BITS);
/** What is below it even as the digits of the longest text rounds to zero, above it to infinity. */
const EXPONENT_MAX = 20_000;
const DECIMALS = 17;
const TEN_TO_DECIMALS = 10n ** BigInt(DECIMALS);

const DECIMAL = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?:([\da-f]+)(?:\.([\da-f]*))?|\.([\da-f]+))(?:p([+-]?\d+))?$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;

/** In units of 2^-16445; `null` for an infinity. */
export type ExtendedFloat = bigint | null;

/** Undefined: no number, or one that is too great or too small to be told from zero. */
export function readExtended(text: string): ExtendedFloat | undefined {
  if (text.length > FLOAT_TEXT_BYTES_MAX) return undefined;
  if (INFINITE.test(text)) return null;
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) return read(decimal, 10n, 1);
  const hexadecimal = HEXADECIMAL.exec(text);
  return hexadecimal === null ? undefined : read(hexadecimal, 2n, 4);
}

/** Null if the sum is infinite. */
export function addExtended(left: bigint, right: bigint): ExtendedFloat {
  return bounded(rounded(left + right, 1n));
}

/** With as many as 17 decimals, no exponent and no zeros at the end. */
export function writeExtended(value: bigint): string {
  const size = value < 0n ? -value : value;
  const scaled = divideToEven(size * TEN_TO_DECIMALS, 1n << BigInt(FRACTION_BITS));
  const digits = scaled.toString().padStart(DECIMALS + 1, '0');
  const decimals = digits.slice(-DECIMALS).replace(/0+$/, '');
  const whole = digits.slice(0, -DECIMALS);
  const sign = value < 0n && scaled > 0n ? '-' : '';
  return decimals === '' ? `${sign}${whole}` : `${sign}${whole}.${decimals}`;
}

/** Digits of a base-`radix` exponent; each digit behind the point counts `perDigit` of its steps. */
function read(found: RegExpExecArray, radix: bigint, perDigit: number): ExtendedFloat | undefined {
  const [, sign, whole = '', fraction = '', bare = '', power = '0'] = found;
  const behind = fraction + bare;
  const digits = BigInt((perDigit === 4 ? '0x' : '') + whole + behind);
  if (digits === 0n) return 0n;
  const exponent = Number(power) - behind.length * perDigit;
  // Whatever the digits, it is beyond.
  if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX - FLOAT_TEXT_BYTES_MAX * 4) return undefined;
  const scale = radix ** BigInt(Math.abs(exponent));
  const units = digits << BigInt(FRACTION_BITS);
  const value = bounded(exponent < 0 ? rounded(units, scale) : rounded(units * scale, 1n));
  if (value === null || value === 0n) return undefined;
  return sign === '-' ? -value : value;
}

/** `value / divisor` with 64 significant bits at most, and whole units. */
function rounded(value: bigint, divisor: bigint): bigint {
  const size = value < 0n ? -value : value;
  const bits = lengthOf(size / divisor);
  const dropped = BigInt(Math.max(0, bits - SIGNIFICAND_BITS));
  const result = divideToEven(size, divisor << dropped) << dropped;
  return value < 0n ? -result : result;
}

function bounded(value: bigint): ExtendedFloat {
  return value >= LIMIT || value <= -LIMIT ? null : value;
}

function divideToEven(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const twice = (value % divisor) * 2n;
  return twice > divisor || (twice === divisor && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

function lengthOf(value: bigint): number {
  const digits = value.toString(16);
  return (digits.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(digits[0], 16)));
}
