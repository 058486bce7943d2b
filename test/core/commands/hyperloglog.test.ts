/** PFADD, PFCOUNT and PFMERGE as a client gives them, on a node of its own and on nodes that share the keys. */
import { describe, expect, it } from 'vitest';
import { Scenario } from '../../sim/scenario.js';

function elements(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `element:${from + index}`);
}

describe('PFADD, PFCOUNT and PFMERGE', () => {
  it('count distinct elements, and say whether anything changed', () => {
    const scenario = new Scenario({ nodes: 1 });
    const text = (...words: string[]): string => scenario.text(0, ...words);
    expect([text('PFCOUNT', 'h'), text('PFADD', 'h'), text('PFADD', 'h'), text('PFCOUNT', 'h')]).toEqual([
      '0',
      '1',
      '0',
      '0',
    ]);
    expect([text('PFADD', 'h', 'a', 'b', ''), text('PFADD', 'h', 'b'), text('PFCOUNT', 'h')]).toEqual(['1', '0', '3']);
    expect(text('TYPE', 'h')).toBe('hyperloglog');
    expect(text('DEL', 'h')).toBe('1');
    expect(text('PFCOUNT', 'h')).toBe('0');
  });

  it('write nothing when no register rises, however large the sketch', () => {
    const scenario = new Scenario({ nodes: 1 });
    for (let from = 0; from < 4000; from += 1000) scenario.text(0, 'PFADD', 'h', ...elements(from, from + 1000));
    const before = scenario.fact(0, 'writes_coordinated');
    expect(scenario.text(0, 'PFADD', 'h', ...elements(500, 1500))).toBe('0');
    expect(scenario.fact(0, 'writes_coordinated')).toBe(before);
    const seen = Number(scenario.text(0, 'PFCOUNT', 'h'));
    expect(Math.abs(seen - 4000)).toBeLessThan(4000 * 0.0243);
  });

  it('refuse other types, and are refused by them', () => {
    const scenario = new Scenario({ nodes: 1 });
    scenario.text(0, 'SET', 's', 'v');
    scenario.text(0, 'PFADD', 'h', 'a');
    for (const words of [
      ['PFADD', 's', 'a'],
      ['PFCOUNT', 's'],
      ['PFCOUNT', 'h', 's'],
      ['PFMERGE', 'h', 's'],
      ['PFMERGE', 's', 'h'],
      ['GET', 'h'],
      ['APPEND', 'h', 'x'],
      ['INCR', 'h'],
    ]) {
      const { reply } = scenario.ask(0, ...words);
      expect(reply?.type === 'error' ? reply.text : reply, words.join(' ')).toMatch(/^WRONGTYPE/);
    }
    expect(scenario.text(0, 'SET', 'h', 'plain')).toBe('OK');
    expect(scenario.text(0, 'GET', 'h')).toBe('plain');
  });

  it('begin from nothing once a key has ended', () => {
    const scenario = new Scenario({ nodes: 1 });
    scenario.text(0, 'PFADD', 'h', 'a', 'b');
    expect(scenario.text(0, 'PEXPIRE', 'h', '200')).toBe('1');
    expect(scenario.text(0, 'PFADD', 'h', 'c')).toBe('1');
    expect(Number(scenario.text(0, 'PTTL', 'h'))).toBeGreaterThan(0);
    scenario.rest(300);
    expect(scenario.text(0, 'PFCOUNT', 'h')).toBe('0');
    scenario.text(0, 'PFADD', 'h', 'd');
    expect(scenario.text(0, 'PFCOUNT', 'h')).toBe('1');
    expect(scenario.text(0, 'TTL', 'h')).toBe('-1');
  });

  it('unite sketches whose keys live on different nodes, through any node', () => {
    const scenario = new Scenario({ nodes: 5 });
    const keys = Array.from({ length: 6 }, (_, index) => `h${index}`);
    for (const [index, key] of keys.entries()) {
      scenario.text(index % 5, 'PFADD', key, ...elements(index * 100, index * 100 + 200));
    }
    for (let node = 0; node < 5; node++) {
      expect(Math.abs(Number(scenario.text(node, 'PFCOUNT', ...keys, 'none')) - 700)).toBeLessThan(20);
      expect(scenario.text(node, 'PFMERGE', `all${node}`, ...keys, 'none')).toBe('OK');
    }
    scenario.untilEqual(10_000);
    const union = scenario.text(0, 'PFCOUNT', ...keys);
    for (let node = 0; node < 5; node++) expect(scenario.text((node + 1) % 5, 'PFCOUNT', `all${node}`)).toBe(union);
    scenario.text(0, 'SET', 'text', 'v');
    const { reply } = scenario.ask(1, 'PFMERGE', 'all0', ...keys, 'text');
    expect(reply?.type === 'error' ? reply.text : '').toMatch(/^WRONGTYPE/);
  });
});
