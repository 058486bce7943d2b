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
