/** The watch of membership by itself: what it lets pass, and what it catches. */
import { expect, it } from 'vitest';
import type { MemberState } from '../../../src/core/membership/precedence.js';
import { detectionBoundMs, MemberWatch } from '../../../src/sim/watches/members.js';

const BOUND_MS = 1_500;

/** A watch of two nodes that have been well for so long; the second is called `b`, and says that it is alive. */
function watching(calmMs: number, downMs = 0) {
  const lines: string[] = [];
  const truth = { ofNode: () => calmMs, between: () => calmMs, down: () => downMs };
  const watch = new MemberWatch(
    (line) => lines.push(line),
    truth,
    (id) => (id === 'b' ? 1 : 0),
  );
  const speak = (actor: number, incarnation: number) => {
    const self = { actor, incarnation };
    const rooms = { membership: { self, members: () => [] } };
    const config = { probeIntervalMs: 300, suspicionFloorMs: 1_200 };
    watch.turned(1, { rooms, config } as never);
  };
  const see = (state: MemberState, incarnation: number, actor = 7, boot = 1) =>
    watch.compare(0, [{ id: 'b', actor, boot, incarnation, state }], BOUND_MS);
  return { lines, watch, speak, see };
}

it('lets a member that was in trouble, or is down, be declared dead, and be alive again once it has said so', () => {
  for (const [calmMs, downMs] of [
    [1_000, 0],
    [9_000, 100],
  ]) {
    const { lines, speak, see } = watching(calmMs, downMs);
    speak(7, 0);
    see('alive', 0);
    see('suspect', 0);
    see('dead', 0);
    speak(7, 1);
    see('alive', 1);
    see('alive', 0, 8, 2);
    expect(lines).toEqual([]);
  }
});

it('refuses the death of a member that was well and in reach, once', () => {
  const { lines, watch, speak, see } = watching(2_000);
  speak(7, 0);
  see('suspect', 0);
  see('dead', 0);
  watch.compare(2, [{ id: 'b', actor: 7, boot: 1, incarnation: 0, state: 'dead' }], BOUND_MS);
  expect(lines.length).toBe(1);
  expect(lines[0]).toContain('declares b dead');
});

it('refuses a standing that goes back, an earlier life, and one that the member never took itself', () => {
  const { lines, speak, see } = watching(0);
  speak(7, 3);
  see('left', 3);
  see('alive', 3);
  see('alive', 3, 8, 2);
  see('alive', 3, 7, 1);
  see('alive', 4, 7, 3);
  see('left', 3, 8, 4);
  see('suspect', 0, 9, 4);
  expect(lines.map((line) => /back to|never said/.exec(line)?.[0])).toEqual([
    'back to',
    'back to',
    'never said',
    'back to',
  ]);
});

/** The second node is down, and the first, whose health score is `score`, holds it suspect all the time. */
function seconds(downMs: number, score: number) {
  const lines: string[] = [];
  let nowMs = 0;
  const truth = { ofNode: () => 1e9, between: () => 1e9, down: (node: number) => (node === 1 ? nowMs : 0) };
  const watch = new MemberWatch(
    (line) => lines.push(line),
    truth,
    () => undefined,
  );
  const config = { probeIntervalMs: 300, suspicionFloorMs: 1_200 };
  const inspected = (actor: number) => {
    const byActor = () => ({ id: 'b', state: 'suspect' });
    const membership = { self: { actor, incarnation: 0 }, members: () => [], byActor, healthScore: score };
    return { rooms: { membership }, config } as never;
  };
  watch.turned(1, inspected(7));
  for (; nowMs < downMs; nowMs += 1_000) {
    watch.turned(0, inspected(6));
    watch.second([inspected(6), null]);
  }
  return lines;
}

it('leaves a node time to know of a death by its own probes, more where it doubts itself, and not for ever', () => {
  const config = { probeIntervalMs: 300, suspicionFloorMs: 1_200 } as never;
  const [sure, doubting] = [false, true].map((inDoubt) => detectionBoundMs(2, config, inDoubt));
  expect([sure, doubting]).toEqual([5 * 600 + 7_200 + 1_500, 5 * 2_400 + 7_200 + 1_500]);
  expect(seconds(sure, 1)).toEqual([]);
  expect(seconds(sure + 3_000, 1)[0]).toContain('holds b suspect, which has been down');
  expect(seconds(doubting, 2)).toEqual([]);
  expect(seconds(doubting + 3_000, 2)[0]).toContain('holds b suspect, which has been down');
});
