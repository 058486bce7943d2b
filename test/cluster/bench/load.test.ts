import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoadSpec, repliesPerRequest } from '../../../cluster/bench/load-spec.js';
import { ReplyCounter } from '../../../cluster/bench/reply-counter.js';
import { incompressible, RequestWriter, writeDigits } from '../../../cluster/bench/requests.js';

const SPEC: LoadSpec = {
  port: 1,
  operation: 'set',
  connections: 1,
  pipeline: 1,
  keys: 1000,
  sequentialFrom: null,
  valueBytes: 8,
  ttlSeconds: 0,
  requests: 1,
  durationMs: 1,
  ratePerSecond: 0,
  sleeps: false,
  samplesFile: null,
  seed: 1,
};

function requestText(spec: Partial<LoadSpec>, count: number): string {
  const writer = new RequestWriter({ ...SPEC, ...spec });
  const bytes = Buffer.alloc(writer.bytesMax(count));
  return bytes.toString('latin1', 0, writer.fill(bytes, count));
}

describe('requests', () => {
  it('are RESP with keys of sixteen bytes', () => {
    const value = incompressible(8, 1);
    expect(requestText({ sequentialFrom: 41 }, 2)).toBe(
      [41, 42]
        .map((key) => `*3\r\n$3\r\nSET\r\n$16\r\nkey:${String(key).padStart(12, '0')}\r\n$8\r\n${value}\r\n`)
        .join(''),
    );
    expect(requestText({ operation: 'get', sequentialFrom: 7 }, 1)).toBe(
      '*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n',
    );
    expect(requestText({ ttlSeconds: 60 }, 1)).toMatch(/^\*5\r\n.*\$2\r\nEX\r\n\$2\r\n60\r\n$/s);
    expect(requestText({ operation: 'incr' }, 1)).toMatch(/^\*2\r\n\$4\r\nINCR\r\n\$20\r\ncounter:\d{12}\r\n$/);
  });

  it('are a SET with a WAIT for one other copy behind it, which has two replies', () => {
    const text = requestText({ operation: 'set-wait' }, 2);
    expect(text.match(/\$3\r\nSET\r\n.*?\*3\r\n\$4\r\nWAIT\r\n\$1\r\n1\r\n\$1\r\n0\r\n/gs)).toHaveLength(2);
    expect([repliesPerRequest('set-wait'), repliesPerRequest('set')]).toEqual([2, 1]);
  });

  it('name ten different keys in an MSET', () => {
    const keys = requestText({ operation: 'mset', sequentialFrom: 0 }, 1).match(/key:\d{12}/g);
    expect(new Set(keys).size).toBe(10);
  });

  it('are the same for the same seed, else for another, and stay below the number of keys', () => {
    expect(requestText({}, 50)).toBe(requestText({}, 50));
    expect(requestText({}, 50)).not.toBe(requestText({ seed: 2 }, 50));
    const keys = requestText({ keys: 3 }, 200).match(/(?<=key:)\d{12}/g) ?? [];
    expect(new Set(keys.map(Number))).toEqual(new Set([0, 1, 2]));
  });

  it('are one SET to nine GETs in a mixed load', () => {
    const text = requestText({ operation: 'mixed' }, 2000);
    const sets = text.match(/\$3\r\nSET/g)?.length ?? 0;
    const gets = text.match(/\$3\r\nGET/g)?.length ?? 0;
    expect(sets + gets).toBe(2000);
    expect(sets).toBeGreaterThan(150);
    expect(sets).toBeLessThan(250);
  });

  it('carry any number in their digits', () => {
    const bytes = Buffer.alloc(12);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999_999 }), (value) => {
        writeDigits(bytes, 0, value);
        expect(Number(bytes.toString('latin1'))).toBe(value);
      }),
    );
  });
});

describe('the counter of replies', () => {
  const replies = ['+OK\r\n', ':12\r\n', '$-1\r\n', '$0\r\n\r\n', '$5\r\na\r\n-:\r\n', '-OOM no room\r\n'];

  it('counts the same however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(replies.length - 1), { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (picked, step) => {
          const bytes = Buffer.from(picked.map((index) => replies[index]).join(''), 'latin1');
          const outcomes = new Uint8Array(64);
          const counter = new ReplyCounter(outcomes);
          let counted = 0;
          for (let at = 0; at < bytes.length; at += step) {
            const piece = bytes.subarray(at, at + step);
            counted += counter.feed(piece, piece.length);
          }
          expect(counted).toBe(picked.length);
          expect(counter.misses).toBe(picked.filter((index) => index === 2).length);
          expect(counter.errors).toBe(picked.filter((index) => index === 5).length);
          expect([...outcomes.subarray(0, counter.outcomeCount)]).toEqual(
            picked.map((index) => (index === 2 || index === 5 ? 0 : 1)),
          );
        },
      ),
    );
  });

  it('keeps what the first error said, and refuses what is no such reply', () => {
    const counter = new ReplyCounter();
    const bytes = Buffer.from('-OOM no room\r\n-ERR other\r\n', 'latin1');
    counter.feed(bytes, bytes.length);
    expect(counter.firstError).toBe('OOM no room');
    expect(() => counter.feed(Buffer.from('*1\r\n'), 4)).toThrow('no line and no bulk string');
  });
});
