/** `hearsay chaos` as words in, exit code and texts out: what can be refused before any process starts. */
import { describe, expect, test } from 'vitest';
import { SCENARIOS } from '../../cluster/chaos/catalogue.js';
import { runVerb } from './run.js';

describe('chaos list', () => {
  test('names every scenario with what it does and what is expected', async () => {
    const { code, out } = await runVerb(['chaos', 'list']);
    expect(code).toBe(0);
    for (const { name, does, expects } of SCENARIOS) {
      for (const text of [name, does, expects]) expect(out).toContain(text);
    }
  });
});

describe('chaos --help', () => {
  test.each(['chaos --help', 'chaos run --help', 'help chaos'])('shows what to type: %s', async (words) => {
    const { code, out } = await runVerb(words.split(' '));
    expect(code).toBe(0);
    expect(out).toContain('hearsay chaos run all --duration 1m --report');
  });

  test('of run has the bounds of every flag, which are those that refusals name', async () => {
    const { out } = await runVerb(['chaos', 'run', '--help']);
    for (const bounds of ['3 to 15', '2s to 60m', '0 to 4294967295'])
      expect(out.replace(/\s+/g, ' ')).toContain(bounds);
    const { error } = await runVerb('chaos run kill --nodes 2 --duration 1s --seed x'.split(' '));
    for (const bounds of ['3 to 15', '2s to 60m', '0 to 4294967295']) expect(error).toContain(`is not from ${bounds}`);
  });
});

describe('chaos run', () => {
  test.each([
    [['chaos', 'run', 'constructor'], /no scenario is named constructor; 'hearsay chaos list' prints them/],
    [['chaos', 'run', 'kill', '--nodes', '2'], /--nodes: 2 is not from 3 to 15/],
    [['chaos', 'run', 'kill', '--duration', '1s'], /--duration: 1s is not from 2s to 60m/],
    [['chaos', 'run', 'kill', '--duration', 'soon'], /--duration: soon is not/],
    [['chaos', 'run', 'kill', '--seed', '-1'], /--seed: -1 is not from 0 to/],
    [['chaos', 'run', 'kill', '--report', ''], /--report: name a directory/],
    [['chaos', 'run', 'kill', '--report', '/dev/null/x'], /--report: .*can not be used/],
  ])('refuses %j with a line that says why', async (words, line) => {
    const { code, error, out } = await runVerb(words);
    expect(code).toBe(2);
    expect(error).toMatch(line);
    expect(out).toBe('');
  });

  test('says of several mistakes all at once', async () => {
    const { error } = await runVerb(['chaos', 'run', 'nothing', '--nodes', '99', '--seed', 'x']);
    expect(error.match(/--nodes|--seed|no scenario/g)).toHaveLength(3);
  });
});
