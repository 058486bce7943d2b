/**
 * Glob patterns: what they match, what they cost, and how commands that hold them against many keys share a turn.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  GLOB_STEPS_MAX,
  globMatches,
  globStepsMax,
  globWork,
  PATTERN_BYTES_MAX,
} from '../../../src/core/commands/glob.js';
import { LIST_STEPS_MAX } from '../../../src/core/commands/page.js';
import { STEPS_PER_TURN } from '../../../src/core/commands/scan-work.js';
import { KEY_BYTES_MAX } from '../../../src/core/record/record.js';
import { encode, Harness } from '../session/harness.js';

/** Cursor and number of keys of a page. */
function page(reply: string): [string, number] {
  const [, cursor, keys] = /^\*2\r\n\$\d+\r\n(\d+)\r\n\*(\d+)\r\n/.exec(reply) ?? [];
  return [cursor, Number(keys)];
}

/** Whether a text of one-byte characters matches, by what is reached of the pattern after each. */
function asDefined(pattern: string, text: Buffer): boolean {
  const elements = pattern.match(/\\[\s\S]|\[\^?(?:\\[\s\S]|[^\]])*\]?|[\s\S]/g) ?? [];
  const takes = (element: string, byte: string): boolean => {
    if (element === '?') return true;
    if (element.length === 1 && element !== '[') return element === byte;
    if (element[0] === '\\') return element[1] === byte;
    const negated = element[1] === '^';
    const members = element.slice(negated ? 2 : 1).replace(/\]$/, '');
    return (members === 'a-b' ? 'ab' : members).includes(byte) !== negated;
  };
  let reached = new Set([0]);
  const past = (): void => {
    for (const at of reached) if (elements[at] === '*') reached.add(at + 1);
  };
  past();
  for (const byte of text.toString('latin1')) {
    const next = new Set<number>();
    for (const at of reached) {
      if (elements[at] === '*') next.add(at);
      else if (at < elements.length && takes(elements[at], byte)) next.add(at + 1);
    }
    reached = next;
    past();
    if (reached.size === 0) return false;
  }
  return reached.has(elements.length);
}

