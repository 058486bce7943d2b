/** What may wait for other nodes at once. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Pending } from '../../../src/core/replication/pending.js';

const COUNT_MAX = 8;
const BYTES_MAX = 100;

it('never lets in more than its bounds, but one alone, however large', () => {
  const sizes = fc.array(fc.record({ bytes: fc.nat(150), leaves: fc.boolean() }), { maxLength: 100 });
  fc.assert(
    fc.property(sizes, (steps) => {
      const pending = new Pending(COUNT_MAX, BYTES_MAX);
      const inside: number[] = [];
      for (const { bytes, leaves } of steps) {
        if (leaves && inside.length > 0) pending.leave(inside.shift() as number);
        else if (pending.hasRoom(bytes)) {
          pending.enter(bytes);
          inside.push(bytes);
        } else {
          const sum = inside.reduce((total, one) => total + one, 0);
          expect(inside.length === COUNT_MAX || (sum > 0 && sum + bytes > BYTES_MAX)).toBe(true);
        }
        expect(pending.waiting).toBe(inside.length);
        expect(pending.waiting).toBeLessThanOrEqual(COUNT_MAX);
        const large = inside.filter((one) => one > 0).length;
        expect(large <= 1 || pending.bytes <= BYTES_MAX).toBe(true);
      }
      for (const bytes of inside) pending.leave(bytes);
      expect(pending).toMatchObject({ waiting: 0, bytes: 0 });
    }),
  );
});

it('has room again as soon as something has left, and counts what it refused', () => {
  const pending = new Pending(1, BYTES_MAX);
  pending.enter(10);
  expect(pending.hasRoom(0)).toBe(false);
  expect(pending.refuse('node-b')).toMatch(/^1 operations wait for node-b/);
  pending.leave(10);
  expect(pending.hasRoom(0)).toBe(true);
  expect(pending.refused).toBe(1);
  expect(() => pending.leave(0)).toThrow(/pending/);
});
