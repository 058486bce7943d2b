/** Nodes restart, or the ring changes again, while partitions move: whoever holds what others lack is asked until they have it. */
import { describe, expect, it } from 'vitest';
import { CALM_NETWORK } from '../../src/sim/network.js';
import { Scenario, textOf } from './scenario.js';

/** A cluster whose moves can be made to stand still: as much data as it takes to be restarted in the middle. */
class Moving {
  readonly scenario: Scenario;
  readonly keys: number[] = [];
  private readonly mutations = new Set<string>();

  constructor(
    seed: number,
    nodes: number,
    started: number,
    replicas: number,
    weights: number[] = [],
    planted: string[] = [],
  ) {
    for (const name of planted) this.mutations.add(name);
    this.scenario = new Scenario({
      nodes,
      started,
      seed,
      mutations: this.mutations,
      plan: { replicas, network: { ...CALM_NETWORK, lagMinMs: 10, lagMeanMs: 20 } },
      settings: (node) => (weights[node] === undefined ? {} : { weight: weights[node] }),
    });
    this.write(0, 0, 200);
    this.scenario.untilEqual(10_000);
  }

  write(node: number, from: number, to: number): void {
    const sent = new Map<number, number>();
    for (let key = from; key < to; key++) sent.set(this.scenario.send(node, 'SET', `key:${key}`, `v${key}`), key);
    this.keys.push(...this.scenario.acknowledged(sent));
  }

  /** From now on nothing is fetched, compared or handed over. */
  freeze(): void {
    this.mutations.add('no-anti-entropy');
  }

  thaw(): void {
    this.mutations.delete('no-anti-entropy');
  }

  join(...nodes: number[]): void {
    const members = this.scenario.cluster.nodes.filter(({ up }) => up).length + nodes.length;
    for (const node of nodes) this.scenario.start(node);
    this.scenario.until(10_000, () =>
      nodes.concat(0).every((node) => this.scenario.fact(node, 'ring_members') === String(members))
        ? null
        : 'they have not joined',
    );
  }

  /** Nobody is told of a ring but where a stream is opened. */
  keepRings(): void {
    this.mutations.add('ring-kept-to-itself');
  }

  restart(...nodes: number[]): void {
    for (const node of nodes) this.scenario.kill(node);
    for (const node of nodes) this.scenario.start(node);
  }

  quorum(node: number): void {
    this.scenario.text(node, 'HEARSAY.CONSISTENCY', 'READ', 'QUORUM', 'WRITE', 'QUORUM');
  }

  /** Of all keys, those that a node answers otherwise than written: an error is no answer, and none at all is too few. */
  wrong(node: number): number[] {
    let answers = 0;
    const wrong = this.keys.filter((key) => {
      const { reply } = this.scenario.ask(node, 'GET', `key:${key}`);
      if (reply === null || reply.type === 'error') return false;
      answers++;
      return textOf(reply) !== `v${key}`;
    });
    expect(answers).toBeGreaterThan(this.keys.length / 2);
    return wrong;
  }

  /** The move ends, and everything is everywhere. */
  expectEnd(...nodes: number[]): void {
    this.thaw();
    this.scenario.until(60_000, () => {
      for (const node of nodes) {
        for (const fact of ['partitions_moving', 'partitions_handing_over', 'partitions_catching_up']) {
          const left = this.scenario.fact(node, fact);
          if (left !== '0') return `${fact} is ${left} at node ${node}`;
        }
      }
      return null;
    });
    for (const node of nodes) expect(this.wrong(node)).toEqual([]);
  }
}

describe('a node that has not heard that the ring changed', () => {
  it('has nothing acknowledged by an owner that has given the partition up: nobody would look for it there', () => {
    const moving = new Moving(58, 4, 2, 2);
    const { scenario } = moving;
    moving.keepRings();
    for (const joiner of [2, 3]) scenario.cut(1, joiner);
    for (const joiner of [2, 3]) scenario.start(joiner);
    scenario.until(60_000, () => {
      for (const node of [0, 2, 3]) {
        if (scenario.fact(node, 'ring_members') !== '4') return `node ${node} has not heard of all`;
      }
      return null;
    });
    // What node 1 is to own it can not be handed as long as it goes by another ring.
    scenario.rest(8_000);
    expect(scenario.fact(1, 'ring_members')).toBe('2');
    moving.freeze();
    moving.quorum(1);
    moving.write(1, 200, 300);
    const acknowledged = moving.keys.length;
    expect(acknowledged).toBeGreaterThan(200);
    expect(acknowledged).toBeLessThan(300);
  });
});

describe('a node that was to join and found nobody', () => {
  it('fetches what it has nothing of, once it meets the others: it went on alone, and that is no longer so', () => {
    const moving = new Moving(56, 4, 3, 3);
    const heal = moving.scenario.cutOff(3);
    moving.scenario.start(3);
    moving.scenario.rest(5_000);
    moving.scenario.until(5_000, () => (moving.scenario.fact(3, 'partitions_catching_up') === '0' ? null : 'it waits'));
    moving.freeze();
    heal();
    moving.scenario.until(60_000, () => (moving.scenario.fact(3, 'members_alive') === '4' ? null : 'not met'));
    moving.scenario.rest(2_000);
    expect(Number(moving.scenario.fact(3, 'partitions_catching_up'))).toBeGreaterThan(0);
    expect(moving.wrong(3)).toEqual([]);
    moving.quorum(3);
    expect(moving.wrong(3)).toEqual([]);
    moving.expectEnd(0, 1, 2, 3);
  });
});

