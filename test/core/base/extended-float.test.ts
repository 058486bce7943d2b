/** Sums of floating point numbers in text: the digits that x86's long double has, on every processor. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addExtended,
  FLOAT_TEXT_BYTES_MAX,
  readExtended,
  writeExtended,
} from '../../../src/core/base/extended-float.js';

function sum(left: string, right: string): string {
  const [one, other] = [readExtended(left), readExtended(right)];
  if (typeof one !== 'bigint' || typeof other !== 'bigint') return 'none';
  const total = addExtended(one, other);
  return total === null ? 'infinite' : writeExtended(total);
}

describe('an extended float', () => {
  it.each([
    ['3', '0.1', '3.1'],
    ['3.1', '1e17', '100000000000000003.1015625'],
    ['0.1', '0.2', '0.3'],
    ['0.3', '1000000000000', '1000000000000.30000001192092896'],
    ['0', '3.3333333333333333333333', '3.33333333333333333'],
    ['0', '1e-20', '0'],
    ['0', '-1e-20', '0'],
    ['-0', '-0.0', '0'],
    ['0', '0x1.8p1', '3'],
    ['.5', '5.', '5.5'],
    ['9007199254740992', '1', '9007199254740993'],
    ['18446744073709551615', '1', '18446744073709551616'],
    ['18446744073709551616', '1', '18446744073709551616'],
    ['18446744073709551616', '3', '18446744073709551620'],
    ['1e4932', '1e4932', 'infinite'],
    ['1e5000', '0', 'none'],
    ['1e-5000', '0', 'none'],
    ['0e99999999999', '1', '1'],
    ['nan', '1', 'none'],
    ['1 ', '1', 'none'],
    ['', '1', 'none'],
    ['.', '1', 'none'],
    ['1e', '1', 'none'],
    ['1e99999999999999999999', '1', 'none'],
  ])('%j and %j are %j', (left, right, expected) => {
    expect(sum(left, right)).toBe(expected);
  });

  it('is nothing longer than a bound, and works on what is just within it in bounded time', () => {
    expect(readExtended('1'.repeat(FLOAT_TEXT_BYTES_MAX + 1))).toBeUndefined();
    expect(readExtended(`0.${'1'.repeat(FLOAT_TEXT_BYTES_MAX - 2)}`)).toBeTypeOf('bigint');
    expect(readExtended(`${'0'.repeat(FLOAT_TEXT_BYTES_MAX - 8)}1e4900`)).toBeTypeOf('bigint');
  });

  it('adds in either order, and what is written reads back as whole numbers of 64 bits', () => {
    const whole = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n });
    fc.assert(
      fc.property(whole, whole, (left, right) => {
        const total = sum(left.toString(), right.toString());
        expect(total).toBe(sum(right.toString(), left.toString()));
        if (left + right < 2n ** 64n && left + right > -(2n ** 64n)) expect(total).toBe((left + right).toString());
      }),
    );
  });
});
