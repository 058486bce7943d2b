/** Parts and bits of values, beside what test/fuzz/redis.test.ts asks of a redis-server too: bounds that are our own, and what is written. */
import { describe, expect, it, vi } from 'vitest';
import { Scenario, textOf } from '../../sim/scenario.js';
import { Harness } from '../session/harness.js';

const OUT_OF_BOUNDS = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n';
const VALUE_BITS = 16 * 1024 * 1024 * 8;

describe('a value that would grow', () => {
  it('is refused past the longest there may be, and is made up to it', () => {
    const harness = new Harness();
    expect(harness.ask('SETBIT', 'a', `${VALUE_BITS}`, '1')).toBe(OUT_OF_BOUNDS);
    expect(harness.ask('SETRANGE', 'a', `${VALUE_BITS / 8}`, 'x')).toBe(OUT_OF_BOUNDS);
    expect(harness.ask('BITFIELD', 'a', 'SET', 'u8', `${VALUE_BITS - 7}`, '1')).toBe(OUT_OF_BOUNDS);
    expect(harness.ask('EXISTS', 'a')).toBe(':0\r\n');
    expect(harness.ask('SETBIT', 'a', `${VALUE_BITS - 1}`, '1')).toBe(':0\r\n');
    expect(harness.ask('BITPOS', 'a', '1')).toBe(`:${VALUE_BITS - 1}\r\n`);
    expect(harness.ask('GETBIT', 'a', '4294967295')).toBe(':0\r\n');
  });

  it('keeps its expiry', () => {
    const harness = new Harness();
    for (const words of ['SETRANGE a 1 x', 'SETBIT a 3 1', 'BITFIELD a SET u8 0 1', 'INCRBYFLOAT a 1']) {
      harness.ask('SET', 'a', '1', 'PX', '5000');
      expect(harness.line(words)).not.toMatch(/^-/);
      expect(harness.ask('PTTL', 'a')).toBe(':5000\r\n');
    }
  });
});

describe('a command that changes nothing', () => {
  it('writes nothing', () => {
    const harness = new Harness();
    harness.ask('SET', 'a', '\xff');
    const put = vi.spyOn(harness.host.keyspace, 'put');
    expect(harness.ask('SETBIT', 'a', '3', '1')).toBe(':1\r\n');
    expect(harness.ask('SETRANGE', 'a', '5', '')).toBe(':1\r\n');
    expect(harness.ask('BITFIELD', 'a', 'GET', 'u4', '0')).toBe('*1\r\n:15\r\n');
    expect(harness.ask('BITFIELD', 'a', 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', '0', '1')).toBe('*1\r\n$-1\r\n');
    expect(put).not.toHaveBeenCalled();
    expect(harness.ask('BITFIELD', 'a', 'SET', 'u8', '0', '1')).toBe('*1\r\n:255\r\n');
    expect(put).toHaveBeenCalledTimes(1);
  });
});

describe('BITFIELD', () => {
  it('takes a bounded number of operations', () => {
    const harness = new Harness();
    const operations = (count: number): string[] => Array.from({ length: count }, () => ['GET', 'u1', '0']).flat();
    expect(harness.ask('BITFIELD', 'a', ...operations(16_384))).toMatch(/^\*16384\r\n/);
    expect(harness.ask('BITFIELD', 'a', ...operations(16_385))).toBe(
      '-ERR at most 16384 operations in one command\r\n',
    );
  });
});

describe('values that merge', () => {
  it('are text to these commands where they are counters, and refused where they are sketches', () => {
    const scenario = new Scenario({ nodes: 1 });
    const text = (...words: string[]): string => {
      const { reply } = scenario.ask(0, ...words);
      return reply === null ? 'no reply' : textOf(reply);
    };
    text('INCRBY', 'n', '41');
    expect(text('GETRANGE', 'n', '0', '0')).toBe('4');
    expect(text('BITCOUNT', 'n')).toBe('6');
    expect(text('INCRBYFLOAT', 'n', '1.5')).toBe('42.5');
    expect(text('INCR', 'n')).toMatch(/not an integer/);
    expect(text('INCRBYFLOAT', 'n', '0.5')).toBe('43');
    expect(text('INCR', 'n')).toBe('44');
    text('PFADD', 'h', 'a');
    const calls = ['GETRANGE h 0 1', 'SETRANGE h 0 a', 'SETBIT h 0 1', 'GETBIT h 0', 'BITCOUNT h', 'BITPOS h 1'];
    for (const call of [...calls, 'INCRBYFLOAT h 1', 'BITFIELD h GET u8 0', 'BITFIELD_RO h GET u8 0']) {
      expect(text(...call.split(' '))).toMatch(/^-?WRONGTYPE/);
    }
  });
});
