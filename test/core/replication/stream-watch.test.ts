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
  watch.wrote(0);
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
    watch.wrote(100);
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

  it('waits longer the more may lie in the buffers of systems, as on a narrow way, but not for ever', () => {
    const lostAtMs = (bytes: number, queued: number): number => {
      const watch = new StreamWatch();
      watch.begin(0);
      watch.wrote(bytes);
      for (let nowMs = 0; nowMs < 200_000; nowMs += 100) if (watch.judge(nowMs, queued) === 'lost') return nowMs;
      return Number.POSITIVE_INFINITY;
    };
    expect(lostAtMs(0, 0)).toBe(5_100);
    expect(lostAtMs(160_000, 0)).toBe(15_100);
    expect(lostAtMs(160_000, 160_000)).toBe(5_100);
    expect(lostAtMs(100_000_000, 0)).toBe(60_100);
  });

  it('waits no longer for what the peer has said that it read', () => {
    const watch = new StreamWatch();
    watch.begin(0);
    watch.wrote(10_000_000);
    expect(watch.judge(0, 0)).toBe('ask');
    watch.answered(1);
    watch.wrote(0);
    expect(judgeAll(watch, 1_000, 6_100)).toEqual(new Set(['ask', 'well']));
    expect(watch.judge(6_100, 0)).toBe('lost');
  });

  it('waits twice as long after each stream in a row that it gave up, until one is answered', () => {
    const watch = new StreamWatch();
    let nowMs = 0;
    const lifeMs = (): number => {
      const beganMs = nowMs;
      watch.begin(nowMs);
      watch.wrote(0);
      while (watch.judge(nowMs, 0) !== 'lost') nowMs += 100;
      return nowMs - beganMs;
    };
    const lives = Array.from({ length: 6 }, lifeMs).map((ms) => Math.round(ms / 5_000));
    expect(lives).toEqual([1, 2, 4, 8, 16, 16]);
    watch.begin(nowMs);
    watch.wrote(0);
    for (let left = 20; left > 0; left--, nowMs += 100) watch.judge(nowMs, 0);
    watch.answered(watch.mark);
    expect(Math.round(lifeMs() / 5_000)).toBe(1);
  });

  it('begins anew with the next stream', () => {
    const watch = written();
    judgeAll(watch, 0, 5_000);
    watch.begin(5_000);
    expect(judgeAll(watch, 5_000, 60_000)).toEqual(new Set(['well']));
  });
});
