/**
 * The keys of a cluster as this node holds them: the first seals what it sends, all open what arrives. The port gives the secrets
 * (ports/secrets.ts); what seals datagrams, greetings and streams is derived from them here, one purpose each, so that bytes of
 * one can never pass for another's. Packets (packet.ts), greetings (hello.ts) and the spine ask.
 * Guarded: the cluster's name is bound into what seals traffic; a key that left the ring opens nothing from then on.
 */
import type { ClusterSecret, SealingKey, Secrets } from '../../ports/secrets.js';

/** What a seal adds behind the bytes that it covers. */
export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;
export const SALT_BYTES = 16;

const NO_SALT = Buffer.alloc(0);

export interface ClusterKey {
  readonly secret: ClusterSecret;
  readonly datagrams: SealingKey;
}

export class KeyRing {
  private keys = new Map<number, ClusterKey>();
  private first!: ClusterKey;

  constructor(
    readonly secrets: Secrets,
    private readonly clusterName: string,
  ) {
    this.adopt();
  }

  /** The key that seals now. */
  get sealing(): ClusterKey {
    return this.first;
  }

  get size(): number {
    return this.keys.size;
  }

  find(id: number): ClusterKey | undefined {
    return this.keys.get(id);
  }

  /** Ids in the order of the file: the one in use is the first. */
  ids(): number[] {
    return this.secrets.keys.map((secret) => secret.id);
  }

  /** Takes over what the port has read. Keys that stay are not derived again. */
  adopt(): void {
    const keys = new Map<number, ClusterKey>();
    for (const secret of this.secrets.keys) keys.set(secret.id, this.keys.get(secret.id) ?? this.ready(secret));
    this.keys = keys;
    this.first = keys.get(this.secrets.keys[0].id) as ClusterKey;
  }

  /** Seals the greeting of whoever dials. Not bound to the cluster's name: a wrong name is refused by name, inside. */
  greetingKey({ secret }: ClusterKey, salt: Uint8Array): SealingKey {
    return this.derived(secret, salt, 'hearsay greeting');
  }

  /** Seals the answer to it. `salts` are both sides', the dialler's first. */
  answerKey({ secret }: ClusterKey, salts: Uint8Array): SealingKey {
    return this.derived(secret, salts, 'hearsay answer');
  }

  /** Seals the frames from whoever dialled to whoever answered. */
  streamKey({ secret }: ClusterKey, salts: Uint8Array): SealingKey {
    return this.derived(secret, salts, `hearsay stream\n${this.clusterName}`);
  }

  private ready(secret: ClusterSecret): ClusterKey {
    return { secret, datagrams: this.derived(secret, NO_SALT, `hearsay datagram\n${this.clusterName}`) };
  }

  private derived(secret: ClusterSecret, salt: Uint8Array, purpose: string): SealingKey {
    return this.secrets.sealingKey(this.secrets.derive(secret.bytes, salt, purpose));
  }
}

/** A key's id as people see it: eight hexadecimal digits; nothing for none. */
export function keyText(id: number): string {
  return id === 0 ? '' : id.toString(16).padStart(8, '0');
}
