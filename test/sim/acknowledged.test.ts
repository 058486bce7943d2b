/** What a client may know of its writes: WAIT and WAITAOF over several coordinators, receipts, strict quorums. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

/** The fields of a receipt that a client asks for behind a command. */
function receipt(scenario: Scenario, node: number): Record<string, string> {
  const words = scenario.text(node, 'HEARSAY.RECEIPT').slice(1, -1).split(' ');
  return Object.fromEntries(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1]]] : [])));
}

/** A key that the node owns, or does not. */
function keyFor(scenario: Scenario, node: number, owned: boolean): string {
  const id = `node-${node}`;
  for (let number = 0; number < 200; number++) {
    const key = `key-${number}`;
    const owners = scenario.text(node, 'HEARSAY.EXPLAIN', key).split('owners')[1];
    if (owners.includes(`node ${id} role owner`) === owned) return key;
  }
  throw new Error('no such key');
}

describe('WAIT', () => {
  it('covers every coordinator that the connection wrote through, not the last alone', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5 });
    const [here, away] = [keyFor(scenario, 0, true), keyFor(scenario, 0, false)];
    scenario.text(0, 'SET', away, '1');
    scenario.text(0, 'SET', here, '2');
    expect(scenario.text(0, 'WAIT', '2', '1000')).toBe('2');
    // Whoever coordinates the write to `away` reaches this node, and none of the others that own the key.
    const pairs = [1, 2, 3, 4].flatMap((left) => [1, 2, 3, 4].flatMap((right): [number, number][] => [[left, right]]));
    for (const [from, to] of pairs) if (from !== to) scenario.cluster.network.block(from, to);
    scenario.text(0, 'SET', away, '3');
    scenario.text(0, 'SET', here, '4');
    expect(scenario.text(0, 'WAIT', '1', '200')).toBe('0');
    scenario.cluster.unblock(pairs);
    scenario.until(20_000, () => (scenario.text(0, 'WAIT', '2', '500') === '2' ? null : 'not with both others'));
  });

  it('asks for all partitions written into, so that one that waits is not hidden by a later one', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5 });
    const keys = Array.from({ length: 30 }, (_, index) => `k${index}`);
    scenario.text(0, 'MSET', ...keys.flatMap((key) => [key, 'v']));
    expect(scenario.text(0, 'WAIT', '2', '1000')).toBe('2');
    scenario.kill(4);
    const reply = scenario.ask(0, 'MSET', ...keys.flatMap((key) => [key, 'w'])).reply;
    if (reply?.type === 'status') expect(['0', '1']).toContain(scenario.text(0, 'WAIT', '2', '300'));
  });
});

describe('WAITAOF', () => {
  it('answers once the log here and the logs of peers hold everything on disk', () => {
    const scenario = new Scenario({ seed: 5 });
    scenario.text(0, 'SET', 'k', 'v');
    expect(scenario.text(0, 'WAITAOF', '0', '0', '1')).toMatch(/^\[[01] [012]\]$/);
    expect(scenario.text(0, 'WAITAOF', '1', '2', '1500')).toBe('[1 2]');
    expect(scenario.text(0, 'WAIT', '2', '1500')).toBe('2');
  });

  it('does not count what a peer has in memory only, and what no peer ever syncs it never counts', () => {
    const scenario = new Scenario({ seed: 5, plan: { durability: 'off' } });
    scenario.text(0, 'SET', 'k', 'v');
    expect(scenario.text(0, 'WAIT', '2', '1500')).toBe('2');
    expect(scenario.text(0, 'WAITAOF', '0', '2', '300')).toBe('[0 0]');
    expect(scenario.ask(0, 'WAITAOF', '1', '0', '300').reply).toMatchObject({ type: 'error' });
  });

  it('counts at once what durability always has acknowledged', () => {
    const scenario = new Scenario({ seed: 5, plan: { durability: 'always' } });
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'ALL');
    scenario.text(0, 'SET', 'k', 'v');
    expect(receipt(scenario, 0)).toMatchObject({ level: 'all', met: '1', owners: '3', fallbacks: '0', synced: '3' });
    expect(scenario.text(0, 'WAITAOF', '1', '2', '1500')).toBe('[1 2]');
  });
});

describe('a receipt', () => {
  it('says who has a write and at which version, and a read of it names the same version', () => {
    const scenario = new Scenario({ seed: 5 });
    const key = keyFor(scenario, 0, true);
    scenario.text(0, 'SET', key, 'v');
    const written = receipt(scenario, 0);
    expect(written).toMatchObject({ level: 'one', met: '1', owners: '1', fallbacks: '0', synced: '0' });
    scenario.text(0, 'GET', key);
    expect(receipt(scenario, 0)).toEqual(written);
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    scenario.text(0, 'GET', key);
    expect(receipt(scenario, 0)).toMatchObject({ level: 'quorum', met: '1', owners: '2', version: written.version });
    scenario.text(0, 'GET', 'nobody-wrote-this');
    expect(receipt(scenario, 0).version).toBe('null');
  });

  it('travels back with the reply of a command that ran at an owner', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5 });
    const key = keyFor(scenario, 0, false);
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'QUORUM');
    scenario.text(0, 'SET', key, 'v');
    const written = receipt(scenario, 0);
    expect(written).toMatchObject({ level: 'quorum', met: '1', owners: '2' });
    scenario.text(0, 'GET', key);
    expect(receipt(scenario, 0)).toMatchObject({ level: 'one', owners: '1', version: written.version });
  });

  it('is for the command before it also when that failed, and when others were under way', () => {
    const scenario = new Scenario({ seed: 5 });
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ALL', 'WRITE', 'ALL');
    scenario.text(0, 'SET', 'k', 'v');
    scenario.send(0, 'SET', 'k', 'w');
    scenario.send(0, 'GET', 'k');
    expect(receipt(scenario, 0)).toMatchObject({ level: 'all', met: '1', owners: '3' });
    scenario.kill(2);
    expect(scenario.ask(0, 'SET', 'k', 'x').reply).toMatchObject({ type: 'error' });
    const failed = receipt(scenario, 0);
    expect(failed).toMatchObject({ level: 'all', met: '0' });
    expect(Number(failed.owners)).toBeLessThan(3);
  });

  it('tells stand-ins from owners, and a strict quorum does without them', () => {
    const scenario = new Scenario({ seed: 3, nodes: 5 });
    const key = keyFor(scenario, 0, true);
    const owners = scenario.text(0, 'HEARSAY.EXPLAIN', key).split('owners')[1];
    for (const node of [1, 2, 3, 4]) if (owners.includes(`node node-${node} role owner`)) scenario.kill(node);
    scenario.until(20_000, () => (Number(scenario.fact(0, 'members_alive')) === 3 ? null : 'still thought alive'));
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'QUORUM');
    scenario.text(0, 'SET', key, 'v');
    expect(receipt(scenario, 0)).toMatchObject({ level: 'quorum', met: '1', owners: '1', fallbacks: '1' });
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'QUORUM', 'STRICT');
    const refused = scenario.ask(0, 'SET', key, 'w').reply;
    expect(refused).toMatchObject({ type: 'error', text: expect.stringMatching(/^NOQUORUM 1 of the 2 owners/) });
    expect(receipt(scenario, 0)).toMatchObject({ met: '0', owners: '0' });
  });
});
