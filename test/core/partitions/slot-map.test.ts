import { describe, expect, it } from 'vitest';
import { place } from '../../../src/core/partitions/placement.js';
import { NO_MEMBER, slotMap, slotRanges } from '../../../src/core/partitions/slot-map.js';
import { partitionOfSlot, SLOTS } from '../../../src/core/partitions/slots.js';

const ring = ['a', 'b', 'c', 'd'].map((id) => ({ id, zone: '', weight: 1 }));
const placement = place(ring, 256, 3);

describe('slotMap', () => {
  it('names the first owner of each partition when nobody is out', () => {
    const map = slotMap(placement, () => false);
    for (let partition = 0; partition < 256; partition++) expect(map[partition]).toBe(placement.owners(partition)[0]);
  });

  it('passes over owners that are out, and changes nothing else', () => {
    const map = slotMap(placement, (id) => id === 'b');
    for (let partition = 0; partition < 256; partition++) {
      const owners = placement.owners(partition);
      expect(map[partition]).toBe(placement.members[owners[0]] === 'b' ? owners[1] : owners[0]);
    }
  });

  it('falls back to the first owner when all are out', () => {
    expect(slotMap(placement, () => true)).toEqual(slotMap(placement, () => false));
  });

  it('names no member for an empty ring', () => {
    const map = slotMap(place([], 16, 3), () => false);
    expect([...map].every((member) => member === NO_MEMBER)).toBe(true);
    expect(slotRanges(map, 0)).toEqual([]);
  });

  it('covers every slot once, in ascending ranges that do not adjoin', () => {
    const map = slotMap(placement, (id) => id === 'c');
    const ranges = slotRanges(map, 4);
    const seen = new Uint8Array(SLOTS);
    ranges.forEach((own, member) => {
      own.forEach(({ first, last }, at) => {
        if (at > 0) expect(first).toBeGreaterThan(own[at - 1].last + 1);
        for (let slot = first; slot <= last; slot++) {
          seen[slot]++;
          expect(map[partitionOfSlot(slot, 256)]).toBe(member);
        }
      });
    });
    expect(seen.every((times) => times === 1)).toBe(true);
    expect(ranges[2]).toEqual([]);
  });
});
