/** Commands on several keys that are more than the sum of parts, with keys together and apart, and values that change between two steps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import type { Completion } from '../../../src/sim/client.js';
import { Scenario, textOf } from '../../sim/scenario.js';
import { encode, Harness } from '../session/harness.js';

function apart(): Harness {
  const harness = new Harness();
  harness.host.away = (partition) => (partition & 4) !== 0;
  return harness;
}

function answerAll(harness: Harness): void {
  while (harness.host.remote.length > 0 || harness.sessions.wantsTurn) {
    while (harness.host.remote.length > 0) harness.host.answerRemote(0);
    harness.settle();
  }
  harness.settle();
}

function ask(harness: Harness, ...words: string[]): string {
  harness.receive(encode(...words));
  harness.settle();
  answerAll(harness);
  return harness.output();
}

/** Two keys of which the first lives elsewhere. */
function keysApart(harness: Harness): [string, string] {
  const away = (key: string): boolean => {
    harness.receive(encode('EXISTS', key));
    harness.settle();
    const isAway = harness.host.remote.length > 0;
    answerAll(harness);
    harness.output();
    return isAway;
  };
  const keys = [...'abcdefghijklmnop'];
  const [first, second] = [keys.find(away), keys.find((key) => !away(key))];
  if (first === undefined || second === undefined) throw new Error('no such keys');
  return [first, second];
}

/** Somebody else's SET, in the middle of a command. */
function write({ host }: Harness, key: string, text: string): void {
  const value = Buffer.from(text);
  host.keyspace.put(Buffer.from(key), 0, key.length, value, 0, value.length, 0);
}

