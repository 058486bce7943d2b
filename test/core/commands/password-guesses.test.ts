/** Wrong passwords by address: what is let through, what comes back, and what room it takes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADDRESSES_MAX,
  GUESS_BACK_MS,
  GUESSES_MAX,
  networkOf,
  PasswordGuesses,
} from '../../../src/core/commands/password-guesses.js';

describe('wrong passwords of an address', () => {
  it('are looked at as often as the bucket has room, whatever ports and pauses', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3 * GUESS_BACK_MS), { maxLength: 400 }), (pauses) => {
        const guesses = new PasswordGuesses();
        let [now, heard] = [0, 0];
        for (const [attempt, pause] of pauses.entries()) {
          now += pause % 3 === 0 ? pause : 0;
          const address = `10.0.0.1:${1024 + attempt}`;
          if (!guesses.allows(address, now)) continue;
          heard++;
          guesses.note(address, now);
        }
        expect(heard).toBeLessThanOrEqual(GUESSES_MAX + now / GUESS_BACK_MS);
        expect(heard + guesses.unheard).toBe(pauses.length);
        if (heard < pauses.length) expect(heard).toBeGreaterThanOrEqual(GUESSES_MAX);
        expect(guesses.allows('10.0.0.2:1024', now)).toBe(true);
      }),
    );
  });

  it('are known of so many addresses, and the one that was wrong longest ago makes room', () => {
    const guesses = new PasswordGuesses();
    for (let guess = 0; guess < GUESSES_MAX; guess++) guesses.note('192.0.2.1:5000', 0);
    for (let address = 0; address < ADDRESSES_MAX - 1; address++) {
      guesses.note(`10.${address >> 8}.0.${address & 255}:5000`, 0);
    }
    expect(guesses.allows('192.0.2.1:5001', 0)).toBe(false);
    expect(guesses.size).toBe(ADDRESSES_MAX);
    guesses.note('192.0.2.2:5000', 10);
    expect(guesses).toMatchObject({ size: ADDRESSES_MAX, forgotten: 1 });
    expect(guesses.allows('192.0.2.1:5001', 10)).toBe(true);
    guesses.note('192.0.2.3:5000', 10 + GUESS_BACK_MS);
    expect(guesses.forgotten).toBe(1);
  });

  it.each([
    ['127.0.0.1:50000', '127.0.0.1'],
    ['[::1]:50000', '0:0:0:0'],
    ['::1:50000', '0:0:0:0'],
    ['[::ffff:192.0.2.7]:50000', '192.0.2.7'],
    ['[2001:DB8:1:2:3:4:5:6]:50000', '2001:db8:1:2'],
    ['[2001:db8:1::6]:50000', '2001:db8:1:0'],
    ['[2001::4:5:6:7:8:9]:50000', '2001:0:4:5'],
    ['', ''],
  ])('count for %s as those of %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
