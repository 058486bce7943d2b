/** What a node says it has seen: of others' writes, of its own, after a restart, and after it dropped what it held. */
import { describe, expect, it } from 'vitest';
import { hlcFromMs } from '../../../src/core/base/hlc.js';
import { catchUpBounds } from '../../../src/core/replication/catch-up-source.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { Vector } from '../../../src/core/replication/vector.js';
import { Made } from '../../../src/core/types/made.js';
import { EMPTY_SET, expire, write as writeSibling } from '../../../src/core/types/siblings.js';
import { putSet } from '../../../src/core/types/siblings-record.js';
import { record } from '../record/records.js';

const KEY = Buffer.from('key');
const LATER = Buffer.from('later');
const never = () => false;
const SELF = 900;
const OTHER = 5;

function frontiers(partitions = 2): Frontiers {
  const all = new Frontiers(partitions);
  all.begin(SELF);
  return all;
}

function write(all: Frontiers, partition: number, hlc: number): number {
  all.stamps[partition] = hlc;
  return ++all.sequences[partition];
}

function restarted(notes: Buffer[], actor = 901): Frontiers {
  const all = new Frontiers(2);
  for (const note of notes) all.recover(note, 0);
  all.begin(actor);
  return all;
}

describe('the frontiers of a node', () => {
  it('cover what was noted and what this node wrote, in the partition it belongs to', () => {
    const all = frontiers();
    all.note(1, record({ actor: OTHER, sequence: 1, hlc: 10 }, 'key'), 0);
    const sequence = write(all, 0, 20);
    expect(all.covers(1, OTHER, 1)).toBe(true);
    expect(all.covers(0, OTHER, 1)).toBe(false);
    expect(all.covers(0, SELF, sequence)).toBe(true);
    expect(all.covers(0, SELF, sequence + 1)).toBe(false);
  });

  it('take a record without a dot for nothing seen', () => {
    const all = frontiers();
    all.note(0, record({ actor: OTHER, sequence: 0 }, 'key'), 0);
    expect(all.of(0).count).toBe(0);
  });

  it('come back from notes, this node as an ended actor among the others', () => {
    const all = frontiers();
    all.note(0, record({ actor: OTHER, sequence: 4, hlc: 10 }, 'key'), 0);
    write(all, 0, 20);
    write(all, 0, 21);
    const back = restarted([all.encode(0)]);
    expect(back.covers(0, SELF, 2)).toBe(true);
    expect(back.covers(0, OTHER, 4)).toBe(true);
    expect(back.covers(0, OTHER, 3)).toBe(false);
  });

  it('forget what was cleared, own writes too, and ignore notes from before', () => {
    const all = frontiers();
    write(all, 0, 20);
    all.note(0, record({ actor: OTHER, sequence: 1, hlc: 10 }, 'key'), 0);
    const before = all.encode(0);
    all.clear(0, 30);
    expect(all.covers(0, SELF, 1)).toBe(false);
    expect(all.covers(0, OTHER, 1)).toBe(false);
    write(all, 0, 40);
    expect(all.covers(0, SELF, 2)).toBe(true);
    expect(all.covers(0, SELF, 1)).toBe(false);
    const after = all.encode(0);
    for (const notes of [
      [before, after],
      [after, before],
    ]) {
      const back = restarted(notes);
      expect(back.covers(0, OTHER, 1)).toBe(false);
      expect(back.covers(0, SELF, 1)).toBe(false);
      expect(back.covers(0, SELF, 2)).toBe(true);
    }
  });

  it('name what the log holds of a partition from before it was given away, though an image has spoken of its next time already', () => {
    const all = frontiers();
    const older = record({ actor: OTHER, sequence: 1, hlc: 10 }, 'key');
    all.note(0, older, 0);
    const cleared = all.encodeCleared(0, 30);
    all.clear(0, 30);
    all.note(0, record({ actor: OTHER, sequence: 2, hlc: 40 }, 'key'), 0);
    const image = all.encode(0);
    const back = new Frontiers(2);
    expect(back.recover(image, 0)).toBe(-1);
    back.note(0, older, 0);
    expect(back.covers(0, OTHER, 1)).toBe(true);
    expect(back.recover(cleared, 0)).toBe(0);
    expect(back.covers(0, OTHER, 1)).toBe(false);
    expect(back.epoch(0)).toBe(all.epoch(0));
    expect(back.recover(image, 0)).toBe(-1);
    expect(back.covers(0, OTHER, 2)).toBe(true);
  });

  it('learn of own writes from before a clearing again when they come back', () => {
    const all = frontiers();
    write(all, 0, 20);
    all.clear(0, 30);
    write(all, 0, 40);
    all.note(0, record({ actor: SELF, sequence: 1, hlc: 20 }, 'key'), 0);
    expect(all.of(0).throughs[0]).toBe(2);
  });

  it('know a record as covered by its dot and by the version of its expiry, or by the floor', () => {
    const all = frontiers();
    const vector = new Vector();
    const plain = record({ actor: OTHER, sequence: 1, hlc: 10 }, 'key');
    const touched = record(
      { actor: OTHER, sequence: 1, hlc: 10, expireAtMs: 99, expiryHlc: 30, expiryActor: 6 },
      'key',
    );
    expect(all.isCovered(vector, plain, 0)).toBe(false);
    vector.add(OTHER, 1, 10);
    expect(all.isCovered(vector, plain, 0)).toBe(true);
    expect(all.isCovered(vector, touched, 0)).toBe(false);
    vector.add(6, 1, 30);
    expect(all.isCovered(vector, touched, 0)).toBe(true);
    const floored = new Vector();
    floored.floor = 10;
    expect(all.isCovered(floored, plain, 0)).toBe(true);
    expect(all.isCovered(floored, touched, 0)).toBe(false);
    expect(all.isCovered(floored, record({ actor: OTHER, sequence: 0, hlc: 11 }, 'key'), 0)).toBe(false);
  });

  it('know siblings as covered by their dots when they end as written, by the floor once somebody changed their end', () => {
    const stamp = { hlc: 20, actor: OTHER, sequence: 1 };
    const written = writeSibling(EMPTY_SET, EMPTY_SET, stamp, Buffer.from('one'), 99, 0, never);
    const made = new Made();
    const vector = new Vector();
    putSet(written, KEY, 0, KEY.length, made);
    expect(frontiers().isCovered(vector, made.bytes, 0)).toBe(false);
    vector.add(OTHER, 1, 20);
    expect(frontiers().isCovered(vector, made.bytes, 0)).toBe(true);
    putSet(expire(written, 77, 30), KEY, 0, KEY.length, made);
    expect(frontiers().isCovered(vector, made.bytes, 0)).toBe(false);
    // A later value that ends as written does not hide that the end of the other was changed.
    const later = writeSibling(
      expire(written, 77, 30),
      EMPTY_SET,
      { ...stamp, sequence: 2, hlc: 40 },
      LATER,
      99,
      0,
      never,
    );
    putSet(later, KEY, 0, KEY.length, made);
    vector.add(OTHER, 2, 40);
    expect(later.siblings.length).toBe(2);
    expect(frontiers().isCovered(vector, made.bytes, 0)).toBe(false);
    vector.floor = 30;
    expect(frontiers().isCovered(vector, made.bytes, 0)).toBe(true);
  });

  it('let go of ended actors once the floor covers them, so that restarts leave nothing behind', () => {
    const all = frontiers();
    for (let boot = 1; boot <= 200; boot++) {
      all.note(0, record({ actor: 1000 + boot, sequence: 1, hlc: hlcFromMs(boot * 30_000) }, 'key'), 0);
      all.raise(0, hlcFromMs(boot * 30_000 - 15_000));
      all.mark((actor) => actor === 1000 + boot);
      expect(all.of(0).count).toBeLessThanOrEqual(3);
      expect(restarted([all.encode(0)]).floor(0)).toBe(all.floor(0));
    }
  });

  it('count no floor for a partition that is newly owned and being fetched', () => {
    const fetching = Uint8Array.of(1, 0);
    const all = frontiers();
    all.begin(SELF, Float64Array.of(70, 70), fetching);
    all.raise(0, 90);
    expect([all.floor(0), all.floor(1)]).toEqual([0, 70]);
    expect(all.of(0).floor).toBe(0);
    fetching[0] = 0;
    expect(all.floor(0)).toBe(70);
  });

  it('keep an actor that lives, whatever the floor', () => {
    const all = frontiers();
    all.note(0, record({ actor: OTHER, sequence: 1, hlc: 10 }, 'key'), 0);
    all.begin(SELF, Float64Array.of(hlcFromMs(60_000), 0));
    all.mark((actor) => actor === OTHER);
    expect(all.covers(0, OTHER, 1)).toBe(true);
  });

  it('remember the keys of recent writes within 1 MiB, at least 64 a partition', () => {
    expect(catchUpBounds(256).recentWrites).toBe(1024);
    expect(catchUpBounds(1024).recentWrites).toBe(256);
    expect(catchUpBounds(16384).recentWrites).toBe(64);
    const all = new Frontiers(256, 1024);
    expect(all.recentAt(3, 5)).toBe(all.recentAt(3, 5 + 1024));
    expect(all.recentAt(3, 5)).not.toBe(all.recentAt(4, 5));
  });

  it('ignore a note that is malformed or of a partition that there is not', () => {
    const all = frontiers(8);
    write(all, 7, 10);
    const foreign = all.encode(7);
    const back = restarted([foreign, record({ type: 19 }, '', 'short')]);
    expect(back.stats()).toEqual({ actors: 0, ranges: 0, dropped: 0 });
  });
});
