import { describe, expect, it } from 'vitest';
import { type Node, World } from './harness.js';

const SIZES = [3, 5, 15];

function everyOther(nodes: Node[], holds: (node: Node) => boolean, except: string): boolean {
  return nodes.every((node) => node.id === except || holds(node));
}

function deathsSeen(nodes: Node[]): number {
  return nodes.flatMap((node) => node.seen).filter((change) => change.to === 'dead').length;
}

describe('a cluster', () => {
  it.each(SIZES)('of %i joins by one contact point', (count) => {
    const world = new World(count);
    const nodes = world.cluster(count);
    for (const node of nodes) {
      expect(node.membership.members().map(({ id }) => id)).toEqual(nodes.map(({ id }) => id).sort());
      expect(node.membership.hasJoined).toBe(true);
    }
    expect(deathsSeen(nodes)).toBe(0);
  });

  it('joins by a RESP address whose gossip port is 10,000 above', () => {
    const world = new World(1);
    const first = world.start('a');
    const second = world.start('b', { contacts: [`${first.host}:7000`] });
    world.runUntil(() => first.membership.aliveCount === 2 && second.membership.aliveCount === 2, 3_000);
    expect(second.membership.hasJoined).toBe(true);
  });

  it('joins by a name that stands for every node, the asking one included', () => {
    const world = new World(1);
    world.names.set('cache', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    for (const id of ['a', 'b', 'c']) world.start(id, { contacts: ['cache:17000'] });
    world.runUntil(() => world.nodes.every((node) => node.membership.aliveCount === 3), 5_000);
    expect(world.nodes.every((node) => node.membership.duplicateId === null)).toBe(true);
  });

  it('joins a contact point that starts later', () => {
    const world = new World(4);
    world.start('b', { contacts: ['10.0.0.2:17000'], host: '10.0.0.9' });
    world.run(20_000);
    const first = world.start('a');
    expect(first.host).toBe('10.0.0.2');
    expect(world.runUntil(() => first.membership.aliveCount === 2, 2_000)).toBeLessThan(2_000);
  });

  it.each(SIZES)('of %i sees a crash everywhere, within its suspicion timeout', (count) => {
    const world = new World(count);
    const nodes = world.cluster(count);
    const victim = nodes[1];
    world.crash(victim);
    const suspectMs = world.runUntil(() => world.nodes.some((node) => node.stateOf('n1') === 'suspect'), 20_000);
    const deadMs = world.runUntil(() => world.nodes.every((node) => node.stateOf('n1') === 'dead'), 20_000);
    expect(suspectMs).toBeLessThan(count * 1_000 + 1_100);
    expect(deadMs).toBeGreaterThan(4_000);
    expect(deadMs).toBeLessThan(9_000);
    expect(
      new Set(world.nodes.flatMap((node) => node.seen.filter((change) => change.to === 'dead').map(({ id }) => id))),
    ).toEqual(new Set(['n1']));
  });

  it('of two sees a crash without waiting for a third to confirm', () => {
    const world = new World(2);
    const [survivor, victim] = world.cluster(2);
    world.crash(victim);
    expect(world.runUntil(() => survivor.stateOf(victim.id) === 'dead', 9_000)).toBeGreaterThan(5_000);
    expect(survivor.membership.healthScore).toBe(0);
  });

  it('of three outlives two crashes at once', () => {
    const world = new World(7);
    const [survivor, ...victims] = world.cluster(3);
    for (const victim of victims) world.crash(victim);
    world.runUntil(() => victims.every(({ id }) => survivor.stateOf(id) === 'dead'), 20_000);
    expect(survivor.membership.aliveCount).toBe(1);
  });

  it.each(SIZES)('of %i suspects within 700 ms when a stream of a crashed member was reset', (count) => {
    const world = new World(count + 100);
    const nodes = world.cluster(count);
    world.crash(nodes[2]);
    nodes[0].membership.probeSoon('n2', world.nowMs);
    nodes[0].flush();
    expect(world.runUntil(() => nodes[0].stateOf('n2') === 'suspect', 700)).toBeGreaterThan(500);
  });

  it('clears a probe for a reset stream when the member answers', () => {
    const world = new World(9);
    const nodes = world.cluster(3);
    nodes[0].membership.probeSoon('n1', world.nowMs);
    nodes[0].flush();
    world.run(2_000);
    expect(nodes[0].stateOf('n1')).toBe('alive');
    expect(nodes[0].seen.some((change) => change.to === 'suspect')).toBe(false);
  });

  it.each(SIZES)('of %i declares nobody dead under a loss of three tenths, and refutes what it suspects', (count) => {
    const world = new World(count + 11);
    const nodes = world.cluster(count);
    world.loss = 0.3;
    world.streamLoss = 1;
    world.run(60_000);
    expect(deathsSeen(nodes)).toBe(0);
    const suspected = nodes.flatMap((node) => node.seen).filter((change) => change.to === 'suspect').length;
    const refuted = nodes.reduce((sum, node) => sum + node.membership.stats().refutations, 0);
    expect(suspected).toBeGreaterThan(0);
    expect(refuted).toBeGreaterThan(0);
    world.loss = 0;
    world.streamLoss = 0;
    world.runUntil(() => nodes.every((node) => node.membership.aliveCount === count), 40_000);
  });

  it.each(SIZES)('of %i takes no harm from one node standing still for 3 s, again and again', (count) => {
    const world = new World(count + 21);
    const nodes = world.cluster(count);
    for (let round = 0; round < 4; round++) {
      world.stall(nodes[0], 3_000);
      world.run(8_000);
    }
    expect(deathsSeen(nodes)).toBe(0);
    expect(nodes[0].seen.filter((change) => change.to === 'suspect')).toEqual([]);
    expect(nodes[0].membership.stats().stalls).toBe(4);
    world.runUntil(() => nodes.every((node) => node.membership.aliveCount === count), 20_000);
  });

  it('takes no harm from all nodes standing still at once', () => {
    const world = new World(31);
    const nodes = world.cluster(5);
    for (const node of nodes) world.stall(node, 12_000);
    world.run(40_000);
    expect(deathsSeen(nodes)).toBe(0);
    expect(nodes.every((node) => node.membership.aliveCount === 5)).toBe(true);
  });

  it('comes back by itself when a node stood still for so long that it was declared dead', () => {
    const world = new World(32);
    const nodes = world.cluster(3);
    world.stall(nodes[2], 60_000);
    world.runUntil(() => nodes[0].stateOf('n2') === 'dead' && nodes[1].stateOf('n2') === 'dead', 59_000);
    world.runUntil(() => world.nowMs >= nodes[2].stalledUntilMs, 60_000);
    expect(world.runUntil(() => nodes.every((node) => node.membership.aliveCount === 3), 10_000)).toBeLessThan(10_000);
    expect(nodes[2].seen.filter((change) => change.to === 'dead')).toEqual([]);
  });

  it('replaces a restarted node at once, under a new actor', () => {
    const world = new World(41);
    const nodes = world.cluster(3);
    const { host } = nodes[2];
    const priorActor = nodes[2].membership.self.actor;
    world.crash(nodes[2]);
    world.run(1_000);
    const again = world.start('n2', { host, boot: 2, contacts: [`${nodes[0].host}:17000`] });
    const both = nodes.slice(0, 2);
    world.runUntil(() => both.every((node) => node.membership.get('n2')?.actor === again.membership.self.actor), 3_000);
    for (const node of both) {
      expect(node.stateOf('n2')).toBe('alive');
      expect(node.membership.byActor(priorActor)).toBeUndefined();
      expect(node.seen.some((change) => change.id === 'n2' && change.restarted && !change.moved)).toBe(true);
    }
    world.run(40_000);
    expect(deathsSeen(world.nodes)).toBe(0);
    expect(again.membership.aliveCount).toBe(3);
  });

  it('follows a node that restarts at another address', () => {
    const world = new World(42);
    const nodes = world.cluster(5);
    world.crash(nodes[3]);
    const again = world.start('n3', { host: '10.0.9.9', boot: 2, contacts: [`${nodes[1].host}:17000`] });
    const others = world.nodes.filter((node) => node !== again);
    world.runUntil(() => others.every((node) => node.membership.get('n3')?.host === '10.0.9.9'), 5_000);
    expect(others.every((node) => node.seen.some((change) => change.moved && change.restarted))).toBe(true);
    world.run(20_000);
    expect(deathsSeen(world.nodes)).toBe(0);
  });

  it('is not misled when another node gets the address of a crashed one', () => {
    const world = new World(43);
    const nodes = world.cluster(3);
    world.crash(nodes[2]);
    const tenant = world.start('other', { host: nodes[2].host, contacts: [`${nodes[0].host}:17000`] });
    world.runUntil(() => nodes.slice(0, 2).every((node) => node.stateOf('n2') === 'dead'), 15_000);
    expect(nodes[0].stateOf('other')).toBe('alive');
    expect(tenant.membership.stats().misdirected).toBeGreaterThan(0);
  });

  it('takes a node whose boots were lost for the later life of itself', () => {
    const world = new World(44);
    const nodes = world.cluster(3);
    world.crash(nodes[2]);
    world.run(500);
    const again = world.start('n2', { host: nodes[2].host, boot: 0, contacts: [`${nodes[0].host}:17000`] });
    world.runUntil(
      () => nodes.slice(0, 2).every((node) => node.membership.byActor(again.membership.self.actor) !== undefined),
      5_000,
    );
    expect(again.membership.duplicateId).toBeNull();
    expect(again.membership.self.boot).toBe(2);
  });

  it.each(SIZES)('of %i hears of a leave at once, and calls it no death', (count) => {
    const world = new World(count + 51);
    const nodes = world.cluster(count);
    nodes[1].membership.leave(world.nowMs);
    nodes[1].flush();
    const ms = world.runUntil(() => everyOther(nodes, (node) => node.stateOf('n1') === 'left', 'n1'), 2_000);
    expect(ms).toBeLessThan(100);
    world.run(1_000);
    world.crash(nodes[1]);
    world.run(30_000);
    expect(deathsSeen(world.nodes)).toBe(0);
    expect(world.nodes.every((node) => node.stateOf('n1') === 'left')).toBe(true);
  });

  it('spreads a leave that most did not hear, and lets the node come back with a higher boot', () => {
    const world = new World(55);
    const nodes = world.cluster(5);
    world.cut = (from, to) => from === nodes[1].host && to !== nodes[0].host;
    nodes[1].membership.leave(world.nowMs);
    nodes[1].flush();
    world.runUntil(() => world.nodes.every((node) => node.stateOf('n1') === 'left'), 3_000);
    world.crash(nodes[1]);
    world.cut = () => false;
    world.start('n1', { host: nodes[1].host, boot: 2, contacts: [`${nodes[0].host}:17000`] });
    world.runUntil(() => world.nodes.every((node) => node.membership.aliveCount === 5), 5_000);
  });

  it.each([
    [3, 1],
    [5, 2],
    [15, 7],
  ])('of %i cut into %i and the rest finds together again', (count, size) => {
    const world = new World(count + 61);
    const nodes = world.cluster(count);
    const minority = new Set(nodes.slice(0, size).map((node) => node.host));
    world.cut = (from, to) => minority.has(from) !== minority.has(to);
    world.runUntil(
      () => nodes.every((node) => node.membership.aliveCount === (minority.has(node.host) ? size : count - size)),
      60_000,
    );
    world.run(60_000);
    world.cut = () => false;
    const ms = world.runUntil(() => nodes.every((node) => node.membership.aliveCount === count), 60_000);
    expect(ms).toBeLessThan(60_000);
    world.run(10_000);
    expect(nodes.every((node) => node.membership.aliveCount === count)).toBe(true);
  });

  it('of three finds a node that was cut off within seconds, since that one asks every second', () => {
    const world = new World(65);
    const nodes = world.cluster(3);
    world.cut = (from, to) => (from === nodes[2].host) !== (to === nodes[2].host);
    world.run(60_000);
    expect(nodes[2].membership.aliveCount).toBe(1);
    world.cut = () => false;
    expect(world.runUntil(() => nodes.every((node) => node.membership.aliveCount === 3), 5_000)).toBeLessThan(5_000);
  });

  it('survives a link that is cut in one direction only, by helpers', () => {
    const world = new World(66);
    const nodes = world.cluster(5);
    world.cut = (from, to) => from === nodes[0].host && to === nodes[1].host;
    world.run(60_000);
    expect(deathsSeen(nodes)).toBe(0);
  });

  it('tells the later of two processes of one id, and keeps the first', () => {
    const world = new World(71);
    const nodes = world.cluster(3);
    const first = nodes[1].membership.self.actor;
    const second = world.start('n1', { host: '10.0.9.1', contacts: [`${nodes[0].host}:17000`] });
    world.runUntil(() => second.membership.duplicateId !== null, 3_000);
    expect(second.membership.duplicateId?.actor).toBe(first);
    const direct = world.start('n2', { host: '10.0.9.2', contacts: [`${nodes[2].host}:17000`] });
    world.runUntil(() => direct.membership.duplicateId !== null, 3_000);
    for (const late of [second, direct]) world.crash(late);
    world.run(20_000);
    for (const node of nodes) {
      expect(node.membership.duplicateId).toBeNull();
      expect(node.membership.get('n1')?.actor).toBe(first);
      expect(node.membership.aliveCount).toBe(3);
    }
  });

  it('measures clocks: the median of peers, whatever one of them says', () => {
    const world = new World(81);
    const first = world.start('a');
    for (const [id, skewMs] of [
      ['b', 400],
      ['c', 390],
      ['d', 90_000],
    ] as const) {
      world.start(id, { skewMs, contacts: [`${first.host}:17000`] });
    }
    world.run(1);
    expect(first.membership.clockOffsetMedianMs()).toBeNull();
    world.run(20_000);
    expect(first.membership.clockOffsetMedianMs()).toBeGreaterThan(380);
    expect(first.membership.clockOffsetMedianMs()).toBeLessThan(410);
    expect(first.membership.get('b')?.rttMs).toBeGreaterThan(1);
    expect(first.membership.get('b')?.rttMs).toBeLessThan(9);
  });

  it('forgets tombstones after their time, everywhere, and does not learn them back', () => {
    const world = new World(91);
    const nodes = world.cluster(3, { tombstoneMs: 60_000, pushPullIntervalMs: 5_000 });
    world.crash(nodes[1]);
    world.runUntil(() => world.nodes.every((node) => node.stateOf('n1') === 'dead'), 20_000);
    world.run(90_000);
    for (const node of world.nodes) {
      expect(node.stateOf('n1')).toBeUndefined();
      expect(node.seen.filter(({ id }) => id === 'n1').map(({ to }) => to)).toEqual(['alive', 'suspect', 'dead', null]);
    }
  });

  it('falls silent but for probes when nothing happens', () => {
    const world = new World(95);
    world.cluster(5);
    world.run(5_000);
    const before = world.packets;
    world.run(10_000);
    expect((world.packets - before) / (5 * 10)).toBeLessThan(4);
  });
});
