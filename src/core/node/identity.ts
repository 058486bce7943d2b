/**
 * What makes a cluster one: its name and its fixed settings, hashed; and the key that its index hashes by. The id stands on every
 * datagram, the settings in every HELLO, and both sides of a HELLO compare a mark of the hash key, so that all owners hash alike.
 * Guarded: no key of the secret file goes into any of it: keys come and go, the cluster and the order of its hashes stay.
 */
import type { Secrets } from '../../ports/secrets.js';
import { Hasher } from '../base/hash.js';
import { type NodeConfig, settingNamed } from '../config.js';
import type { ClusterId } from '../gossip/packet.js';

/** Fixed keys of the derivations: one per purpose, so that no result tells another. */
const ID_KEY: readonly [number, number] = [0x48656172, 0x73617931];
const INDEX_KEY: readonly [number, number] = [0x696e6465, 0x78206b31];
const MARK_KEY: readonly [number, number] = [0x6d61726b, 0x206f6620];
const WIRE_KEY: readonly [number, number] = [0x77697265, 0x20696420];
const HEX_KEYS: readonly (readonly [number, number])[] = [
  [1, 0x6e6f6465],
  [2, 0x6e6f6465],
  [3, 0x6e6f6465],
];

export interface ClusterIdentity {
  /** Stands on every packet, for all to see. */
  readonly clusterId: ClusterId;
  /** Of name and settings alone, in 16 hexadecimal digits, as the manifest keeps it. */
  readonly clusterIdText: string;
  readonly hashKey: readonly [number, number];
  /** 16 hexadecimal digits: nodes of one cluster with the same order of hashes have the same. */
  readonly hashMark: string;
  /** The settings that every node must share, in words for a refusal. */
  readonly settings: string;
}

type NamedSettings = Pick<NodeConfig, 'clusterName' | 'partitions' | 'replicas'>;
type IdentitySettings = NamedSettings & Pick<NodeConfig, 'password'>;

/**
 * The hash key comes from the seed in the secret file, which a client does not know and no rotation touches; where there is none,
 * from name, settings and password: then clients that know them can choose keys whose hashes collide. Without a secret the
 * mark of the hash key is part of the id, so that nodes with another password are foreign: a fence, not authentication, for
 * whoever reads the traffic can copy the id. With one the id is public, and says nothing of what is secret.
 */
export function clusterIdentity(
  config: IdentitySettings,
  secrets: Pick<Secrets, 'hashSeed'> | null = null,
): ClusterIdentity {
  const settings = settingsText(config);
  const named = Buffer.from(`${config.clusterName}\n${settings}`, 'utf8');
  const seed = secrets?.hashSeed ?? Buffer.from(`${config.clusterName}\n${settings}\n${config.password ?? ''}`, 'utf8');
  const key = hashOf(INDEX_KEY, seed);
  const mark = hashOf(MARK_KEY, seed);
  const id = hashOf(ID_KEY, named);
  const order = hashOf(WIRE_KEY, Buffer.from(`${hexOf(id)}\n${hexOf(mark)}`, 'latin1'));
  const wire = secrets === null ? order : id;
  return {
    clusterId: [wire.low, wire.high],
    clusterIdText: hexOf(id),
    hashKey: [key.low, key.high],
    hashMark: hexOf(order),
    settings,
  };
}

function settingsText(config: NamedSettings): string {
  return `partitions ${config.partitions}, replicas ${config.replicas}`;
}

/**
 * What a directory's cluster id was made from, in words for a refusal: found by trying every number of partitions and replicas,
 * with the name asked for and the default one. Null when it was made from another name. Some hundred hashes; asked only on the way
 * to a refusal.
 */
export function describeClusterId(clusterIdText: string, config: NamedSettings): string | null {
  const names = new Set([config.clusterName, String(settingNamed('clusterName')?.fallback)]);
  const partitionsMax = settingNamed('partitions')?.max ?? 0;
  const replicasMax = settingNamed('replicas')?.max ?? 0;
  for (const clusterName of names) {
    for (let partitions = 1; partitions <= partitionsMax; partitions *= 2) {
      for (let replicas = 1; replicas <= replicasMax; replicas++) {
        const tried = { clusterName, partitions, replicas, password: null };
        if (clusterIdentity(tried).clusterIdText === clusterIdText) return describeCluster(tried);
      }
    }
  }
  return null;
}

/** A cluster's name and settings in words. */
export function describeCluster(config: NamedSettings): string {
  return `${JSON.stringify(config.clusterName)} with ${settingsText(config)}`;
}

/** The 40 hexadecimal digits that the cluster protocol knows a node by. */
export function hexIdOf(nodeId: string): string {
  const bytes = Buffer.from(nodeId, 'utf8');
  let text = '';
  for (const key of HEX_KEYS) {
    const { low, high } = hashOf(key, bytes);
    text += hex(low) + hex(high);
  }
  return text.slice(0, 40);
}

function hashOf(key: readonly [number, number], bytes: Buffer): { low: number; high: number } {
  const hasher = new Hasher(key);
  hasher.hash(bytes, 0, bytes.length);
  return { low: hasher.low, high: hasher.high };
}

function hexOf({ low, high }: { low: number; high: number }): string {
  return hex(high) + hex(low);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
