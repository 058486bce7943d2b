import { expect, it } from 'vitest';
import { RecentRecords } from '../../src/cli/recent-records.js';
import { align8 } from '../../src/core/record/record.js';
import { record } from '../core/wal/harness.js';

function padded(id: number, valueBytes = 40): Buffer {
  const bytes = record(id, valueBytes);
  return Buffer.concat([bytes, Buffer.alloc(align8(bytes.length) - bytes.length)]);
}

it('leaves out of the second pass what the first has copied and nothing changed since', () => {
  const recent = new RecentRecords(10);
  const first = Buffer.concat([padded(9), padded(11), padded(12), padded(13)]);
  recent.note(first, 0, first.length);
  expect(recent.count).toBe(3);
  const second = Buffer.concat([padded(11), padded(12, 41), padded(13), padded(14)]);
  expect(recent.without(second)).toEqual(Buffer.concat([padded(12, 41), padded(14)]));
  expect(recent.without(padded(11))).toHaveLength(0);
  const changed = padded(15);
  expect(recent.without(changed)).toBe(changed);
});

it('leaves what is no record to whoever verifies it', () => {
  const recent = new RecentRecords(10);
  const broken = Buffer.alloc(64);
  expect(recent.without(broken)).toBe(broken);
  const cut = padded(11).subarray(0, 40);
  expect(recent.without(cut)).toBe(cut);
});
