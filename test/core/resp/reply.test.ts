/** Replies and integers: the bytes of both protocols, growth, and bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBigInteger, readInteger, writeInteger } from '../../../src/core/resp/integer.js';
import { BufferPool, SMALL_BUFFER_BYTES } from '../../../src/core/resp/pool.js';
import { REPLY_BYTES_MAX, Reply } from '../../../src/core/resp/reply.js';

function written(protocol: 2 | 3, write: (reply: Reply) => void): string {
  const reply = new Reply(protocol, null);
  write(reply);
  return reply.buffer.latin1Slice(0, reply.length);
}

describe('a reply', () => {
  it.each<[string, (reply: Reply) => void, string, string]>([
    ['simple', (reply) => reply.simple('PONG'), '+PONG\r\n', '+PONG\r\n'],
    ['ok', (reply) => reply.ok(), '+OK\r\n', '+OK\r\n'],
    ['error', (reply) => reply.error('ERR', 'no\r\nlines'), '-ERR no  lines\r\n', '-ERR no  lines\r\n'],
    ['integer', (reply) => reply.integer(-42), ':-42\r\n', ':-42\r\n'],
    [
      'big integer',
      (reply) => reply.bigInteger(-(2n ** 63n)),
      ':-9223372036854775808\r\n',
      ':-9223372036854775808\r\n',
    ],
    ['bulk', (reply) => reply.bulk(Buffer.from('xabcx'), 1, 4), '$3\r\nabc\r\n', '$3\r\nabc\r\n'],
    ['text', (reply) => reply.bulkString('é'), '$2\r\n\xc3\xa9\r\n', '$2\r\n\xc3\xa9\r\n'],
    ['null', (reply) => reply.null(), '$-1\r\n', '_\r\n'],
    ['array', (reply) => reply.array(2), '*2\r\n', '*2\r\n'],
    ['map', (reply) => reply.map(12), '*24\r\n', '%12\r\n'],
    ['set', (reply) => reply.set(1), '*1\r\n', '~1\r\n'],
    ['push', (reply) => reply.push(3), '*3\r\n', '>3\r\n'],
    ['double', (reply) => reply.double(0.5), '$3\r\n0.5\r\n', ',0.5\r\n'],
    ['infinity', (reply) => reply.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['boolean', (reply) => reply.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (reply) => reply.boolean(false), ':0\r\n', '#f\r\n'],
    ['verbatim', (reply) => reply.verbatim('hi'), '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
    ['raw', (reply) => reply.raw(Buffer.from(':1\r\n:2\r\n'), 4, 8), ':2\r\n', ':2\r\n'],
  ])('writes %s in both protocols', (_name, write, two, three) => {
    expect(written(2, write)).toBe(two);
    expect(written(3, write)).toBe(three);
  });

  it('keeps what it has while it grows', () => {
    const pool = new BufferPool();
    const reply = new Reply(2, pool);
    const value = Buffer.alloc(1000, 'v');
    for (let count = 0; count < 500; count++) reply.bulk(value, 0, value.length);
    expect(reply.buffer.latin1Slice(0, reply.length)).toBe(`$1000\r\n${'v'.repeat(1000)}\r\n`.repeat(500));
  });

  it('overflows at its bound instead of growing on', () => {
    const reply = new Reply(2, null);
    const value = Buffer.alloc(16 * 1024 * 1024);
    for (let count = 0; count < 3; count++) reply.bulk(value, 0, value.length);
    expect(reply.overflowed).toBe(true);
    expect(reply.length).toBeLessThanOrEqual(REPLY_BYTES_MAX);
  });

  it('gives a prefix away for good and keeps the rest elsewhere', () => {
    const pool = new BufferPool();
    const reply = new Reply(2, pool);
    reply.simple('one');
    const length = reply.length;
    reply.simple('two');
    const given = reply.detach(length);
    reply.simple('three');
    expect(given.toString()).toBe('+one\r\n');
    expect(reply.buffer.latin1Slice(0, reply.length)).toBe('+two\r\n+three\r\n');
    expect(given.buffer).not.toBe(reply.buffer.buffer);
  });
});

describe('the pool of buffers', () => {
  it('hands a buffer out again whole, whatever part of it came back', () => {
    const pool = new BufferPool();
    const first = pool.take(10);
    pool.give(first.subarray(0, 7));
    const again = pool.take(20);
    expect(again.length).toBe(SMALL_BUFFER_BYTES);
    expect(again.buffer).toBe(first.buffer);
    expect(pool.made).toBe(1);
  });

  it('drops what is of no pooled size, and what is too many', () => {
    const pool = new BufferPool();
    pool.give(Buffer.allocUnsafeSlow(100));
    const taken = Array.from({ length: 300 }, () => pool.take(1));
    for (const buffer of taken) pool.give(buffer);
    expect(pool.dropped).toBe(1 + 44);
  });
});

describe('integers in bytes', () => {
  it('are written as JavaScript writes them', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const bytes = Buffer.alloc(24);
        expect(bytes.latin1Slice(0, writeInteger(bytes, 0, value))).toBe(`${value}`);
      }),
      { examples: [[0], [9], [10], [-1], [2147483647], [2147483648], [Number.MAX_SAFE_INTEGER], [-9007199254740991]] },
    );
  });

  it('are read exactly when they fit 64 bits, and only then', () => {
    const near = fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n });
    fc.assert(
      fc.property(near, (value) => {
        const bytes = Buffer.from(`${value}`);
        const read = readInteger(bytes, 0, bytes.length);
        if (value > 2n ** 63n - 1n || value < -(2n ** 63n)) expect(read).toBeNaN();
        else if (Number.isFinite(read)) expect(BigInt(read)).toBe(value);
        else {
          expect(Math.abs(Number(value))).toBeGreaterThanOrEqual(2 ** 53);
          expect(readBigInteger(bytes, 0, bytes.length)).toBe(value);
        }
      }),
      {
        numRuns: 500,
        examples: [[2n ** 63n - 1n], [2n ** 63n], [-(2n ** 63n)], [-(2n ** 63n) - 1n], [2n ** 53n - 1n], [2n ** 53n]],
      },
    );
  });

  it.each(['', '-', '+1', '01', '-0', ' 1', '1 ', '1.0', '1e3', '0x1', '00', '--1', '99999999999999999999'])(
    'are not %j',
    (text) => {
      expect(readInteger(Buffer.from(text), 0, text.length)).toBeNaN();
    },
  );
});