describe('a command on keys that live apart', () => {
  it('answers and leaves behind what it would with all keys here', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const value = fc.constantFrom('', 'abc', 'xbcz', '\xf0\x0f', 'longer than the others');
    const command = fc.oneof(
      fc.tuple(fc.constant('SET'), key, value),
      fc.tuple(fc.constant('SET'), key, value, fc.constant('PX'), fc.constant('5000')),
      fc.tuple(fc.constantFrom('RENAME', 'RENAMENX', 'COPY', 'LCS'), key, key),
      fc.tuple(fc.constant('COPY'), key, key, fc.constantFrom('REPLACE', 'FOO')),
      fc.tuple(fc.constant('LCS'), key, key, fc.constantFrom('LEN', 'IDX', 'FOO')),
      fc.tuple(
        fc.constant('BITOP'),
        fc.constantFrom('AND', 'OR', 'XOR', 'DIFF', 'DIFF1', 'ANDOR', 'ONE'),
        key,
        key,
        key,
        key,
      ),
      fc.tuple(fc.constant('BITOP'), fc.constantFrom('NOT', 'DIFF', 'x'), key, key),
      fc.tuple(fc.constant('MSETEX'), fc.constantFrom('1', '2', '3', 'x'), key, value, key, value),
      fc.tuple(fc.constant('MSETEX'), fc.constant('2'), key, value, key, value, fc.constantFrom('KEEPTTL', 'FOO')),
      fc.tuple(
        fc.constant('MSETEX'),
        fc.constant('2'),
        key,
        value,
        key,
        value,
        fc.constant('EX'),
        fc.constantFrom('9', '0'),
      ),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 10 }), fc.boolean(), (commands, three) => {
        const [whole, split] = [new Harness(), apart()];
        if (three) expect(ask(split, 'HELLO', '3').length).toBe(ask(whole, 'HELLO', '3').length);
        for (const words of commands) expect(ask(split, ...words), words.join(' ')).toBe(ask(whole, ...words));
        const shown = ({ host }: Harness): unknown => [...host.keyspace.entries].sort();
        expect(shown(split)).toEqual(shown(whole));
      }),
      { numRuns: 300 },
    );
  });

  it('is done before what its connection sends behind it', () => {
    const harness = apart();
    const [source, target] = keysApart(harness);
    ask(harness, 'SET', source, 'moved');
    harness.receive(Buffer.concat([encode('RENAME', source, target), encode('GET', target), encode('GET', source)]));
    answerAll(harness);
    expect(harness.output()).toBe('+OK\r\n$5\r\nmoved\r\n$-1\r\n');
  });

  it('moves what is written to the old key meanwhile after the first value, and gives up in the end', () => {
    for (const times of [1, 9]) {
      const harness = apart();
      const [source, target] = keysApart(harness);
      ask(harness, 'SET', source, 'first');
      harness.receive(encode('RENAME', source, target));
      harness.settle();
      for (let turn = 0; harness.host.remote.length > 0; turn++) {
        if (harness.host.remote[0].command.name === 'hearsay.take' && turn <= times * 2) {
          write(harness, source, `later ${turn}`);
        }
        harness.host.answerRemote(0);
        harness.settle();
      }
      if (times === 1) {
        expect(harness.output()).toBe('+OK\r\n');
        expect(ask(harness, 'GET', target)).toBe('$7\r\nlater 1\r\n');
        expect(ask(harness, 'EXISTS', source)).toBe(':0\r\n');
      } else {
        expect(harness.output()).toBe(
          '-UNAVAILABLE copied, not renamed: the old key was written again and again meanwhile\r\n',
        );
        expect(ask(harness, 'EXISTS', source, target)).toBe(':2\r\n');
      }
    }
  });

  it('moves a value to one of two new keys, and puts back what the other held', () => {
    for (const held of [null, 'held']) {
      for (const isSame of [false, true]) {
        const harness = apart();
        const [source, target] = keysApart(harness);
        const other = isSame ? target : `{${target}}2`;
        ask(harness, 'SET', source, 'moved');
        if (held !== null) ask(harness, 'SET', target, held);
        if (held !== null) ask(harness, 'SET', other, held);
        harness.accept(2);
        harness.receive(encode('RENAME', source, target));
        harness.receive(encode('RENAME', source, other), 2);
        harness.settle();
        answerAll(harness);
        expect(harness.output()).toBe('+OK\r\n');
        expect(harness.output(2)).toBe('-ERR no such key\r\n');
        expect(ask(harness, 'GET', target)).toBe('$5\r\nmoved\r\n');
        if (!isSame) expect(ask(harness, 'GET', other)).toBe(held === null ? '$-1\r\n' : '$4\r\nheld\r\n');
      }
    }
  });

  it('leaves alone what others write to the new key meanwhile', () => {
    for (const isGone of [false, true]) {
      const harness = apart();
      const [source, target] = keysApart(harness);
      ask(harness, 'SET', source, 'first');
      harness.receive(encode('RENAMENX', source, target));
      harness.settle();
      harness.host.answerRemote(0);
      harness.settle();
      expect(harness.host.remote[0].command.name).toBe('hearsay.take');
      write(harness, target, 'theirs');
      if (isGone) harness.host.keyspace.remove(Buffer.from(source), 0, source.length);
      else write(harness, source, 'second');
      answerAll(harness);
      expect(harness.output()).toBe(isGone ? '-ERR no such key\r\n' : ':0\r\n');
      expect(ask(harness, 'GET', target)).toBe('$6\r\ntheirs\r\n');
      expect(ask(harness, 'GET', source)).toBe(isGone ? '$-1\r\n' : '$6\r\nsecond\r\n');
    }
  });

  it('is told of a key and itself, in a session too', () => {
    const harness = apart();
    const [source] = keysApart(harness);
    ask(harness, 'HEARSAY.SESSION', 'ON');
    expect(ask(harness, 'RENAME', source, source)).toBe('-ERR no such key\r\n');
    ask(harness, 'SET', source, 'x');
    expect(ask(harness, 'RENAME', source, source)).toBe('+OK\r\n');
    expect(ask(harness, 'RENAMENX', source, source)).toBe(':0\r\n');
    expect(ask(harness, 'GET', source)).toBe('$1\r\nx\r\n');
  });

  it('says that a value stands at both keys where it could not be taken away', () => {
    const harness = apart();
    const [source, target] = keysApart(harness);
    ask(harness, 'SET', source, 'x');
    harness.receive(encode('RENAME', source, target));
    harness.settle();
    while (harness.host.remote.length > 0) {
      if (harness.host.remote[0].command.name === 'hearsay.take') {
        harness.host.keyspace.refuseWrites = new HearsayError('NOSPACE', 'the disk is full');
      }
      harness.host.answerRemote(0);
      harness.settle();
    }
    expect(harness.output()).toBe(
      '-UNAVAILABLE the value stands at its new key, and may still stand at the old one: NOSPACE the disk is full\r\n',
    );
  });

  it('says that it was carried out for some keys only', () => {
    const harness = apart();
    const [away, here] = keysApart(harness);
    const write = (): string => {
      harness.receive(encode('MSETEX', '2', here, '1', away, '2'));
      harness.settle();
      harness.host.keyspace.refuseWrites = new HearsayError('NOSPACE', 'the disk is full');
      answerAll(harness);
      return harness.output();
    };
    expect(write()).toBe('-UNAVAILABLE carried out for some keys only: NOSPACE the disk is full\r\n');
    expect(write()).toBe('-NOSPACE the disk is full\r\n');
  });

  it('combines bits as one byte after the other would be, whatever their lengths', () => {
    const ways: Record<string, (x: number, y: number, z: number) => number> = {
      AND: (x, y, z) => x & y & z,
      OR: (x, y, z) => x | y | z,
      XOR: (x, y, z) => x ^ y ^ z,
      DIFF: (x, y, z) => x & ~(y | z),
      DIFF1: (x, y, z) => (y | z) & ~x,
      ANDOR: (x, y, z) => x & (y | z),
      ONE: (x, y, z) => (x ^ y ^ z) & ~(x & y & z),
    };
    const bytes = fc.uint8Array({ maxLength: 14 });
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(ways)), fc.tuple(bytes, bytes, bytes), (way, values) => {
        const harness = new Harness();
        const { entries } = harness.host.keyspace;
        for (const [index, value] of values.entries()) {
          entries.set('xyz'[index], { value: Buffer.from(value), expireAtMs: 0 });
        }
        const length = Math.max(...values.map((value) => value.length));
        expect(ask(harness, 'BITOP', way, 'to', 'x', 'y', 'z')).toBe(`:${length}\r\n`);
        const expected = Array.from({ length }, (_, at) => {
          const [x = 0, y = 0, z = 0] = values.map((value) => value[at]);
          return ways[way](x, y, z) & 255;
        });
        expect([...(entries.get('to')?.value ?? [])], way).toEqual(expected);
      }),
    );
  });

  it('combines no more bytes than a budget', () => {
    const harness = new Harness();
    const value = Buffer.alloc(16 * 1024 * 1024);
    harness.host.keyspace.entries.set('a', { value, expireAtMs: 0 });
    harness.host.keyspace.entries.set('b', { value: Buffer.from('x'), expireAtMs: 0 });
    const sources = [...'aaaaaaaaaaaaaaaab'];
    expect(ask(harness, 'BITOP', 'OR', 'none', ...sources)).toMatch(/^-ERR the values are too long for BITOP/);
    expect(ask(harness, 'EXISTS', 'none')).toBe(':0\r\n');
  });

  it('is refused where all keys are judged at one owner, unless they share a slot', () => {
    const harness = apart();
    const [one, other] = keysApart(harness);
    expect(ask(harness, 'MSETNX', one, '1', other, '2')).toMatch(
      /^-ERR MSETNX judges and writes its keys at one owner/,
    );
    expect(ask(harness, 'MSETEX', '2', one, '1', other, '2', 'NX')).toMatch(/^-ERR MSETEX with NX or XX judges/);
    expect(ask(harness, 'MSETEX', '2', one, '1', other, '2', 'PX', '5000')).toBe(':1\r\n');
    expect(ask(harness, 'PTTL', other)).toBe(':5000\r\n');
    for (const tag of [`{${one}}`, `{${other}}`]) {
      expect(ask(harness, 'MSETNX', `${tag}1`, '1', `${tag}2`, '2')).toBe(':1\r\n');
      expect(ask(harness, 'MSETNX', `${tag}3`, '1', `${tag}2`, '3')).toBe(':0\r\n');
      expect(ask(harness, 'MSETEX', '2', `${tag}1`, 'x', `${tag}3`, 'x', 'XX')).toBe(':0\r\n');
      expect(ask(harness, 'MSETEX', '2', `${tag}1`, 'x', `${tag}2`, 'y', 'XX', 'KEEPTTL')).toBe(':1\r\n');
      expect(ask(harness, 'MGET', `${tag}1`, `${tag}2`, `${tag}3`)).toBe('*3\r\n$1\r\nx\r\n$1\r\ny\r\n$-1\r\n');
    }
    harness.host.nodes.pop();
    harness.host.away = () => false;
    expect(ask(harness, 'MSETNX', 'y', '1', 'z', '2')).toBe(':1\r\n');
  });
});

