/** The request parser: the cut of the stream changes nothing, memory follows what arrived, and errors are Redis's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ARGUMENTS_MAX,
  BROKEN,
  BULK_BYTES_MAX,
  COMMAND,
  INCOMPLETE,
  LINE_BYTES_MAX,
  Parser,
  QUERY_BYTES_MAX,
} from '../../../src/core/resp/parser.js';
import { encode } from '../session/harness.js';

/** Feeds `bytes` cut at `cuts`; returns the commands and, last, the error if there was one. */
function parseInPieces(bytes: Buffer, cuts: number[], authenticated = true): { out: string[][]; carryMost: number } {
  const parser = new Parser(authenticated);
  const out: string[][] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  let from = 0;
  let carryMost = 0;
  for (const to of ends) {
    const lent = Buffer.concat([Buffer.from('#'), bytes.subarray(from, to), Buffer.from('#')]);
    parser.lend(lent, 1, lent.length - 1);
    let outcome = parser.next();
    for (; outcome === COMMAND; outcome = parser.next()) out.push(wordsOf(parser));
    if (outcome === BROKEN) {
      out.push(['error', parser.error]);
      return { out, carryMost };
    }
    parser.keep();
    carryMost = Math.max(carryMost, parser.carryBytes);
    lent.fill(0x3f);
    from = to;
  }
  return { out, carryMost };
}

function wordsOf(parser: Parser): string[] {
  const words: string[] = [];
  for (let index = 0; index < parser.args.count; index++) words.push(parser.args.copy(index).toString('latin1'));
  return words;
}

function parse(text: string | Buffer, authenticated = true): string[][] {
  return parseInPieces(Buffer.from(text as string, 'latin1'), [], authenticated).out;
}

const word = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const inlineWord = fc.constantFrom('PING', 'set', '"a b"', '"\\x41\\n"', "'it\\'s'", "'\\n'", 'é', '');
const token = fc.oneof(
  { weight: 6, arbitrary: fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => encode(...words)) },
  {
    weight: 2,
    arbitrary: fc.array(inlineWord, { maxLength: 4 }).map((words) => Buffer.from(`${words.join(' ')}\r\n`)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('*0\r\n', '*-1\r\n', '\r\n', '\n', 'PING\n').map((text) => Buffer.from(text)),
  },
);
const damage = fc
  .constantFrom('*1\r\n', '$', '*x\r\n', '*1\r\n$-1\r\n', 'a "b\r\n', '*2\r\nx\r\n', '*1\r\n$9', '\r')
  .map((text) => Buffer.from(text));

