/**
 * The Node side of the secrets port: keys from the secret file (secret-file.ts), AES-256-GCM and HKDF from node:crypto.
 * `startNode` opens it before anything else; the node asks once a second whether the file is another.
 * Guarded: a file that is refused changes nothing, and is not read again until it changes; what keys are hashed by does not change
 * under a running node, which would differ from its peers with the next start.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { HearsayError } from '../core/base/errors.js';
import type { ClusterSecret, SealingKey, Secrets } from '../ports/secrets.js';
import { readSecretFile } from './secret-file.js';

const CIPHER = 'aes-256-gcm';
const TAG_BYTES = 16;
const TAG = { authTagLength: TAG_BYTES };
const SALT_BYTES = 16;

export class NodeSecrets implements Secrets {
  keys: readonly ClusterSecret[];
  readonly hashSeed: Buffer | null;
  private stamp: string;

  /** Throws HearsayError CONFIG. */
  constructor(private readonly path: string) {
    this.stamp = stampOf(path);
    const read = readSecretFile(path);
    this.keys = read.keys.map(({ secret }) => secret);
    this.hashSeed = read.hashSeed;
  }

  isStale(): boolean {
    return stampOf(this.path) !== this.stamp;
  }

  reload(): boolean {
    this.stamp = stampOf(this.path);
    const read = readSecretFile(this.path);
    if (!isDeepStrictEqual(read.hashSeed, this.hashSeed)) {
      throw new HearsayError(
        'CONFIG',
        `the hash line of ${this.path} is another, and stays the same through every rotation: hearsay secret add and use put a new key into the file that is there`,
      );
    }
    const keys = read.keys.map(({ secret }) => secret);
    const before = this.keys;
    this.keys = keys;
    return keys.length !== before.length || keys.some(({ id }, index) => id !== before[index].id);
  }

  derive(secret: Buffer, salt: Uint8Array, purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', secret, salt, purpose, 32));
  }

  sealingKey(bytes: Buffer): SealingKey {
    return new AesKey(createSecretKey(bytes));
  }

  salt(): Buffer {
    return randomBytes(SALT_BYTES);
  }
}

class AesKey implements SealingKey {
  constructor(private readonly key: KeyObject) {}

  seal(nonce: Uint8Array, bytes: Buffer, headerStart: number, plainStart: number, end: number): void {
    const cipher = createCipheriv(CIPHER, this.key, nonce, TAG);
    cipher.setAAD(bytes.subarray(headerStart, plainStart));
    bytes.set(cipher.update(bytes.subarray(plainStart, end)), plainStart);
    cipher.final();
    bytes.set(cipher.getAuthTag(), end);
  }

  open(nonce: Uint8Array, bytes: Buffer, headerStart: number, sealedStart: number, end: number): Buffer | null {
    const tagStart = end - TAG_BYTES;
    if (tagStart < sealedStart) return null;
    const cipher = createDecipheriv(CIPHER, this.key, nonce, TAG);
    cipher.setAAD(bytes.subarray(headerStart, sealedStart));
    cipher.setAuthTag(bytes.subarray(tagStart, end));
    const plain = cipher.update(bytes.subarray(sealedStart, tagStart));
    try {
      cipher.final();
      return plain;
    } catch {
      return null;
    }
  }
}

/** Changes whenever the file does, or is put in another's place; empty while there is none. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return '';
  }
}
