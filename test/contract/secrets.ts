/** The laws of src/ports/secrets.ts as a suite, run on each world that implements them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Secrets } from '../../src/ports/secrets.js';

const HEADER_BYTES = 12;
const TAG_BYTES = 16;

export function describeSecrets(name: string, create: () => Secrets): void {
  describe(`secrets of ${name}`, () => {
    const secrets = create();
    const key = secrets.sealingKey(secrets.derive(secrets.keys[0].bytes, Buffer.alloc(0), 'a test'));
    const nonce = Buffer.from('twelve bytes');
    const seal = (body: Uint8Array): Buffer => {
      const bytes = Buffer.alloc(HEADER_BYTES + body.length + TAG_BYTES, 7);
      bytes.set(body, HEADER_BYTES);
      key.seal(nonce, bytes, 0, HEADER_BYTES, HEADER_BYTES + body.length);
      return bytes;
    };
    const open = (bytes: Buffer, with_ = key, at = nonce) => with_.open(at, bytes, 0, HEADER_BYTES, bytes.length);

    it('open what was sealed, and leave its bytes as they are', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 1200 }), (body) => {
          const bytes = seal(body);
          const before = Buffer.from(bytes);
          expect(open(bytes)?.equals(body)).toBe(true);
          expect(bytes.equals(before)).toBe(true);
        }),
      );
    });

    it('open nothing with a bit flipped, cut short, or under another key, nonce or header', () => {
      const bytes = seal(Buffer.from('a body'));
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] ^= 1 << (bit & 7);
        expect(open(flipped), `bit ${bit}`).toBeNull();
      }
      for (let end = HEADER_BYTES; end < bytes.length; end++) expect(open(bytes.subarray(0, end))).toBeNull();
      const other = secrets.sealingKey(secrets.derive(secrets.keys[0].bytes, Buffer.alloc(0), 'another test'));
      expect(open(bytes, other)).toBeNull();
      expect(open(bytes, key, Buffer.from('twelve bytez'))).toBeNull();
      expect(open(bytes)?.toString()).toBe('a body');
    });

    it('derive 32 bytes that depend on the secret, the salt and the purpose', () => {
      const [{ bytes }] = secrets.keys;
      const made = [
        secrets.derive(bytes, Buffer.alloc(16), 'one'),
        secrets.derive(bytes, Buffer.alloc(16), 'two'),
        secrets.derive(bytes, Buffer.alloc(16, 1), 'one'),
        secrets.derive(Buffer.alloc(32, 9), Buffer.alloc(16), 'one'),
      ];
      expect(made.map((each) => each.length)).toEqual([32, 32, 32, 32]);
      expect(new Set(made.map((each) => each.toString('hex'))).size).toBe(4);
      expect(secrets.derive(bytes, Buffer.alloc(16), 'one').equals(made[0])).toBe(true);
    });

    it('never give the same salt twice', () => {
      expect(new Set(Array.from({ length: 100 }, () => secrets.salt().toString('hex'))).size).toBe(100);
    });
  });
}
