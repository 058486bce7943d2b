/** What nodes tell each other of floors, and what floors leave in the log, as bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordHlc, recordType, TYPE_FLOOR, TYPE_GONE, verifyRecord } from '../../../src/core/record/record.js';
import { encodeFloors, encodeGone, readFloors, readGone } from '../../../src/core/replication/floor-messages.js';
import {
  encodeAllFloors,
  encodeFloorNote,
  encodeGoneNote,
  recoverFloors,
  recoverGone,
} from '../../../src/core/replication/floor-note.js';
import { record } from '../record/records.js';
import { PARTITIONS, Shelf } from '../store/harness.js';

const hlcs = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('FLOORS', () => {
  it('carries the clock, every floor and what the sender holds nothing of', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(hlcs, fc.boolean()), { minLength: 1, maxLength: 40 }), hlcs, (said, wallMs) => {
        const floors = Float64Array.from(said.map(([hlc]) => hlc));
        const read = readFloors(
          encodeFloors(wallMs, floors, (partition) => said[partition][1]),
          said.length,
        );
        expect(read?.wallMs).toBe(wallMs);
        expect(said.map((_, partition) => [read?.floors[partition], read?.isClear(partition)])).toEqual(said);
      }),
    );
  });

  it('is refused when it is of other partitions, cut short, or names what is no stamp', () => {
    const body = encodeFloors(5, Float64Array.of(1, 2, 3), () => false);
    expect(readFloors(body, 3)).not.toBeNull();
    expect(readFloors(body, 4)).toBeNull();
    expect(readFloors(body.subarray(0, body.length - 1), 3)).toBeNull();
    for (const at of [0, 16, 32]) {
      const wrong = Buffer.from(body);
      wrong.writeDoubleLE(Number.NaN, at);
      expect(readFloors(wrong, 3)).toBeNull();
    }
  });
});

describe('GONE', () => {
  it('carries a partition, a floor and hashes of keys', () => {
    const said = { partition: 3, hlc: 2 ** 50, hashes: [1, 2, 0xffffffff, 0] };
    expect(readGone(encodeGone(said), 4)).toEqual(said);
    expect(readGone(encodeGone(said), 3)).toBeNull();
    expect(readGone(encodeGone(said).subarray(0, 20), 4)).toBeNull();
    expect(readGone(Buffer.alloc(8), 4)).toBeNull();
  });
});

describe('floors in the log', () => {
  it('come back, the last word on each partition', () => {
    const floors = new Float64Array(4);
    const first = encodeFloorNote([
      [0, 50],
      [3, 2 ** 52],
    ]);
    expect(verifyRecord(first, 0, first.length)).toBe(first.length);
    expect([recordType(first, 0), recordHlc(first, 0)]).toEqual([TYPE_FLOOR, 2 ** 52]);
    recoverFloors(floors, first, 0);
    expect([...floors]).toEqual([50, 0, 0, 2 ** 52]);
    recoverFloors(floors, encodeFloorNote([[3, 0]]), 0);
    recoverFloors(floors, encodeFloorNote([[9, 7]]), 0);
    expect([...floors]).toEqual([50, 0, 0, 0]);
    const all = encodeAllFloors(floors);
    const again = new Float64Array(4);
    if (all !== null) recoverFloors(again, all, 0);
    expect([...again]).toEqual([...floors]);
    expect(encodeAllFloors(new Float64Array(4))).toBeNull();
  });

  it('drop a value that went, or an older one of its key, and nothing newer', () => {
    for (const [hlc, left] of [
      [19, false],
      [20, false],
      [21, true],
    ] as const) {
      const shelf = new Shelf();
      const gone = encodeGoneNote(record({ hlc: 20 }, 'k', 'was'), 0);
      expect(recordType(gone, 0)).toBe(TYPE_GONE);
      // The shelf has a way of its own to place keys: the note goes by slots, as a node does.
      const { store } = shelf;
      const key = Buffer.from('k');
      const hash = store.hasher.hash(key, 0, 1);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        store.merge(partition, hash, record({ hlc }, 'k', 'v'), 0);
      }
      recoverGone(store, PARTITIONS, gone, 0);
      const held = Array.from({ length: PARTITIONS }, (_, partition) => store.keys(partition));
      expect(held.filter((keys) => keys === 0)).toHaveLength(left ? 0 : 1);
    }
  });
});
