import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { HyperLogLogCounter } from '../../src/system/hyperloglog.js';

function counting(keys: Iterable<string>): HyperLogLogCounter {
  const counter = new HyperLogLogCounter();
  for (const key of keys) counter.addKey(key);
  return counter;
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `key:${from + index}`);
}

describe('the counter of distinct keys', () => {
  it('stays within a few standard errors, however often a key comes', () => {
    const counter = counting([...numbered(0, 20_000), ...numbered(0, 20_000)]);
    expect(Math.abs(counter.estimate() - 20_000)).toBeLessThan(20_000 * 0.065);
    expect(new HyperLogLogCounter().estimate()).toBe(0);
  });

  it('counts text and its bytes as one, and nothing as something', () => {
    const counter = counting(['naïve', '']);
    counter.addKey(Buffer.from('naïve'));
    expect(counter.estimate()).toBe(2);
  });

  it('takes hashes as words', () => {
    const counter = new HyperLogLogCounter();
    const random = new Random(7);
    const word = (): number => random.uint32();
    for (let count = 0; count < 1000; count++) counter.add(word(), word(), word(), word());
    expect(counter.estimate()).toBeGreaterThan(900);
    expect(counter.estimate()).toBeLessThan(1100);
  });

  it('merges in any order, any number of times, to the count of the union', () => {
    const keys = fc.array(fc.nat({ max: 500 }).map(String), { maxLength: 60 });
    fc.assert(
      fc.property(keys, keys, (left, right) => {
        const [a, b, both] = [counting(left), counting(right), counting([...left, ...right])];
        expect(a.merge(b.registers()) && b.merge(counting(left).registers()) && a.merge(b.registers())).toBe(true);
        expect(a.registers().equals(both.registers())).toBe(true);
        expect(b.registers().equals(both.registers())).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('refuses registers that no counter can have', () => {
    const counter = counting(numbered(0, 100));
    const before = counter.registers();
    expect(counter.merge(Buffer.alloc(1024))).toBe(false);
    expect(counter.merge(Buffer.alloc(4096, 0xff))).toBe(false);
    expect(counter.mergesRefused).toBe(2);
    expect(counter.registers().equals(before)).toBe(true);
  });

  it('hands out a copy of its registers', () => {
    const counter = counting(['a']);
    counter.registers().fill(60);
    expect(counter.estimate()).toBe(1);
  });
});
