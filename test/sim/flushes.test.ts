/** FLUSHALL at the levels: acknowledged means that no read at quorum answers with what was flushed, whichever owners it asks. */
import { describe, expect, it } from 'vitest';
import { Scenario, textOf } from './scenario.js';

const KEYS = Array.from({ length: 40 }, (_, at) => `k${at}`);
const NODES = [0, 1, 2, 3, 4];

/** Flushes at each node in turn while nothing of it gets to `misses` of the others; the replies. */
function flushes(level: string, misses: number): string[] {
  const scenario = new Scenario({ seed: 7, nodes: 5 });
  return NODES.map((node) => {
    const pairs = NODES.filter((other) => other !== node)
      .slice(0, misses)
      .map((other): [number, number] => [node, other]);
    scenario.text(node, 'HEARSAY.CONSISTENCY', 'WRITE', level);
    for (const [from, to] of pairs) scenario.cluster.network.block(from, to);
    const { reply } = scenario.ask(node, 'FLUSHALL');
    scenario.cluster.unblock(pairs);
    scenario.rest(3_000);
    return reply?.type === 'error' || reply?.type === 'status' ? reply.text : 'none';
  });
}

/** Three nodes that all hold every key. */
function filled(seed: number, mutations: ReadonlySet<string> = new Set()): Scenario {
  const scenario = new Scenario({ seed, mutations });
  scenario.text(0, 'MSET', ...KEYS.flatMap((key) => [key, 'old']));
  expect(scenario.text(0, 'WAIT', '2', '1000')).toBe('2');
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'QUORUM');
  return scenario;
}

/** What one command on each key, sent at once, comes to. */
function all(scenario: Scenario, node: number, ...words: string[]): string[] {
  const sent = KEYS.map((key) => scenario.send(node, words[0], key, ...words.slice(1)));
  return sent.map((number) => {
    const { reply } = scenario.outcome(number);
    return reply === null ? 'none' : textOf(reply);
  });
}

/** Flushes at a node from which nothing gets to another, and reads there at quorum before a third has told it. */
function readsBeforeItIsHeard(mutations: ReadonlySet<string>): string[] {
  const scenario = filled(7, mutations);
  scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM');
  scenario.cluster.network.block(0, 2);
  expect(scenario.text(0, 'FLUSHALL')).toBe('OK');
  return all(scenario, 2, 'GET');
}

describe('FLUSHALL', () => {
  it('at quorum is seen by reads at quorum through a node that has yet to hear of it', () => {
    expect(new Set(readsBeforeItIsHeard(new Set()))).toEqual(new Set(['null']));
    // The planted bug: what others know of flushes is not heeded.
    expect(readsBeforeItIsHeard(new Set(['reads-ignore-flushes']))).toContain('old');
  });

  it('is known to a node that was down before it answers: nothing flushed is read there, or written anew', () => {
    const scenario = filled(31);
    scenario.rest(2_000);
    scenario.kill(2);
    scenario.rest(4_000);
    expect(scenario.text(0, 'FLUSHALL')).toBe('OK');
    scenario.rest(1_000);
    scenario.start(2);
    const read = scenario.connect(2);
    const append = scenario.connect(2);
    for (const level of ['READ', 'WRITE']) scenario.text(append, 'HEARSAY.CONSISTENCY', level, 'QUORUM');
    let answered = 0;
    for (let round = 0; round < 40; round++) {
      const replies = [...all(scenario, read, 'GET'), ...all(scenario, append, 'APPEND', 'x')];
      for (const text of replies) expect(text).toMatch(/^(null|x+|\d+|LOADING .*|UNAVAILABLE .*|NOQUORUM .*)$/);
      // As many as were appended by now: a longer value has something old in it.
      for (const text of replies) if (/^\d+$/.test(text)) expect(Number(text)).toBeLessThanOrEqual(round + 1);
      answered += replies.filter((text) => /^(null|x+|\d+)$/.test(text)).length;
      scenario.rest(10);
    }
    expect(answered).toBeGreaterThan(1_000);
    scenario.untilEqual(10_000);
    for (const node of [0, 1, 2]) for (const text of all(scenario, node, 'GET')) expect(text).toMatch(/^x+$/);
  });

  it('at level all is acknowledged when every member has it, not as many as own a key', () => {
    for (const text of flushes('ALL', 1)) expect(text).toMatch(/^NOQUORUM/);
    for (const text of flushes('ALL', 0)) expect(text).toBe('OK');
  });

  it('at quorum is acknowledged when no more lack it than a quorum of the owners of a key may', () => {
    for (const text of flushes('QUORUM', 2)) expect(text).toMatch(/^NOQUORUM/);
    for (const text of flushes('QUORUM', 1)) expect(text).toBe('OK');
  });
});
