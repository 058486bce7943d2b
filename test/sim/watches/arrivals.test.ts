/** Which writes a node has ever held, and which come for the first time: what the watch of arrivals takes for known, and until when. */
import { expect, it } from 'vitest';
import type { Inspected } from '../../../src/core/node/inspected.js';
import type { Store } from '../../../src/core/store/store.js';
import { ArrivalWatch } from '../../../src/sim/watches/arrivals.js';
import { record } from '../../core/record/records.js';

/** As much of a node as the watch reads. */
function node(): { wal: { batch: number; writtenBatch: number; durableBatch: number }; store: { flushedHlc: number } } {
  return { wal: { batch: 1, writtenBatch: 0, durableBatch: 0 }, store: { flushedHlc: 0 } };
}

class Trial {
  readonly watch = new ArrivalWatch();
  readonly nodes = [node(), node(), node()];

  constructor() {
    for (const index of this.nodes.keys()) this.start(index);
  }

  start(index: number): void {
    const inspected = this.inspected(index);
    this.watch.opened(index, inspected);
    this.watch.started(index, inspected);
  }

  /** A write of `sequence` is linked at a node. */
  link(index: number, sequence: number, key = 'key', value = 'value'): void {
    const bytes = record({ hlc: 100 + sequence, actor: 7, sequence }, key, value);
    this.watch.linking(index, { buffer: bytes, offset: 0 } as unknown as Store, 3);
  }

  kill(index: number): void {
    this.watch.ended(index, this.inspected(index));
  }

  /** Whether the write would be the first that is met of it. */
  isFirst(sequence: number, present: readonly number[]): boolean {
    this.watch.listen(present);
    const before = this.watch.firsts;
    this.link(present[0], sequence, `trial-${sequence}`);
    return this.watch.firsts > before;
  }

  inspected(index: number): Inspected {
    return { damaged: false, ...this.nodes[index] } as unknown as Inspected;
  }
}

it('knows what stood at any member, though it was replaced since', () => {
  const trial = new Trial();
  trial.link(1, 5);
  trial.link(1, 6);
  expect(trial.isFirst(5, [0, 1, 2])).toBe(false);
  expect(trial.watch.mayDiffer('key')).toBe(false);
});

it('takes for a first arrival what stood only where no member is any more, and lets its key differ alone', () => {
  const trial = new Trial();
  trial.link(0, 5);
  expect(trial.isFirst(5, [1, 2])).toBe(true);
  expect([trial.watch.mayDiffer('trial-5'), trial.watch.mayDiffer('key')]).toEqual([true, false]);
});

it('forgets with a process what its log had not written, with the power what was not durable, with a disk all', () => {
  const trial = new Trial();
  for (const batch of [1, 2, 3]) {
    trial.nodes[0].wal.batch = batch;
    trial.link(0, batch);
  }
  trial.nodes[0].wal = { batch: 3, writtenBatch: 2, durableBatch: 1 };
  trial.kill(0);
  expect(trial.isFirst(2, [1, 0])).toBe(false);
  expect(trial.isFirst(3, [1, 0])).toBe(true);
  const cut = new Trial();
  for (const batch of [1, 2]) {
    cut.nodes[0].wal.batch = batch;
    cut.link(0, batch);
  }
  cut.nodes[0].wal = { batch: 3, writtenBatch: 2, durableBatch: 1 };
  cut.kill(0);
  cut.watch.crashed(0);
  expect(cut.isFirst(1, [1, 0])).toBe(false);
  expect(cut.isFirst(2, [1, 0])).toBe(true);
  const wiped = new Trial();
  wiped.link(0, 1);
  wiped.kill(0);
  wiped.watch.replaced(0);
  expect(wiped.isFirst(1, [1, 0])).toBe(true);
});

it('knows again what a log brings back, and what damage left of it', () => {
  const trial = new Trial();
  trial.link(0, 1);
  trial.link(0, 2);
  trial.nodes[0].wal = { batch: 2, writtenBatch: 1, durableBatch: 1 };
  trial.kill(0);
  const inspected = { ...trial.inspected(0), damaged: true };
  trial.watch.opened(0, inspected);
  trial.link(0, 2);
  trial.link(0, 4);
  trial.watch.started(0, inspected);
  expect(trial.isFirst(4, [1, 0])).toBe(false);
  expect(trial.isFirst(2, [1, 0])).toBe(false);
  expect(trial.isFirst(1, [1, 0])).toBe(true);
});

it('lets every key differ once a flush has come that no member knew', () => {
  const trial = new Trial();
  trial.nodes[2].store.flushedHlc = 9;
  trial.watch.listen([0, 1, 2]);
  trial.nodes[0].store.flushedHlc = 9;
  expect(trial.watch.mayDiffer('key')).toBe(false);
  trial.nodes[0].store.flushedHlc = 10;
  expect(trial.watch.mayDiffer('key')).toBe(true);
});
