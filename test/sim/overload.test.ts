/** More than may wait for other nodes: -BUSY by name, counted, within the bounds, and nothing of it is left once the others answer. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const BOUNDS = { pendingMax: 48, pendingPerPeerMax: 32 };
const FLOOD = 200;
const LEVELS = ['HEARSAY.CONSISTENCY', 'READ', 'ALL', 'WRITE', 'ALL'] as const;

/** A figure of node 0 for itself and for each peer. */
function figures(scenario: Scenario, name: string): { node: number; peers: number[] } {
  const words = scenario.text(0, 'HEARSAY.STATUS').split(/[\s[\]]+/);
  // The list of bounds before it has a row of that name.
  const members = words.slice(words.lastIndexOf('members'));
  const peers = members.flatMap((word, at) => (word === name ? [Number(members[at + 1])] : []));
  return { node: Number(words[words.indexOf(name) + 1]), peers };
}

/** Sends commands at node 0 while others stand still for 50 ms; the texts of the errors among the replies, '' for a good one. */
function flood(scenario: Scenario, stalled: readonly number[], command: (at: number) => string[]): string[] {
  for (const node of stalled) scenario.cluster.pause(node);
  const sent = Array.from({ length: FLOOD }, (_, at) => scenario.send(0, ...command(at)));
  scenario.rest(50);
  for (const node of stalled) scenario.cluster.resume(node);
  return sent.map((each) => {
    const { reply } = scenario.outcome(each);
    return reply?.type === 'error' ? reply.text : '';
  });
}

function busyIn(texts: readonly string[]): string[] {
  return texts.filter((text) => text.startsWith('BUSY'));
}

/** Nothing waits, and as many commands as may wait go through at once. */
function expectRecovered(scenario: Scenario, command: (at: number) => string[]): void {
  scenario.rest(2_000);
  const left = figures(scenario, 'pending');
  expect([left.node, ...left.peers]).toEqual([0, ...left.peers.map(() => 0)]);
  const sent = Array.from({ length: 10 }, (_, at) => scenario.send(0, ...command(at)));
  for (const each of sent) expect(scenario.outcome(each).reply?.type).not.toBe('error');
}

describe('a node whose peers do not answer', () => {
  it('takes as many writes above level one as may wait for a peer, and answers the others at once with BUSY', () => {
    const scenario = new Scenario({ seed: 11, settings: BOUNDS });
    scenario.text(0, ...LEVELS);
    const write = (at: number): string[] => ['SET', `w${at}`, 'v'];
    const busy = busyIn(flood(scenario, [1, 2], write));
    expect(busy.length).toBeGreaterThanOrEqual(FLOOD - BOUNDS.pendingPerPeerMax);
    expect(busy[0]).toMatch(/^BUSY 32 operations wait for \S+, and no more may; nothing was done: try again later/);
    expect(Math.max(...figures(scenario, 'pending_most').peers)).toBe(BOUNDS.pendingPerPeerMax);
    expect(Math.max(...figures(scenario, 'pending_refused').peers)).toBeGreaterThan(0);
    // Nothing was done for those that were refused.
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'ONE');
    expect(scenario.text(0, 'EXISTS', `w${FLOOD - 1}`)).toBe('0');
    expectRecovered(scenario, write);
  });

  it('takes as many writes that follow a read of their connection as may wait, though they wait for the log alone', () => {
    const scenario = new Scenario({ seed: 13, settings: BOUNDS, plan: { durability: 'always' } });
    scenario.text(0, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'ONE');
    const busy = busyIn(flood(scenario, [1, 2], (at) => (at === 0 ? ['GET', 'f'] : ['SET', 'f', `v${at}`])));
    expect(busy.length).toBe(FLOOD - 1 - BOUNDS.pendingMax);
    expect(busy[0]).toMatch(/^BUSY 48 operations wait for other nodes/);
    expect(figures(scenario, 'pending_most').node).toBe(BOUNDS.pendingMax);
    expectRecovered(scenario, (at) => ['SET', 'f', `w${at}`]);
  });

  it('does the same with reads that ask them', () => {
    const scenario = new Scenario({ seed: 12, settings: BOUNDS, plan: { partitions: 64 } });
    for (let at = 0; at < FLOOD; at++) scenario.text(0, 'SET', `r${at}`, 'v');
    scenario.text(0, 'WAIT', '2', '1000');
    scenario.text(0, ...LEVELS);
    const read = (at: number): string[] => ['GET', `r${at}`];
    // Its connection has seen that values are short: else few are asked for at once.
    for (let at = 0; at < 60; at++) scenario.text(0, ...read(at));
    expect(busyIn(flood(scenario, [1, 2], read)).length).toBeGreaterThan(0);
    expect(Math.max(...figures(scenario, 'pending_most').peers)).toBe(BOUNDS.pendingPerPeerMax);
    expect(figures(scenario, 'pending_most').node).toBeLessThanOrEqual(BOUNDS.pendingMax);
    expectRecovered(scenario, read);
  });

  it('does the same with commands that it forwards, over all of them together', () => {
    const settings = { pendingMax: 32, pendingPerPeerMax: 20 };
    const scenario = new Scenario({ seed: 13, nodes: 6, settings, plan: { partitions: 64 } });
    const write = (at: number): string[] => ['SET', `f${at}`, 'v'];
    const busy = busyIn(flood(scenario, [1, 2, 3, 4, 5], write));
    expect(busy.some((text) => text.includes('wait for other nodes'))).toBe(true);
    expect(figures(scenario, 'pending_most').node).toBe(32);
    expect(Math.max(...figures(scenario, 'pending_most').peers)).toBeLessThanOrEqual(20);
    expectRecovered(scenario, write);
  });

  it('lets more and more wait with the planted bug of no bound, as this test sees', () => {
    const scenario = new Scenario({ seed: 11, settings: BOUNDS, mutations: new Set(['pending-unbounded']) });
    scenario.text(0, ...LEVELS);
    expect(busyIn(flood(scenario, [1, 2], (at) => ['SET', `w${at}`, 'v']))).toEqual([]);
    expect(figures(scenario, 'pending_most').node).toBe(FLOOD);
  });
});
