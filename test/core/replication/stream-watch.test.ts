/** The watch over a stream to a peer: when it asks, when it gives up, and what it never takes for silence. */
import { describe, expect, it } from 'vitest';
import { type StreamVerdict, StreamWatch } from '../../../src/core/replication/stream-watch.js';

/** Ticks of 100 ms from one time to another. */
function judgeAll(watch: StreamWatch, fromMs: number, toMs: number, queued: (nowMs: number) => number = () => 0) {
  const met = new Set<StreamVerdict>();
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 100) met.add(watch.judge(nowMs, queued(nowMs)));
  return met;
}

function written(): StreamWatch {
  const watch = new StreamWatch();
  watch.begin(0);
  watch.wrote();
  return watch;
}

describe('the watch over a stream', () => {
  it('asks nothing of a stream on which nothing was written', () => {
    const watch = new StreamWatch();
    watch.begin(0);
    expect(judgeAll(watch, 0, 60_000)).toEqual(new Set(['well']));
  });

  it('gives up a stream whose peer answers nothing for five seconds, after asking again each second', () => {
    const watch = written();
    expect(judgeAll(watch, 0, 5_100)).toEqual(new Set(['ask', 'well']));
    expect(watch.mark).toBe(6);
    expect(watch.judge(5_100, 0)).toBe('lost');
  });

  it('asks once after each writing while the peer answers', () => {
    const watch = written();
    expect(watch.judge(0, 0)).toBe('ask');
    watch.answered(1);
    expect(judgeAll(watch, 100, 60_000)).toEqual(new Set(['well']));
    watch.wrote();
    expect(watch.judge(60_000, 0)).toBe('ask');
    expect(watch.mark).toBe(2);
  });

  it('takes no answer that nobody asked for, from before the question or beyond it', () => {
    const watch = written();
    watch.judge(0, 0);
    watch.answered(2);
    watch.answered(0);
    expect(judgeAll(watch, 100, 6_000)).toContain('lost');
  });

  it('waits on while the system still takes bytes, and while this node itself stood still', () => {
    const slow = written();
    expect(judgeAll(slow, 0, 60_000, (nowMs) => 1_000_000 - nowMs)).not.toContain('lost');
    const stalled = written();
    stalled.judge(0, 0);
    for (let nowMs = 4_000; nowMs < 60_000; nowMs += 4_000) expect(stalled.judge(nowMs, 0)).not.toBe('lost');
  });

  it('begins anew with the next stream', () => {
    const watch = written();
    judgeAll(watch, 0, 5_000);
    watch.begin(5_000);
    expect(judgeAll(watch, 5_000, 60_000)).toEqual(new Set(['well']));
  });
});
