/** Faults that last: who is declared dead under them, and how soon the dead are known. Virtual time, so figures are exact. */
import { describe, expect, it } from 'vitest';
import { type Node, World } from './harness.js';

function deaths(nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => node.seen.filter((change) => change.to === 'dead').map(({ id }) => id));
}

function isWhole(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.membership.aliveCount === nodes.length);
}

/** Calls `disturb` at every interval of a span. */
function throughout(world: World, spanMs: number, everyMs: number, disturb: (round: number) => void): void {
  for (let round = 0; round * everyMs < spanMs; round++) {
    disturb(round);
    world.run(everyMs);
  }
}

/** The share of `times` at or below the answer is at least `share`. */
function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((left, right) => left - right);
  return sorted[Math.ceil(sorted.length * share) - 1];
}

/** All nodes are stopped for a minute and go on together; at the moment they stop, one of them is suspected. */
function stoppedTogether(world: World, count: number): Node[] {
  const nodes = world.cluster(count);
  world.cut = (from, to) => (from === nodes[1].host) !== (to === nodes[1].host);
  world.runUntil(() => nodes[0].stateOf('n1') === 'suspect', 60_000);
  world.cut = () => false;
  for (const node of nodes) world.stall(node, 60_000);
  world.run(120_000);
  return nodes;
}

/** Nothing gets to the last node for 20 s, then everything for 20 s, ten times. */
function deafByTurns(world: World, count: number): Node[] {
  const nodes = world.cluster(count);
  const cut = nodes[count - 1].host;
  throughout(world, 400_000, 20_000, (round) => {
    world.cut = round % 2 === 0 ? (_from, to) => to === cut : () => false;
  });
  world.cut = () => false;
  return nodes;
}

describe('a cluster under a fault that lasts', () => {
  it.each([5, 15])('of %i loses nobody to ten minutes in which three datagrams of ten are lost', (count) => {
    const world = new World(count + 201);
    const nodes = world.cluster(count);
    world.loss = 0.3;
    world.streamLoss = 0.3;
    world.run(600_000);
    expect(deaths(nodes)).toEqual([]);
    world.loss = 0;
    world.streamLoss = 0;
    world.runUntil(() => isWhole(nodes), 40_000);
  });

  it('of 15 loses nobody to three nodes that stand still for 800 ms of every 2 s, for five minutes', () => {
    const world = new World(211);
    const nodes = world.cluster(15);
    throughout(world, 300_000, 2_000, (round) => {
      for (const [at, node] of nodes.slice(3, 6).entries()) world.stall(node, round === 0 ? 100 + at * 300 : 800);
    });
    expect(deaths(nodes)).toEqual([]);
    world.runUntil(() => isWhole(nodes), 40_000);
  });

  it.each([2, 3, 5, 15])('of %i loses nobody when all are stopped for a minute and go on together', (count) => {
    const nodes = stoppedTogether(new World(count + 221), count);
    expect(deaths(nodes)).toEqual([]);
    expect(isWhole(nodes)).toBe(true);
  });

  it.each([5, 15])(
    'of %i loses nobody to one node whose way in comes and goes every 20 s, but that node itself at most',
    (count) => {
      const world = new World(count + 231);
      const nodes = world.cluster(count);
      const cut = nodes[count - 1].host;
      throughout(world, 400_000, 20_000, (round) => {
        world.cut = round % 2 === 0 ? (_from, to) => to === cut : () => false;
      });
      world.cut = () => false;
      const others = nodes.slice(0, count - 1);
      expect(deaths(others).filter((id) => id !== `n${count - 1}`)).toEqual([]);
      expect(deaths([nodes[count - 1]])).toEqual([]);
      world.runUntil(() => isWhole(nodes), 60_000);
    },
  );

  it('of 5 keeps two members that hear each other in one direction only, for ten minutes', () => {
    const world = new World(241);
    const nodes = world.cluster(5);
    world.cut = (from, to) => from === nodes[0].host && to === nodes[1].host;
    world.run(600_000);
    expect(deaths(nodes)).toEqual([]);
  });

  it('of 5 takes links that flip every second for links that lose much, and loses nobody', () => {
    const world = new World(243);
    const nodes = world.cluster(5);
    throughout(world, 300_000, 1_000, (round) => {
      const [one, two] = [nodes[round % 5].host, nodes[(round * 2 + 1) % 5].host];
      world.cut = (from, to) => from === one && to === two;
    });
    expect(deaths(nodes)).toEqual([]);
  });
});

describe('the death of one', () => {
  it.each([
    [5, 10_000],
    [15, 11_000],
  ])('of %i is known to all within %i ms in 19 of 20 clusters', (count, boundMs) => {
    const times: number[] = [];
    for (let seed = 0; seed < 20; seed++) {
      const world = new World(1_000 * count + seed);
      const nodes = world.cluster(count);
      world.run(seed * 137);
      const victim = nodes[seed % count];
      world.crash(victim);
      times.push(world.runUntil(() => world.nodes.every((node) => node.stateOf(victim.id) === 'dead'), 40_000));
    }
    expect(percentile(times, 0.95)).toBeLessThanOrEqual(boundMs);
  });
});

describe('the death of several', () => {
  it.each([
    [3, 2],
    [5, 3],
    [8, 6],
    [15, 5],
  ])('of %i: the others outlive %i at once, and know them all', (count, dead) => {
    const world = new World(count + 261);
    const nodes = world.cluster(count);
    const victims = nodes.slice(0, dead);
    for (const victim of victims) world.crash(victim);
    world.runUntil(() => world.nodes.every((node) => victims.every(({ id }) => node.stateOf(id) === 'dead')), 90_000);
    expect(new Set(deaths(world.nodes))).toEqual(new Set(victims.map(({ id }) => id)));
  });
});

describe('a planted bug', () => {
  it.each([
    ['stall-ignored', (world: World) => deaths(stoppedTogether(world, 5)).length],
    ['doubt-ignored', (world: World) => deaths(deafByTurns(world, 5).slice(4)).length],
  ] as const)('%s costs members their lives', (name, deathsIn) => {
    const world = new World(5 + 231);
    world.mutations = new Set([name]);
    expect(deathsIn(world)).toBeGreaterThan(0);
  });
});
