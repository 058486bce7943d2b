/** Names of options: the distance of two words as a formula, and which name is taken for meant. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeUnknown, editsBetween, unknownNames } from '../../src/client/option-names.js';

describe('edits between two words', () => {
  it.each([
    ['', 'abc', 3],
    ['ttl', 'ttl', 0],
    ['tll', 'ttl', 1],
    ['singal', 'signal', 1],
    ['timeouts', 'timeout', 1],
    ['ca', 'abc', 3],
  ])('%s and %s: %d', (from, to, edits) => {
    expect(editsBetween(from, to)).toBe(edits);
  });

  it('are none for the same word, the same both ways, and no more than the longer has letters', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (from, to) => {
        const edits = editsBetween(from, to);
        expect(edits === 0).toBe(from === to);
        expect(editsBetween(to, from)).toBe(edits);
        expect(edits).toBeLessThanOrEqual(Math.max(from.length, to.length));
      }),
    );
  });
});

describe('an unknown name', () => {
  const known = new Set(['signal', 'timeout', 'ttl']);

  it.each([
    ['singal', 'signal'],
    ['TTL', 'ttl'],
    ['timeOut', 'timeout'],
    ['expiresIn', 'ttl'],
    ['commandTimeout', 'timeout'],
  ])('%s is taken for %s', (name, meant) => {
    expect(describeUnknown(name, known)).toBe(`unknown option '${name}': did you mean '${meant}'?`);
  });

  it('far from all of them is told what there is, and a long one is cut short', () => {
    expect(describeUnknown('zebra', known)).toBe(`unknown option 'zebra': there are signal, timeout, ttl`);
    expect(describeUnknown('x'.repeat(10_000), known).length).toBeLessThan(130);
  });

  it('of another thing is not made up where that thing is not known', () => {
    expect(describeUnknown('host', known)).toBe(`unknown option 'host': there are signal, timeout, ttl`);
  });

  it('is one of ten at most that are told of, and none if it is undefined', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`name${at}`, at]));
    expect(unknownNames(many, known).length).toBe(10);
    expect(unknownNames({ ttl: 1, other: undefined }, known)).toEqual([]);
  });
});
