/** Plans from files: every fixture and every drawn plan can be played; what a run could not play is named, whatever it is. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { problemOf, readPlan } from '../../src/sim/plan-file.js';
import { drawPlan, type Plan } from '../../src/sim/schedule.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/plans/', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'hearsay-plan-'));
const file = join(place, 'plan.json');
afterAll(() => rmSync(place, { recursive: true, force: true }));

function problemWith(change: (plan: Plan) => unknown): string {
  const plan: Plan = structuredClone(drawPlan(1));
  change(plan);
  writeFileSync(file, JSON.stringify(plan));
  try {
    readPlan(file);
    return '';
  } catch (error) {
    return (error as Error).message.replace(`${file} holds `, '');
  }
}

function withStep(step: unknown): (plan: Plan) => unknown {
  return (plan) => Object.assign(plan, { steps: [step] });
}

describe('a plan from a file', () => {
  it('can be played when the simulator drew it', () => {
    for (let seed = 1; seed <= 1500; seed++) expect([seed, problemOf(drawPlan(seed))]).toEqual([seed, null]);
  });

  it.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.json')))('is read from the fixture %s', (name) => {
    expect(readPlan(join(FIXTURES, name)).steps.length).toBeGreaterThan(0);
  });

  it.each([
    [
      'a node that is not there',
      withStep({ atMs: 1, kind: 'pause', node: 5, forMs: 1 }),
      /step 0: node is 5, and there/,
    ],
    [
      'nodes that are not there',
      withStep({ atMs: 1, kind: 'kill', nodes: [77], downMs: 1 }),
      /nodes is \[77\], no list/,
    ],
    ['a pair of one', withStep({ atMs: 1, kind: 'partition', pairs: [[1]], forMs: 1 }), /pairs is \[\[1\]\], no list/],
    ['a client that is not there', withStep({ atMs: 1, kind: 'command', client: 99, words: [] }), /client is 99, and/],
    ['words that are none', withStep({ atMs: 1, kind: 'command', client: 0, words: [1] }), /words is \[1\], no list/],
    ['a kind that there is not', withStep({ atMs: 1, kind: 'toString' }), /no kind of step is named "toString"/],
    ['a fault that there is not', withStep({ atMs: 1, kind: 'disk', fault: 'x' }), /no fault of a disk is named "x"/],
    ['no time', withStep({ atMs: 'soon', kind: 'join', node: 0 }), /atMs is "soon", no time/],
    ['a step without what it needs', withStep({ atMs: 1, kind: 'pause', node: 0 }), /pause has no forMs/],
    ['a step that is none', withStep(7), /step 0: it is no record/],
    ['too few clocks', (plan: Plan) => plan.clocks.pop(), /3 nodes, and clocks for 2/],
    ['no nodes', (plan: Plan) => Object.assign(plan, { nodes: 0 }), /nodes is 0, not from 1/],
    [
      'a level that there is not',
      (plan: Plan) => Object.assign(plan.clients[0], { readLevel: 'two' }),
      /client 0: a level/,
    ],
    [
      'a durability that there is not',
      (plan: Plan) => Object.assign(plan, { durability: 'some' }),
      /durability is "some"/,
    ],
  ])('is refused for %s', (_what, change, line) => {
    expect(problemWith(change)).toMatch(line);
  });

  it('is refused or can be played, whatever one value of it is changed to', () => {
    const plan = drawPlan(9);
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 0.5, 1e12, '', null, [], {}));
    fc.assert(
      fc.property(fc.nat(plan.steps.length - 1), fc.nat(9), values, (at, field, value) => {
        const step: Record<string, unknown> = structuredClone({ ...plan.steps[at] });
        const names = Object.keys(step);
        step[names[field % names.length]] = value;
        const changed = { ...plan, steps: [step] } as unknown as Plan;
        const problem = problemOf(changed);
        expect(problem === null || problem.startsWith('step 0: ')).toBe(true);
      }),
    );
  });
});