describe('partitions that are moving', () => {
  it('are still moving when all nodes have restarted: the new owners fetch, and the former ones are asked', () => {
    const moving = new Moving(51, 5, 3, 3);
    const nodes = [0, 1, 2, 3, 4];
    moving.freeze();
    moving.join(3, 4);
    for (const node of nodes) moving.scenario.cluster.stop(node);
    moving.scenario.rest(500);
    for (const node of nodes) moving.scenario.start(node);
    moving.scenario.rest(3_000);
    expect(Number(moving.scenario.fact(3, 'partitions_catching_up'))).toBeGreaterThan(0);
    for (const node of [3, 4]) {
      moving.quorum(node);
      expect(moving.wrong(node)).toEqual([]);
    }
    moving.expectEnd(0, 1, 2, 3, 4);
  });

  it('are not read above level one by copies that may all lack their tails, until the owners have heard out each other', () => {
    const moving = new Moving(51, 5, 3, 3);
    moving.freeze();
    moving.join(3, 4);
    moving.restart(0, 1, 2, 3, 4);
    moving.scenario.rest(3_000);
    for (const node of [3, 4]) {
      moving.quorum(node);
      const { reply } = moving.scenario.ask(node, 'GET', 'key:1');
      expect(reply).toMatchObject({ type: 'error', text: expect.stringMatching(/^NOQUORUM .* catching up/) });
    }
    moving.expectEnd(0, 1, 2, 3, 4);
  });

  /** One node held everything, and restarts while another fetches it, or both do. Keys that are there and were taken for absent. */
  const absentBesideRestart = (end: 'stop' | 'kill', nodes: number[], planted: string[] = []): number[] => {
    const moving = new Moving(58, 2, 1, 2, [], planted);
    const { scenario } = moving;
    moving.freeze();
    moving.join(1);
    for (const node of nodes) scenario.cluster[end](node);
    scenario.rest(500);
    for (const node of nodes) scenario.start(node);
    scenario.rest(5_000);
    const absent = moving.keys.slice(0, 50).filter((key) => {
      const { reply } = scenario.ask(1, 'SET', `key:${key}`, 'other', 'NX');
      return reply?.type === 'status';
    });
    if (absent.length === 0) moving.expectEnd(0, 1);
    return absent;
  };

  it.each([
    ['stop', [0]],
    ['kill', [0]],
    ['stop', [0, 1]],
    ['kill', [0, 1]],
  ] as const)('are not those of a cluster that begins where who has them all restarts (%s %j)', (end, nodes) => {
    expect(absentBesideRestart(end, [...nodes])).toEqual([]);
  });

  it('are, where it makes no difference whether who is not ready holds them or fetches them', () => {
    for (const end of ['stop', 'kill'] as const) {
      expect(absentBesideRestart(end, [0], ['unready-copies-ignored'])).not.toEqual([]);
    }
  });

  it('are not taken for whole by the node that fetches them when it alone restarts and hears nobody for a while', () => {
    const moving = new Moving(52, 4, 3, 3);
    moving.freeze();
    moving.join(3);
    moving.scenario.kill(3);
    const heal = moving.scenario.cutOff(3);
    moving.scenario.start(3);
    moving.scenario.rest(6_000);
    heal();
    moving.scenario.until(60_000, () => (moving.scenario.fact(3, 'members_alive') === '4' ? null : 'not met'));
    moving.scenario.rest(2_000);
    expect(Number(moving.scenario.fact(3, 'partitions_catching_up'))).toBeGreaterThan(0);
    expect(moving.wrong(3)).toEqual([]);
    moving.expectEnd(0, 1, 2, 3);
  });

  it('are still handed over by a former owner that restarts: the new one does not go on without it', () => {
    const moving = new Moving(53, 3, 2, 1);
    moving.freeze();
    moving.join(2);
    moving.restart(0, 1);
    moving.scenario.rest(3_000);
    expect(Number(moving.scenario.fact(0, 'partitions_handing_over'))).toBeGreaterThan(0);
    expect(moving.wrong(2)).toEqual([]);
    moving.expectEnd(0, 1, 2);
  });

  it('are handed over by a node that gives them up as it starts, with a lower weight', () => {
    const weights = [1, 1, 4];
    const moving = new Moving(54, 3, 3, 1, weights);
    moving.freeze();
    weights[2] = 0.25;
    moving.restart(2);
    moving.scenario.rest(3_000);
    expect(Number(moving.scenario.fact(2, 'partitions_handing_over'))).toBeGreaterThan(0);
    for (const node of [0, 1]) expect(moving.wrong(node)).toEqual([]);
    moving.expectEnd(0, 1, 2);
  });

  it('are handed over by an owner that gives them up before it has caught up: what it has acknowledged counts', () => {
    const moving = new Moving(55, 5, 2, 1);
    moving.freeze();
    moving.join(2);
    moving.quorum(2);
    moving.write(2, 200, 400);
    moving.join(3, 4);
    moving.scenario.rest(3_000);
    expect(Number(moving.scenario.fact(2, 'partitions_handing_over'))).toBeGreaterThan(0);
    for (const node of [3, 4]) {
      moving.quorum(node);
      expect(moving.wrong(node)).toEqual([]);
    }
    moving.expectEnd(0, 1, 2, 3, 4);
  });
});
