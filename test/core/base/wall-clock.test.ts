import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WallClock } from '../../../src/core/base/wall-clock.js';

const JUMP_MS = 500;
const HOUR_MS = 3_600_000;
const START_MS = 1_700_000_000_000;

/** A clock that has run for a second, with peers to ask. */
function running(): WallClock {
  const clock = new WallClock(JUMP_MS);
  clock.read(0, START_MS, true);
  clock.read(1000, START_MS + 1000, true);
  return clock;
}

describe('the wall clock of a node', () => {
  it("is the system's while that moves with the monotonic clock, and follows it slowly", () => {
    const clock = new WallClock(JUMP_MS);
    for (let turn = 0; turn < 100; turn++) {
      const systemMs = START_MS + turn * 1000 + turn * 20;
      expect(clock.read(turn * 1000, systemMs, true)).toBe(systemMs);
    }
    expect(clock.inDoubt).toBe(false);
  });

  it.each([
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
  ])("goes on steadily when the system's is set %s, and until peers agree with that", (_name, jumpMs) => {
    const clock = running();
    expect(clock.read(2000, START_MS + 2000 + jumpMs, true)).toBe(START_MS + 2000);
    expect([clock.inDoubt, clock.jumpedMs]).toEqual([true, jumpMs]);
    clock.judge(3);
    expect(clock.read(3000, START_MS + 3000 + jumpMs, true)).toBe(START_MS + 3000);
    clock.judge(jumpMs - 10);
    expect(clock.inDoubt).toBe(false);
    expect(clock.read(4000, START_MS + 4000 + jumpMs, true)).toBe(START_MS + 4000 + jumpMs);
  });

  it("believes a jump that its peers' systems made as well, though they go by it as little as it does", () => {
    const clock = running();
    clock.read(2000, START_MS + 2000 + HOUR_MS, true);
    expect(clock.judge(0, 0)).toBe(0);
    expect(clock.judge(0, HOUR_MS - 600)).toBe(0);
    expect(clock.judge(0, HOUR_MS - 10)).toBe(HOUR_MS);
    expect([clock.inDoubt, clock.judge(0, 0)]).toEqual([false, 0]);
  });

  it("takes the system's clock again when it comes back", () => {
    const clock = running();
    clock.read(2000, START_MS + 2000 + HOUR_MS, true);
    expect(clock.read(3000, START_MS + 3020, true)).toBe(START_MS + 3020);
    expect(clock.inDoubt).toBe(false);
  });

  it('believes the system at once without peers, and after a minute when they no longer answer', () => {
    const alone = new WallClock(JUMP_MS);
    alone.read(0, START_MS, false);
    expect(alone.read(1, START_MS + HOUR_MS, false)).toBe(START_MS + HOUR_MS);
    const clock = running();
    clock.read(2000, START_MS + HOUR_MS, true);
    clock.judge(null);
    expect(clock.inDoubt).toBe(true);
    clock.read(62_000, START_MS + HOUR_MS + 60_000, false);
    clock.judge(null);
    expect(clock.inDoubt).toBe(false);
  });

  it('never moves otherwise than one of the two clocks, whatever the system says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: -HOUR_MS, max: HOUR_MS }))),
        (turns) => {
          const clock = running();
          let monotonicMs = 1000;
          let last = START_MS + 1000;
          for (const [elapsedMs, offsetMs] of turns) {
            monotonicMs += elapsedMs;
            const systemMs = START_MS + monotonicMs + offsetMs;
            const now = clock.read(monotonicMs, systemMs, true);
            expect(now === systemMs || now === last + elapsedMs).toBe(true);
            if (!clock.inDoubt) expect(now).toBe(systemMs);
            last = now;
          }
        },
      ),
    );
  });
});
