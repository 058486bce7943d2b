/**
 * The `Secrets` port of the simulated world: a cheap keyed stand-in for the ciphers, with their laws and none of their strength.
 * A cluster with a secret (cluster.ts) gives one to each node; tests of the machines that seal use it too.
 * Guarded: like the real one it opens only what was sealed under the same key, nonce and header, to the bit; and it depends on its
 * arguments alone.
 */
import { Hasher, mix32 } from '../core/base/hash.js';
import { Random } from '../core/base/random.js';
import { readWord, writeWord } from '../core/record/record.js';
import type { ClusterSecret, SealingKey, Secrets } from '../ports/secrets.js';

const TAG_BYTES = 16;

export class SimSecrets implements Secrets {
  keys: readonly ClusterSecret[];
  readonly hashSeed: Buffer | null = Buffer.from('the seed of a run', 'latin1');
  private readonly random: Random;
  private waiting: readonly ClusterSecret[] | null = null;

  /** `words`: the secrets, in order; `seed` decides the salts. */
  constructor(words: readonly string[], seed: number) {
    this.keys = words.map(secretOf);
    this.random = new Random(seed, 0x5ec7e75);
  }

  /** Puts other secrets where the port reads them: they hold from the next `reload`. */
  place(words: readonly string[]): void {
    this.waiting = words.map(secretOf);
  }

  isStale(): boolean {
    return this.waiting !== null;
  }

  reload(): boolean {
    if (this.waiting === null) return false;
    this.keys = this.waiting;
    this.waiting = null;
    return true;
  }

  derive(secret: Buffer, salt: Uint8Array, purpose: string): Buffer {
    return stretch(Buffer.concat([secret, salt, Buffer.from(`\n${purpose}`, 'utf8')]));
  }

  sealingKey(bytes: Buffer): SealingKey {
    return new SimKey(bytes);
  }

  salt(): Buffer {
    const salt = Buffer.alloc(16);
    for (let at = 0; at < 16; at += 4) writeWord(salt, at, this.random.uint32());
    return salt;
  }
}

class SimKey implements SealingKey {
  private readonly left: Hasher;
  private readonly right: Hasher;
  private readonly stream: number;

  constructor(bytes: Buffer) {
    this.left = new Hasher([readWord(bytes, 0), readWord(bytes, 4)]);
    this.right = new Hasher([readWord(bytes, 8), readWord(bytes, 12)]);
    this.stream = readWord(bytes, 16);
  }

  seal(nonce: Uint8Array, bytes: Buffer, headerStart: number, plainStart: number, end: number): void {
    this.cover(nonce, bytes, plainStart, end);
    bytes.set(this.tag(nonce, bytes, headerStart, end), end);
  }

  open(nonce: Uint8Array, bytes: Buffer, headerStart: number, sealedStart: number, end: number): Buffer | null {
    const tagStart = end - TAG_BYTES;
    if (tagStart < sealedStart) return null;
    if (!this.tag(nonce, bytes, headerStart, tagStart).equals(bytes.subarray(tagStart, end))) return null;
    const plain = Buffer.from(bytes.subarray(sealedStart, tagStart));
    this.cover(nonce, plain, 0, plain.length);
    return plain;
  }

  private cover(nonce: Uint8Array, bytes: Buffer, start: number, end: number): void {
    let word = mix32(this.stream, this.left.hash(nonce, 0, nonce.length));
    for (let at = start; at < end; at++) {
      word = mix32(word, at - start);
      bytes[at] ^= word & 0xff;
    }
  }

  private tag(nonce: Uint8Array, bytes: Buffer, start: number, end: number): Buffer {
    const covered = Buffer.concat([nonce, bytes.subarray(start, end)]);
    const tag = Buffer.alloc(TAG_BYTES);
    for (const [place, hasher] of [this.left, this.right].entries()) {
      hasher.hash(covered, 0, covered.length);
      writeWord(tag, place * 8, hasher.low);
      writeWord(tag, place * 8 + 4, hasher.high);
    }
    return tag;
  }
}

function secretOf(word: string): ClusterSecret {
  const bytes = stretch(Buffer.from(word, 'utf8'));
  return { id: (readWord(bytes, 28) | 1) >>> 0, bytes };
}

function stretch(material: Buffer): Buffer {
  const bytes = Buffer.alloc(32);
  for (let at = 0; at < 32; at += 8) {
    const hasher = new Hasher([at + 1, 0x7374726d]);
    hasher.hash(material, 0, material.length);
    writeWord(bytes, at, hasher.low);
    writeWord(bytes, at + 4, hasher.high);
  }
  return bytes;
}
