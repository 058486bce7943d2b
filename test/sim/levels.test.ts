/** The levels that connections of a node begin with are settings of that node. */
import { expect, it } from 'vitest';
import { Scenario } from './scenario.js';

it('a connection that says nothing reads and writes at the levels that its node was given, after a RESET again', () => {
  const scenario = new Scenario({
    settings: (node) => (node === 0 ? { readConsistency: 'quorum', writeConsistency: 'all' } : {}),
  });
  const levels = (node: number): string => scenario.text(node, 'HEARSAY.CONSISTENCY').replaceAll(/\s+/g, ' ');
  expect(levels(0)).toBe('[read quorum write all strict 0]');
  expect(levels(1)).toBe('[read one write one strict 0]');
  expect(scenario.text(0, 'CONFIG', 'GET', 'hearsay-*-consistency')).toBe(
    '[hearsay-read-consistency quorum hearsay-write-consistency all]',
  );
  expect([scenario.fact(0, 'read_consistency'), scenario.fact(1, 'write_consistency')]).toEqual(['quorum', 'one']);

  scenario.text(0, 'SET', 'k', 'v');
  expect(scenario.text(0, 'HEARSAY.RECEIPT')).toMatch(/level all met 1 owners 3/);
  expect(scenario.text(0, 'GET', 'k')).toBe('v');
  expect(scenario.text(0, 'HEARSAY.RECEIPT')).toMatch(/level quorum met 1 owners 2/);

  scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ONE');
  expect(levels(0)).toBe('[read one write one strict 0]');
  scenario.text(0, 'RESET');
  expect(levels(0)).toBe('[read quorum write all strict 0]');

  scenario.cutOff(1, 2);
  expect(scenario.ask(0, 'SET', 'k', 'w').reply).toMatchObject({ type: 'error' });
});

it('a command keeps the levels that it came with, whatever its connection asks for while it waits', () => {
  const scenario = new Scenario();
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ALL', 'WRITE', 'ALL');
  scenario.text(0, 'SET', 'k', 'v');
  scenario.cutOff(1, 2);
  const waiting = scenario.send(0, 'GET', 'k');
  scenario.send(0, 'HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ONE');
  expect(scenario.outcome(waiting).reply).toMatchObject({ type: 'error', text: expect.stringMatching(/^NOQUORUM/) });
});
