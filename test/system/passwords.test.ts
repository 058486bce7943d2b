import { expect, it } from 'vitest';
import { NodePasswords } from '../../src/system/passwords.js';

it('a password matches itself alone, whatever its length and bytes', () => {
  const passwords = new NodePasswords();
  for (const [expected, given, same] of [
    ['secret', 'secret', true],
    ['secret', 'secreT', false],
    ['secret', 'secre', false],
    ['secret', 'secretsecret', false],
    ['secret', '', false],
    ['sécret', 'sécret', true],
    ['__proto__', '__proto__', true],
  ] as const) {
    expect(passwords.matches(expected, Buffer.from(given, 'utf8')), `${expected} by ${given}`).toBe(same);
  }
  expect(passwords.matches('é', Buffer.from('é', 'latin1'))).toBe(false);
});
