/** CGET, CPUT and CDEL as a client gives them, on a node of its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Hasher } from '../../../src/core/base/hash.js';
import { EMPTY_COVER } from '../../../src/core/types/cover.js';
import { SIBLINGS_MAX } from '../../../src/core/types/siblings.js';
import { encodeContext } from '../../../src/core/types/siblings-codec.js';
import type { Reply } from '../../../src/sim/replies.js';
import { Scenario, textOf } from '../../sim/scenario.js';
import { Harness } from '../session/harness.js';

let scenario: Scenario;

function ask(...words: string[]): Reply {
  const { reply } = scenario.ask(0, ...words);
  if (reply === null) throw new Error(`no reply to ${words.join(' ')}`);
  return reply;
}

function text(...words: string[]): string {
  return textOf(ask(...words));
}

/** Context first, then the values. */
function cget(key: string): string[] {
  const reply = ask('CGET', key);
  return reply.type === 'array' ? reply.items.map(textOf) : [textOf(reply)];
}

beforeEach(() => {
  scenario = new Scenario({ nodes: 1 });
});

describe('CGET, CPUT and CDEL', () => {
  it('answer an empty context and no value for a key that is not there', () => {
    expect(cget('k')).toEqual(['']);
    expect(text('TYPE', 'k')).toBe('none');
    expect(text('CDEL', 'k', '')).toBe('0');
  });

  it('let values written blindly stand beside each other, and one with their context take the place of all', () => {
    expect(text('CPUT', 'k', '', 'one')).not.toBe('null');
    expect(text('CPUT', 'k', '', 'two')).toBe('null');
    const [context, ...values] = cget('k');
    expect(values).toEqual(['two', 'one']);
    expect(text('CPUT', 'k', context, 'three')).not.toBe('null');
    expect(cget('k').slice(1)).toEqual(['three']);
    expect(text('TYPE', 'k')).toBe('siblings');
    expect(text('DBSIZE')).toBe('1');
  });

  it('go on with the context that CPUT gives back', () => {
    let context = '';
    for (let turn = 0; turn < 20; turn++) context = text('CPUT', 'k', context, `turn ${turn}`);
    expect(cget('k').slice(1)).toEqual(['turn 19']);
  });

  it('delete what the context has seen, and leave what came beside it', () => {
    text('CPUT', 'k', '', 'one');
    const [context] = cget('k');
    text('CPUT', 'k', '', 'two');
    expect(text('CDEL', 'k', context)).toBe('1');
    expect(cget('k').slice(1)).toEqual(['two']);
    expect(text('CDEL', 'k', cget('k')[0])).toBe('1');
    expect(cget('k')).toEqual(['']);
    expect([text('EXISTS', 'k'), text('GET', 'k'), text('TYPE', 'k'), text('KEYS', '*')]).toEqual([
      '0',
      'null',
      'none',
      '[]',
    ]);
    expect(text('CPUT', 'k', '', 'again')).not.toBe('null');
    expect(cget('k').slice(1)).toEqual(['again']);
  });

  it('show a plain client the last value written, and yield to its SET and DEL', () => {
    text('CPUT', 'k', '', 'one');
    text('CPUT', 'k', '', 'second');
    expect([text('GET', 'k'), text('STRLEN', 'k'), text('MGET', 'k', 'none')]).toEqual([
      'second',
      '6',
      '[second null]',
    ]);
    const [old] = cget('k');
    text('SET', 'k', 'plain');
    expect(cget('k').slice(1)).toEqual(['plain']);
    expect(text('CPUT', 'k', old, 'beside')).toBe('null');
    expect(cget('k').slice(1)).toEqual(['beside', 'plain']);
    text('DEL', 'k');
    expect(cget('k')).toEqual(['']);
    text('CPUT', 'k', '', 'new');
    expect(cget('k').slice(1)).toEqual(['new']);
  });

  it('take a plain value for the one sibling that it is', () => {
    text('SET', 'k', 'plain', 'EX', '100');
    const [context, ...values] = cget('k');
    expect(values).toEqual(['plain']);
    text('CPUT', 'k', context, 'new');
    expect(cget('k').slice(1)).toEqual(['new']);
    expect(text('TTL', 'k')).toBe('-1');
  });

  it('refuse by name a context of another key, and what is none', () => {
    text('CPUT', 'k', '', 'one');
    const [context] = cget('k');
    expect(text('CPUT', 'other', context, 'v')).toBe('CONTEXT this context belongs to another key');
    expect(text('CPUT', 'k', 'nonsense', 'v')).toMatch(/^CONTEXT no context/);
    expect(text('CDEL', 'k', `${context.slice(0, -4)}AAAA`)).toMatch(/^CONTEXT no context/);
    expect(cget('k').slice(1)).toEqual(['one']);
    expect(cget('other')).toEqual(['']);
  });

  it('refuse a context from further ahead than clocks may be: what took its place would be below it', () => {
    const harness = new Harness();
    const hasher = new Hasher([1, 2]);
    const hash = hasher.hash(Buffer.from('k'), 0, 1);
    for (const ahead of [{ foldedHlc: 2 ** 52 }, { baseHlc: 2 ** 52 }]) {
      const context = encodeContext(hasher, hash, { ...EMPTY_COVER, ...ahead });
      expect(harness.ask('CPUT', 'k', context, 'v')).toMatch(/^-CONTEXT the context is further ahead/);
      expect(harness.ask('CDEL', 'k', context)).toMatch(/^-CONTEXT the context is further ahead/);
    }
    const context = encodeContext(hasher, hash, { ...EMPTY_COVER, foldedHlc: 5 });
    expect(harness.ask('CPUT', 'k', context, 'v')).not.toMatch(/^-/);
  });

  it('refuse values past their bound by name, count them, and go on once somebody has read them', () => {
    for (let count = 0; count < SIBLINGS_MAX; count++) text('CPUT', 'k', '', `v${count}`);
    expect(text('CPUT', 'k', '', 'one more')).toMatch(/^SIBLINGS 100 values/);
    expect(cget('k').length).toBe(1 + SIBLINGS_MAX);
    expect(Number(scenario.fact(0, 'siblings_many'))).toBeGreaterThan(70);
    expect(scenario.fact(0, 'siblings_warnings')).toBe('1');
    expect(text('CPUT', 'k', cget('k')[0], 'all in one')).not.toBe('null');
    expect(cget('k').slice(1)).toEqual(['all in one']);
  });

  it('end each value for itself, and take EXPIRE and PERSIST for those that are there', () => {
    text('CPUT', 'k', '', 'short', 'PX', '400');
    text('CPUT', 'k', '', 'long', 'EX', '50');
    expect(cget('k').slice(1)).toEqual(['long', 'short']);
    scenario.rest(500);
    expect(cget('k').slice(1)).toEqual(['long']);
    expect(text('TTL', 'k')).toMatch(/^(49|50)$/);
    expect(text('PERSIST', 'k')).toBe('1');
    expect(text('TTL', 'k')).toBe('-1');
    expect(text('PEXPIRE', 'k', '300')).toBe('1');
    scenario.rest(400);
    expect(cget('k')).toEqual(['']);
    text('CPUT', 'k', '', 'next life');
    expect(cget('k').slice(1)).toEqual(['next life']);
  });

  it.each([
    [['CPUT', 'k', '', 'v', 'EX'], 'ERR syntax error'],
    [['CPUT', 'k', '', 'v', 'EX', '0'], "ERR invalid expire time in 'cput' command"],
    [['CPUT', 'k', '', 'v', 'NX', '1'], 'ERR syntax error'],
    [['CPUT', 'k', ''], "ERR wrong number of arguments for 'cput' command"],
    [['CGET'], "ERR wrong number of arguments for 'cget' command"],
  ])('refuse %j', (words, error) => {
    expect(text(...words)).toBe(error);
  });

  it('have nothing to do with a counter or a HyperLogLog', () => {
    text('INCR', 'n');
    text('PFADD', 'h', 'a');
    for (const key of ['n', 'h']) {
      expect(text('CGET', key)).toMatch(/^WRONGTYPE/);
      expect(text('CPUT', key, '', 'v')).toMatch(/^WRONGTYPE/);
    }
    text('CPUT', 'k', '', '5');
    expect([text('INCR', 'k'), text('PFADD', 'k', 'a')].every((reply) => reply.startsWith('WRONGTYPE'))).toBe(true);
  });
});
