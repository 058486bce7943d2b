/** The reply parser: every kind, every cut, every bound. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Reply, ReplyParser } from '../../src/client/reply-parser.js';
import { HearsayError } from '../../src/core/base/errors.js';

function parse(wire: string | Buffer, pieceBytes = Number.POSITIVE_INFINITY): { replies: Reply[]; failure: unknown } {
  const parser = new ReplyParser();
  const bytes = Buffer.from(wire);
  const replies: Reply[] = [];
  let failure: HearsayError | null = null;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    // Lent bytes: overwritten as soon as the call is over.
    const piece = Buffer.from(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)));
    failure = parser.feed(piece, 0, piece.length, replies);
    piece.fill(0xee);
  }
  return { replies, failure };
}

const KINDS: [string, Reply][] = [
  ['+OK\r\n', 'OK'],
  ['-WRONGTYPE no\r\n', new HearsayError('WRONGTYPE', 'no')],
  ['-NOPROTO no\r\n', new HearsayError('ERR', 'NOPROTO no')],
  [':-12\r\n', -12],
  [':9223372036854775807\r\n', 9223372036854775807n],
  ['$3\r\nabc\r\n', Buffer.from('abc')],
  ['$0\r\n\r\n', Buffer.alloc(0)],
  ['$4\r\na\r\nb\r\n', Buffer.from('a\r\nb')],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['_\r\n', null],
  ['#t\r\n', true],
  [',1.5\r\n', 1.5],
  [',-inf\r\n', Number.NEGATIVE_INFINITY],
  [',nan\r\n', Number.NaN],
  ['(123456789012345678901234567890\r\n', 123456789012345678901234567890n],
  ['!7\r\nERR bad\r\n', new HearsayError('ERR', 'bad')],
  ['=7\r\ntxt:abc\r\n', Buffer.from('abc')],
  ['*0\r\n', []],
  ['*2\r\n:1\r\n*1\r\n$1\r\na\r\n', [1, [Buffer.from('a')]]],
  ['%1\r\n$1\r\na\r\n:1\r\n', new Map([['a', 1]])],
  ['~2\r\n:1\r\n:2\r\n', new Set([1, 2])],
  ['|1\r\n+ttl\r\n:1\r\n+after\r\n', 'after'],
  ['*1\r\n|1\r\n+ttl\r\n*0\r\n:7\r\n', [7]],
];

describe('the reply parser', () => {
  it.each(KINDS)('reads %j, whole and byte by byte', (wire, reply) => {
    expect(parse(wire)).toEqual({ replies: [reply], failure: null });
    expect(parse(wire, 1)).toEqual({ replies: [reply], failure: null });
  });

  it('gives the same replies however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...KINDS)), fc.integer({ min: 1, max: 40 }), (kinds, pieceBytes) => {
        const wire = kinds.map(([one]) => one).join('');
        expect(parse(wire, pieceBytes)).toEqual({ replies: kinds.map(([, reply]) => reply), failure: null });
      }),
    );
  });

  it('leaves push messages out and counts them', () => {
    const parser = new ReplyParser();
    const replies: Reply[] = [];
    const wire = Buffer.from('>2\r\n+invalidate\r\n:1\r\n+OK\r\n');
    expect(parser.feed(wire, 0, wire.length, replies)).toBeNull();
    expect(replies).toEqual(['OK']);
    expect(parser.pushes).toBe(1);
  });

  it.each([
    ['lists nested without end', '*1\r\n'.repeat(100_000)],
    ['a list of more elements than anyone has', '*999999999\r\n'],
    ['lists that add up to more', '*1000000\r\n*1000000\r\n'],
    ['a bulk larger than any value', '$999999999\r\n'],
    ['a length that overflows', '$99999999999999999999\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a streamed bulk', '$?\r\n'],
    ['a line without end', '+'.repeat(70_000)],
    ['a bare line feed', '+OK\n'],
    ['an empty line', '\r\n'],
    ['an unknown kind', '@1\r\n'],
    ['a bulk without its end', '$1\r\nabc'],
    ['an integer that is none', ':1x\r\n'],
    ['a big number to choke on', `(${'9'.repeat(2000)}\r\n`],
    ['a boolean that is none', '#x\r\n'],
    ['a double that is none', ',0x10\r\n'],
    ['a push inside a reply', '*1\r\n>1\r\n+x\r\n'],
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n'],
  ])('ends with an error, not a crash, at %s', (_, wire) => {
    expect(parse(wire).failure).toMatchObject({ name: 'HearsayError', code: 'ERR' });
    expect(parse(wire, 1000).failure).toMatchObject({ code: 'ERR' });
  });

  it('answers any bytes with replies or an error', () => {
    const wire = fc.array(
      fc.oneof(fc.constantFrom('*', '%', '~', '>', '|', '$', '=', ':', '1', '2', '\r\n', '-1\r\n', 'a')),
    );
    fc.assert(
      fc.property(wire, (parts) => {
        const { failure } = parse(parts.join(''));
        expect(failure === null || failure instanceof HearsayError).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('stays ended after an error', () => {
    const parser = new ReplyParser();
    const replies: Reply[] = [];
    parser.feed(Buffer.from('@\r\n+OK\r\n'), 0, 8, replies);
    expect(parser.feed(Buffer.from('+OK\r\n'), 0, 5, replies)).toBeInstanceOf(HearsayError);
    expect(replies).toEqual([]);
  });
});