describe('glob patterns', () => {
  it('take work in proportion to pattern and text, whatever the pattern', () => {
    const pattern = Buffer.from(`${'a*'.repeat(PATTERN_BYTES_MAX / 2 - 1)}b`);
    const text = Buffer.alloc(65_535, 'a');
    let looks = 0;
    const counted = new Proxy(text, {
      get(target, property) {
        looks++;
        return Reflect.get(target, property);
      },
    });
    expect(globMatches(pattern, 0, pattern.length, counted, 0, text.length)).toBe(false);
    expect(looks).toBeLessThanOrEqual(pattern.length * text.length);
  });

  it('match as their definition says, also once a text was gone back in too often', () => {
    let inParallel = 0;
    const element = fc.constantFrom('*', '*', '?', 'a', 'a', 'b', '[ab]', '[^b]', '\\\\a', '[a-b]', '[]', '[^]', '[a');
    const run = fc.tuple(fc.constantFrom('a', 'b', '?', '[ab]'), fc.nat(150)).map(([one, times]) => one.repeat(times));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(element, element, run), { maxLength: 8 }),
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.oneof(fc.nat(3), fc.nat(2500))), { maxLength: 5 }),
        (elements, runs) => {
          const pattern = Buffer.from(elements.join('').slice(0, PATTERN_BYTES_MAX));
          const text = Buffer.from(runs.map(([one, times]) => one.repeat(times)).join(''));
          const before = globWork.steps;
          const matches = globMatches(pattern, 0, pattern.length, text, 0, text.length);
          const steps = globWork.steps - before;
          expect(matches).toBe(asDefined(pattern.toString(), text));
          expect(steps).toBeLessThanOrEqual(globStepsMax(pattern.length, text.length));
          if (steps > 8 * text.length + 256 * pattern.length) inParallel++;
        },
      ),
      { seed: 7, numRuns: 400 },
    );
    expect(inParallel).toBeGreaterThan(10);
  });

  it('that cannot match are refused by CONFIG GET and COMMAND LIST once they have taken too long', () => {
    const harness = new Harness();
    const slowest = `*[${'~'.repeat(1000)}`;
    const before = globWork.steps;
    expect(harness.ask('CONFIG', 'GET', ...Array.from({ length: 64 }, () => slowest))).toBe(
      '-ERR the patterns take too long\r\n',
    );
    expect(globWork.steps - before).toBeLessThan(2 * GLOB_STEPS_MAX);
    expect(harness.ask('CONFIG', 'GET', 'max*')).toContain('maxmemory');
    expect(harness.ask('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'pf*')).toContain('pfadd');
  });

  it('share what a turn has for them, however many are pipelined and by however many, each in turn; others do not wait', () => {
    const harness = withLongKeys(3);
    const [scanners, last] = [[2, 3, 4], 5];
    for (const stream of [...scanners, last]) harness.accept(stream);
    const scan = encode('SCAN', '0', 'COUNT', '10000', 'MATCH', slow);
    for (const stream of scanners) harness.receive(Buffer.concat(Array.from({ length: 6 }, () => scan)), stream);
    harness.receive(encode('SCAN', '0', 'MATCH', 'nothing', 'COUNT', '1'), last);
    const answered = new Map<number, number>();
    let [most, turns] = [0, 0];
    for (; turns === 0 || harness.sessions.wantsTurn; turns++) {
      const before = globWork.steps;
      harness.host.scanWork.turnStarted();
      harness.sessions.turn();
      harness.receive(encode('PING'), 1);
      harness.endTurn();
      most = Math.max(most, globWork.steps - before);
      expect(harness.output(1)).toBe('+PONG\r\n');
      for (const stream of [...scanners, last]) {
        const pages = harness.output(stream).match(/\*2\r\n\$\d+\r\n\d+\r\n\*0/g)?.length ?? 0;
        answered.set(stream, (answered.get(stream) ?? 0) + pages);
      }
      if (turns === 6) for (const stream of [...scanners, last]) expect(answered.get(stream)).toBeGreaterThan(0);
      const done = scanners.map((stream) => answered.get(stream) ?? 0);
      expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(1);
    }
    expect([...answered.values()]).toEqual([6, 6, 6, 1]);
    expect(most).toBeLessThanOrEqual(STEPS_PER_TURN + GLOB_STEPS_MAX + globStepsMax(slow.length, KEY_BYTES_MAX));
    expect(turns).toBeGreaterThanOrEqual(17);
    expect(harness.host.scanWork.postponed).toBeGreaterThanOrEqual(17);
    expect(harness.ask('INFO', 'stats')).toMatch(/hearsay_scans_postponed:[1-9]/);
  });

  /** Keys of 64 KiB; against `slow` each takes nearly pattern x key steps. */
  const withLongKeys = (count: number): Harness => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, topology: 'off' };
    });
    for (let key = 0; key < count; key++) harness.ask('SET', `${'a'.repeat(65_500)}${key}`, 'v');
    return harness;
  };
  const slow = `*${'a'.repeat(1000)}b`;

  it('end a page of SCAN when their steps are used up, and the pages together find every key', () => {
    const harness = withLongKeys(15);
    for (const [pattern, expected] of [
      [slow, 0],
      [`*${'a'.repeat(1000)}*`, 15],
    ] as const) {
      let cursor = '0';
      let [found, pages, most] = [0, 0, 0];
      do {
        const before = globWork.steps;
        const [next, keys] = page(harness.ask('SCAN', cursor, 'COUNT', '10000', 'MATCH', pattern));
        most = Math.max(most, globWork.steps - before);
        cursor = next;
        found += keys;
        pages++;
      } while (cursor !== '0');
      expect(found).toBe(expected);
      // One look of at least a key comes on top.
      expect(most).toBeLessThan(GLOB_STEPS_MAX + globStepsMax(PATTERN_BYTES_MAX, KEY_BYTES_MAX));
      expect(pages > 1).toBe(expected === 0);
    }
  });

  it('are refused by KEYS when they take too long, with few steps more', () => {
    const harness = withLongKeys(15);
    const before = globWork.steps;
    expect(harness.ask('KEYS', slow)).toBe('-ERR the pattern takes too long for KEYS, use SCAN\r\n');
    expect(globWork.steps - before).toBeLessThan(LIST_STEPS_MAX + globStepsMax(PATTERN_BYTES_MAX, KEY_BYTES_MAX));
    expect(harness.ask('KEYS', 'a*1')).toMatch(/^\*2\r\n/);
  });

  it('are at most 64 in one CONFIG GET', () => {
    const harness = new Harness();
    expect(harness.ask('CONFIG', 'GET', ...Array.from({ length: 65 }, () => 'x'))).toBe('-ERR at most 64 patterns\r\n');
    expect(harness.ask('CONFIG', 'GET', ...Array.from({ length: 64 }, () => 'x'))).toBe('*0\r\n');
  });

  it('are refused past their bound', () => {
    const harness = new Harness();
    expect(harness.ask('KEYS', 'a'.repeat(1025))).toBe('-ERR pattern is too long\r\n');
    expect(harness.ask('SCAN', '0', 'MATCH', 'a'.repeat(1025))).toBe('-ERR pattern is too long\r\n');
  });
});
