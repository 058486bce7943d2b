import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldExpiry, foldedLength } from '../../../src/core/record/fold.js';
import { compareRecords, compareVersions } from '../../../src/core/record/merge.js';
import { TYPE_TOMBSTONE, verifyRecord } from '../../../src/core/record/record.js';
import { expiryRecord, record } from './records.js';

function fold(put: Buffer, change: Buffer): Buffer {
  const target = Buffer.alloc(foldedLength(put, 0) + 16, 0xee);
  const length = foldExpiry(put, 0, change, 0, target, 8);
  expect(length).toBe(foldedLength(put, 0));
  expect(verifyRecord(target, 8, 8 + length)).toBe(length);
  expect([target[7], target[8 + length]]).toEqual([0xee, 0xee]);
  return target.subarray(8, 8 + length);
}

describe('the fold of an expiry change', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const time = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 48 - 1 }));

  it('gives the value as if written with the expiry and its version', () => {
    fc.assert(
      fc.property(bytes, bytes, time, time, (key, value, firstMs, secondMs) => {
        const put = { hlc: 100, actor: 2 ** 47 + 5, sequence: 2 ** 47 + 6 };
        const change = { hlc: 2 ** 50, actor: 2 ** 46 + 7, sequence: 9, expireAtMs: secondMs };
        const folded = fold(
          record({ ...put, expireAtMs: firstMs }, key, value),
          expiryRecord(change, key, put.hlc, put.actor),
        );
        const written = { ...put, expireAtMs: secondMs, expiryHlc: change.hlc, expiryActor: change.actor };
        expect(folded.equals(record(written, key, value))).toBe(true);
      }),
    );
  });

  it('leaves the same bytes whether or not earlier changes were folded in before', () => {
    const put = record({ hlc: 10 }, 'key', 'a value');
    const early = expiryRecord({ hlc: 20, expireAtMs: 5000 }, 'key', 10, 1);
    const late = expiryRecord({ hlc: 30 }, 'key', 10, 1);
    expect(fold(fold(put, early), late).equals(fold(put, late))).toBe(true);
  });
});

describe('the order of records', () => {
  it('is by HLC, then by actor', () => {
    expect(compareVersions(2, 1, 1, 9)).toBeGreaterThan(0);
    expect(compareVersions(1, 1, 2, 9)).toBeLessThan(0);
    expect(compareVersions(1, 1, 1, 9)).toBeLessThan(0);
    expect(compareVersions(1, 9, 1, 9)).toBe(0);
  });

  it('puts the value version first and the expiry version second', () => {
    const inOrder = [
      record({ hlc: 10 }, 'key', 'old'),
      record({ hlc: 10, expiryHlc: 50, expiryActor: 1 }, 'key', 'old'),
      record({ hlc: 10, expiryHlc: 50, expiryActor: 2, expireAtMs: 7 }, 'key', 'old'),
      record({ hlc: 10, actor: 2, type: TYPE_TOMBSTONE }, 'key'),
      record({ hlc: 20, expireAtMs: 3 }, 'key', 'new'),
      record({ hlc: 20, expiryHlc: 21, expiryActor: 1 }, 'key', 'new'),
    ];
    for (const [left, one] of inOrder.entries()) {
      for (const [right, other] of inOrder.entries()) {
        expect(Math.sign(compareRecords(one, 0, other, 0))).toBe(Math.sign(left - right));
      }
    }
  });
});
