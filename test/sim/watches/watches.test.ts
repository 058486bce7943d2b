/** The watches of a run by themselves: what each lets pass, and what it catches. */
import { expect, it } from 'vitest';
import { HLC_TICKS, HybridClock } from '../../../src/core/base/hlc.js';
import type { Inspected } from '../../../src/core/node/inspected.js';
import { writeHlc } from '../../../src/core/record/record.js';
import { ClockWatch } from '../../../src/sim/watches/clocks.js';
import { HintWatch } from '../../../src/sim/watches/hints.js';
import { LogWatch } from '../../../src/sim/watches/logs.js';
import { SizeWatch } from '../../../src/sim/watches/sizes.js';
import { VersionWatch } from '../../../src/sim/watches/versions.js';
import { record } from '../../core/record/records.js';

const WALL_MS = 1_790_000_000_000;
const FLAG_MERGE_TYPE = 5;

/** As much of a node as one watch reads. */
function node(parts: object): Inspected {
  return { damaged: false, config: { maxClockDriftMs: 500 }, ...parts } as unknown as Inspected;
}

function kinds(lines: readonly string[]): string[] {
  return lines.map((line) => line.slice(0, line.indexOf(':')));
}

it('takes a later version for a key and refuses an older one, by value and by expiry', () => {
  const lines: string[] = [];
  const watch = new VersionWatch((line) => lines.push(line));
  const first = record({ hlc: 10, actor: 1 }, 'key', 'a');
  const touched = record({ hlc: 10, actor: 1, expireAtMs: 5, expiryHlc: 12, expiryActor: 2 }, 'key', 'a');
  const second = record({ hlc: 11, actor: 1 }, 'key', 'b');
  watch.compareOrder(0, first, 0, second, 0);
  watch.compareOrder(0, first, 0, first, 0);
  watch.compareOrder(0, first, 0, touched, 0);
  expect(lines).toEqual([]);
  watch.compareOrder(0, second, 0, first, 0);
  watch.compareOrder(0, touched, 0, first, 0);
  expect(kinds(lines)).toEqual(['regressed', 'regressed']);
});

it('compares merged values by their version alone', () => {
  const lines: string[] = [];
  const watch = new VersionWatch((line) => lines.push(line));
  const version = Buffer.alloc(16);
  const older = record({ type: FLAG_MERGE_TYPE, hlc: 10, actor: 1 }, 'key', 'a', version);
  const newer = record({ type: FLAG_MERGE_TYPE, hlc: 11, actor: 1 }, 'key', 'b', version);
  watch.compareOrder(0, older, 0, newer, 0);
  watch.compareOrder(0, older, 0, record({ type: FLAG_MERGE_TYPE, hlc: 10, actor: 1 }, 'key', 'c', version), 0);
  expect(lines).toEqual([]);
  watch.compareOrder(0, newer, 0, older, 0);
  expect(kinds(lines)).toEqual(['regressed']);
});

it('lets a merged value lose its latest write to a later flush, SET or end, and to nothing else', () => {
  const lines: string[] = [];
  const watch = new VersionWatch((line) => lines.push(line));
  const upon = (baseHlc: number, hlc: number): Buffer => {
    const version = Buffer.alloc(16);
    writeHlc(version, 0, baseHlc);
    return record({ type: FLAG_MERGE_TYPE, hlc, actor: 1 }, 'key', 'a', version);
  };
  watch.compareOrder(0, upon(5, 11), 0, upon(8, 10), 0);
  expect(lines).toEqual([]);
  watch.compareOrder(0, upon(8, 11), 0, upon(8, 10), 0);
  watch.compareOrder(0, upon(8, 11), 0, upon(5, 10), 0);
  expect(kinds(lines)).toEqual(['regressed', 'regressed']);
});

it('holds every version to one value and one end of life at all nodes', () => {
  const lines: string[] = [];
  const watch = new VersionWatch((line) => lines.push(line));
  const fields = { hlc: 10, actor: 1, expireAtMs: 500 };
  watch.compareState(0, 7, record(fields, 'key', 'a'), 0);
  watch.compareState(1, 7, record(fields, 'key', 'a'), 0);
  watch.compareState(1, 8, record({ ...fields, expireAtMs: 900 }, 'another', 'b'), 0);
  watch.compareState(1, 7, record({ ...fields, expiryHlc: 20, expiryActor: 3, expireAtMs: 900 }, 'key', 'a'), 0);
  expect(lines).toEqual([]);
  watch.compareState(2, 7, record({ ...fields, expireAtMs: 501 }, 'key', 'a'), 0);
  watch.compareState(2, 7, record(fields, 'key', 'b'), 0);
  expect(kinds(lines)).toEqual(['life', 'version']);
});

