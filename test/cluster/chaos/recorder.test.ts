/** What a chaos run keeps of its load in slices of time, with time as an argument. */
import { expect, test } from 'vitest';
import { Recorder } from '../../../cluster/chaos/recorder.js';

test('counts operations in their slice, with the middle and the slow end of their times', () => {
  const recorder = new Recorder(1000);
  recorder.start(5000);
  for (let took = 1; took <= 100; took++) recorder.acknowledged(5010, took);
  recorder.failed(5000 + recorder.sliceMs);
  const [first, second] = recorder.slices();
  expect(first).toMatchObject({ atMs: 0, acknowledged: 100, failed: 0, p50Ms: 51, p99Ms: 100 });
  expect(second).toMatchObject({ atMs: recorder.sliceMs, acknowledged: 0, failed: 1, p50Ms: null, p99Ms: null });
});

test('has a slice for every time, with nothing in those in which nothing came', () => {
  const recorder = new Recorder(1000);
  recorder.start(0);
  recorder.acknowledged(recorder.sliceMs * 3, 1);
  expect(recorder.slices().map(({ acknowledged }) => acknowledged)).toEqual([0, 0, 0, 1]);
});

test('knows the longest silence, and one that lasts until it is asked', () => {
  const recorder = new Recorder(1000);
  recorder.start(1000);
  expect(recorder.longestSilenceMs(1300)).toBe(300);
  recorder.served(1400);
  recorder.served(1500);
  expect(recorder.longestSilenceMs(1600)).toBe(400);
  expect(recorder.longestSilenceMs(2500)).toBe(1000);
});

test('is bounded: an hour of operations has few slices, and what comes later than any is counted in the last', () => {
  const recorder = new Recorder(3_600_000);
  recorder.start(0);
  recorder.acknowledged(3_600_000, 1);
  expect(recorder.slices().length).toBeLessThanOrEqual(202);
  recorder.acknowledged(1e12, 1);
  expect(recorder.slices().length).toBeLessThanOrEqual(2001);
});
