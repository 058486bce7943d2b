/**
 * The Node side of the passwords port: digests of both under a key of this process, compared by the system's own constant-time comparison.
 * The world hands it to the node. Guarded: lengths and places of difference do not show, since digests are equally long and unforeseeable.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Passwords } from '../ports/passwords.js';

const KEY_BYTES = 32;

export class NodePasswords implements Passwords {
  private readonly key = randomBytes(KEY_BYTES);

  matches(expected: string, given: Uint8Array): boolean {
    return timingSafeEqual(this.digest(Buffer.from(expected, 'utf8')), this.digest(given));
  }

  private digest(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(bytes).digest();
  }
}