describe('COMMAND GETKEYS', () => {
  it('counts the keys that a command counts', () => {
    const harness = new Harness();
    expect(ask(harness, 'COMMAND', 'GETKEYS', 'MSETEX', '2', 'a', '1', 'b', '2', 'NX')).toBe(
      '*2\r\n$1\r\na\r\n$1\r\nb\r\n',
    );
    expect(ask(harness, 'COMMAND', 'GETKEYS', 'MSETEX', '900000', 'a', '1', 'b', '2')).toBe(
      '*2\r\n$1\r\na\r\n$1\r\nb\r\n',
    );
    expect(ask(harness, 'COMMAND', 'GETKEYS', 'MSETEX', 'x', 'a', '1')).toBe('*1\r\n$1\r\na\r\n');
  });
});

describe('conditions on a value', () => {
  it('let SET write and DELEX delete only what is as they say', () => {
    const harness = new Harness();
    const digest = '78af5f94892f3950';
    expect(ask(harness, 'SET', 'a', 'x', 'IFEQ', 'abc')).toBe('$-1\r\n');
    expect(ask(harness, 'SET', 'a', 'abc', 'IFNE', 'x')).toBe('+OK\r\n');
    expect(ask(harness, 'DIGEST', 'a')).toBe(`$16\r\n${digest}\r\n`);
    expect(ask(harness, 'SET', 'a', 'y', 'IFNE', 'abc', 'GET')).toBe('$3\r\nabc\r\n');
    expect(ask(harness, 'SET', 'a', 'y', 'IFDNE', digest)).toBe('$-1\r\n');
    expect(ask(harness, 'SET', 'a', 'y', 'EX', '10', 'IFDEQ', digest.toUpperCase())).toBe('+OK\r\n');
    expect(ask(harness, 'PTTL', 'a')).toBe(':10000\r\n');
    expect(ask(harness, 'SET', 'a', 'z', 'IFEQ', 'EX', 'PX', '7')).toBe('$-1\r\n');
    expect(ask(harness, 'SET', 'a', 'z', 'IFEQ', 'y', 'KEEPTTL', 'GET')).toBe('$1\r\ny\r\n');
    expect(ask(harness, 'GET', 'a')).toBe('$1\r\nz\r\n');
    for (const words of ['NX IFEQ z', 'IFEQ z XX', 'IFEQ z IFNE y', 'IFEQ']) {
      expect(ask(harness, 'SET', 'a', 'b', ...words.split(' '))).toBe('-ERR syntax error\r\n');
    }
    expect(ask(harness, 'SET', 'a', 'b', 'IFDEQ', 'z')).toBe('-ERR a digest is exactly 16 hexadecimal characters\r\n');
    expect(ask(harness, 'DELEX', 'a', 'IFNE', 'z')).toBe(':0\r\n');
    expect(ask(harness, 'DELEX', 'a', 'IFEQ', 'z')).toBe(':1\r\n');
    expect(ask(harness, 'DELEX', 'a', 'IFNE', 'z')).toBe(':0\r\n');
    expect(ask(harness, 'SET', 'a', 'b')).toBe('+OK\r\n');
    expect(ask(harness, 'DELEX', 'a')).toBe(':1\r\n');
    expect(ask(harness, 'DELEX', 'a', 'IFEQ')).toMatch(/^-ERR wrong number/);
    expect(ask(harness, 'DELEX', 'a', 'FOO', 'x')).toBe('-ERR syntax error\r\n');
  });
});

