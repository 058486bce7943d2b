/** The ring changes under writes: weights, joins, leaves, kills. No acknowledged write is lost, and every node answers it. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/base/random.js';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

/** Writes through a node and waits for every reply; the numbers of those that were acknowledged. */
function write(scenario: Scenario, node: number, from: number, to: number, round = ''): number[] {
  const sent = new Map<number, number>();
  for (let key = from; key < to; key++) {
    sent.set(scenario.send(node, 'SET', `key:${key}`, `v${key}${round}`), key);
  }
  return scenario.acknowledged(sent);
}

/** Of these keys, those that a node does not answer as written. */
function missing(scenario: Scenario, node: number, keys: readonly number[], round = ''): number[] {
  return keys.filter((key) => scenario.text(node, 'GET', `key:${key}`) !== `v${key}${round}`);
}

/** Of these keys, those that a node answers otherwise than written: an error is no answer. */
function wrong(scenario: Scenario, node: number, keys: readonly number[], round = ''): number[] {
  return keys.filter((key) => {
    const { reply } = scenario.ask(node, 'GET', `key:${key}`);
    return reply !== null && reply.type !== 'error' && textOf(reply) !== `v${key}${round}`;
  });
}

function isAnswered(scenario: Scenario, node: number, key: number): boolean {
  return scenario.ask(node, 'GET', `key:${key}`).reply?.type === 'bulk';
}

describe('a weight that changes with a restart', () => {
  it('moves partitions to the heavier node, which answers for what it had not before as soon as it runs', () => {
    let weight = 1;
    const scenario = new Scenario({ nodes: 5, seed: 21, settings: (node) => (node === 4 ? { weight } : {}) });
    const keys = write(scenario, 0, 0, 300);
    expect(keys.length).toBe(300);
    scenario.untilEqual(10_000);
    const before = Number(scenario.fact(4, 'partitions_owned'));
    const other = Number(scenario.fact(0, 'partitions_owned'));
    weight = 4;
    scenario.kill(4);
    scenario.start(4);
    scenario.rest(200);
    expect(missing(scenario, 4, keys)).toEqual([]);
    scenario.untilReady();
    expect(Number(scenario.fact(4, 'partitions_owned'))).toBeGreaterThan(before);
    scenario.until(10_000, () =>
      Number(scenario.fact(0, 'partitions_owned')) < other ? null : 'node 0 gave nothing up',
    );
    scenario.untilReady();
    for (let node = 0; node < 5; node++) expect(missing(scenario, node, keys)).toEqual([]);
    expect(scenario.text(0, 'HEARSAY.STATUS')).toMatch(/id node-4 .*?weight 4 /);
  });
});

