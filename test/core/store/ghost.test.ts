import { describe, expect, it } from 'vitest';
import { mix32 } from '../../../src/core/base/hash.js';
import { Ghost } from '../../../src/core/store/ghost.js';

function add(ghost: Ghost, from: number, to: number, keys: number): void {
  for (let index = from; index < to; index++) {
    if (ghost.wantsChunk(keys)) ghost.addChunk();
    ghost.add(mix32(index, 1), keys);
  }
}

function remembered(ghost: Ghost, from: number, to: number): number {
  let count = 0;
  for (let index = from; index < to; index++) if (ghost.has(mix32(index, 1))) count++;
  return count;
}

describe('the ghost', () => {
  it('remembers about as many keys as it is told, the latest ones, and hardly any other', () => {
    const ghost = new Ghost(4096);
    add(ghost, 0, 40_000, 10_000);
    expect(ghost.capacity).toBeGreaterThanOrEqual(10_000);
    expect(ghost.capacity).toBeLessThan(10_040);
    expect(remembered(ghost, 37_000, 40_000)).toBeGreaterThan(2900);
    expect(remembered(ghost, 35_000, 40_000)).toBeGreaterThan(4400);
    expect(remembered(ghost, 0, 15_000)).toBeLessThan(150);
    expect(remembered(ghost, 50_000, 60_000)).toBeLessThan(10);
  });

  it('keeps the latest of what it knows while it shrinks, and gives memory back', () => {
    const ghost = new Ghost(4096);
    add(ghost, 0, 20_000, 10_000);
    const { bytes } = ghost;
    add(ghost, 20_000, 23_000, 2000);
    expect(ghost.capacity).toBeLessThan(3000);
    expect(ghost.bytes).toBeLessThan(bytes / 2);
    expect(remembered(ghost, 22_000, 23_000)).toBeGreaterThan(900);
    expect(remembered(ghost, 0, 10_000)).toBeLessThan(100);
  });

  it('grows by no more than the chunks it is given', () => {
    const ghost = new Ghost(4096);
    for (let index = 0; index < 1000; index++) ghost.add(mix32(index, 1), 1000);
    expect([ghost.bytes, ghost.capacity, remembered(ghost, 0, 1000)]).toEqual([0, 0, 0]);
    ghost.addChunk();
    for (let index = 0; index < 5000; index++) ghost.add(mix32(index, 1), 5000);
    expect([ghost.bytes, ghost.capacity]).toEqual([4096, 1024]);
    ghost.clear();
    expect([ghost.bytes, ghost.capacity, remembered(ghost, 0, 1000)]).toEqual([0, 0, 0]);
  });
});
