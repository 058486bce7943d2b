/** Former owners: who counts beside the owners while partitions move, and that finding out costs what was said, not the cluster's size. */
import { expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { place } from '../../../src/core/partitions/placement.js';
import type { RingMember } from '../../../src/core/partitions/ring.js';
import { FormerOwners } from '../../../src/core/replication/former-owners.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import { Readiness } from '../../../src/core/replication/readiness.js';

const OLD_RING = 6;
const RING = 7;
const REPLICAS = 3;
const NONE: ReadonlySet<number> = new Set();

/** This node, the first of `members`, whose ring loses its last member. */
class Change {
  readonly peers: Peer[];
  readonly readiness: Readiness;
  readonly former: FormerOwners;
  private readonly before: RingMember[];
  private readonly others: Peer[][] = [];

  constructor(
    readonly partitions: number,
    members: number,
  ) {
    this.before = Array.from({ length: members }, (_, at) => ({ id: `node-${100 + at}`, zone: '', weight: 1 }));
    this.peers = this.before.slice(1).map(({ id }) => {
      const peer = new Peer(id, 1024, new HintRoom(1024), 1);
      peer.state = 'alive';
      return peer;
    });
    this.readiness = new Readiness({ partitions });
    const after = place(this.before.slice(0, -1), partitions, REPLICAS);
    for (let partition = 0; partition < partitions; partition++) {
      this.others.push([...after.owners(partition)].filter((at) => at > 0).map((at) => this.peers[at - 1]));
    }
    this.former = this.fresh();
  }

  /** One that has heard nothing before. */
  fresh(): FormerOwners {
    const options = {
      selfId: this.before[0].id,
      partitions: this.partitions,
      replicas: REPLICAS,
      mutations: new Set<string>(),
    };
    const former = new FormerOwners({ all: () => this.peers } as unknown as Peers, this.readiness, options);
    former.ringChanged(RING, this.before.slice(0, -1), this.before, false);
    return former;
  }

  report(peer: Peer, ringHash: number, handing: ReadonlySet<number>): void {
    this.readiness.note(peer, ringHash, { unready: NONE, handing, holding: NONE }, 0);
  }

  tick(former = this.former, changed = false): void {
    former.tick((partition) => this.others[partition], changed, false);
  }

  sets(former: FormerOwners): string[][] {
    return Array.from({ length: this.partitions }, (_, partition) =>
      former
        .of(partition)
        .map(({ id }) => id)
        .sort(),
    );
  }
}

it('counts those that a fresh look at everything would count, whatever was said in which order', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = new Random(seed, 3);
    const change = new Change(32, 6);
    let most = 0;
    for (let step = 0; step < 60; step++) {
      const peer = change.peers[random.below(change.peers.length)];
      if (random.chance(0.2)) peer.state = random.chance(0.5) ? 'dead' : 'alive';
      if (random.chance(0.05) && change.peers.length > 2) {
        change.readiness.forget(change.peers.splice(random.below(change.peers.length), 1)[0].id);
      }
      const handing = new Set(Array.from({ length: random.below(8) }, () => random.below(32)));
      // One never goes along, so that the ring before counts to the end.
      const ring = peer === change.peers[0] || random.chance(0.5) ? OLD_RING : RING;
      if (random.chance(0.7)) change.report(peer, ring, handing);
      change.readiness.heard++;
      if (random.chance(0.7)) change.tick(change.former, random.chance(0.1));
      else continue;
      const fresh = change.fresh();
      change.tick(fresh);
      if (change.former.members === null) break;
      expect(change.sets(change.former), `seed ${seed}, step ${step}`).toEqual(change.sets(fresh));
      expect(change.former.size).toBe(fresh.size);
      most = Math.max(most, fresh.size);
    }
    expect(most).toBeGreaterThan(0);
  }
});

it('leaves the lists that it gave away as they were', () => {
  const change = new Change(16, 4);
  const [first, second] = change.peers;
  change.report(first, OLD_RING, NONE);
  change.tick();
  const moving = Array.from({ length: 16 }, (_, partition) => partition).filter(
    (at) => change.former.of(at).length > 0,
  );
  const held = moving.map((partition) => [change.former.of(partition), [...change.former.of(partition)]]);
  change.report(second, RING, new Set(moving));
  change.peers[2].state = 'dead';
  change.tick();
  for (const [list, copy] of held) expect(list).toEqual(copy);
});

it('goes through what one peer has said since the last tick, and no further', () => {
  const partitions = 1024;
  const change = new Change(partitions, 64);
  for (const peer of change.peers) change.report(peer, OLD_RING, NONE);
  change.tick();
  // Each owner of each partition once.
  expect(change.former.examined).toBeLessThanOrEqual(partitions * REPLICAS);
  const before = change.former.examined;
  change.tick();
  expect(change.former.examined).toBe(before);
  change.report(change.peers[5], OLD_RING, new Set([1, 2, 3]));
  change.tick();
  const share = Math.ceil((1.05 * partitions * REPLICAS) / 64);
  expect(change.former.examined - before).toBeGreaterThan(0);
  expect(change.former.examined - before).toBeLessThanOrEqual(share + 3);
});