it('wants every size within a finite bound', () => {
  const lines: string[] = [];
  const watch = new SizeWatch((line) => lines.push(line));
  watch.check(0, [
    { name: 'empty', size: 0, bound: 1 },
    { name: 'full', size: 8, bound: 8 },
  ]);
  expect(lines).toEqual([]);
  watch.check(0, [
    { name: 'over', size: 9, bound: 8 },
    { name: 'endless', size: 0, bound: Number.POSITIVE_INFINITY },
    { name: 'unknown', size: Number.NaN, bound: 8 },
    { name: 'unbound', size: 0, bound: Number.NaN },
  ]);
  expect(kinds(lines)).toEqual(['bound', 'bound', 'bound', 'bound']);
});

it('wants a start to read what was safe: all that was written after a kill, all that was durable after a loss of power', () => {
  const lines: string[] = [];
  const watch = new LogWatch((line) => lines.push(line));
  const log = (writtenBatch: number, durableBatch: number, refusal: string | null = null) =>
    node({ wal: { writtenBatch, durableBatch, releasedBatch: writtenBatch, refusal } });
  watch.ended(0, log(9, 5));
  watch.started(0, log(9, 9));
  watch.ended(0, log(9, 5));
  watch.crashed(0);
  watch.started(0, log(5, 5));
  watch.ended(0, log(9, 9));
  watch.replaced(0);
  watch.started(0, log(0, 0));
  expect(lines).toEqual([]);
  watch.ended(0, log(9, 5));
  watch.started(0, log(8, 8));
  watch.ended(0, log(9, 5));
  watch.crashed(0);
  watch.started(0, log(4, 4));
  expect(kinds(lines)).toEqual(['log', 'log']);
});

it('lets a failed log acknowledge nothing more', () => {
  const lines: string[] = [];
  const watch = new LogWatch((line) => lines.push(line));
  const failed = (releasedBatch: number) => node({ wal: { releasedBatch, refusal: 'DISKFAILED' } });
  watch.turned(0, failed(5));
  watch.turned(0, failed(5));
  expect(lines).toEqual([]);
  watch.turned(0, failed(6));
  expect(kinds(lines)).toEqual(['log']);
});

it('wants a killed node to owe its peers afterwards what it owed before', () => {
  const lines: string[] = [];
  const watch = new HintWatch((line) => lines.push(line));
  const owing = (...keys: string[]) => {
    const hints = {
      entries: () => keys.map((key): [string, number] => [key, 0]),
      isLogged: (key: string) => key !== 'unlogged',
    };
    const rooms = {
      peers: { all: () => [{ id: 'other', hints }] },
      ring: { ring: { members: () => [{ id: 'other' }] } },
    };
    return node({ rooms, wal: { writtenBatch: 3, lastBatch: 3, refusal: null } });
  };
  watch.ended(0, owing('a', 'b'));
  watch.started(0, owing('b', 'a', 'c'));
  watch.ended(0, owing('a', 'b'));
  watch.crashed(0);
  watch.started(0, owing());
  watch.ended(0, owing('unlogged'));
  watch.started(0, owing());
  expect([lines, watch.kept]).toEqual([[], 2]);
  watch.ended(0, owing('a', 'b'));
  watch.started(0, owing('b'));
  expect(kinds(lines)).toEqual(['hint']);
});

it('wants stamps to rise over restarts as far as the disk has kept them, and clocks to stay near the wall', () => {
  const lines: string[] = [];
  const watch = new ClockWatch((line) => lines.push(line));
  const wal = { batch: 1, writtenBatch: 0, durableBatch: 0 };
  const begin = (floor: number): HybridClock => {
    const clock = new HybridClock(floor, 500);
    watch.opened(0);
    watch.started(0, node({ rooms: { clock }, wal }));
    return clock;
  };
  const first = begin(0);
  const stamped = [first.stamp(WALL_MS), first.stamp(WALL_MS)][1];
  Object.assign(wal, { batch: 2, writtenBatch: 1 });
  watch.ended(0, node({ wal }));
  const second = begin(stamped);
  second.stamp(WALL_MS - 100);
  expect(lines).toEqual([]);
  watch.ended(0, node({ wal: { ...wal, writtenBatch: 2 } }));
  begin(0).stamp(WALL_MS - 100);
  expect(kinds(lines)).toEqual(['clock']);
  watch.crashed(0);
  begin(0).stamp(WALL_MS - 100);
  expect(kinds(lines)).toEqual(['clock']);
  const lax = new HybridClock(0, 10_000);
  watch.opened(0);
  watch.started(0, node({ rooms: { clock: lax }, wal }));
  lax.observe((WALL_MS + 400) * HLC_TICKS, WALL_MS);
  expect(kinds(lines)).toEqual(['clock']);
  lax.observe((WALL_MS + 600) * HLC_TICKS, WALL_MS);
  expect(kinds(lines)).toEqual(['clock', 'clock']);
});
