import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  crc16,
  partitionOf,
  partitionOfSlot,
  partitionsAreValid,
  SLOTS,
  slotOf,
  slotsOfPartition,
} from '../../../src/core/partitions/slots.js';

function slotOfText(text: string): number {
  const bytes = Buffer.from(`..${text}..`);
  return slotOf(bytes, 2, bytes.length - 2);
}

describe('slots', () => {
  it('computes CRC16 XMODEM', () => {
    expect(crc16(Buffer.from('123456789'), 0, 9)).toBe(0x31c3);
    expect(crc16(Buffer.from(''), 0, 0)).toBe(0);
  });

  it('agrees with Redis Cluster on known keys', () => {
    expect(slotOfText('foo')).toBe(12182);
    expect(slotOfText('bar')).toBe(5061);
    expect(slotOfText('hello')).toBe(866);
    expect(slotOfText('somekey')).toBe(11058);
  });

  it('hashes only the first non-empty tag', () => {
    expect(slotOfText('{user1000}.following')).toBe(slotOfText('user1000'));
    expect(slotOfText('a{x}b{y}')).toBe(slotOfText('x'));
    expect(slotOfText('foo{{bar}}zap')).toBe(slotOfText('{bar'));
  });

  it('hashes the whole key when the tag is empty or not closed', () => {
    const whole = (text: string) => crc16(Buffer.from(text), 0, Buffer.byteLength(text)) % SLOTS;
    for (const text of ['foo{}{bar}', 'foo{bar', 'foo}bar{', '{}', '{', '']) expect(slotOfText(text)).toBe(whole(text));
  });

  it('never looks outside the key', () => {
    const bytes = Buffer.from('a{b}c');
    expect(slotOf(bytes, 0, 3)).toBe(crc16(Buffer.from('a{b'), 0, 3) % SLOTS);
    expect(slotOf(bytes, 2, 5)).toBe(crc16(Buffer.from('b}c'), 0, 3) % SLOTS);
  });

  it('puts every slot into exactly one partition, in contiguous ranges', () => {
    for (const partitions of [1, 2, 256, 1024, SLOTS]) {
      let next = 0;
      for (let partition = 0; partition < partitions; partition++) {
        const { first, last } = slotsOfPartition(partition, partitions);
        expect(first).toBe(next);
        expect(partitionOfSlot(first, partitions)).toBe(partition);
        expect(partitionOfSlot(last, partitions)).toBe(partition);
        next = last + 1;
      }
      expect(next).toBe(SLOTS);
    }
  });

  it('takes the partition of a key from its slot', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (key) => {
        expect(partitionOf(key, 0, key.length, 256)).toBe(Math.floor(slotOf(key, 0, key.length) / 64));
      }),
    );
  });

  it('refuses partition counts that do not divide the slots', () => {
    expect([1, 64, 256, 16384].every(partitionsAreValid)).toBe(true);
    expect([0, -1, 3, 100, 1.5, 32768, Number.NaN].some(partitionsAreValid)).toBe(false);
  });
});
