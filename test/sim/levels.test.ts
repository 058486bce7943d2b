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

it('a read at level one is of the node that it is sent to, once that is ready, whatever level its connection writes at', () => {
  const scenario = new Scenario();
  const writes = scenario.connect(1);
  scenario.text(1, 'HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ALL');
  scenario.kill(1);
  scenario.kill(2);
  scenario.rest(1_000);
  // Node 2 is silent, so node 1 can not know yet whether there was another ring.
  scenario.start(1);
  scenario.until(10_000, () => (scenario.fact(1, 'ready') === '1' ? null : 'node 1 is not ready'));
  scenario.text(1, 'HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ALL');
  for (let at = 0; at < 20; at++) scenario.text(writes, 'SET', `k${at}`, 'old');
  scenario.rest(300);
  scenario.cut(0, 1);
  for (let at = 0; at < 20; at++) {
    scenario.text(writes, 'SET', `k${at}`, 'new');
    expect(scenario.text(1, 'GET', `k${at}`)).toBe('new');
  }
});
