/**
 * The slot map that clients see: for each partition the first of its owners that is not out, as a pure function of
 * (placement, suspected set). The spine computes it when either changes and answers CLUSTER SLOTS and MOVED from it;
 * nodes that agree on both inputs give the same map. Owners and their order come from placement.ts.
 */
import type { Placement } from './placement.js';
import { type SlotRange, slotsOfPartition } from './slots.js';

/** No member at all owns the partition: an empty ring. */
export const NO_MEMBER = 0xffff;

/**
 * Index into `placement.members` of the member that answers for each partition: its first owner that is not out. If all
 * are out it is the first owner, so that clients have somewhere to ask. Calls `isOut` once per member.
 */
export function slotMap(placement: Placement, isOut: (memberId: string) => boolean): Uint16Array {
  const out = placement.members.map(isOut);
  const map = new Uint16Array(placement.count);
  for (let partition = 0; partition < placement.count; partition++) {
    const owners = placement.owners(partition);
    map[partition] = owners.find((owner) => !out[owner]) ?? owners[0] ?? NO_MEMBER;
  }
  return map;
}

/** The slots that a map gives to each member, by member index: disjoint, ascending, adjoining partitions joined. */
export function slotRanges(map: Uint16Array, memberCount: number): SlotRange[][] {
  const ranges: SlotRange[][] = Array.from({ length: memberCount }, () => []);
  for (let partition = 0; partition < map.length; partition++) {
    if (map[partition] === NO_MEMBER) continue;
    const own = ranges[map[partition]];
    const slots = slotsOfPartition(partition, map.length);
    const latest = own.at(-1);
    if (latest !== undefined && latest.last + 1 === slots.first) latest.last = slots.last;
    else own.push(slots);
  }
  return ranges;
}
