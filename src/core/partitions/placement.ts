/**
 * Which members own a partition: bounded-load rendezvous hashing over the ring's members, distinct zones first, the first
 * owner by balance among the owners. ONE pure function, called for reads, writes, hints, repair, hand-off and the slot map;
 * every node that gives it the same ring gets the same answer, whatever the order of its input.
 *
 * Rendezvous (Thaler and Ravishankar, 1998) alone strays over 15 % from even at 15 members and 256 partitions; a load cap
 * (Mirrokni et al., "Consistent Hashing with Bounded Loads", 2018) and a floor hold every member within 5 %, give or take the
 * rounding to whole partitions. Pairs (partition, member) are taken in the order of their score over the whole ring, which
 * is the stable matching of the two sides: a change of one member moves little beyond that member's share.
 * first-owners.ts holds the choice of the first owner.
 */
import { assert } from '../base/assert.js';
import { crc32 } from '../base/crc32.js';
import { mix32 } from '../base/hash.js';
import { firstOwners } from './first-owners.js';
import type { RingMember } from './ring.js';

export interface Placement {
  /** Ids of all members of the ring, sorted; owners are indices into it. */
  readonly members: readonly string[];
  /** Number of partitions. */
  readonly count: number;
  /** Owners of a partition, the first owner first: min(replicas, members) of them. */
  owners(partition: number): readonly number[];
}

/** How far a member's load may lie from its even share. */
const SLACK = 0.05;
const PAIRS_MAX = 2 ** 21;

/** How many members so many partitions can be placed on. */
export function membersMax(partitions: number): number {
  return Math.floor(PAIRS_MAX / partitions);
}

/**
 * Owners of `partitions` partitions, `replicas` each, among `ring`. Ids are unique. Weight scales a member's share, up to
 * owning every partition. At most 2^21 pairs of member and partition.
 */
export function place(ring: readonly RingMember[], partitions: number, replicas: number): Placement {
  const members = [...ring].sort((left, right) => (left.id < right.id ? -1 : 1));
  assert(members.length * partitions <= PAIRS_MAX, 'members x partitions fits the score keys');
  const wanted = Math.min(replicas, members.length);
  const assignment = new Assignment(members, partitions, wanted);
  const pairs = pairsByScore(members, partitions);
  assignment.fill(pairs, true);
  assignment.fill(pairs, false);
  assignment.fillStranded(pairs);
  assignment.liftBelowFloor(pairs);
  const owners = assignment.ownersByScore(pairs);
  firstOwners(owners, evenShares(members, partitions, partitions));
  return {
    members: members.map((member) => member.id),
    count: partitions,
    owners: (partition) => owners[partition],
  };
}

/** Each member's even share of `total` by weight, none above `most`; what is cut off goes to the others by weight. */
export function evenShares(members: readonly RingMember[], total: number, most: number): number[] {
  const shares = new Array<number>(members.length).fill(0);
  const full = new Set<number>();
  for (;;) {
    let weight = 0;
    for (let index = 0; index < members.length; index++) if (!full.has(index)) weight += members[index].weight;
    const rest = total - full.size * most;
    let cut = false;
    for (let index = 0; index < members.length; index++) {
      if (full.has(index)) continue;
      shares[index] = (rest * members[index].weight) / weight;
      if (shares[index] > most) {
        shares[index] = most;
        full.add(index);
        cut = true;
      }
    }
    if (!cut) return shares;
  }
}

/**
 * All pairs, as partition x members + member, best score first. The score is an exponential race (-ln u / weight), which is
 * rendezvous hashing by weight; it is quantised to 32 bits and packed above the pair, so that the sort is one of numbers.
 */
function pairsByScore(members: readonly RingMember[], partitions: number): Float64Array {
  const count = members.length;
  const keys = new Float64Array(count * partitions);
  const lightest = members.reduce((least, member) => Math.min(least, member.weight), Number.POSITIVE_INFINITY);
  for (let index = 0; index < count; index++) {
    const bytes = Buffer.from(members[index].id, 'utf8');
    const seed = mix32(crc32(bytes, 0, bytes.length), bytes.length);
    const scale = (2 ** 27 * lightest) / members[index].weight;
    for (let partition = 0; partition < partitions; partition++) {
      const score = Math.floor(minusLogarithm(mix32(seed, partition)) * scale);
      keys[partition * count + index] = score * PAIRS_MAX + partition * count + index;
    }
  }
  keys.sort();
  for (let at = 0; at < keys.length; at++) keys[at] %= PAIRS_MAX;
  return keys;
}

/** -ln((word + 0.5) / 2^32) from the four basic operations alone, so that every engine gives the same bits. */
function minusLogarithm(word: number): number {
  let mantissa = (word + 0.5) / 0x100000000;
  let halvings = 0;
  while (mantissa < 0.5) {
    mantissa *= 2;
    halvings++;
  }
  const ratio = (1 - mantissa) / (1 + mantissa);
  const square = ratio * ratio;
  let series = 0;
  for (let odd = 19; odd >= 1; odd -= 2) series = series * square + 1 / odd;
  return 2 * ratio * series + halvings * Math.LN2;
}

