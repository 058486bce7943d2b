import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  joinTokens,
  SessionToken,
  TOKEN_CHARACTERS_MAX,
  TOKEN_DOTS_MAX,
} from '../../../src/core/commands/session-token.js';

const CLUSTER = '0123456789abcdef';
const PARTITIONS = 256;

const seen = fc.record({
  partition: fc.nat(PARTITIONS - 1),
  actor: fc.constantFrom(1, 2, 2 ** 47 + 1),
  sequence: fc.integer({ min: 1, max: 2 ** 47 }),
  hlc: fc.integer({ min: 1, max: 2 ** 52 }),
});

function tokenOf(list: readonly { partition: number; actor: number; sequence: number; hlc: number }[]): SessionToken {
  const token = new SessionToken();
  for (const one of list) token.note(one.partition, one.actor, one.sequence, one.hlc);
  return token;
}

describe('a session token', () => {
  it('is text that says the same again, of a bounded length, whatever was seen', () => {
    fc.assert(
      fc.property(fc.array(seen, { maxLength: 200 }), (list) => {
        const token = tokenOf(list);
        const text = token.encode(CLUSTER);
        expect(text.length).toBeLessThanOrEqual(TOKEN_CHARACTERS_MAX);
        const read = SessionToken.parse(text, CLUSTER, PARTITIONS);
        expect(read?.dots).toEqual(token.dots);
        expect(read).toMatchObject({ watermark: token.watermark });
        expect(read?.hlc).toBe(token.hlc);
      }),
    );
  });

  it('forgets nothing of what was seen: it is named by a dot at least as late, or lies below the watermark', () => {
    fc.assert(
      fc.property(fc.array(seen, { maxLength: 300 }), (list) => {
        const token = tokenOf(list);
        expect(token.dots.length).toBeLessThanOrEqual(TOKEN_DOTS_MAX);
        for (const one of list) {
          const named = token.dots.some(
            (dot) => dot.partition === one.partition && dot.actor === one.actor && dot.sequence >= one.sequence,
          );
          // Stamps of one actor rise with its sequence in life; here they are drawn, so the latest of its stamps counts.
          const latest = list.filter((other) => other.partition === one.partition && other.actor === one.actor);
          const least = Math.min(...latest.map((other) => other.hlc));
          expect(named || token.watermark >= least).toBe(true);
        }
      }),
    );
  });

  it('is refused when it was cut, changed anywhere, or is another cluster’s', () => {
    const text = tokenOf([{ partition: 3, actor: 9, sequence: 4, hlc: 77 }]).encode(CLUSTER);
    for (let end = 0; end < text.length; end++) {
      expect(SessionToken.parse(text.slice(0, end), CLUSTER, PARTITIONS)).toBeNull();
      const changed = text.slice(0, end) + (text[end] === 'A' ? 'B' : 'A') + text.slice(end + 1);
      const read = SessionToken.parse(changed, CLUSTER, PARTITIONS);
      if (read !== null) expect(read.encode(CLUSTER)).toBe(text);
    }
    expect(SessionToken.parse(text, 'fedcba9876543210', PARTITIONS)).toBeNull();
    expect(SessionToken.parse(text, CLUSTER, 3)).toBeNull();
    expect(SessionToken.parse('x'.repeat(TOKEN_CHARACTERS_MAX + 1), CLUSTER, PARTITIONS)).toBeNull();
    expect(SessionToken.parse('', CLUSTER, PARTITIONS)).toBeNull();
  });

  it('tells another node what concerns one partition, and no more', () => {
    const token = tokenOf([
      { partition: 3, actor: 9, sequence: 4, hlc: 77 },
      { partition: 4, actor: 9, sequence: 8, hlc: 78 },
    ]);
    const part = token.encodeFor(3);
    expect(SessionToken.parseFor(part, 0, part.length, 3)?.dots).toEqual([
      { partition: 3, actor: 9, sequence: 4, hlc: 77 },
    ]);
    for (let end = 0; end < part.length; end++) expect(SessionToken.parseFor(part, 0, end, 3)).toBeNull();
  });

  it('joined with another has seen what either has, in any order', () => {
    // Later writes of an actor have later stamps.
    const list = fc.array(
      seen.map((one) => ({ ...one, hlc: one.sequence })),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(list, list, (left, right) => {
        const [one, other] = [tokenOf(left).encode(CLUSTER), tokenOf(right).encode(CLUSTER)];
        const joined = SessionToken.parse(joinTokens(one, other) ?? '', CLUSTER, PARTITIONS);
        const both = tokenOf([...left, ...right]);
        expect(joined?.hlc).toBe(both.hlc);
        expect(new Set(joined?.dots)).toEqual(new Set(both.dots));
        const turned = SessionToken.parse(joinTokens(other, one) ?? '', CLUSTER, PARTITIONS);
        expect(new Set(turned?.dots)).toEqual(new Set(joined?.dots));
      }),
    );
  });

  it('is joined with no token of another cluster, and with nothing else', () => {
    const token = tokenOf([{ partition: 1, actor: 1, sequence: 1, hlc: 5 }]);
    const text = token.encode(CLUSTER);
    for (const other of [token.encode('fedcba9876543210'), '', 'AAAA', text.slice(0, -1)]) {
      expect(joinTokens(text, other)).toBeNull();
      expect(joinTokens(other, text)).toBeNull();
    }
  });
});
