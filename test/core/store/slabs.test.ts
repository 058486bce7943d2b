import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { Slabs, UNIT_WORDS } from '../../../src/core/store/slabs.js';

interface Block {
  address: number;
  order: number;
  mark: number;
}

/** A block's own words. */
function wordsOf(slabs: Slabs, { address, order }: { address: number; order: number }): Uint32Array {
  const start = (address & slabs.mask) * UNIT_WORDS;
  return slabs.words[address >>> slabs.shift].subarray(start, start + UNIT_WORDS * 2 ** order);
}

describe('slabs', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`hand out blocks that are zero, aligned and nobody else's, and take all memory back (seed ${seed})`, () => {
      const random = new Random(seed);
      const slabs = new Slabs(4 * 1024 * 1024);
      const held: Block[] = [];
      const slabsInUse = () => slabs.words.filter((words) => words.length > 0).length;
      for (let step = 1; step <= 3000; step++) {
        // Grows for a while, then shrinks, so that slabs come, go and come again.
        const growing = Math.floor(step / 500) % 2 === 0;
        if (held.length === 0 || random.below(10) < (growing ? 7 : 3)) {
          const order = random.below(random.below(slabs.orderMax + 1) + 1);
          const address = slabs.take(order);
          expect(address % 2 ** order).toBe(0);
          const words = wordsOf(slabs, { address, order });
          expect(words.length).toBe(UNIT_WORDS * 2 ** order);
          expect(words.every((word) => word === 0)).toBe(true);
          words.fill(step);
          held.push({ address, order, mark: step });
        } else {
          const [block] = held.splice(random.below(held.length), 1);
          expect(wordsOf(slabs, block).every((word) => word === block.mark)).toBe(true);
          slabs.give(block.address, block.order);
        }
        expect(slabs.bytes).toBe(slabsInUse() * slabs.slabBytes);
      }
      for (const block of held) {
        expect(wordsOf(slabs, block).every((word) => word === block.mark)).toBe(true);
        slabs.give(block.address, block.order);
      }
      expect(slabs.bytes).toBe(0);
      expect(slabsInUse()).toBe(0);
    });
  }

  it('fill one slab whole before they take another, and merge its parts into one block again', () => {
    const slabs = new Slabs(1024 * 1024);
    const units = 2 ** slabs.orderMax;
    const addresses = Array.from({ length: units }, () => slabs.take(0));
    expect(new Set(addresses).size).toBe(units);
    expect(slabs.bytes).toBe(slabs.slabBytes);
    const spare = slabs.take(0);
    expect(slabs.bytes).toBe(2 * slabs.slabBytes);
    for (const address of addresses.filter((_, index) => index % 2 === 1)) slabs.give(address, 0);
    for (const address of addresses.filter((_, index) => index % 2 === 0)) slabs.give(address, 0);
    expect(slabs.bytes).toBe(slabs.slabBytes);
    slabs.give(spare, 0);
    expect(slabs.bytes).toBe(0);
    slabs.give(slabs.take(slabs.orderMax), slabs.orderMax);
    expect(slabs.bytes).toBe(0);
  });
});