/** The assignment under way: who owns what, with cap and floor of every member. */
class Assignment {
  private readonly count: number;
  private readonly partitions: number;
  private readonly wanted: number;
  private readonly zones: number[];
  private readonly shares: number[];
  private readonly caps: number[];
  private readonly floors: number[];
  private readonly loads: number[];
  private readonly owners: number[][];

  constructor(members: readonly RingMember[], partitions: number, wanted: number) {
    this.count = members.length;
    this.partitions = partitions;
    this.wanted = wanted;
    const names = new Map<string, number>();
    for (const { zone } of members) if (!names.has(zone)) names.set(zone, names.size);
    this.zones = members.map(({ zone }) => names.get(zone) ?? 0);
    this.shares = evenShares(members, partitions * wanted, partitions);
    this.caps = this.shares.map((share) =>
      Math.min(partitions, Math.max(Math.ceil(share), Math.floor((1 + SLACK) * share))),
    );
    this.floors = this.shares.map((share) => Math.min(Math.floor(share), Math.ceil((1 - SLACK) * share)));
    this.loads = new Array<number>(this.count).fill(0);
    this.owners = Array.from({ length: partitions }, () => []);
  }

  /** Takes pairs in order, under the caps; with `distinctZones` no two owners of a partition in one zone. */
  fill(pairs: Float64Array, distinctZones: boolean): void {
    for (const pair of pairs) {
      const member = pair % this.count;
      const owners = this.owners[(pair - member) / this.count];
      if (owners.length >= this.wanted || this.loads[member] >= this.caps[member] || owners.includes(member)) continue;
      if (distinctZones && owners.some((owner) => this.zones[owner] === this.zones[member])) continue;
      owners.push(member);
      this.loads[member]++;
    }
  }

  /**
   * A partition is stranded when all members below their cap own it already. Another partition then gives up an owner it
   * has to the stranded one, and takes a member below its cap instead.
   */
  fillStranded(pairs: Float64Array): void {
    for (let partition = 0; partition < this.partitions; partition++) {
      const owners = this.owners[partition];
      while (owners.length < this.wanted) {
        const freed = this.freeByExchange(pairs, owners, true) ?? this.freeByExchange(pairs, owners, false);
        const member = freed ?? this.leastLoadedOutside(owners);
        owners.push(member);
        this.loads[member]++;
      }
    }
  }

  /** Moves partitions to members below their floor, best score first, from owners that can spare them. */
  liftBelowFloor(pairs: Float64Array): void {
    if (this.loads.every((load, member) => load >= this.floors[member])) return;
    for (const spareAbove of [this.shares, this.floors]) {
      for (const pair of pairs) {
        const member = pair % this.count;
        if (this.loads[member] >= this.floors[member]) continue;
        const owners = this.owners[(pair - member) / this.count];
        if (owners.includes(member)) continue;
        const giver = this.richestOwner(owners, member, spareAbove);
        if (giver !== -1) this.replace(owners, giver, member);
      }
    }
  }

  ownersByScore(pairs: Float64Array): number[][] {
    const sorted: number[][] = Array.from({ length: this.partitions }, () => []);
    for (const pair of pairs) {
      const member = pair % this.count;
      const partition = (pair - member) / this.count;
      if (sorted[partition].length < this.wanted && this.owners[partition].includes(member))
        sorted[partition].push(member);
    }
    return sorted;
  }

  private freeByExchange(pairs: Float64Array, stranded: number[], keepZones: boolean): number | null {
    for (const pair of pairs) {
      const member = pair % this.count;
      if (this.loads[member] >= this.caps[member]) continue;
      const owners = this.owners[(pair - member) / this.count];
      if (owners === stranded || owners.includes(member)) continue;
      for (const owner of owners) {
        if (stranded.includes(owner)) continue;
        if (keepZones && !this.keepsZones(owners, owner, member)) continue;
        this.replace(owners, owner, member);
        return owner;
      }
    }
    return null;
  }

  private leastLoadedOutside(owners: number[]): number {
    let least = -1;
    for (let member = 0; member < this.count; member++) {
      if (owners.includes(member)) continue;
      if (least === -1 || this.loads[member] - this.caps[member] < this.loads[least] - this.caps[least]) least = member;
    }
    return least;
  }

  private richestOwner(owners: number[], taker: number, spareAbove: number[]): number {
    let richest = -1;
    for (const owner of owners) {
      if (this.loads[owner] - 1 < spareAbove[owner] || !this.keepsZones(owners, owner, taker)) continue;
      if (richest === -1 || this.loads[owner] / this.shares[owner] > this.loads[richest] / this.shares[richest]) {
        richest = owner;
      }
    }
    return richest;
  }

  /** Whether the owners lie in as many zones after the exchange as before it. */
  private keepsZones(owners: number[], giver: number, taker: number): boolean {
    const loses = !owners.some((owner) => owner !== giver && this.zones[owner] === this.zones[giver]);
    const gains = !owners.some((owner) => owner !== giver && this.zones[owner] === this.zones[taker]);
    return gains || !loses;
  }

  private replace(owners: number[], giver: number, taker: number): void {
    owners[owners.indexOf(giver)] = taker;
    this.loads[giver]--;
    this.loads[taker]++;
  }
}
