/** Members that left, died or were dismissed: what comes late makes none of them come back, and each comes back by itself. */
import { describe, expect, it } from 'vitest';
import { type MemberRecord, recordOf } from '../../../src/core/membership/member.js';
import { update } from '../../../src/core/membership/messages.js';
import { type Node, World } from './harness.js';

/** A late datagram brings a record to a node. */
function bringLate(world: World, node: Node, record: MemberRecord): void {
  node.membership.handle([...update(record, '')], '10.0.9.9', 17000, false, world.nowMs, node.wallMs);
  node.flush();
}

/** A member loses its disk, comes back, and leaves; then a word of its first life arrives. */
function lateWordOfFormerLife(mutations: ReadonlySet<string>): (string | undefined)[] {
  const world = new World(401);
  world.mutations = mutations;
  const [first, second, third] = world.cluster(3);
  const said = recordOf(third.membership.self, world.nowMs);
  world.crash(third);
  world.runUntil(() => world.nodes.every((node) => node.stateOf('n2') === 'dead'), 20_000);
  // Nobody gossips to the dead any more: it hears of its death from those it asks alone.
  world.run(60_000);
  const again = world.start('n2', { host: third.host, boot: 1, contacts: [`${first.host}:17000`] });
  world.runUntil(() => world.nodes.every((node) => node.membership.aliveCount === 3), 2_000);
  again.membership.leave(world.nowMs);
  again.flush();
  world.run(1_000);
  world.crash(again);
  expect([first, second].map((node) => node.stateOf('n2'))).toEqual(['left', 'left']);
  bringLate(world, first, said);
  world.run(100);
  return [first, second].map((node) => node.stateOf('n2'));
}

describe('a member that left', () => {
  it('stays so whatever its former life said, and came back from an empty disk as a later life', () => {
    expect(lateWordOfFormerLife(new Set())).toEqual(['left', 'left']);
  });

  it('comes back by a late datagram where that bug is planted', () => {
    expect(lateWordOfFormerLife(new Set(['former-life-returns']))).toContain('alive');
  });
});

/** One of three dies out of reach of the others, having refuted what they thought of it; they dismiss it and then hear of that. */
function lateRefutation(mutations: ReadonlySet<string>): (string | undefined)[] {
  const world = new World(402);
  world.mutations = mutations;
  const [first, second, third] = world.cluster(3);
  world.cut = (from, to) => (from === third.host) !== (to === third.host);
  const { id, actor, boot, incarnation } = third.membership.self;
  bringLate(world, third, { ...recordOf(third.membership.self, world.nowMs), state: 'suspect' });
  const refuted = recordOf(third.membership.self, world.nowMs);
  expect(refuted).toMatchObject({ id, actor, boot, incarnation: incarnation + 1, state: 'alive' });
  world.crash(third);
  world.runUntil(() => world.nodes.every((node) => node.stateOf('n2') === 'dead'), 20_000);
  first.membership.forget('n2', world.nowMs);
  world.run(2_000);
  for (const late of [refuted, { ...refuted, actor: actor + 1, boot: boot + 3 }]) bringLate(world, second, late);
  world.run(100);
  return [first, second].map((node) => node.stateOf('n2'));
}

describe('a dead member that is dismissed', () => {
  it('stays so, though it had refuted or started again before, out of reach, and that is heard only now', () => {
    expect(lateRefutation(new Set())).toEqual(['left', 'left']);
  });

  it('comes back by a late datagram where that bug is planted', () => {
    expect(lateRefutation(new Set(['dismissed-as-heard']))).toContain('alive');
  });

  it('comes back by itself, as a later life, if it lives out of reach and hears of it', () => {
    const world = new World(403);
    const nodes = world.cluster(3);
    const [first, second, third] = nodes;
    world.cut = (from, to) => (from === third.host) !== (to === third.host);
    world.runUntil(() => first.stateOf('n2') === 'dead' && second.stateOf('n2') === 'dead', 30_000);
    for (const node of [first, second]) node.membership.forget('n2', world.nowMs);
    world.run(2_000);
    expect([first, second].map((node) => node.membership.get('n2')?.boot)).toEqual([65_536, 65_536]);
    world.cut = () => false;
    world.runUntil(() => nodes.every((node) => node.membership.aliveCount === 3), 40_000);
    const { actor, boot, incarnation } = third.membership.self;
    expect(boot).toBe(65_537);
    for (const node of nodes) expect(node.membership.get('n2')).toMatchObject({ actor, boot, incarnation });
    // What was thought of its life before that is no accusation any more.
    bringLate(world, third, { ...recordOf(third.membership.self, world.nowMs), boot: 1, state: 'dead' });
    expect(third.membership.self.incarnation).toBe(incarnation);
  });

  it.each([0, 1, 2])('comes back at once when it starts anew with %i starts to its name', (boot) => {
    const world = new World(404);
    const [first, , third] = world.cluster(3);
    world.crash(third);
    world.runUntil(() => world.nodes.every((node) => node.stateOf('n2') === 'dead'), 20_000);
    first.membership.forget('n2', world.nowMs);
    world.run(1_000);
    world.start('n2', { host: '10.0.9.2', boot, contacts: [`${first.host}:17000`] });
    world.runUntil(() => world.nodes.every((node) => node.membership.aliveCount === 3), 2_000);
    world.run(10_000);
    expect(world.nodes.every((node) => node.membership.aliveCount === 3)).toBe(true);
  });
});

