/**
 * Port: what the nodes of one cluster share and nobody else has, and the ciphers made of it. A node without a secret file gets null
 * and sends in the clear. Laws: calls are synchronous; `derive` and the cipher are pure functions of their arguments; `salt` never
 * gives the same bytes twice; `keys` changes in `reload` alone, and is never empty.
 */

/** AES-256-GCM under one key. Whoever calls makes sure that no nonce seals twice under it. */
export interface SealingKey {
  /**
   * Encrypts `bytes[plainStart, end)` in place, authenticates `bytes[headerStart, plainStart)` with it and writes the tag of
   * 16 bytes at `end`. The nonce has 12 bytes.
   */
  seal(nonce: Uint8Array, bytes: Buffer, headerStart: number, plainStart: number, end: number): void;
  /** The plain text of `bytes[sealedStart, end)`, whose last 16 bytes are the tag; null if it is not authentic. */
  open(nonce: Uint8Array, bytes: Buffer, headerStart: number, sealedStart: number, end: number): Buffer | null;
}

export interface ClusterSecret {
  /** A word that names the key without telling it: it stands on every packet. Never 0. */
  readonly id: number;
  readonly bytes: Buffer;
}

export interface Secrets {
  /** In order: the first is used to seal, all are accepted. */
  readonly keys: readonly ClusterSecret[];
  /** What the hash of keys is drawn from, equal on all nodes whatever keys come and go; null: not from here. */
  readonly hashSeed: Buffer | null;
  /** Whether the source has changed since it was read last. Cheap enough for every second. */
  isStale(): boolean;
  /** Reads the source again. Throws HearsayError CONFIG with everything as it was; true if the keys are others now. */
  reload(): boolean;
  /** HKDF-SHA-256: 32 bytes. */
  derive(secret: Buffer, salt: Uint8Array, purpose: string): Buffer;
  /** A key made ready for use. */
  sealingKey(bytes: Buffer): SealingKey;
  /** 16 fresh bytes. */
  salt(): Buffer;
}