describe('members that go by different rings', () => {
  /**
   * Three nodes, and three that join through two of them: node 2 hears nothing of it before it asks. Every partition that has moved
   * wholly has been given up by all of its former owners but node 2.
   */
  function afterJoins(...mutations: string[]): Scenario {
    const scenario = new Scenario({
      nodes: 6,
      started: 3,
      seed: 22,
      mutations: new Set(['ring-kept-to-itself', 'former-owners-unasked', ...mutations]),
    });
    write(scenario, 0, 0, 200);
    scenario.untilEqual(10_000);
    for (const joiner of [3, 4, 5]) scenario.cut(2, joiner);
    for (const joiner of [3, 4, 5]) scenario.start(joiner);
    // Rings are told where streams are made, and nowhere else: these two hear of all that way.
    scenario.until(30_000, () => {
      for (const node of [0, 1, 3, 4, 5]) {
        const held = scenario.fact(node, 'ring_members');
        if (held !== '6') return `node ${node} has ${held} in its ring`;
      }
      return null;
    });
    expect(scenario.fact(2, 'ring_members')).toBe('3');
    return scenario;
  }

  it('agree before a read at quorum is answered: it finds what owners it did not know of have acknowledged', () => {
    const scenario = afterJoins();
    scenario.text(3, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    const keys = write(scenario, 3, 0, 200, 'b');
    expect(keys.length).toBe(200);
    expect(wrong(scenario, 2, keys, 'b')).toEqual([]);
    expect(
      Number(scenario.fact(2, 'reads_ring_differed')) + Number(scenario.fact(2, 'commands_ring_differed')),
    ).toBeGreaterThan(0);
    expect(scenario.fact(2, 'ring_members')).toBe('6');
    scenario.heal();
    scenario.until(20_000, () =>
      keys.every((key) => isAnswered(scenario, 2, key)) ? null : 'some keys have no answer',
    );
    expect(missing(scenario, 2, keys, 'b')).toEqual([]);
  });

  it('would miss it if they answered each other all the same', () => {
    const scenario = afterJoins('ring-mismatch-ignored');
    scenario.text(3, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    scenario.text(2, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    const keys = write(scenario, 3, 0, 200, 'b');
    expect(wrong(scenario, 2, keys, 'b').length).toBeGreaterThan(0);
  });
});

/** What an operator or a failure does to the ring while one client writes and reads. */
type Change = (scenario: Scenario) => void;

/**
 * One write at quorum after another through a node, each read at quorum through another node at once, while the ring changes. Gives back
 * the writes that were acknowledged and not found, and how many were acknowledged.
 */
function writeAndRead(
  seed: number,
  changes: readonly Change[],
  ...mutations: string[]
): { lost: string[]; good: number } {
  const scenario = new Scenario({
    nodes: 6,
    started: 3,
    seed,
    mutations: new Set(mutations),
    plan: { network: { ...CALM_NETWORK, loss: 0.3, lagMeanMs: 8, lagMinMs: 1 } },
    settings: { memberGraceMs: 4_000 },
  });
  const random = new Random(seed, 1);
  for (let key = 0; key < 300; key++) scenario.send(0, 'SET', `old:${key}`, 'v'.repeat(500));
  scenario.untilEqual(10_000);
  const strict = new Set<number>();
  const upNodes = () => scenario.cluster.nodes.filter(({ up }) => up).map(({ index }) => index);
  const ask = (node: number, ...words: string[]) => {
    if (!strict.has(node)) scenario.ask(node, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    strict.add(node);
    return scenario.ask(node, ...words).reply;
  };
  const lost: string[] = [];
  let good = 0;
  for (let step = 0; step < 240; step++) {
    if (step % 60 === 20) changes[Math.floor(step / 60)]?.(scenario);
    const up = upNodes();
    for (const node of strict) if (!up.includes(node)) strict.delete(node);
    const [writer, reader] = [up[random.below(up.length)], up[random.below(up.length)]];
    const key = `key:${random.below(60)}`;
    const written = ask(writer, 'SET', key, `v${step}`);
    if (written?.type !== 'status') continue;
    good++;
    const read = ask(reader, 'GET', key);
    if (read === null || read.type === 'error') continue;
    if (textOf(read) !== `v${step}`)
      lost.push(`${key} at step ${step}: ${writer} took v${step}, ${reader} has ${textOf(read)}`);
  }
  return { lost, good };
}

describe('what a quorum acknowledged while the ring changes', () => {
  const joins: Change = (scenario) => {
    scenario.start(3);
    scenario.start(4);
  };
  const joinsAgain: Change = (scenario) => scenario.start(5);
  const leaves: Change = (scenario) => scenario.send(0, 'HEARSAY.LEAVE');
  const dies: Change = (scenario) => scenario.kill(1);

  it.each([31, 32])('is read at a quorum at once, whoever joins, leaves or dies (seed %i)', (seed) => {
    const { lost, good } = writeAndRead(seed, [joins, joinsAgain, leaves, dies]);
    expect(lost).toEqual([]);
    expect(good).toBeGreaterThan(150);
  });

  /**
   * Nodes 1 and 2 are cut off; they acknowledge what node 0 does not get. Then two join beside node 0, and fetch from it. As long as
   * nodes 1 and 2 are not known to be dead, what these three have is no quorum of the owners until then. Gives back what was answered
   * and is not what was acknowledged.
   */
  function missedByOne(...mutations: string[]): string[] {
    const settings = { suspicionFloorMs: 60_000 };
    const scenario = new Scenario({ nodes: 5, started: 3, seed: 23, mutations: new Set(mutations), settings });
    write(scenario, 0, 0, 200);
    scenario.untilEqual(10_000);
    for (const here of [0, 3, 4]) for (const away of [1, 2]) scenario.cut(here, away);
    scenario.text(1, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
    const keys = write(scenario, 1, 0, 200, 'b');
    expect(keys.length).toBeGreaterThan(100);
    scenario.start(3);
    scenario.start(4);
    scenario.until(5_000, () => (scenario.fact(0, 'ring_members') === '5' ? null : 'they have not joined'));
    const seen: string[] = [];
    for (let round = 0; round < 2; round++) {
      scenario.rest(200);
      for (const node of [0, 3, 4]) {
        scenario.ask(node, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
        for (const key of wrong(
          scenario,
          node,
          [round, round + 40, round + 80].map((at) => keys[at]),
          'b',
        )) {
          seen.push(`key:${key} at ${node}`);
        }
      }
    }
    return seen;
  }

  it('is never answered by what stood before it, though the owner that stayed has missed it and the new ones had all from there', () => {
    expect(missedByOne()).toEqual([]);
  });

  it('would be, if former owners were not asked, too', () => {
    expect(missedByOne('former-owners-unasked').length).toBeGreaterThan(0);
  });
});

describe('a hand-off', () => {
  /** Three nodes with 300 entries, and three that join; gives back the keys once the first of the joiners has begun to fetch. */
  function underWay(seed: number): { scenario: Scenario; keys: number[] } {
    const network = { ...CALM_NETWORK, lagMinMs: 10, lagMeanMs: 20 };
    const scenario = new Scenario({ nodes: 6, started: 3, seed, plan: { network } });
    const keys = write(scenario, 0, 0, 300);
    expect(keys.length).toBe(300);
    scenario.untilEqual(10_000);
    for (const joiner of [3, 4, 5]) scenario.start(joiner);
    for (let waitedMs = 0; Number(scenario.fact(3, 'catch_up_records')) === 0; waitedMs += 5) {
      expect(waitedMs).toBeLessThan(10_000);
      scenario.rest(5);
    }
    expect(Number(scenario.fact(3, 'partitions_catching_up'))).toBeGreaterThan(0);
    return { scenario, keys };
  }

  it('goes on from another source when the one it came from dies, and says meanwhile what is missing', () => {
    const { scenario, keys } = underWay(41);
    const rows = scenario.text(3, 'HEARSAY.STATUS').match(/partitions_coming \[(.*?)\] log /)?.[1] ?? '';
    scenario.kill(0);
    scenario.until(60_000, () => (scenario.fact(3, 'partitions_catching_up') === '0' ? null : 'node 3 is not ready'));
    expect(rows === '' || rows.includes('source node-')).toBe(true);
    for (const node of [1, 3, 5]) expect(missing(scenario, node, keys)).toEqual([]);
  });

  it('goes on when the node that fetches is killed and starts again: what it has kept is not sent twice', () => {
    const { scenario, keys } = underWay(42);
    scenario.rest(60);
    const before = Number(scenario.fact(3, 'catch_up_records'));
    scenario.kill(3);
    scenario.rest(200);
    scenario.start(3);
    scenario.untilReady();
    for (const node of [0, 3]) expect(missing(scenario, node, keys)).toEqual([]);
    // Of 300 entries it owns about half; what its vector and its log kept is left out.
    expect(before + Number(scenario.fact(3, 'catch_up_records'))).toBeLessThan(300);
    scenario.until(60_000, () => (scenario.fact(0, 'partitions_handing_over') === '0' ? null : 'not handed over'));
    scenario.untilEqual(30_000);
  });

  it('ends at 15 nodes, of which five join and two leave at once, with everything at hand at each and nothing left to move', () => {
    const scenario = new Scenario({ nodes: 15, started: 10, seed: 43, plan: { partitions: 32 } });
    const keys = write(scenario, 0, 0, 200);
    for (const joiner of [10, 11, 12, 13, 14]) scenario.start(joiner);
    scenario.until(30_000, () => (scenario.fact(0, 'ring_members') === '15' ? null : 'not all have joined'));
    for (const leaver of [1, 2]) scenario.text(leaver, 'HEARSAY.LEAVE');
    keys.push(...write(scenario, 0, 200, 300));
    scenario.until(120_000, () => {
      for (let node = 0; node < 15; node++) {
        if (node === 1 || node === 2) {
          if (scenario.cluster.nodes[node].up) return `node ${node} has not left`;
        } else if (scenario.fact(node, 'partitions_moving') !== '0' || scenario.fact(node, 'ready') !== '1') {
          return `node ${node} is not done`;
        }
      }
      return null;
    });
    for (const node of [0, 7, 14]) expect(missing(scenario, node, keys)).toEqual([]);
  }, 90_000);
});