describe('on a cluster of five', () => {
  it.each(['ONE', 'QUORUM'])('a value moves with what belongs to it, at level %s', (level) => {
    const scenario = new Scenario({ nodes: 5 });
    const text = (node: number, ...words: string[]): string => {
      const { reply } = scenario.ask(node, ...words);
      return reply === null ? 'no reply' : textOf(reply);
    };
    for (let node = 0; node < 5; node++) text(node, 'HEARSAY.CONSISTENCY', 'READ', level, 'WRITE', level);
    for (let index = 0; index < 10; index++) {
      const node = index % 5;
      const [old, next, copy] = [`old${index}`, `new${index}`, `copy${index}`];
      text(node, 'SET', old, `value ${index}`, 'PX', '600000');
      expect(text(node, 'RENAME', old, next)).toBe('OK');
      expect(text(node, 'EXISTS', old)).toBe('0');
      expect(text(node, 'GET', next)).toBe(`value ${index}`);
      expect(Number(text(node, 'PTTL', next))).toBeGreaterThan(590_000);
      expect(text(node, 'COPY', next, copy)).toBe('1');
      expect(text(node, 'RENAMENX', next, copy)).toBe('0');
      expect(text(node, 'BITOP', 'XOR', old, next, copy)).toBe(`${`value ${index}`.length}`);
      expect(text(node, 'BITCOUNT', old)).toBe('0');
      expect(text(node, 'LCS', next, copy)).toBe(`value ${index}`);
      text(node, 'INCRBY', `n${index}`, '41');
      expect(text(node, 'RENAME', `n${index}`, `m${index}`)).toBe('OK');
      expect(text(node, 'INCR', `m${index}`)).toBe('42');
      text(node, 'PFADD', `h${index}`, 'a', 'b');
      text(node, 'PFADD', `i${index}`, 'c');
      expect(text(node, 'COPY', `h${index}`, `i${index}`, 'REPLACE')).toBe('1');
      expect(text(node, 'PFCOUNT', `i${index}`)).toBe('2');
      text(node, 'CPUT', `s${index}`, '', 'one');
      expect(text(node, 'RENAME', `s${index}`, `t${index}`)).toMatch(/WRONGTYPE siblings stay/);
    }
    scenario.rest(500);
    for (let node = 0; node < 5; node++) expect(text(node, 'MGET', 'old1', 'new3', 'm4')).toMatch(/ value 3 42\]$/);
  });
  it('a value that two move at once has one new key', () => {
    const scenario = new Scenario({ nodes: 5 });
    const told = ({ reply }: Completion): string => (reply === null ? 'no reply' : textOf(reply));
    const text = (node: number, ...words: string[]): string => told(scenario.ask(node, ...words));
    for (let index = 0; index < 40; index++) {
      const [old, one, other] = [`old${index}`, `one${index}`, index % 2 === 0 ? `other${index}` : `one${index}`];
      text(0, 'SET', old, 'value');
      text(0, 'SET', other, 'before');
      const asked = [scenario.send(1, 'RENAME', old, one), scenario.send(2, 'RENAME', old, other)];
      const answers = asked.map((number) => told(scenario.outcome(number))).sort();
      expect(answers[0]).toMatch(/no such key/);
      expect(answers[1]).toBe('OK');
      scenario.rest(100);
      const values = [one, other].map((key) => text(3, 'GET', key));
      expect(values, `${index}`).toContain('value');
      if (one !== other) expect(new Set(values).size, `${index}`).toBe(2);
    }
  });
});