/** Two that have met nobody of a name, and whose ring says which of its lives have ended, hear of one of those. */
function lateWordToStrangers(mutations: ReadonlySet<string>, boot: number): (string | undefined)[] {
  const world = new World(405);
  world.mutations = mutations;
  const [first, second] = world.cluster(2);
  world.endedBoots.set('n2', 65_536);
  const record: MemberRecord = { ...recordOf(second.membership.self, world.nowMs), id: 'n2', host: '10.0.9.2', boot };
  bringLate(world, first, { ...record, actor: record.actor + 1 });
  world.run(1_000);
  return [first, second].map((node) => node.stateOf('n2'));
}

describe('a life that the ring knows to have ended', () => {
  it.each([1, 65_536])('is not met by who holds no tombstone of it: boot %i', (boot) => {
    expect(lateWordToStrangers(new Set(), boot)).toEqual([undefined, undefined]);
  });

  it('is met where that bug is planted', () => {
    expect(lateWordToStrangers(new Set(['ended-met-again']), 1)).toEqual(['alive', 'alive']);
  });

  it('is not gone on above where it was made up: room is left for starts of its own', () => {
    const world = new World(407);
    const [first, , third] = world.cluster(3);
    const before = third.membership.self.boot;
    bringLate(world, third, { ...recordOf(third.membership.self, world.nowMs), boot: 2 ** 40 - 1, state: 'left' });
    third.membership.outlive(2 ** 40 - 2, world.nowMs);
    expect(third.membership.self.boot).toBe(before);
    third.membership.outlive(2 ** 39 - 1, world.nowMs);
    expect(third.membership.self.boot).toBe(2 ** 39);
    third.flush();
    world.run(5_000);
    expect(first.membership.members().find(({ id }) => id === third.id)?.boot).toBe(2 ** 39);
  });

  it('is none of the lives that came after it', () => {
    expect(lateWordToStrangers(new Set(), 65_537)).toEqual(['alive', 'alive']);
  });

  it('is not met either by who holds an earlier one as gone, and its end may be learnt', () => {
    const world = new World(406);
    const [first, second, third] = world.cluster(3);
    const said = { ...recordOf(third.membership.self, world.nowMs), actor: 77, boot: 2 };
    third.membership.leave(world.nowMs);
    third.flush();
    world.run(1_000);
    world.crash(third);
    world.endedBoots.set('n2', 65_536);
    bringLate(world, first, said);
    world.run(500);
    expect([first, second].map((node) => node.membership.get('n2'))).toMatchObject([
      { state: 'left', boot: 1 },
      { state: 'left', boot: 1 },
    ]);
    expect(first.membership.stats().ended).toBe(1);
    bringLate(world, first, { ...said, state: 'dead' });
    expect(first.membership.get('n2')).toMatchObject({ state: 'dead', boot: 2 });
  });

  it('does not end a second time for those who know it as alive: its failure is found as any other', () => {
    const world = new World(407);
    const [first, second, third] = world.cluster(3);
    world.endedBoots.set('n2', 65_536);
    bringLate(world, third, { ...recordOf(third.membership.self, world.nowMs), state: 'suspect' });
    world.run(2_000);
    const { incarnation } = third.membership.self;
    for (const node of [first, second])
      expect(node.membership.get('n2')).toMatchObject({ state: 'alive', boot: 1, incarnation });
  });

  it.each([
    ['by datagram', false],
    ['by stream, where no datagram gets through', true],
  ])('is told so where it lives after all, and goes on as the next one by itself: %s', (_, cut) => {
    const world = new World(408);
    const [first, second] = world.cluster(2);
    world.endedBoots.set('n2', 65_536);
    const host = '10.0.9.2';
    world.cutDatagrams = (from, to) => cut && (from === host) !== (to === host);
    const third = world.start('n2', { host, contacts: [`${first.host}:17000`] });
    world.runUntil(() => world.nodes.every((node) => node.membership.aliveCount === 3), 5_000);
    for (const node of [first, second])
      expect(node.membership.get('n2')).toMatchObject({ state: 'alive', boot: 65_537 });
    const { told } = first.membership.stats();
    world.run(10_000);
    expect(world.nodes.every((node) => node.membership.aliveCount === 3)).toBe(true);
    expect(first.membership.stats().told).toBe(told);
    expect(third.membership.self.boot).toBe(65_537);
  });

  it('goes on as the next one, too, where its own ring knows of the end, once, unless it is leaving', () => {
    const world = new World(409);
    const [first, second] = world.cluster(2);
    for (const boot of [65_536, 65_536, 1, 0]) second.membership.outlive(boot, world.nowMs);
    expect(second.membership.self).toMatchObject({ boot: 65_537, incarnation: 1 });
    second.flush();
    world.run(1_000);
    expect(first.membership.get('n1')).toMatchObject({ state: 'alive', boot: 65_537 });
    second.membership.leave(world.nowMs);
    second.membership.outlive(131_072, world.nowMs);
    expect(second.membership.self).toMatchObject({ state: 'left', boot: 65_537 });
  });
});