describe('the request parser', () => {
  it('gives the same commands however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 20, arbitrary: token }, { weight: 1, arbitrary: damage }), { maxLength: 12 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        (tokens, cuts) => {
          const bytes = Buffer.concat(tokens);
          const everywhere = Array.from({ length: bytes.length }, (_, at) => at);
          const whole = parseInPieces(bytes, []).out;
          expect(parseInPieces(bytes, cuts).out).toEqual(whole);
          expect(parseInPieces(bytes, everywhere).out).toEqual(whole);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('gives back exactly the words that were encoded', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(word, { minLength: 1, maxLength: 20 }), { maxLength: 20 }),
        fc.array(fc.nat(5000), { maxLength: 6 }),
        (commands, cuts) => {
          const bytes = Buffer.concat(commands.map((words) => encode(...words)));
          const expected = commands.map((words) => words.map((bytes) => bytes.toString('latin1')));
          expect(parseInPieces(bytes, cuts).out).toEqual(expected);
        },
      ),
    );
  });

  it('never throws at random bytes, and holds no more than what came and a constant', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom('*', '$', '1', '9', '-', '\r\n', '\n', '"', "'", '\\', ' ', 'a'), { maxLength: 200 })
        .map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(noise, fc.array(fc.nat(300), { maxLength: 30 }), fc.boolean(), (bytes, cuts, authenticated) => {
        const { out, carryMost } = parseInPieces(bytes, cuts, authenticated);
        expect(carryMost).toBeLessThanOrEqual(2 * bytes.length + 512);
        expect(out).toEqual(parseInPieces(bytes, [], authenticated).out);
      }),
      { numRuns: 600 },
    );
  });

  it('reserves nothing for a length that is only declared', () => {
    for (const text of [`*${ARGUMENTS_MAX}\r\n`, `*2\r\n$3\r\nSET\r\n$${BULK_BYTES_MAX}\r\nx`]) {
      const parser = new Parser(true);
      parser.lend(Buffer.from(text), 0, text.length);
      expect(parser.next()).toBe(INCOMPLETE);
      parser.keep();
      expect(parser.carryBytes).toBeLessThanOrEqual(512);
      expect(parser.args.starts.length).toBeLessThanOrEqual(8);
    }
  });

  it('reads a command of one mebibyte byte by byte, moving its bytes only as its buffer doubles', () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    const bytes = encode('SET', 'k', value);
    const parser = new Parser(true);
    let growths = 0;
    let last = 0;
    let found = 0;
    for (let at = 0; at < bytes.length; at++) {
      parser.lend(bytes, at, at + 1);
      if (parser.next() === COMMAND) {
        found++;
        expect(parser.args.copy(2).equals(value)).toBe(true);
      }
      parser.keep();
      if (parser.carryBytes !== last) growths++;
      last = parser.carryBytes;
    }
    expect(found).toBe(1);
    expect(growths).toBeLessThan(20);
    expect(parser.carryBytes).toBe(0);
  });

  it('gives the room of a command with very many arguments back', () => {
    const parser = new Parser(true);
    const many = encode('MGET', ...Array.from({ length: 5000 }, () => 'k'));
    const bytes = Buffer.concat([many, encode('PING')]);
    parser.lend(bytes, 0, bytes.length);
    expect(parser.next()).toBe(COMMAND);
    expect(parser.args.count).toBe(5001);
    expect(parser.next()).toBe(COMMAND);
    expect(parser.args.starts.length).toBe(8);
  });

  it('stops a command that grows past the query buffer', () => {
    const parser = new Parser(true);
    const piece = encode('MSET', ...Array.from({ length: 5 }, () => Buffer.alloc(BULK_BYTES_MAX)));
    let outcome: number = INCOMPLETE;
    for (let at = 0; at < piece.length && outcome === INCOMPLETE; at += 8 * 1024 * 1024) {
      parser.lend(piece, at, Math.min(piece.length, at + 8 * 1024 * 1024));
      outcome = parser.next();
      if (outcome === INCOMPLETE) parser.keep();
      expect(parser.carryBytes).toBeLessThanOrEqual(2 * QUERY_BYTES_MAX);
    }
    expect(outcome).toBe(BROKEN);
    expect(parser.error).toBe('query buffer limit exceeded');
  });

  it('splits inline commands as a shell does', () => {
    expect(parse('  set  "a b"  \'c\\\'d\' "\\x00\\xfF\\n\\t\\"" e\\f\r\nPING\n')).toEqual([
      ['set', 'a b', "c'd", '\x00\xff\n\t"', 'e\\f'],
      ['PING'],
    ]);
    expect(parse('set a"b c"\r\n')).toEqual([['set', 'ab c']]);
  });

  it.each([
    ['*x\r\n', 'invalid multibulk length'],
    ['* 1\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1e3\r\n', 'invalid multibulk length'],
    [`*${ARGUMENTS_MAX + 1}\r\n`, 'invalid multibulk length'],
    ['*2147483648\r\n', 'invalid multibulk length'],
    ['*99999999999999999999999\r\n', 'invalid multibulk length'],
    ['*1\r\n$x\r\n', 'invalid bulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$-0\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    [`*1\r\n$${BULK_BYTES_MAX + 1}\r\n`, 'invalid bulk length'],
    ['*2\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*1\r\n*1\r\n', "expected '$', got '*'"],
    ['set "a\r\n', 'unbalanced quotes in request'],
    ['set "a"b\r\n', 'unbalanced quotes in request'],
    ["set 'a\r\n", 'unbalanced quotes in request'],
    [`*${'1'.repeat(LINE_BYTES_MAX + 10)}`, 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(LINE_BYTES_MAX + 10)}`, 'too big bulk count string'],
    ['x'.repeat(LINE_BYTES_MAX + 1), 'too big inline request'],
  ])('refuses %j as Redis does', (text, error) => {
    expect(parse(text)).toEqual([['error', error]]);
  });

  it('allows a stranger only a few short arguments', () => {
    expect(parse('*11\r\n', false)).toEqual([['error', 'unauthenticated multibulk length']]);
    expect(parse('*1\r\n$16385\r\n', false)).toEqual([['error', 'unauthenticated bulk length']]);
    expect(parse(encode(...Array.from({ length: 10 }, () => 'a')), false)).toHaveLength(1);
  });

  it('skips very many blank lines without going deeper', () => {
    expect(parse(`${'\r\n'.repeat(100_000)}PING\r\n`)).toEqual([['PING']]);
    expect(parse(`${'*0\r\n'.repeat(100_000)}PING\r\n`)).toEqual([['PING']]);
  });
});
