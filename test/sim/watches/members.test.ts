/** The watch of membership by itself: what it lets pass, and what it catches. */
import { expect, it } from 'vitest';
import type { MemberState } from '../../../src/core/membership/precedence.js';
import { MemberWatch } from '../../../src/sim/watches/members.js';

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
