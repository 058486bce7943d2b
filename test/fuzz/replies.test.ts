/** The client's parser of replies under the grammar of replies.ts, valid and mutated: a server may be anybody. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLY_NESTING_MAX, type Reply, ReplyParser } from '../../src/client/reply-parser.js';
import { allocatedBy, WorkCount } from './meter.js';
import { cuts, mutated, piecesOf } from './mutations.js';
import { replies } from './replies.js';
import { law } from './room.js';

function parse(pieces: readonly Buffer[]): { replies: Reply[]; failure: string | null } {
  const parser = new ReplyParser();
  const out: Reply[] = [];
  let failure: string | null = null;
  for (const piece of pieces) {
    failure = parser.feed(piece, 0, piece.length, out)?.message ?? null;
    piece.fill(0xee);
  }
  return { replies: out, failure };
}

describe('replies from outside', () => {
  law(
    'come out as they went in, however they are cut',
    200,
    fc.property(replies, cuts, (written, at) => {
      const wire = Buffer.concat(written.map((each) => each.wire));
      const expected = { replies: written.map((each) => each.reply), failure: null };
      expect(parse(piecesOf(wire, at))).toEqual(expected);
      expect(parse(piecesOf(wire, null))).toEqual(expected);
    }),
  );

  law(
    'are refused by name or mean the same however they are cut, and take memory for what came',
    300,
    fc.property(
      mutated(replies.map((written) => Buffer.concat(written.map((each) => each.wire)))),
      cuts,
      (bytes, at) => {
        const whole = parse(piecesOf(bytes, []));
        for (const pieces of [piecesOf(bytes, at), piecesOf(bytes, null)]) {
          let cut = whole;
          const { all } = allocatedBy(() => {
            cut = parse(pieces);
          });
          expect(cut).toEqual(whole);
          expect(all).toBeLessThanOrEqual(8 * bytes.length + 1024);
        }
      },
    ),
  );

  it.each(['*', '~', '>', '%', '|'])('are refused when they are nested deeper than anyone needs, as %s', (kind) => {
    const head = kind === '%' || kind === '|' ? `${kind}1\r\n+k\r\n` : `${kind}1\r\n`;
    const inside = kind === '>' ? '*1\r\n' : head;
    expect(parse([Buffer.from(head + inside.repeat(REPLY_NESTING_MAX - 1))]).failure).toBeNull();
    expect(parse([Buffer.from(head + inside.repeat(REPLY_NESTING_MAX))]).failure).toContain('nested too deep');
    expect(parse([Buffer.from(head.repeat(100_000))]).failure).toContain('nested too deep');
  });

  it('keep no object for each piece that a bulk comes in', () => {
    const parser = new ReplyParser();
    const out: Reply[] = [];
    const head = Buffer.from('$60000\r\n');
    parser.feed(head, 0, head.length, out);
    const piece = Buffer.from('x');
    let made = 0;
    const { from } = Buffer;
    Buffer.from = ((...given: Parameters<typeof Buffer.from>) => {
      made++;
      return from(...given);
    }) as typeof Buffer.from;
    try {
      const { all } = allocatedBy(() => {
        for (let index = 0; index < 60_000; index++) parser.feed(piece, 0, 1, out);
      });
      expect(all).toBeLessThanOrEqual(4 * 60_000);
    } finally {
      Buffer.from = from;
    }
    expect(made).toBeLessThan(100);
    parser.feed(Buffer.from('\r\n'), 0, 2, out);
    expect(out).toEqual([Buffer.alloc(60_000, 'x')]);
  });

  it.each([
    ['a line that does not end', (size: number) => Buffer.alloc(size, '+')],
    ['a bulk', (size: number) => Buffer.from(`$${size}\r\n${'x'.repeat(size)}\r\n`)],
    ['small replies', (size: number) => Buffer.from(':1\r\n'.repeat(size / 4))],
    ['a list', (size: number) => Buffer.from(`*${size / 4}\r\n${':1\r\n'.repeat(size / 4)}`)],
    ['attributes before nothing', (size: number) => Buffer.from('|0\r\n'.repeat(size / 4))],
  ])('cost work in proportion to their length, byte by byte too: %s', (_name, make) => {
    for (const pieceBytes of [1, 7, 100_000]) {
      const bytes = make(12_000);
      const work = new WorkCount();
      work.run(() => {
        const parser = new ReplyParser();
        const out: Reply[] = [];
        for (let from = 0; from < bytes.length; from += pieceBytes) {
          const lent = work.lend(bytes.subarray(from, from + pieceBytes));
          parser.feed(lent, 0, lent.length, out);
        }
      });
      expect(work.bytes).toBeLessThanOrEqual(16 * 12_000 + 2000);
    }
  });
});
