import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { firstOwners } from '../../../src/core/partitions/first-owners.js';
import { evenShares, membersMax, type Placement, place } from '../../../src/core/partitions/placement.js';
import type { RingMember } from '../../../src/core/partitions/ring.js';

const PARTITIONS = 256;

function ringOf(count: number, name = 'node-', zones = 1): RingMember[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${name}${at}`, zone: `zone-${at % zones}`, weight: 1 }));
}

function loads(placement: Placement): number[] {
  const owned = placement.members.map(() => 0);
  for (let partition = 0; partition < placement.count; partition++) {
    for (const owner of placement.owners(partition)) owned[owner]++;
  }
  return owned;
}

function leads(placement: Placement): number[] {
  const led = placement.members.map(() => 0);
  for (let partition = 0; partition < placement.count; partition++) led[placement.owners(partition)[0]]++;
  return led;
}

function ids(placement: Placement, partition: number): string[] {
  return placement.owners(partition).map((owner) => placement.members[owner]);
}

/** Replicas that `after` has and `before` had not, as a share of all. */
function movedShare(before: Placement, after: Placement): number {
  let moved = 0;
  let all = 0;
  for (let partition = 0; partition < before.count; partition++) {
    const held = new Set(ids(before, partition));
    for (const id of ids(after, partition)) {
      all++;
      if (!held.has(id)) moved++;
    }
  }
  return moved / all;
}

describe('place', () => {
  it('gives every partition the wanted number of distinct owners, or all members if there are fewer', () => {
    for (let count = 0; count <= 8; count++) {
      const placement = place(ringOf(count), PARTITIONS, 3);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const owners = placement.owners(partition);
        expect(owners.length).toBe(Math.min(3, count));
        expect(new Set(owners).size).toBe(owners.length);
      }
    }
  });

  it('keeps owned partitions within 6 % of even at 3 to 15 members, whatever their names', () => {
    for (const name of ['node-', 'cache-eu-west-1-', '10.0.0.', 'x']) {
      for (let count = 3; count <= 15; count++) {
        const even = (PARTITIONS * 3) / count;
        for (const load of loads(place(ringOf(count, name), PARTITIONS, 3))) {
          expect(Math.abs(load - even) / even).toBeLessThanOrEqual(0.06);
        }
      }
    }
  });

  it('spreads first owners evenly, to one partition', () => {
    for (let count = 1; count <= 15; count++) {
      const led = leads(place(ringOf(count), PARTITIONS, 3));
      expect(Math.max(...led) - Math.min(...led)).toBeLessThanOrEqual(1);
    }
  });

  it('comes to an end where shares are fractions and a move changes nothing but their rounding', () => {
    const owners = Array.from({ length: 13 }, () => [0, 1]);
    firstOwners(owners, [8 / 3, 8 / 3]);
    expect(owners.filter(([first]) => first === 0).length).toBe(7);
  });

  it('is the same whatever the order of its input', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        (count, zones, seed) => {
          const ring = ringOf(count, 'n', zones).map((member, at) => ({ ...member, weight: 1 + (at % 3) }));
          const one = place(ring, 64, 3);
          const other = place(new Random(seed).shuffle([...ring]), 64, 3);
          expect(other.members).toEqual(one.members);
          for (let partition = 0; partition < 64; partition++) {
            expect(other.owners(partition)).toEqual(one.owners(partition));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('puts the owners of a partition in distinct zones when zones have room for it', () => {
    for (const count of [3, 6, 9, 12, 15]) {
      const ring = ringOf(count, 'node-', 3);
      const zoneOf = new Map(ring.map((member) => [member.id, member.zone]));
      const placement = place(ring, PARTITIONS, 3);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        expect(new Set(ids(placement, partition).map((id) => zoneOf.get(id))).size).toBe(3);
      }
    }
  });

  it('uses both of two zones for every partition', () => {
    const ring = ringOf(6, 'node-', 2);
    const zoneOf = new Map(ring.map((member) => [member.id, member.zone]));
    const placement = place(ring, PARTITIONS, 3);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(new Set(ids(placement, partition).map((id) => zoneOf.get(id))).size).toBe(2);
    }
  });

  it('never loads a member past its cap, uneven zones or not', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 16 }), (zones) => {
        const ring = zones.map((zone, at) => ({ id: `n${at}`, zone: `z${zone}`, weight: 1 }));
        const even = (PARTITIONS * 3) / ring.length;
        const cap = Math.max(Math.ceil(even), Math.floor(1.05 * even));
        expect(Math.max(...loads(place(ring, PARTITIONS, 3)))).toBeLessThanOrEqual(cap);
      }),
      { numRuns: 60 },
    );
  });

  it('scales a member by its weight', () => {
    const ring = ringOf(8).map((member, at) => ({ ...member, weight: at < 2 ? 2 : 1 }));
    const shares = evenShares(ring, PARTITIONS * 3, PARTITIONS);
    const owned = loads(place(ring, PARTITIONS, 3));
    for (let at = 0; at < ring.length; at++) expect(Math.abs(owned[at] - shares[at]) / shares[at]).toBeLessThan(0.06);
  });

  it('keeps owned partitions and first places within 6 % of the shares by weight, give or take one, at 5 to 15 members', () => {
    for (const weights of [
      [1, 2],
      [0.5, 1, 1.5],
      [1, 1, 1, 1.2, 0.8],
    ]) {
      for (let count = 5; count <= 15; count++) {
        const ring = ringOf(count).map((member, at) => ({ ...member, weight: weights[at % weights.length] }));
        // Placement sorts by id: so does what it is compared with.
        ring.sort((left, right) => (left.id < right.id ? -1 : 1));
        const placement = place(ring, PARTITIONS, 3);
        const shares = evenShares(ring, PARTITIONS * 3, PARTITIONS);
        for (const [at, owned] of loads(placement).entries()) {
          expect(Math.abs(owned - shares[at])).toBeLessThanOrEqual(Math.max(1, shares[at] * 0.06));
        }
        const firsts = evenShares(ring, PARTITIONS, PARTITIONS);
        for (const [at, led] of leads(placement).entries()) {
          expect(Math.abs(led - firsts[at])).toBeLessThanOrEqual(Math.max(1, firsts[at] * 0.06));
        }
      }
    }
  });

  it('serves the weights from a tenth to ten beside each other, in zones or not, with as many owners as ever', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ weight: fc.constantFrom(0.1, 0.5, 1, 3, 10), zone: fc.integer({ min: 0, max: 4 }) }), {
          minLength: 1,
          maxLength: 15,
        }),
        (drawn) => {
          const ring = drawn.map(({ weight, zone }, at) => ({ id: `n${at}`, zone: `z${zone}`, weight }));
          const placement = place(ring, 64, 3);
          for (let partition = 0; partition < 64; partition++) {
            expect(new Set(placement.owners(partition)).size).toBe(Math.min(3, ring.length));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives no member more than every partition, however heavy', () => {
    const ring = ringOf(4).map((member, at) => ({ ...member, weight: at === 0 ? 1000 : 1 }));
    expect(evenShares(ring, 768, 256).map((share) => Math.round(share))).toEqual([256, 171, 171, 171]);
    expect(loads(place(ring, PARTITIONS, 3))[0]).toBe(PARTITIONS);
  });

  it('moves little more than the share of the member that joins or leaves', () => {
    for (let count = 3; count <= 15; count++) {
      const before = place(ringOf(count), PARTITIONS, 3);
      const after = place(ringOf(count + 1), PARTITIONS, 3);
      const least = 1 / (count + 1);
      expect(movedShare(before, after)).toBeLessThanOrEqual(least * 1.5);
      expect(movedShare(after, before)).toBeLessThanOrEqual(least * 1.5);
    }
  });

  it('says how many members it takes, and takes no more', () => {
    for (const partitions of [64, PARTITIONS, 1000, 16_384]) {
      const most = membersMax(partitions);
      expect(most).toBeGreaterThanOrEqual(128);
      expect(() => place(ringOf(most + 1), partitions, 3)).toThrow('score keys');
    }
    expect(membersMax(16_384)).toBe(128);
  });

  it('places 1,000 members', () => {
    const owned = loads(place(ringOf(1000), 1024, 3));
    expect(owned.reduce((sum, load) => sum + load, 0)).toBe(3072);
    expect(Math.max(...owned)).toBeLessThanOrEqual(4);
  });
});
