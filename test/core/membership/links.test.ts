/** Links that carry streams and no datagrams, addresses that are not what they seem, members that move or flap. */
import { describe, expect, it } from 'vitest';
import { type Node, World } from './harness.js';

const deaths = (nodes: readonly Node[]) =>
  nodes.flatMap((node) => node.seen.filter((change) => change.to === 'dead')).map(({ id }) => id);
const blockedAt = (node: Node) =>
  node.membership
    .members()
    .filter((member) => member.udpBlocked)
    .map(({ id }) => id);

describe('a node whose datagrams are blocked both ways', () => {
  it.each([2, 3, 5, 15])('of %i stays a member, is known for it everywhere and knows it, and heals', (count) => {
    const world = new World(count + 301);
    const nodes = world.cluster(count);
    const deaf = nodes[count - 1];
    const others = nodes.slice(0, count - 1);
    world.cutDatagrams = (from, to) => from === deaf.host || to === deaf.host;
    world.runUntil(
      () => deaf.membership.isUdpBlocked && others.every((node) => blockedAt(node).includes(deaf.id)),
      count * 4_000,
    );
    if (count > 2) expect(others.some((node) => node.membership.isUdpBlocked)).toBe(false);
    world.run(120_000);
    expect(deaths(nodes)).toEqual([]);
    expect(nodes.every((node) => node.membership.aliveCount === count)).toBe(true);
    expect(deaf.membership.healthScore).toBeLessThan(2);
    world.cutDatagrams = () => false;
    world.runUntil(() => nodes.every((node) => blockedAt(node).length === 0), 10_000);
    expect(deaf.logged.filter((line) => line.startsWith('udp blocked')).length).toBeGreaterThan(0);
    expect(deaf.logged).toContain('udp gets through again');
  });

  it('hears and is heard within seconds of what happens, for its news goes by stream', () => {
    const world = new World(310);
    const nodes = world.cluster(5);
    const deaf = nodes[4];
    world.cutDatagrams = (from, to) => from === deaf.host || to === deaf.host;
    world.runUntil(() => deaf.membership.isUdpBlocked, 20_000);
    world.crash(nodes[1]);
    world.runUntil(() => world.nodes.every((node) => node.stateOf('n1') === 'dead'), 12_000);
    const late = world.start('late', { contacts: [`${deaf.host}:17000`] });
    world.runUntil(() => world.nodes.every((node) => node.stateOf('late') === 'alive'), 3_000);
    expect(late.membership.hasJoined).toBe(true);
  });

  it('is told within seconds of its start that datagrams do not get through', () => {
    const world = new World(311);
    world.cluster(3);
    world.cutDatagrams = (from, to) => from === '10.0.7.7' || to === '10.0.7.7';
    const late = world.start('late', { host: '10.0.7.7', contacts: [`${world.nodes[0].host}:17000`] });
    world.runUntil(() => blockedAt(late).length > 0, 5_000);
    expect(late.membership.hasJoined).toBe(true);
    expect(late.logged.some((line) => line.startsWith('udp blocked'))).toBe(true);
  });

  it('is not taken for blocked at a loss of three tenths each way, however long that lasts', () => {
    const world = new World(314);
    const nodes = world.cluster(5);
    world.loss = 0.3;
    world.run(900_000);
    expect(nodes.flatMap((node) => node.logged).filter((line) => line.startsWith('udp'))).toEqual([]);
  });

  it('is not taken for blocked when a few datagrams are lost', () => {
    const world = new World(312);
    const nodes = world.cluster(5);
    world.loss = 0.02;
    world.run(300_000);
    expect(nodes.flatMap((node) => node.logged).filter((line) => line.startsWith('udp blocked'))).toEqual([]);
  });
});

describe('an address', () => {
  it('that is not the one a node is seen at still gets its answers', () => {
    const world = new World(321);
    const first = world.start('a');
    const second = world.start('b', { contacts: [`${first.host}:17000`] });
    // Nobody lives where its datagrams seem to come from.
    world.seenAs.set(second.host, '192.0.2.1');
    world.runUntil(() => second.membership.aliveCount === 2 && first.membership.aliveCount === 2, 5_000);
    world.run(60_000);
    expect(deaths(world.nodes)).toEqual([]);
    expect(blockedAt(second)).toEqual([]);
    expect(second.membership.get('a')?.rttMs).toBeGreaterThan(0);
  });

  it.each([
    ['nobody', []],
    ['its victim, where that bug is planted', ['hearsay-moves-members']],
  ])('that others say a speaking member has moved to is asked first, and hearsay alone moves %s', (_whom, bugs) => {
    const world = new World(322);
    world.mutations = new Set(bugs);
    const nodes = world.cluster(3);
    const held = nodes[0].membership.get('n1');
    if (held === undefined) throw new Error('n1 is a member');
    const moved = [6, '', ['n1', 12345, held.boot + 1, 0, 0, '192.0.2.9', 17000, 7000, '', 1, 0]];
    for (let round = 0; round < 50; round++) {
      nodes[0].membership.heard('n1', world.nowMs);
      nodes[0].membership.handle(moved, nodes[2].host, 17000, false, world.nowMs, nodes[0].wallMs);
      nodes[0].flush();
      world.run(100);
    }
    if (bugs.length > 0) {
      expect(nodes[0].seen.some(({ id, moved }) => id === 'n1' && moved)).toBe(true);
      return;
    }
    expect(nodes[0].membership.get('n1')?.host).toBe(nodes[1].host);
    const asked = nodes[0].membership.stats().claimsAsked;
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(8);
  });
});

describe('a member that flaps', () => {
  it('is held back longer each time, and helps nobody meanwhile', () => {
    const world = new World(331);
    const nodes = world.cluster(5);
    const delays: number[] = [];
    for (let round = 0; round < 3; round++) {
      world.stall(nodes[4], 10_000);
      world.runUntil(() => nodes[0].stateOf('n4') !== 'alive', 12_000);
      world.runUntil(() => nodes[0].stateOf('n4') === 'alive', 20_000);
      delays.push(nodes[0].membership.flaps.reentryInMs('n4', world.nowMs));
      world.run(2_000);
    }
    expect(delays[0]).toBeGreaterThan(4_900);
    expect(delays[1]).toBeGreaterThan(9_900);
    expect(delays[2]).toBeGreaterThan(19_900);
    expect(nodes[0].membership.stats().heldBack).toBe(1);
    expect(deaths(nodes.slice(0, 4)).every((id) => id === 'n4')).toBe(true);
  });
});

describe('a node that slept', () => {
  it('asks at once what became of it, and is whole again within seconds', () => {
    const world = new World(341);
    const nodes = world.cluster(3, { pushPullIntervalMs: 600_000 });
    world.stall(nodes[2], 90_000);
    world.run(89_990);
    expect(nodes[0].stateOf('n2')).toBe('dead');
    expect(world.runUntil(() => nodes.every((node) => node.membership.aliveCount === 3), 1_000)).toBeLessThan(1_000);
  });
});
