import { describe, expect, it } from 'vitest';
import {
  recordEnd,
  recordExpireAtMs,
  recordKeyEnd,
  recordType,
  TYPE_COUNTER,
  TYPE_HLL,
  TYPE_PUT,
  TYPE_SIBLINGS,
  TYPE_TOMBSTONE,
} from '../../../src/core/record/record.js';
import {
  MERGE_APPLIED,
  MERGE_DERIVED,
  MERGE_EQUAL,
  MERGE_MISSING,
  MERGE_REFUSED,
  MERGE_STALE,
} from '../../../src/core/store/merging.js';
import { sketchOf } from '../../../src/core/types/hyperloglog.js';
import { SketchChange } from '../../../src/core/types/hyperloglog-record.js';
import { made } from '../../../src/core/types/made.js';
import { expiryRecord, record } from '../record/records.js';
import { at, Replica, takeMade } from '../types/counted.js';
import { Shelf } from './harness.js';

function counted(actor: number, hlc: number, amount: number, upon: Buffer | null = null): Buffer {
  const replica = new Replica(actor);
  replica.stored = upon;
  replica.add(hlc, amount);
  return replica.stored as unknown as Buffer;
}

function textOf(bytes: Buffer | null): string | undefined {
  return bytes?.toString('latin1', recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
}

describe('a value of a merge type in the store', () => {
  it('becomes one with what stands, and the digest is that of a store that saw both in the other order', () => {
    const one = new Shelf();
    const other = new Shelf();
    const left = counted(11, at(1), 5);
    const right = counted(12, at(2), 7);
    expect(one.merge('key', left)).toBe(MERGE_APPLIED);
    expect(one.merge('key', right)).toBe(MERGE_DERIVED);
    expect([one.merge('key', right), one.merge('key', left)]).toEqual([MERGE_STALE, MERGE_STALE]);
    expect(one.merge('key', one.read('key') as Buffer)).toBe(MERGE_EQUAL);
    expect([other.merge('key', right), other.merge('key', left)]).toEqual([MERGE_APPLIED, MERGE_DERIVED]);
    expect(one.value('key')).toBe('12');
    expect(one.digests()).toEqual(other.digests());
    expect(one.contents()).toEqual(other.contents());
    expect([...one.store.leafSums(one.partition('key'))]).toEqual([...one.recomputedSums(one.partition('key'))]);
    expect(one.store.stats()).toMatchObject({ keys: 1, tombstones: 0 });
  });

  it('meets a SET and a tombstone from either side', () => {
    const shelf = new Shelf();
    const set = record({ hlc: at(2), actor: 3, sequence: 1 }, 'key', '100');
    expect(shelf.merge('key', counted(11, at(3), 1))).toBe(MERGE_APPLIED);
    expect(shelf.merge('key', set)).toBe(MERGE_DERIVED);
    expect([shelf.value('key'), recordType(shelf.read('key') as Buffer, 0)]).toEqual(['101', TYPE_COUNTER]);
    expect(shelf.merge('key', record({ hlc: at(9), actor: 3, type: TYPE_TOMBSTONE }, 'key'))).toBe(MERGE_APPLIED);
    expect(shelf.merge('key', counted(11, at(3), 1))).toBe(MERGE_STALE);
    expect(shelf.merge('key', counted(11, at(10), 1))).toBe(MERGE_DERIVED);
    expect(shelf.value('key')).toBe('1');
  });

  it('takes the place of a tombstone that the floor has passed: its writer may have forgotten the delete already', () => {
    const shelf = new Shelf();
    const sketch = (hlc: number): Buffer => {
      const change = new SketchChange().add(sketchOf([65]));
      const limits = {
        flushedHlc: 0,
        flushedActor: 0,
        floorHlc: 0,
        isPartial: false,
        endHlcOf: () => Number.POSITIVE_INFINITY,
        continues: () => true,
      };
      change.apply(null, 0, Buffer.from('key'), 0, 3, { hlc, actor: 11, sequence: 1 }, limits, made);
      return takeMade();
    };
    shelf.merge('key', record({ hlc: at(5), actor: 3, type: TYPE_TOMBSTONE }, 'key'));
    expect(shelf.merge('key', sketch(at(9)))).toBe(MERGE_STALE);
    shelf.store.noteFloor(shelf.partition('key'), at(5), at(5));
    expect(shelf.merge('key', sketch(at(9)))).toBe(MERGE_APPLIED);
    expect(recordType(shelf.read('key') as Buffer, 0)).toBe(TYPE_HLL);
    expect(shelf.store.stats()).toMatchObject({ keys: 1, tombstones: 0 });
  });

  it('takes an expiry that names no version, or the version of the SET that it counts from', () => {
    const shelf = new Shelf();
    const set = record({ hlc: at(1), actor: 3 }, 'key', '100');
    shelf.merge('key', counted(11, at(2), 1, set));
    expect(shelf.merge('key', expiryRecord({ hlc: at(3), expireAtMs: 5000 }, 'key', at(1), 3))).toBe(MERGE_APPLIED);
    expect(recordExpireAtMs(shelf.read('key') as Buffer, 0)).toBe(5000);
    expect(shelf.merge('key', expiryRecord({ hlc: at(4), expireAtMs: 6000 }, 'key', 0, 0))).toBe(MERGE_APPLIED);
    expect(recordExpireAtMs(shelf.read('key') as Buffer, 0)).toBe(6000);
    expect(shelf.merge('key', expiryRecord({ hlc: at(4), expireAtMs: 6000 }, 'key', 0, 0))).toBe(MERGE_EQUAL);
    expect(shelf.merge('key', expiryRecord({ hlc: at(3), expireAtMs: 6000 }, 'key', 0, 0))).toBe(MERGE_STALE);
    expect(shelf.merge('key', expiryRecord({ hlc: at(9), expireAtMs: 6000 }, 'key', at(8), 3))).toBe(MERGE_MISSING);
    expect([shelf.value('key'), shelf.store.expiring(shelf.partition('key'))]).toEqual(['101', 1]);
  });

  it('is asked for when an expiry that names no version finds a plain value or nothing', () => {
    const shelf = new Shelf();
    const change = expiryRecord({ hlc: at(3), expireAtMs: 5000 }, 'key', 0, 0);
    expect(shelf.merge('key', change)).toBe(MERGE_MISSING);
    shelf.merge('key', record({ hlc: at(2) }, 'key', '1'));
    expect(shelf.merge('key', change)).toBe(MERGE_MISSING);
    shelf.merge('key', record({ hlc: at(4) }, 'key', '1'));
    expect(shelf.merge('key', change)).toBe(MERGE_STALE);
  });

  it('whose expiry comes late, from its former life, is not ended by it', () => {
    const shelf = new Shelf();
    shelf.store.wallMs = 40;
    shelf.merge('key', counted(11, at(30), 1));
    expect(shelf.merge('key', expiryRecord({ hlc: at(5), expireAtMs: 20 }, 'key', 0, 0))).toBe(MERGE_DERIVED);
    expect([shelf.value('key'), recordExpireAtMs(shelf.read('key') as Buffer, 0)]).toEqual(['1', 0]);
  });

  it('from before a flush is refused; what was added after it stands without the rest', () => {
    const shelf = new Shelf();
    const before = counted(11, at(1), 5);
    const both = counted(12, at(3), 2, before);
    shelf.merge('key', before);
    shelf.store.flush(at(2), 9);
    expect(shelf.find('key')).toBe(false);
    expect(shelf.merge('key', before)).toBe(MERGE_REFUSED);
    expect(shelf.merge('key', both)).toBe(MERGE_DERIVED);
    expect(shelf.value('key')).toBe('2');
  });

  it('is refused when its version data is malformed, or its type is not known', () => {
    const shelf = new Shelf();
    const version = Buffer.alloc(40);
    const unknown = record({ type: TYPE_SIBLINGS }, 'key', 'value', version);
    expect(shelf.merge('key', record({ type: TYPE_COUNTER }, 'key', '5', version))).toBe(MERGE_REFUSED);
    if (shelf.merge('key', unknown) !== MERGE_REFUSED)
      expect(recordType(shelf.read('key') as Buffer, 0)).not.toBe(TYPE_PUT);
    expect(shelf.store.stats().refused).toBeGreaterThan(0);
  });

  it('comes back from an image and a log in any order', () => {
    const log = [
      counted(11, at(1), 5),
      record({ hlc: at(2), actor: 3 }, 'key', '10'),
      counted(12, at(3), 7),
      counted(11, at(4), 1),
    ];
    const texts = new Set<string | undefined>();
    for (let first = 0; first < log.length; first++) {
      const shelf = new Shelf();
      for (let step = 0; step < log.length * 2; step++) {
        const bytes = Buffer.alloc(512);
        log[(first + step * 3) % log.length].copy(bytes);
        shelf.store.load(shelf.partition('key'), shelf.hash('key'), bytes, 0);
      }
      shelf.store.endLoad();
      texts.add(textOf(shelf.read('key')));
    }
    expect([...texts]).toEqual(['18']);
  });

  it('is as it was in a snapshot, and counts as a value for a sweep', () => {
    const shelf = new Shelf();
    const first = counted(11, at(1), 5);
    shelf.merge('key', first);
    const partition = shelf.partition('key');
    const snapshot = shelf.store.snapshots.open(1, 1, [partition]);
    shelf.merge('key', counted(12, at(2), 5));
    const key = Buffer.from('key');
    const { snapshots } = shelf.store;
    expect(snapshots.find(snapshot, partition, shelf.hash('key'), key, 0, key.length)).toBe(true);
    expect(textOf(snapshots.buffer.subarray(snapshots.offset))).toBe('5');
    expect(shelf.value('key')).toBe('10');
  });
});
