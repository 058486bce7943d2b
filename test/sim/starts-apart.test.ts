/** A node that starts while it reaches nobody: what it then answers by itself, and what it answers once it has met the others. */
import { describe, expect, it } from 'vitest';
import { Scenario } from './scenario.js';

const KEYS = Array.from({ length: 40 }, (_, key) => `key:${key}`);
const SETTINGS = { floorMarginMs: 1000, tombstoneGraceMs: 8000, memberGraceMs: 600_000, maxClockDriftMs: 250 };

describe('a node that starts apart from all others, after they have forgotten deletes that it missed', () => {
  it.each([500, 1500, 4000])(
    'gives no deleted key from the moment on at which it has met them: after %i ms',
    (apartMs) => {
      const scenario = new Scenario({ seed: 5, settings: SETTINGS });
      for (const key of KEYS) scenario.send(0, 'SET', key, 'v');
      expect(scenario.text(0, 'PING')).toBe('PONG');
      scenario.untilEqual(20_000);
      scenario.kill(2);
      expect(scenario.text(0, 'DEL', ...KEYS)).toBe(`${KEYS.length}`);
      scenario.until(60_000, () => {
        const held = Number(scenario.fact(0, 'tombstones')) + Number(scenario.fact(1, 'tombstones'));
        return held === 0 ? null : `${held} tombstones are held`;
      });
      const heal = scenario.cutOff(2);
      scenario.start(2);
      scenario.rest(apartMs);
      heal();
      scenario.until(10_000, () => (scenario.fact(2, 'members_alive') === '3' ? null : 'it has met nobody'));
      // The first word of theirs, about floors, is on its way.
      scenario.rest(250);
      for (let round = 0; round < 20; round++) {
        expect(scenario.text(2, 'MGET', ...KEYS)).toBe(`[${KEYS.map(() => 'null').join(' ')}]`);
        scenario.rest(50);
      }
      scenario.untilReady();
      expect(scenario.fact(2, 'records_gone')).toBe(`${KEYS.length}`);
    },
  );
});
